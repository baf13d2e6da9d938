/* test_roles.c - the whole life of tasks and objects, with scheduler and workers as threads. This
 * is the ThreadSanitizer target: every test runs what it runs from several threads at once. At the
 * end of each test the ledger must be empty (roles_stop). */
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/roles.h"
#include "tests/run_suite.h"

enum {
	TEST_TIMEOUT_S = 120,
	WORKERS = 2,
	LONG_MS = 20000, /* longer than any wait of a healthy runtime */
	SHORT_MS = 30,
	PATH_BYTES = 512,
	TEXT_BYTES = 32,
};

static const struct limits roomy = {
    .processes = 64, .workers = WORKERS, .records = 8192, .nodes = 1, .store_bytes = 16 << 20};
static const struct limits tight = { .processes = 64, .workers = 1, .records = 64, .nodes = 1,
	.store_bytes = 1 << 20 };

static struct roles roles;
static plm *rt; /* one client that every test has */

/* Beside the program, whatever the variant. */
static const char *module_path(void)
{
	static char path[PATH_BYTES];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	ck_assert_int_gt(n, 0);
	path[n] = 0;
	char *end = strrchr(path, '/');
	snprintf(end, sizeof path - (size_t)(end - path), "/modules/mod_test.so");
	return path;
}

static void start(const struct limits *limits, unsigned workers)
{
	roles_start(&roles, limits, module_path());
	for (unsigned i = 0; i < workers; i++)
		roles_add_worker(&roles);
	rt = roles_join(&roles);
}

static void start_roomy(void)
{
	start(&roomy, WORKERS);
}

static void stop(void)
{
	roles_leave(&roles, &rt);
	roles_stop(&roles);
}

/* ---- short ways to say things ---- */

static plm_ref submit(plm *from, const plm_task *task)
{
	plm_ref ref = PLM_NONE;
	int r = plm_submit(from, task, &ref);
	ck_assert_msg(r == 0, "submitting %s: %d, %s", task->function, r, plm_why());
	return ref;
}

static plm_ref submit_args(plm *from, const char *function, const plm_arg *args, size_t n)
{
	return submit(from, &(plm_task){ .function = function, .args = args, .nargs = n });
}

static plm_ref submit_text(plm *from, const char *function, const char *text)
{
	return submit_args(from, function, &PLM_BYTES(text, strlen(text)), 1);
}

static plm_ref submit_after(plm *from, const char *function, plm_ref future)
{
	return submit_args(from, function, &PLM_FUTURE(future), 1);
}

static plm_ref put(plm *from, const void *data, size_t length)
{
	plm_ref ref = PLM_NONE;
	int r = plm_put(from, data, length, &ref);
	ck_assert_msg(r == 0, "put of %zu bytes: %d, %s", length, r, plm_why());
	return ref;
}

static void expect_bytes(plm *from, plm_ref ref, const void *data, size_t length)
{
	plm_view view;
	int r = plm_get(from, ref, &view, LONG_MS);
	ck_assert_msg(r == 0, "get: %d, %s", r, plm_why());
	ck_assert_uint_eq(view.len, length);
	ck_assert_int_eq(memcmp(view.data, data, length), 0);
	plm_release(from, &view);
}

static void expect_text(plm *from, plm_ref ref, const char *text)
{
	expect_bytes(from, ref, text, strlen(text));
}

static void expect_wait(plm *from, plm_ref ref)
{
	int r = plm_wait(from, &ref, 1, 1, LONG_MS, NULL);
	ck_assert_msg(r == 0, "wait: %d, %s", r, plm_why());
}

static plm_failure expect_failure(plm *from, plm_ref ref, int code)
{
	plm_failure failure;
	expect_wait(from, ref);
	ck_assert_int_eq(plm_error(from, ref, &failure), 0);
	ck_assert_int_eq(failure.code, code);
	return failure;
}

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

/* Two threads with a handle each, two that share one. */
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
	void *library = dlopen(module_path(), RTLD_NOW | RTLD_NOLOAD);
	ck_assert_ptr_nonnull(library);
	*ret_count = dlsym(library, "test_order_count");
	return dlsym(library, "test_order");
}

