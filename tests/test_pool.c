/* test_pool.c - workers that come and go while a runtime is up, and a queue that rests. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "client/handle.h"
#include "tests/run_suite.h"
#include "tests/runtime.h"

enum {
	TEST_TIMEOUT_S = 120,
	LOOK_AGAIN_NS = 1000000,
	WORKERS = 3,
	TASKS = 6,
	BATCH = 64,
	RESIZES = 60,
};

static struct runtime rt;
static plm *handle;

static void join(void)
{
	int r = plm_connect(&handle, rt.name);
	ck_assert_msg(r == 0, "connect: %d, %s", r, plm_why());
	plm_patience(handle, DEADLINE_MS);
}

static void boot(void)
{
	runtime_boot(&rt, "--workers", "3", "--tasks", "4096", "--store", "16M",);
	join();
}

static void stop(void)
{
	plm_disconnect(&handle);
	runtime_stop(&rt);
	runtime_end(&rt);
}

/* ---- what is there ---- */

static void until(bool (*done)(uint64_t wanted), uint64_t wanted, const char *what)
{
	static const struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	while (!done(wanted)) {
		ck_assert_msg(clock_ns() < deadline, "it never came to %llu %s",
		    (unsigned long long)wanted, what);
		nanosleep(&pause, NULL);
	}
}

static uint32_t workers_in(enum process_state state)
{
	const struct tables *t = plm_tables(handle);
	uint32_t n = 0;
	for (uint32_t i = 0; i < t->limits.processes; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		n += process_kind(word) == KIND_WORKER && process_state(word) == state;
	}
	return n;
}

/* The process of a worker in this state, by its number. */
static const struct process *worker_process(uint32_t worker, enum process_state state)
{
	const struct tables *t = plm_tables(handle);
	for (uint32_t i = 0; i < t->limits.processes; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		if (process_kind(word) == KIND_WORKER && process_state(word) == state &&
		    t->process[i].worker == worker)
			return &t->process[i];
	}
	return NULL;
}

static plm_status status(void)
{
	plm_status s;
	ck_assert_int_eq(plm_status_get(handle, &s), 0);
	return s;
}

/* All there are, and none on its way in or out. */
static bool workers_are(uint64_t wanted)
{
	return workers_in(PROCESS_LIVE) == wanted && workers_in(PROCESS_STARTING) == 0 &&
	    workers_in(PROCESS_LEAVING) == 0 && workers_in(PROCESS_DEAD) == 0;
}

static bool running_are(uint64_t wanted)
{
	return status().running == wanted;
}

static bool leaving_are(uint64_t wanted)
{
	return workers_in(PROCESS_LEAVING) == wanted;
}

/* ---- tasks ---- */

static plm_ref submit(const char *function, const char *text, unsigned crash_retries)
{
	plm_ref ref;
	plm_arg arg = PLM_BYTES(text, strlen(text));
	plm_task task = { .function = function, .args = &arg, .nargs = 1,
		.crash_retries = crash_retries };
	int r = plm_submit(handle, &task, &ref);
	ck_assert_msg(r == 0, "submit: %s", plm_why());
	return ref;
}

static plm_ref submit_after(plm_ref future)
{
	plm_ref ref;
	plm_task task = {
		.function = "probe.echo", .args = &PLM_FUTURE(future), .nargs = 1 };
	ck_assert_int_eq(plm_submit(handle, &task, &ref), 0);
	return ref;
}

static void sleepers(const char *ms, unsigned crash_retries, plm_ref *ret, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ret[i] = submit("probe.sleep", ms, crash_retries);
	until(running_are, n, "running tasks");
}

static enum record_state state_of(plm_ref ref, uint32_t *ret_attempt)
{
	uint64_t word = 0;
	ck_assert_ptr_nonnull(record_lookup(plm_tables(handle), ref.id, &word));
	if (ret_attempt)
		*ret_attempt = word_attempt(word);
	return word_state(word);
}

