/* test_roles.c - the whole life of tasks, with scheduler and workers as threads. With
 * test_roles_objects.c the target of ThreadSanitizer: the roles run in several threads at once.
 * At the end of each test the ledger must be empty (roles_stop). */
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"

enum { WORKERS = 2, TEXT_BYTES = 32 };

static const struct limits roomy = {
	.processes = 64, .workers = WORKERS, .records = 8192, .nodes = 1, .store_bytes = 16 << 20
};

static bool is_running(void *context)
{
	const plm_ref *ref = context;
	uint64_t word;
	return record_lookup(&roles.tables, ref->id, &word) && word_state(word) == RECORD_RUNNING;
}

/* ---- many tasks ---- */

enum { FLOODERS = 4, FLOOD_ROUNDS = 12, FLOOD_BATCH = 500 };

static void flood(plm *from)
{
	plm_task tasks[FLOOD_BATCH];
	plm_ref refs[FLOOD_BATCH];
	for (int i = 0; i < FLOOD_BATCH; i++)
		tasks[i] = (plm_task){ .function = "probe.noop" };
	for (int round = 0; round < FLOOD_ROUNDS; round++) {
		ck_assert_int_eq(plm_submit_many(from, tasks, FLOOD_BATCH, refs), 0);
		ck_assert_int_eq(plm_wait(from, refs, FLOOD_BATCH, FLOOD_BATCH, LONG_MS, NULL), 0);
		plm_drop_many(from, refs, FLOOD_BATCH);
	}
}

static void *flood_alone(void *context)
{
	(void)context;
	plm *own = roles_join(&roles);
	flood(own);
	roles_leave(&roles, &own);
	return NULL;
}

static void *flood_shared(void *context)
{
	flood(context);
	return NULL;
}

/* Two threads with a handle each, two threads with a common handle. */
START_TEST(each_task_of_a_flood_from_many_threads_runs_once)
{
	pthread_t thread[FLOODERS];
	for (int i = 0; i < FLOODERS; i++)
		ck_assert_int_eq(
		    pthread_create(&thread[i], NULL, i % 2 ? flood_alone : flood_shared, rt), 0);
	for (int i = 0; i < FLOODERS; i++)
		pthread_join(thread[i], NULL);
	uint64_t done = 0;
	for (unsigned i = 0; i < roles.workers; i++)
		done += sh_load(&roles.tables.process[roles.worker[i]->slot].done);
	ck_assert_uint_eq(done, FLOODERS * FLOOD_ROUNDS * FLOOD_BATCH);
}
END_TEST

/* ---- order ---- */

static uint32_t *order_log(_Atomic uint32_t **ret_count)
{
	void *library = dlopen(roles_case_module(), RTLD_NOW | RTLD_NOLOAD);
	ck_assert_ptr_nonnull(library);
	*ret_count = dlsym(library, "test_order_count");
	return dlsym(library, "test_order");
}

/* All tasks wait before the only worker comes. */
START_TEST(larger_priority_first_then_order_of_submission)
{
	enum { TASKS = 60, LEVELS = 3 };
	static const int priority[LEVELS] = { 0, 32767, -32768 };
	static const int level_at[LEVELS] = { 1, 0,
		2 }; /* the rank of the level in the whole order */
	plm_ref refs[TASKS];
	char tag[TEXT_BYTES];
	for (int i = 0; i < TASKS; i++) {
		int length = snprintf(tag, sizeof tag, "%d", i);
		refs[i] = submit(rt,
		    &(plm_task){ .function = "test.order",
			.args = &PLM_BYTES(tag, (size_t)length),
			.nargs = 1,
			.priority = priority[i % LEVELS] });
	}
	roles_add_worker(&roles);
	ck_assert_int_eq(plm_wait(rt, refs, TASKS, TASKS, LONG_MS, NULL), 0);
	_Atomic uint32_t *count;
	uint32_t *order = order_log(&count);
	ck_assert_uint_eq(atomic_load(count), TASKS);
	for (int i = 0; i < TASKS; i++)
		ck_assert_int_eq(order[level_at[i % LEVELS] * (TASKS / LEVELS) + i / LEVELS], i);
	plm_drop_many(rt, refs, TASKS);
}
END_TEST

/* ---- dependencies ---- */