/* They all wait before the only worker comes. */
START_TEST(larger_priority_first_then_order_of_submission)
{
	enum { TASKS = 60, LEVELS = 3 };
	static const int priority[LEVELS] = { 0, 32767, -32768 };
	static const int level_at[LEVELS] = {
	    1, 0, 2}; /* the place of its level in the whole order */
	plm_ref refs[TASKS];
	char tag[TEXT_BYTES];
	for (int i = 0; i < TASKS; i++) {
		int length = snprintf(tag, sizeof tag, "%d", i);
		refs[i] = submit(rt, &(plm_task){.function = "test.order",
					 .args = &PLM_BYTES(tag, (size_t)length),
					 .nargs = 1,
					 .priority = priority[i % LEVELS]});
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
		plm_drop(rt, ref); /* the next one needs it, that is enough */
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
	    submit_args(rt, "probe.sum", (plm_arg[]){PLM_FUTURE(top), PLM_BYTES("1", 1)}, 2);
	plm_ref right =
	    submit_args(rt, "probe.sum", (plm_arg[]){PLM_FUTURE(top), PLM_FUTURE(top)}, 2);
	plm_ref end =
	    submit_args(rt, "probe.sum", (plm_arg[]){PLM_FUTURE(left), PLM_FUTURE(right)}, 2);
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
	    submit_args(rt, "probe.sum", (plm_arg[]){PLM_FUTURE(good), PLM_FUTURE(bad)}, 2);
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

START_TEST(a_failed_function_is_run_again_as_often_as_allowed)
{
	plm_arg enough[] = { PLM_BYTES("1", 1), PLM_BYTES("2", 1) };
	plm_arg short_of_one[] = { PLM_BYTES("2", 1), PLM_BYTES("3", 1) };
	plm_ref good = submit(rt, &(plm_task){ .function = "test.flaky", .args = enough, .nargs = 2,
		.retries = 2 });
	plm_ref bad = submit(rt, &(plm_task){.function = "test.flaky",
				     .args = short_of_one,
				     .nargs = 2,
				     .retries = 2,
				     .crash_retries = 5});
	long calls_before = 2;
	expect_bytes(rt, good, &calls_before, sizeof calls_before);
	ck_assert_str_eq(expect_failure(rt, bad, EAGAIN).message, "call 3 failed");
	plm_drop_many(rt, (plm_ref[]){ good, bad }, 2);
}
END_TEST

/* ---- cancel ---- */

START_TEST(a_waiting_and_a_ready_task_are_cancelled_at_once)
{
	plm_ref ready = submit_text(rt, "probe.echo", "never"); /* there is no worker */
	plm_ref waiting = submit_after(rt, "probe.echo", ready);
	plm_ref after = submit_after(rt, "probe.echo", waiting);
	ck_assert_int_eq(plm_cancel(rt, waiting, 0), 0);
	ck_assert_int_eq(plm_cancel(rt, waiting, 0), -EALREADY);
	plm_view view;
	ck_assert_int_eq(plm_get(rt, waiting, &view, 0), -PLM_ECANCELLED);
	expect_failure(rt, waiting, PLM_ECANCELLED);
	ck_assert_uint_eq(expect_failure(rt, after, ECANCELED).task.id, waiting.id);
	ck_assert_int_eq(plm_cancel(rt, ready, 0), 0);
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
	ck_assert_int_eq(plm_cancel(rt, ref, 0), 0);
	plm_view view;
	ck_assert_int_eq(plm_get(rt, ref, &view, LONG_MS), -PLM_ECANCELLED);
	plm_drop(rt, ref);
}
END_TEST

/* ---- several results, nested tasks ---- */

START_TEST(each_result_of_a_task_is_a_future_of_its_own)
{
	enum { RESULTS = 3 };
	static const char large[] = "the third one is too large to stand in a record of its own";
	plm_arg args[RESULTS] = {
	    PLM_BYTES("one", 3), PLM_BYTES("", 0), PLM_BYTES(large, sizeof large - 1)};
	plm_ref refs[RESULTS], after[RESULTS];
	plm_task task = {
	    .function = "test.split", .args = args, .nargs = RESULTS, .results = RESULTS};
	ck_assert_int_eq(plm_submit(rt, &task, refs), 0);
	for (int i = 0; i < RESULTS; i++)
		after[i] = submit_after(rt, "probe.echo", refs[i]);
	plm_drop(rt, refs[0]); /* the others keep what they need */
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
	    .function = "probe.fail", .args = &PLM_BYTES("no", 2), .nargs = 1, .results = 2};
	ck_assert_int_eq(plm_submit(rt, &task, refs), 0);
	expect_failure(rt, refs[1], 1);
	plm_drop_many(rt, refs, 2);
}
END_TEST

START_TEST(tasks_wait_for_tasks_of_their_own_deeper_than_there_are_workers)
{
	plm_ref tree =
	    submit_args(rt, "probe.tree", (plm_arg[]){PLM_BYTES("6", 1), PLM_BYTES("3", 1)}, 2);
	expect_text(rt, tree, "729");
	plm_drop(rt, tree);
}
END_TEST

/* ---- objects ---- */

START_TEST(an_object_of_any_size_comes_back_as_it_was)
{
	static const size_t sizes[] = { 0, 1, 24, 25, 2048, 2049, 4096, 100000, 1 << 20 };
	unsigned char *data = malloc(1 << 20);
	uint64_t random = RANDOM_SEED;
	for (size_t i = 0; i < 1 << 20; i++)
		data[i] = (unsigned char)random_next(&random);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		plm_ref ref = put(rt, data, sizes[i]);
		expect_bytes(rt, ref, data, sizes[i]);
		plm_ref echo = submit_after(rt, "probe.echo", ref);
		expect_bytes(rt, echo, data, sizes[i]);
		plm_drop_many(rt, (plm_ref[]){ ref, echo }, 2);
	}
	free(data);
}
END_TEST