/* Each is done, at its first attempt. */
static void expect_done_once(const plm_ref *ref, unsigned n)
{
	ck_assert_int_eq(plm_wait(handle, ref, n, n, DEADLINE_MS, NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		uint32_t attempt;
		ck_assert_int_eq(state_of(ref[i], &attempt), RECORD_DONE);
		ck_assert_uint_eq(attempt, 1);
	}
}

static void expect_ready(const plm_ref *ref, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(state_of(ref[i], NULL), RECORD_READY);
}

static void set_workers(const char *n)
{
	free(ctl_expect(&rt, 0, "workers", "--set", n));
}

/* ---- how many workers ---- */

START_TEST(more_workers_are_started_and_run_tasks)
{
	plm_ref ref[TASKS];
	boot();
	set_workers("6");
	sleepers("600000", 0, ref, TASKS);
	ck_assert(workers_are(TASKS));
	ck_assert_uint_eq(status().restarts, 0);
	for (int i = 0; i < TASKS; i++)
		ck_assert_int_eq(plm_cancel(handle, ref[i], 0), 0);
	stop();
}
END_TEST

START_TEST(those_with_the_highest_numbers_leave_when_their_task_is_done)
{
	plm_ref ref[WORKERS];
	boot();
	sleepers("300", 0, ref, WORKERS);
	set_workers("1");
	ck_assert_uint_eq(workers_in(PROCESS_LEAVING), 2);
	ck_assert_ptr_nonnull(worker_process(0, PROCESS_LIVE));
	expect_done_once(ref, WORKERS);
	until(workers_are, 1, "workers");
	ck_assert_ptr_nonnull(worker_process(0, PROCESS_LIVE));
	ck_assert_uint_eq(status().restarts, 0);
	stop();
}
END_TEST

START_TEST(without_workers_tasks_wait_and_the_next_ones_run_them)
{
	plm_ref busy[WORKERS], queued[TASKS];
	boot();
	sleepers("200", 0, busy, WORKERS);
	for (int i = 0; i < TASKS; i++)
		queued[i] = submit("probe.echo", "x", 0);
	set_workers("0");
	expect_done_once(busy, WORKERS);
	until(workers_are, 0, "workers");
	expect_ready(queued, TASKS);
	set_workers("2");
	expect_done_once(queued, TASKS);
	until(workers_are, 2, "workers");
	stop();
}
END_TEST

START_TEST(what_stood_before_one_that_leaves_goes_to_others_while_it_is_busy)
{
	plm_ref queued[TASKS], busy;
	boot();
	set_workers("2");
	until(workers_are, 2, "workers");
	sleepers("600000", 0, &busy, 1);
	const struct process *staying = worker_process(0, PROCESS_LIVE);
	if (sh_load(&staying->running) == 0) { /* the one that is busy is the one to leave */
		for (int i = 0; i < TASKS; i++)
			queued[i] = submit("probe.sleep", "5", 0);
		set_workers("1");
		expect_done_once(queued, TASKS);
		ck_assert_uint_eq(workers_in(PROCESS_LEAVING), 1);
		ck_assert_uint_eq(sh_load(&worker_process(1, PROCESS_LEAVING)->done), 0);
	} else { /* or it leaves idle, and what comes later waits for the other */
		set_workers("1");
		until(workers_are, 1, "workers");
		queued[0] = submit("probe.echo", "x", 0);
		ck_assert_int_eq(plm_cancel(handle, busy, 0), 0);
		expect_done_once(queued, 1);
	}
	plm_cancel(handle, busy, 0);
	stop();
}
END_TEST

/* Also not by the manager's back-off: it was asked to leave before it died. */
START_TEST(a_worker_killed_while_it_leaves_loses_no_task_and_is_not_replaced)
{
	plm_ref ref[WORKERS];
	boot();
	sleepers("400", 1, ref, WORKERS);
	set_workers("2");
	until(leaving_are, 1, "leaving workers");
	const struct process *leaving = worker_process(2, PROCESS_LEAVING);
	uint64_t task = sh_load(&leaving->running);
	ck_assert_int_eq(kill(leaving->pid, SIGKILL), 0);
	ck_assert_int_eq(plm_wait(handle, ref, WORKERS, WORKERS, DEADLINE_MS, NULL), 0);
	for (int i = 0; i < WORKERS; i++) {
		uint32_t attempt;
		ck_assert_int_eq(state_of(ref[i], &attempt), RECORD_DONE);
		ck_assert_uint_eq(attempt, ref[i].id == task ? 2 : 1);
	}
	ck_assert(workers_are(2));
	stop();
}
END_TEST

START_TEST(a_task_on_one_that_leaves_can_be_cancelled)
{
	plm_ref ref[WORKERS];
	boot();
	sleepers("600000", 0, ref, WORKERS);
	set_workers("0");
	until(leaving_are, WORKERS, "leaving workers");
	for (int i = 0; i < WORKERS; i++)
		ck_assert_int_eq(plm_cancel(handle, ref[i], 0), 0);
	ck_assert_int_eq(plm_wait(handle, ref, WORKERS, WORKERS, DEADLINE_MS, NULL), 0);
	until(workers_are, 0, "workers");
	set_workers("1");
	stop();
}
END_TEST

/* Tasks that may not run twice, so that a lost one and a doubled one both fail. */
static void submit_batch(plm_ref ref[2 * BATCH + 1])
{
	static const plm_arg args[] = { PLM_BYTES("2", 1), PLM_BYTES("3", 1) };
	plm_task first[BATCH], second[BATCH];
	plm_arg future[BATCH];
	plm_task tree = { .function = "probe.tree", .args = args, .nargs = 2 };
	for (int i = 0; i < BATCH; i++)
		first[i] = (plm_task){ .function = "probe.echo", .args = args, .nargs = 1 };
	ck_assert_int_eq(plm_submit_many(handle, first, BATCH, ref), 0);
	for (int i = 0; i < BATCH; i++) {
		future[i] = PLM_FUTURE(ref[i]);
		second[i] = (plm_task){ .function = "probe.echo", .args = &future[i], .nargs = 1 };
	}
	ck_assert_int_eq(plm_submit_many(handle, second, BATCH, ref + BATCH), 0);
	ck_assert_int_eq(plm_submit(handle, &tree, &ref[2 * BATCH]), 0);
}

START_TEST(nothing_is_lost_or_done_twice_while_the_pool_changes)
{
	static const unsigned sizes[] = { 1, 5, 0, 2, 6, 3, 0, 4 };
	plm_ref ref[2 * BATCH + 1];
	boot();
	for (int i = 0; i < RESIZES; i++) {
		submit_batch(ref);
		ck_assert_int_eq(plm_set_workers(handle, sizes[i % 8]), 0);
		if (i % 3 == 0) {
			ck_assert_int_eq(plm_pause(handle), 0);
			ck_assert_int_eq(plm_resume(handle), 0);
		}
		ck_assert_int_eq(plm_set_workers(handle, 1 + sizes[(i + 3) % 8]), 0);
		expect_done_once(ref, 2 * BATCH + 1);
		plm_drop_many(handle, ref, 2 * BATCH + 1);
	}
	set_workers("2");
	until(workers_are, 2, "workers");
	ck_assert_uint_eq(status().restarts, 0);
	stop();
}
END_TEST

START_TEST(too_many_workers_are_refused_by_the_bound_that_they_exceed)
{
	static const struct { const char *n; int code; const char *says;
	} rows[] = { { "100", 75, "--processes" }, { "513", 64, "at most 512" },
	    { "-1", 64, "--set" }, { "many", 64, "--set" } };
	boot();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct output_of o = ctl(&rt, "workers", "--set", rows[i].n);
		ck_assert_msg(o.code == rows[i].code, "%s: exit code %d", rows[i].n, o.code);
		ck_assert_msg(strstr(o.err, rows[i].says) != NULL, "%s: %s", rows[i].n, o.err);
		output_free(&o);
	}
	ck_assert(workers_are(WORKERS));
	stop();
}
END_TEST