START_TEST(a_chain_hands_its_value_on)
{
	enum { LINKS = 200 };
	plm_ref ref =
	    submit_text(rt, "probe.echo", "a value that is too long to stand in the record");
	for (int i = 0; i < LINKS; i++) {
		plm_ref next = submit_after(rt, "probe.echo", ref);
		plm_drop(rt, ref); /* the next task needs the value, which is enough */
		ref = next;
	}
	expect_text(rt, ref, "a value that is too long to stand in the record");
	plm_drop(rt, ref);
}
END_TEST

START_TEST(a_diamond_joins_once_both_sides_are_done)
{
	plm_ref top = submit_text(rt, "probe.sum", "5");
	plm_ref left =
	    submit_args(rt, "probe.sum", (plm_arg[]){ PLM_FUTURE(top), PLM_BYTES("1", 1) }, 2);
	plm_ref right =
	    submit_args(rt, "probe.sum", (plm_arg[]){ PLM_FUTURE(top), PLM_FUTURE(top) }, 2);
	plm_ref end =
	    submit_args(rt, "probe.sum", (plm_arg[]){ PLM_FUTURE(left), PLM_FUTURE(right) }, 2);
	expect_text(rt, end, "16");
	plm_drop_many(rt, (plm_ref[]){ top, left, right, end }, 4);
}
END_TEST

START_TEST(a_thousand_futures_are_arguments_of_one_task)
{
	enum { N = 1000 };
	plm_arg args[N];
	plm_ref refs[N];
	plm_task tasks[N];
	char text[N][8];
	for (int i = 0; i < N; i++) {
		snprintf(text[i], sizeof text[i], "%d", i);
		args[i] = PLM_BYTES(text[i], strlen(text[i]));
		tasks[i] = (plm_task){ .function = "probe.echo", .args = &args[i], .nargs = 1 };
	}
	ck_assert_int_eq(plm_submit_many(rt, tasks, N, refs), 0);
	for (int i = 0; i < N; i++)
		args[i] = PLM_FUTURE(refs[i]);
	plm_ref sum = submit_args(rt, "probe.sum", args, N);
	plm_drop_many(rt, refs, N);
	expect_text(rt, sum, "499500");
	plm_drop(rt, sum);
}
END_TEST

START_TEST(a_task_may_wait_for_an_object_not_sealed_yet)
{
	void *data;
	plm_ref object, echo;
	ck_assert_int_eq(plm_create(rt, 100, &data, &object), 0);
	echo = submit_after(rt, "probe.echo", object);
	ck_assert_int_eq(plm_wait(rt, &echo, 1, 1, SHORT_MS, NULL), -ETIMEDOUT);
	memset(data, 'x', 100);
	ck_assert_int_eq(plm_seal(rt, object), 0);
	char expected[100];
	memset(expected, 'x', sizeof expected);
	expect_bytes(rt, echo, expected, sizeof expected);
	plm_drop_many(rt, (plm_ref[]){ object, echo }, 2);
}
END_TEST

/* ---- failure ---- */

START_TEST(a_failure_travels_with_its_root)
{
	plm_arg args[] = { PLM_BYTES("it is broken", 12), PLM_BYTES("42", 2) };
	plm_ref good = submit_text(rt, "probe.echo", "good");
	plm_ref bad = submit_args(rt, "probe.fail", args, 2);
	plm_ref middle =
	    submit_args(rt, "probe.sum", (plm_arg[]){ PLM_FUTURE(good), PLM_FUTURE(bad) }, 2);
	plm_ref end = submit_after(rt, "probe.echo", middle);
	plm_failure failure = expect_failure(rt, end, 42);
	ck_assert_str_eq(failure.message, "it is broken");
	ck_assert_str_eq(failure.function, "probe.fail");
	ck_assert_uint_eq(failure.task.id, bad.id);
	ck_assert_int_eq(failure.signal, 0);
	plm_view view;
	ck_assert_int_eq(plm_get(rt, end, &view, 0), -PLM_EFAILED);
	plm_drop_many(rt, (plm_ref[]){ good, bad, middle, end }, 4);
}
END_TEST

START_TEST(a_task_that_comes_after_the_failure_fails_as_well)
{
	plm_ref bad = submit_text(rt, "probe.fail", "early");
	expect_failure(rt, bad, 1);
	plm_ref late = submit_after(rt, "probe.echo", bad);
	ck_assert_str_eq(expect_failure(rt, late, 1).message, "early");
	plm_drop_many(rt, (plm_ref[]){ bad, late }, 2);
}
END_TEST

struct retried {
	plm_ref failed[2], again[2];
	int n;
};