START_TEST(an_object_is_written_in_place_and_sealed_once)
{
	void *data;
	plm_ref ref;
	plm_view view;
	plm *other = roles_join(&roles);
	ck_assert_int_eq(plm_create(rt, 5000, &data, &ref), 0);
	ck_assert_uint_eq((uintptr_t)data % 64, 0);
	ck_assert_int_eq(plm_get(rt, ref, &view, 0), -ETIMEDOUT);
	ck_assert_int_eq(plm_seal(other, ref), -EINVAL);
	memset(data, 'z', 5000);
	ck_assert_int_eq(plm_seal(rt, ref), 0);
	ck_assert_int_eq(plm_seal(rt, ref), -EINVAL);
	ck_assert_int_eq(plm_get(rt, ref, &view, 0), 0);
	ck_assert_uint_eq(view.len, 5000);
	plm_drop(rt, ref); /* the view holds it */
	ck_assert_int_eq(((const char *)view.data)[4999], 'z');
	plm_release(rt, &view);
	roles_leave(&roles, &other);
}
END_TEST

START_TEST(a_reference_from_elsewhere_can_be_held_beyond_its_giver)
{
	plm *giver = roles_join(&roles);
	plm_ref ref = put(giver, "shared among processes and long", 31);
	ck_assert_int_eq(plm_hold(rt, ref), 0);
	plm_drop(giver, ref);
	roles_leave(&roles, &giver);
	expect_text(rt, ref, "shared among processes and long");
	plm_drop(rt, ref);
}
END_TEST

static bool is_gone(void *context)
{
	plm_ref *ref = context;
	uint64_t word;
	return record_lookup(&roles.tables, ref->id, &word) == NULL;
}