START_TEST(only_the_first_kind_grows_and_shrinks)
{
	runtime_boot(&rt, "--workers", "gen=1,slots=2 x2; gen=4,slots=1 x2", "--store", "16M",);
	join();
	set_workers("3");
	until(workers_are, 3 * 2 + 2, "processes of workers");
	ck_assert_uint_eq(worker_process(4, PROCESS_LIVE)->worker_kind, 0);
	ck_assert_uint_eq(worker_process(3, PROCESS_LIVE)->worker_kind, 1);
	set_workers("0");
	until(workers_are, 2, "processes of workers");
	ck_assert_uint_eq(worker_process(2, PROCESS_LIVE)->worker_kind, 1);
	stop();
}
END_TEST

/* ---- pause, drain, resume ---- */

static void expect_state(const char *expected)
{
	char *text = ctl_expect(&rt, 0, "status", "--json"), wanted[64];
	snprintf(wanted, sizeof wanted, "\"state\": \"%s\"", expected);
	ck_assert_msg(strstr(text, wanted) != NULL, "not %s: %s", expected, text);
	free(text);
}

/* One worker goes on with a task, the others are idle: they are handed, given and steal nothing. */
START_TEST(while_paused_running_tasks_go_on_and_none_starts)
{
	plm_ref busy, queued[TASKS + 1];
	boot();
	sleepers("300", 0, &busy, 1);
	queued[TASKS] = submit_after(busy); /* its worker would keep it */
	free(ctl_expect(&rt, 0, "pause"));
	expect_state("paused");
	for (int i = 0; i < TASKS; i++)
		queued[i] = submit("probe.echo", "x", 0);
	expect_done_once(&busy, 1);
	while (state_of(queued[TASKS], NULL) == RECORD_WAITING) /* until its worker told it */
		ck_assert_uint_eq(status().running, 0);
	expect_ready(queued, TASKS + 1);
	/* A whole batch, and the scheduler looks at it. */
	plm_ref more[TASKS];
	plm_task task[TASKS];
	for (int i = 0; i < TASKS; i++)
		task[i] = (plm_task){ .function = "probe.noop" };
	ck_assert_int_eq(plm_submit_many(handle, task, TASKS, more), 0);
	ck_assert_int_eq(plm_wait(handle, more, TASKS, 1, 200, NULL), -ETIMEDOUT);
	expect_ready(queued, TASKS + 1);
	free(ctl_expect(&rt, 0, "resume"));
	expect_done_once(queued, TASKS + 1);
	expect_done_once(more, TASKS);
	expect_state("up");
	stop();
}
END_TEST