static int note_retry(void *context, plm_ref failed, plm_ref again, int error)
{
	struct retried *retried = context;
	ck_assert_msg(error == 0, "%d: %s", error, plm_why());
	ck_assert_int_lt(retried->n, 2);
	retried->failed[retried->n] = failed;
	retried->again[retried->n++] = again;
	return 0;
}

/* The dependant comes first in the call, but its argument is retried first; the new dependant fails
 * because of the new argument. The runtime holds the new tasks, and no longer the failed tasks. */
START_TEST(a_failed_graph_is_retried_as_a_graph)
{
	struct retried retried = { .n = 0 };
	plm_ref both[2];
	plm_failure failure;
	plm_task task = { .function = "probe.fail",
		.args = &PLM_BYTES("early", 5),
		.nargs = 1,
		.flags = PLM_KEEP };
	ck_assert_int_eq(plm_submit(rt, &task, &both[1]), 0);
	task.function = "probe.echo";
	task.args = &PLM_FUTURE(both[1]);
	ck_assert_int_eq(plm_submit(rt, &task, &both[0]), 0);
	ck_assert_int_eq(plm_wait(rt, both, 2, 2, LONG_MS, NULL), 0);
	ck_assert_int_eq(plm_retry_many(rt, both, 2, note_retry, &retried), 2);
	ck_assert_uint_eq(retried.failed[0].id, both[1].id);
	ck_assert_uint_eq(retried.failed[1].id, both[0].id);
	ck_assert_int_eq(plm_wait(rt, retried.again, 2, 2, LONG_MS, NULL), 0);
	ck_assert_int_eq(plm_error(rt, retried.again[1], &failure), 0);
	ck_assert_uint_eq(failure.task.id, retried.again[0].id);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(plm_forget(rt, retried.again[i]), 0);
		plm_drop(rt, retried.again[i]);
		plm_drop(rt, both[i]);
	}
}
END_TEST

START_TEST(a_failed_function_is_run_again_as_often_as_allowed)
{
	plm_arg enough[] = { PLM_BYTES("1", 1), PLM_BYTES("2", 1) };
	plm_arg short_of_one[] = { PLM_BYTES("2", 1), PLM_BYTES("3", 1) };
	plm_ref good = submit(
	    rt, &(plm_task){ .function = "test.flaky", .args = enough, .nargs = 2, .retries = 2 });
	plm_ref bad = submit(rt,
	    &(plm_task){ .function = "test.flaky",
		.args = short_of_one,
		.nargs = 2,
		.retries = 2,
		.crash_retries = 5 });
	long calls_before = 2;
	expect_bytes(rt, good, &calls_before, sizeof calls_before);
	ck_assert_str_eq(expect_failure(rt, bad, EAGAIN).message, "call 3 failed");
	plm_drop_many(rt, (plm_ref[]){ good, bad }, 2);
}
END_TEST

/* ---- cancel ---- */

START_TEST(a_waiting_and_a_ready_task_are_cancelled_at_once)
{
	plm_ref ready = submit_text(rt, "probe.echo", "never"); /* no worker */
	plm_ref waiting = submit_after(rt, "probe.echo", ready);
	plm_ref after = submit_after(rt, "probe.echo", waiting);
	ck_assert_int_eq(plm_cancel(rt, waiting, PLM_GRACE_OF_TASK), 0);
	ck_assert_int_eq(plm_cancel(rt, waiting, PLM_GRACE_OF_TASK), -EALREADY);
	plm_view view;
	ck_assert_int_eq(plm_get(rt, waiting, &view, 0), -PLM_ECANCELLED);
	expect_failure(rt, waiting, PLM_ECANCELLED);
	ck_assert_uint_eq(expect_failure(rt, after, ECANCELED).task.id, waiting.id);
	ck_assert_int_eq(plm_cancel(rt, ready, PLM_GRACE_OF_TASK), 0);
	roles_add_worker(&roles);
	plm_ref next = submit_text(rt, "probe.echo", "next");
	expect_text(rt, next, "next");
	ck_assert_uint_eq(sh_load(&roles.tables.process[roles.worker[0]->slot].done), 1);
	plm_drop_many(rt, (plm_ref[]){ ready, waiting, after, next }, 4);
}
END_TEST