START_TEST(what_nobody_holds_is_gone_and_its_reference_stale)
{
	plm_ref ref = put(rt, "short", 5), kept = put(rt, "kept", 4);
	plm_view view;
	plm_drop(rt, ref);
	roles_until(is_gone, &ref, "a dropped object is freed");
	ck_assert_int_eq(plm_get(rt, ref, &view, 0), -ESTALE);
	ck_assert_int_eq(plm_hold(rt, ref), -ESTALE);
	ck_assert_int_eq(plm_cancel(rt, ref, 0), -ESTALE);
	plm_drop(rt, ref); /* once too often changes nothing */
	plm_ref never = { .id = record_ref(8191, 7), .runtime = kept.runtime };
	ck_assert_int_eq(plm_get(rt, never, &view, 0), -ESTALE);
	plm_ref outside = { .id = record_ref(UINT32_MAX, 1), .runtime = kept.runtime };
	ck_assert_int_eq(plm_get(rt, outside, &view, 0), -ESTALE);
	plm_ref foreign = { .id = kept.id, .runtime = kept.runtime + 1 };
	ck_assert_int_eq(plm_get(rt, foreign, &view, 0), -EXDEV);
	ck_assert_int_eq(plm_get(rt, PLM_NONE, &view, 0), -EINVAL);
	plm_task task = { .function = "probe.echo", .args = &PLM_FUTURE(ref), .nargs = 1 };
	plm_ref none;
	ck_assert_int_eq(plm_submit(rt, &task, &none), -ESTALE);
	ck_assert_uint_eq(none.id, 0);
	expect_text(rt, kept, "kept");
	plm_drop(rt, kept);
}
END_TEST

START_TEST(what_is_kept_outlives_its_process_until_forgotten)
{
	plm *short_lived = roles_join(&roles);
	plm_ref object = put(short_lived, "kept object", 11);
	ck_assert_int_eq(plm_keep(short_lived, object), 0);
	plm_ref task = submit(short_lived, &(plm_task){ .function = "probe.echo", .flags = PLM_KEEP,
		.args = &PLM_BYTES("kept task", 9), .nargs = 1 });
	roles_leave(&roles, &short_lived);
	expect_text(rt, object, "kept object");
	expect_text(rt, task, "kept task");
	ck_assert_int_eq(plm_forget(rt, object), 0);
	ck_assert_int_eq(plm_forget(rt, task), 0);
	roles_until(is_gone, &object, "a forgotten object is freed");
	roles_until(is_gone, &task, "a forgotten task is freed");
}
END_TEST

/* ---- waiting ---- */

START_TEST(a_wait_ends_with_as_many_as_are_wanted_or_with_its_deadline)
{
	plm_ref refs[] = {submit_text(rt, "probe.sleep", "600000"),
	    submit_text(rt, "probe.echo", "fast"), submit_text(rt, "probe.fail", "also settled")};
	uint8_t ready[3];
	ck_assert_int_eq(plm_wait(rt, refs, 3, 2, LONG_MS, ready), 0);
	ck_assert(!ready[0] && ready[1] && ready[2]);
	uint64_t before = clock_ns();
	ck_assert_int_eq(plm_wait(rt, refs, 3, 3, SHORT_MS, ready), -ETIMEDOUT);
	ck_assert_uint_ge(clock_ns() - before, SHORT_MS * NS_PER_MS);
	ck_assert(!ready[0] && ready[1] && ready[2]);
	ck_assert_int_eq(plm_wait(rt, refs, 3, 4, 0, NULL), -EINVAL);
	ck_assert_int_eq(plm_wait(rt, refs, 0, 0, 0, NULL), 0);
	ck_assert_int_eq(plm_cancel(rt, refs[0], 0), 0);
	ck_assert_int_eq(plm_wait(rt, refs, 3, 3, LONG_MS, ready), 0);
	plm_drop_many(rt, refs, 3);
}
END_TEST

static void *wait_for_one(void *context)
{
	expect_wait(rt, *(plm_ref *)context);
	return NULL;
}

START_TEST(threads_of_one_handle_wait_each_for_its_own)
{
	enum { THREADS = 3 };
	pthread_t thread[THREADS];
	plm_ref refs[THREADS];
	void *data;
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(plm_create(rt, 8, &data, &refs[i]), 0);
		ck_assert_int_eq(pthread_create(&thread[i], NULL, wait_for_one, &refs[i]), 0);
	}
	for (int i = THREADS; i-- > 0;) {
		ck_assert_int_eq(plm_seal(rt, refs[i]), 0);
		pthread_join(thread[i], NULL);
	}
	plm_drop_many(rt, refs, THREADS);
}
END_TEST