START_TEST(a_task_that_waits_runs_what_it_waits_for_also_while_paused)
{
	plm_ref tree;
	plm_arg args[] = { PLM_BYTES("7", 1), PLM_BYTES("4", 1) };
	plm_task task = { .function = "probe.tree", .args = args, .nargs = 2 };
	boot();
	ck_assert_int_eq(plm_submit(handle, &task, &tree), 0);
	while (state_of(tree, NULL) == RECORD_READY)
		;
	ck_assert_int_eq(plm_pause(handle), 0);
	expect_done_once(&tree, 1);
	stop();
}
END_TEST

START_TEST(a_new_scheduler_keeps_the_pause)
{
	plm_ref queued;
	boot();
	ck_assert_int_eq(plm_pause(handle), 0);
	queued = submit("probe.echo", "x", 0);
	pid_t scheduler = status().scheduler_pid;
	ck_assert_int_eq(kill(scheduler, SIGKILL), 0);
	ck_assert(wait_for_death(scheduler));
	ck_assert_int_eq(plm_wait(handle, &queued, 1, 1, 300, NULL), -ETIMEDOUT);
	expect_state("paused");
	ck_assert_int_eq(plm_resume(handle), 0);
	expect_done_once(&queued, 1);
	stop();
}
END_TEST