START_TEST(a_running_task_sees_that_it_is_cancelled)
{
	plm_ref ref = submit_text(rt, "probe.sleep", "600000");
	roles_until(is_running, &ref, "the task runs");
	ck_assert_int_eq(plm_cancel(rt, ref, PLM_GRACE_OF_TASK), 0);
	plm_view view;
	ck_assert_int_eq(plm_get(rt, ref, &view, LONG_MS), -PLM_ECANCELLED);
	plm_drop(rt, ref);
}
END_TEST

/* ---- several results, nested tasks ---- */

static bool nothing_runs(void *context)
{
	plm_status status;
	(void)context;
	ck_assert_int_eq(plm_status_get(rt, &status), 0);
	return status.waiting + status.ready + status.running == 0;
}

/* The client is faster: the scheduler has not met the cancelled task yet. */
START_TEST(replicas_of_a_task_that_is_cancelled_at_once_are_cancelled)
{
	plm_terms terms = { .replicas = 2 };
	plm_task task = { .function = "probe.sleep",
		.args = &PLM_BYTES("3600000", 7),
		.nargs = 1,
		.terms = &terms };
	roles_stop_scheduler(&roles);
	plm_ref ref = submit(rt, &task);
	ck_assert_int_eq(plm_cancel(rt, ref, 0), 0);
	plm_drop(rt, ref);
	roles_start_scheduler(&roles);
	roles_until(nothing_runs, NULL, "a replica is left");
}
END_TEST

START_TEST(each_result_of_a_task_is_a_future_of_its_own)
{
	enum { RESULTS = 3 };
	static const char large[] = "the third one is too large to stand in a record of its own";
	plm_arg args[RESULTS] = { PLM_BYTES("one", 3), PLM_BYTES("", 0),
		PLM_BYTES(large, sizeof large - 1) };
	plm_ref refs[RESULTS], after[RESULTS];
	plm_task task = {
		.function = "test.split", .args = args, .nargs = RESULTS, .results = RESULTS
	};
	ck_assert_int_eq(plm_submit(rt, &task, refs), 0);
	for (int i = 0; i < RESULTS; i++)
		after[i] = submit_after(rt, "probe.echo", refs[i]);
	plm_drop(rt, refs[0]); /* other tasks keep the value they need */
	expect_bytes(rt, refs[1], "", 0);
	expect_text(rt, refs[2], large);
	expect_text(rt, after[0], "one");
	expect_text(rt, after[2], large);
	plm_drop_many(rt, refs + 1, RESULTS - 1);
	plm_drop_many(rt, after, RESULTS);
}
END_TEST

START_TEST(a_failed_task_fails_all_its_results)
{
	plm_ref refs[2];
	plm_task task = {
		.function = "probe.fail", .args = &PLM_BYTES("no", 2), .nargs = 1, .results = 2
	};
	ck_assert_int_eq(plm_submit(rt, &task, refs), 0);
	expect_failure(rt, refs[1], 1);
	plm_drop_many(rt, refs, 2);
}
END_TEST

START_TEST(tasks_wait_for_tasks_of_their_own_deeper_than_there_are_workers)
{
	plm_ref tree =
	    submit_args(rt, "probe.tree", (plm_arg[]){ PLM_BYTES("6", 1), PLM_BYTES("3", 1) }, 2);
	expect_text(rt, tree, "729");
	plm_drop(rt, tree);
}
END_TEST

/* ---- everything at once ---- */

enum { MIXERS = 3, MIX_ROUNDS = 150 };

static void mix_once(plm *own, uint64_t *random)
{
	char text[TEXT_BYTES];
	snprintf(text, sizeof text, "%d", (int)(random_next(random) % 1000));
	plm_ref object = put(own, text, strlen(text));
	plm_ref echo = submit_after(own, "probe.echo", object);
	plm_ref bad = submit_text(own, "probe.fail", "on purpose");
	plm_ref never =
	    submit_args(own, "probe.sum", (plm_arg[]){ PLM_FUTURE(echo), PLM_FUTURE(bad) }, 2);
	plm_ref maybe = submit_after(own, "probe.echo", echo);
	int r = plm_cancel(own, maybe, PLM_GRACE_OF_TASK);
	ck_assert(r == 0 || r == -EALREADY);
	plm_drop(own, object);
	expect_text(own, echo, text);
	expect_failure(own, never, 1);
	expect_wait(own, maybe);
	plm_drop_many(own, (plm_ref[]){ echo, bad, never, maybe }, 4);
}