START_TEST(the_descriptor_is_readable_after_something_settled)
{
	int fd = plm_fd(rt);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(plm_fd(rt), fd);
	for (int i = 0; i < 20; i++) {
		plm_ref ref = submit_text(rt, "probe.echo", "ring");
		uint64_t deadline = clock_ns() + LONG_MS * NS_PER_MS;
		while (plm_wait(rt, &ref, 1, 1, 0, NULL) == -ETIMEDOUT) {
			struct pollfd readable = { .fd = fd, .events = POLLIN };
			uint64_t rings;
			ck_assert_uint_lt(clock_ns(), deadline);
			ck_assert_int_eq(poll(&readable, 1, LONG_MS), 1);
			ck_assert_int_eq(read(fd, &rings, sizeof rings), sizeof rings);
		}
		plm_drop(rt, ref);
	}
}
END_TEST

START_TEST(the_child_of_a_fork_is_told_to_connect_anew)
{
	plm_ref ref = put(rt, "of the parent", 13);
	pid_t child = fork();
	if (child == 0) {
		plm_view view;
		bool told = plm_get(rt, ref, &view, 0) == -ECHILD &&
		    plm_submit(rt, &(plm_task){ .function = "probe.noop" }, &ref) == -ECHILD &&
		    plm_fd(rt) == -ECHILD;
		_exit(told ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	expect_text(rt, ref, "of the parent");
	plm_drop(rt, ref);
}
END_TEST

/* ---- limits ---- */

/* Puts objects of this size until one is refused; how many fitted. */
static size_t fill(size_t length, plm_ref *refs, size_t max)
{
	static const char zeroes[1 << 16];
	size_t n = 0;
	int r = 0;
	while (n < max && (r = plm_put(rt, zeroes, length, &refs[n])) == 0)
		n++;
	ck_assert_int_eq(r, -ENOSPC);
	return n;
}

static void *drop_all(void *context)
{
	plm_drop_many(rt, context, tight.records);
	return NULL;
}

/* At once without patience; with it, as soon as somebody made room. */
static void expect_full_then_room(size_t length, const char *remedy)
{
	static const char zeroes[1 << 16];
	plm_ref refs[64] = { { 0 } }, more;
	pthread_t thread;
	size_t n = fill(length, refs, COUNT_OF(refs) + 1);
	ck_assert_uint_gt(n, 4);
	ck_assert_msg(
	    strstr(plm_why(), remedy) != NULL, "\"%s\" does not name %s", plm_why(), remedy);
	plm_patience(rt, SHORT_MS);
	ck_assert_int_eq(plm_put(rt, zeroes, length, &more), -ENOSPC);
	plm_patience(rt, LONG_MS);
	ck_assert_int_eq(pthread_create(&thread, NULL, drop_all, refs), 0);
	ck_assert_int_eq(plm_put(rt, zeroes, length, &more), 0);
	pthread_join(thread, NULL);
	plm_drop(rt, more);
}

START_TEST(a_full_table_is_an_error_or_a_wait_as_asked)
{
	expect_full_then_room(8, "--tasks");
}
END_TEST

START_TEST(a_full_store_is_an_error_or_a_wait_as_asked)
{
	expect_full_then_room(1 << 16, "--store");
}
END_TEST

START_TEST(what_can_never_be_is_refused_with_its_reason)
{
	static plm_ref refs[RESULTS_MAX + 1];
	plm_ref ref;
	void *data;
	ck_assert_int_eq(plm_create(rt, 2 << 20, &data, &ref), -E2BIG);
	ck_assert_int_eq(plm_submit(rt, &(plm_task){ .function = "probe.nothing" }, &ref), -ENOENT);
	ck_assert_ptr_nonnull(strstr(plm_why(), "probe.nothing"));
	ck_assert_int_eq(
	    plm_submit(rt, &(plm_task){.function = "probe.noop", .priority = 40000}, &ref),
	    -EINVAL);
	ck_assert_int_eq(
	    plm_submit(rt, &(plm_task){.function = "probe.noop", .nargs = 70000}, &ref), -E2BIG);
	ck_assert_int_eq(
	    plm_submit(rt, &(plm_task){.function = "probe.noop", .retries = 255}, &ref), -EINVAL);
	ck_assert_int_eq(
	    plm_submit(rt, &(plm_task){.function = "probe.noop", .results = RESULTS_MAX + 1}, refs),
	    -E2BIG);
	ck_assert_int_eq(
	    plm_submit(rt, &(plm_task){.function = "probe.noop", .flags = 2}, &ref), -EINVAL);
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
	    submit_args(own, "probe.sum", (plm_arg[]){PLM_FUTURE(echo), PLM_FUTURE(bad)}, 2);
	plm_ref maybe = submit_after(own, "probe.echo", echo);
	int r = plm_cancel(own, maybe, 0);
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

/* ---- the suite ---- */

static void start_without_workers(void)
{
	start(&roomy, 0);
}

static void start_tight(void)
{
	start(&tight, 1);
}

static TCase *add_case(Suite *suite, const char *name, void (*boot)(void))
{
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, boot, stop);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void add_roomy(Suite *suite)
{
	TCase *tasks = add_case(suite, "tasks", start_roomy);
	tcase_add_test(tasks, each_task_of_a_flood_from_many_threads_runs_once);
	tcase_add_test(tasks, a_chain_hands_its_value_on);
	tcase_add_test(tasks, a_diamond_joins_once_both_sides_are_done);
	tcase_add_test(tasks, a_thousand_futures_are_arguments_of_one_task);
	tcase_add_test(tasks, a_task_may_wait_for_an_object_not_sealed_yet);
	tcase_add_test(tasks, a_failure_travels_with_its_root);
	tcase_add_test(tasks, a_task_that_comes_after_the_failure_fails_as_well);
	tcase_add_test(tasks, a_failed_function_is_run_again_as_often_as_allowed);
	tcase_add_test(tasks, a_running_task_sees_that_it_is_cancelled);
	tcase_add_test(tasks, each_result_of_a_task_is_a_future_of_its_own);
	tcase_add_test(tasks, a_failed_task_fails_all_its_results);
	tcase_add_test(tasks, tasks_wait_for_tasks_of_their_own_deeper_than_there_are_workers);
	tcase_add_test(tasks, whatever_happens_at_once_each_gets_what_is_its_own);
	TCase *objects = add_case(suite, "objects", start_roomy);
	tcase_add_test(objects, an_object_of_any_size_comes_back_as_it_was);
	tcase_add_test(objects, an_object_is_written_in_place_and_sealed_once);
	tcase_add_test(objects, a_reference_from_elsewhere_can_be_held_beyond_its_giver);
	tcase_add_test(objects, what_nobody_holds_is_gone_and_its_reference_stale);
	tcase_add_test(objects, what_is_kept_outlives_its_process_until_forgotten);
	TCase *waiting = add_case(suite, "waiting", start_roomy);
	tcase_add_test(waiting, a_wait_ends_with_as_many_as_are_wanted_or_with_its_deadline);
	tcase_add_test(waiting, threads_of_one_handle_wait_each_for_its_own);
	tcase_add_test(waiting, the_descriptor_is_readable_after_something_settled);
	tcase_add_test(waiting, the_child_of_a_fork_is_told_to_connect_anew);
}

int main(void)
{
	Suite *suite = suite_create("roles");
	add_roomy(suite);
	TCase *later = add_case(suite, "before there is a worker", start_without_workers);
	tcase_add_test(later, larger_priority_first_then_order_of_submission);
	tcase_add_test(later, a_waiting_and_a_ready_task_are_cancelled_at_once);
	TCase *limits = add_case(suite, "limits", start_tight);
	tcase_add_test(limits, a_full_table_is_an_error_or_a_wait_as_asked);
	tcase_add_test(limits, a_full_store_is_an_error_or_a_wait_as_asked);
	tcase_add_test(limits, what_can_never_be_is_refused_with_its_reason);
	return run_suite(suite);
}