START_TEST(a_paused_runtime_that_is_stopped_runs_what_was_accepted)
{
	plm_ref queued;
	boot();
	ck_assert_int_eq(plm_pause(handle), 0);
	queued = submit("probe.echo", "x", 0);
	ck_assert_int_eq(plm_stop(handle, 0), 0);
	expect_done_once(&queued, 1);
	plm_disconnect(&handle);
	ck_assert(wait_for_death(rt.pid));
	runtime_end(&rt);
}
END_TEST

START_TEST(drained_it_runs_what_was_accepted_takes_nothing_new_and_stays_up)
{
	plm_ref busy, queued[TASKS];
	boot();
	sleepers("200", 0, &busy, 1);
	ck_assert_int_eq(plm_pause(handle), 0);
	for (int i = 0; i < TASKS; i++)
		queued[i] = submit("probe.echo", "x", 0);
	free(ctl_expect(&rt, 0, "drain")); /* returns when nothing is left, and ends the pause */
	expect_done_once(queued, TASKS);
	ck_assert_int_eq(state_of(busy, NULL), RECORD_DONE);
	expect_state("closed");
	struct output_of o = ctl(&rt, "call", "probe.echo", "x");
	ck_assert_int_eq(o.code, 75);
	ck_assert_ptr_nonnull(strstr(o.err, "plmctl resume"));
	output_free(&o);
	free(ctl_expect(&rt, 0, "resume"));
	free(ctl_expect(&rt, 0, "call", "probe.echo", "x"));
	stop();
}
END_TEST

START_TEST(draining_that_takes_too_long_is_124)
{
	plm_ref busy;
	boot();
	sleepers("600000", 0, &busy, 1);
	free(ctl_expect(&rt, 124, "drain", "--timeout", "0.1"));
	expect_state("closed");
	ck_assert_int_eq(plm_cancel(handle, busy, 0), 0);
	stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool");
	TCase *size = tcase_create("size");
	tcase_set_timeout(size, TEST_TIMEOUT_S);
	tcase_add_test(size, more_workers_are_started_and_run_tasks);
	tcase_add_test(size, those_with_the_highest_numbers_leave_when_their_task_is_done);
	tcase_add_test(size, without_workers_tasks_wait_and_the_next_ones_run_them);
	tcase_add_test(size, what_stood_before_one_that_leaves_goes_to_others_while_it_is_busy);
	tcase_add_test(size, a_worker_killed_while_it_leaves_loses_no_task_and_is_not_replaced);
	tcase_add_test(size, a_task_on_one_that_leaves_can_be_cancelled);
	tcase_add_test(size, nothing_is_lost_or_done_twice_while_the_pool_changes);
	tcase_add_test(size, too_many_workers_are_refused_by_the_bound_that_they_exceed);
	tcase_add_test(size, only_the_first_kind_grows_and_shrinks);
	suite_add_tcase(suite, size);
	TCase *admission = tcase_create("admission");
	tcase_set_timeout(admission, TEST_TIMEOUT_S);
	tcase_add_test(admission, while_paused_running_tasks_go_on_and_none_starts);
	tcase_add_test(admission, a_task_that_waits_runs_what_it_waits_for_also_while_paused);
	tcase_add_test(admission, a_new_scheduler_keeps_the_pause);
	tcase_add_test(admission, a_paused_runtime_that_is_stopped_runs_what_was_accepted);
	tcase_add_test(admission, drained_it_runs_what_was_accepted_takes_nothing_new_and_stays_up);
	tcase_add_test(admission, draining_that_takes_too_long_is_124);
	suite_add_tcase(suite, admission);
	return run_suite(suite);
}