static void *mix(void *context)
{
	uint64_t random = RANDOM_SEED + (uintptr_t)context;
	plm *own = roles_join(&roles);
	for (int i = 0; i < MIX_ROUNDS; i++)
		mix_once(own, &random);
	roles_leave(&roles, &own);
	return NULL;
}

START_TEST(whatever_happens_at_once_each_gets_what_is_its_own)
{
	pthread_t thread[MIXERS];
	for (uintptr_t i = 0; i < MIXERS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, mix, (void *)i), 0);
	for (int i = 0; i < MIXERS; i++) {
		plm_status status;
		ck_assert_int_eq(plm_status_get(rt, &status), 0);
		pthread_join(thread[i], NULL);
	}
}
END_TEST

/* ---- while a scheduler starts ---- */

enum { STARTS = 20, RECORDS_USED = 4000, EARLY = 500 };

struct early {
	plm_ref object, echo[EARLY];
};

static void *submit_early(void *context)
{
	struct early *early = context;
	for (int i = 0; i < EARLY; i++)
		early->echo[i] = submit_after(rt, "probe.echo", early->object);
	return NULL;
}

static void start_amid_submissions(struct early *early)
{
	pthread_t thread;
	roles_stop_scheduler(&roles);
	ck_assert_int_eq(pthread_create(&thread, NULL, submit_early, early), 0);
	roles_start_scheduler(&roles);
	pthread_join(thread, NULL);
}

/* The look takes longer the more records were ever used. */
static void use_many_records(void)
{
	static plm_ref refs[RECORDS_USED];
	for (int i = 0; i < RECORDS_USED; i++)
		refs[i] = put(rt, "x", 1);
	plm_drop_many(rt, refs, RECORDS_USED);
}

START_TEST(a_task_submitted_while_a_scheduler_starts_waits_for_its_argument)
{
	static struct early early;
	use_many_records();
	for (int i = 0; i < STARTS; i++) {
		void *data;
		ck_assert_int_eq(plm_create(rt, 5, &data, &early.object), 0);
		start_amid_submissions(&early);
		memcpy(data, "early", 5);
		ck_assert_int_eq(plm_seal(rt, early.object), 0);
		plm_drop(rt, early.object);
		for (int k = 0; k < EARLY; k++)
			expect_bytes(rt, early.echo[k], "early", 5);
		plm_drop_many(rt, early.echo, EARLY);
	}
}
END_TEST

/* ---- the suite ---- */

static void start_roomy(void)
{
	roles_case_start(&roomy, WORKERS);
}

static void start_without_workers(void)
{
	roles_case_start(&roomy, 0);
}

int main(void)
{
	Suite *suite = suite_create("roles: tasks");
	TCase *tasks = roles_case_add(suite, "tasks", start_roomy);
	tcase_add_test(tasks, each_task_of_a_flood_from_many_threads_runs_once);
	tcase_add_test(tasks, a_chain_hands_its_value_on);
	tcase_add_test(tasks, a_diamond_joins_once_both_sides_are_done);
	tcase_add_test(tasks, a_thousand_futures_are_arguments_of_one_task);
	tcase_add_test(tasks, a_task_may_wait_for_an_object_not_sealed_yet);
	tcase_add_test(tasks, a_failure_travels_with_its_root);
	tcase_add_test(tasks, a_task_that_comes_after_the_failure_fails_as_well);
	tcase_add_test(tasks, a_failed_graph_is_retried_as_a_graph);
	tcase_add_test(tasks, a_failed_function_is_run_again_as_often_as_allowed);
	tcase_add_test(tasks, a_running_task_sees_that_it_is_cancelled);
	tcase_add_test(tasks, replicas_of_a_task_that_is_cancelled_at_once_are_cancelled);
	tcase_add_test(tasks, each_result_of_a_task_is_a_future_of_its_own);
	tcase_add_test(tasks, a_failed_task_fails_all_its_results);
	tcase_add_test(tasks, tasks_wait_for_tasks_of_their_own_deeper_than_there_are_workers);
	tcase_add_test(tasks, whatever_happens_at_once_each_gets_what_is_its_own);
	tcase_add_test(tasks, a_task_submitted_while_a_scheduler_starts_waits_for_its_argument);
	TCase *later = roles_case_add(suite, "before there is a worker", start_without_workers);
	tcase_add_test(later, larger_priority_first_then_order_of_submission);
	tcase_add_test(later, a_waiting_and_a_ready_task_are_cancelled_at_once);
	return run_suite(suite);
}
