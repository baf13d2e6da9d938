/* test_pool.c - workers that come and go while a runtime is up, and a paused queue. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/handle.h"
#include "tests/support/fixture.h"
#include "tests/support/pool_case.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 120,
	WORKERS = POOL_WORKERS,
	TASKS = 6,
	BATCH = 64,
	RESIZES = 60,
};

static void set_workers(const char *n)
{
	free(ctl_expect(&host, 0, "workers", "--set", n));
}

/* ---- how many workers ---- */

START_TEST(more_workers_are_started_and_run_tasks)
{
	plm_ref ref[TASKS];
	pool_boot();
	set_workers("6");
	pool_sleepers("600000", 0, ref, TASKS);
	ck_assert(pool_workers_are(TASKS));
	ck_assert_uint_eq(pool_status().restarts, 0);
	for (int i = 0; i < TASKS; i++)
		ck_assert_int_eq(plm_cancel(client, ref[i], PLM_GRACE_OF_TASK), 0);
	host_stop();
}
END_TEST

START_TEST(those_with_the_highest_numbers_leave_when_their_task_is_done)
{
	plm_ref ref[WORKERS];
	pool_boot();
	pool_sleepers("300", 0, ref, WORKERS);
	set_workers("1");
	ck_assert_uint_eq(pool_workers_in(PROCESS_LEAVING), 2);
	ck_assert_ptr_nonnull(pool_worker_process(0, PROCESS_LIVE));
	pool_expect_done_once(ref, WORKERS);
	pool_until(pool_workers_are, 1, "workers");
	ck_assert_ptr_nonnull(pool_worker_process(0, PROCESS_LIVE));
	ck_assert_uint_eq(pool_status().restarts, 0);
	host_stop();
}
END_TEST

START_TEST(without_workers_tasks_wait_and_the_next_ones_run_them)
{
	plm_ref busy[WORKERS], queued[TASKS];
	pool_boot();
	pool_sleepers("200", 0, busy, WORKERS);
	for (int i = 0; i < TASKS; i++)
		queued[i] = pool_submit("probe.echo", "x", 0);
	set_workers("0");
	pool_expect_done_once(busy, WORKERS);
	pool_until(pool_workers_are, 0, "workers");
	pool_expect_ready(queued, TASKS);
	set_workers("2");
	pool_expect_done_once(queued, TASKS);
	pool_until(pool_workers_are, 2, "workers");
	host_stop();
}
END_TEST

START_TEST(what_stood_before_one_that_leaves_goes_to_others_while_it_is_busy)
{
	plm_ref queued[TASKS], busy;
	pool_boot();
	set_workers("2");
	pool_until(pool_workers_are, 2, "workers");
	pool_sleepers("600000", 0, &busy, 1);
	const struct process *staying = pool_worker_process(0, PROCESS_LIVE);
	if (sh_load(&staying->running) == 0) { /* the busy worker is the one to leave */
		for (int i = 0; i < TASKS; i++)
			queued[i] = pool_submit("probe.sleep", "5", 0);
		set_workers("1");
		pool_expect_done_once(queued, TASKS);
		ck_assert_uint_eq(pool_workers_in(PROCESS_LEAVING), 1);
		ck_assert_uint_eq(sh_load(&pool_worker_process(1, PROCESS_LEAVING)->done), 0);
	} else { /* the idle worker leaves, and a later task waits for the busy worker */
		set_workers("1");
		pool_until(pool_workers_are, 1, "workers");
		queued[0] = pool_submit("probe.echo", "x", 0);
		ck_assert_int_eq(plm_cancel(client, busy, PLM_GRACE_OF_TASK), 0);
		pool_expect_done_once(queued, 1);
	}
	plm_cancel(client, busy, PLM_GRACE_OF_TASK);
	host_stop();
}
END_TEST

/* The manager had asked the worker to leave, so neither a replacement nor a back-off follows. */
START_TEST(a_worker_killed_while_it_leaves_loses_no_task_and_is_not_replaced)
{
	plm_ref ref[WORKERS];
	pool_boot();
	pool_sleepers("400", 1, ref, WORKERS);
	set_workers("2");
	pool_until(pool_leaving_are, 1, "leaving workers");
	const struct process *leaving = pool_worker_process(2, PROCESS_LEAVING);
	uint64_t task = sh_load(&leaving->running);
	ck_assert_int_eq(kill(leaving->pid, SIGKILL), 0);
	ck_assert_int_eq(plm_wait(client, ref, WORKERS, WORKERS, DEADLINE_MS, NULL), 0);
	for (int i = 0; i < WORKERS; i++) {
		uint32_t attempt;
		ck_assert_int_eq(pool_state_of(ref[i], &attempt), RECORD_DONE);
		ck_assert_uint_eq(attempt, ref[i].id == task ? 2 : 1);
	}
	ck_assert(pool_workers_are(2));
	host_stop();
}
END_TEST

START_TEST(a_task_on_one_that_leaves_can_be_cancelled)
{
	plm_ref ref[WORKERS];
	pool_boot();
	pool_sleepers("600000", 0, ref, WORKERS);
	set_workers("0");
	pool_until(pool_leaving_are, WORKERS, "leaving workers");
	for (int i = 0; i < WORKERS; i++)
		ck_assert_int_eq(plm_cancel(client, ref[i], PLM_GRACE_OF_TASK), 0);
	ck_assert_int_eq(plm_wait(client, ref, WORKERS, WORKERS, DEADLINE_MS, NULL), 0);
	pool_until(pool_workers_are, 0, "workers");
	set_workers("1");
	host_stop();
}
END_TEST

/* Tasks that may run once: both a lost and a doubled run fail the test. */
static void submit_batch(plm_ref ref[2 * BATCH + 1])
{
	static const plm_arg args[] = { PLM_BYTES("2", 1), PLM_BYTES("3", 1) };
	plm_task first[BATCH], second[BATCH];
	plm_arg future[BATCH];
	plm_terms terms = { .needs = "cpus=1,mem=1K" };
	plm_task tree = { .function = "probe.tree", .args = args, .nargs = 2 };
	for (int i = 0; i < BATCH; i++)
		first[i] = (plm_task){ .function = "probe.echo",
			.args = args,
			.nargs = 1,
			.terms = i % 4 ? NULL : &terms };
	ck_assert_int_eq(plm_submit_many(client, first, BATCH, ref), 0);
	for (int i = 0; i < BATCH; i++) {
		future[i] = PLM_FUTURE(ref[i]);
		second[i] = (plm_task){ .function = "probe.echo", .args = &future[i], .nargs = 1 };
	}
	ck_assert_int_eq(plm_submit_many(client, second, BATCH, ref + BATCH), 0);
	ck_assert_int_eq(plm_submit(client, &tree, &ref[2 * BATCH]), 0);
}

START_TEST(nothing_is_lost_or_done_twice_while_the_pool_changes)
{
	static const unsigned sizes[] = { 1, 5, 0, 2, 6, 3, 0, 4 };
	plm_ref ref[2 * BATCH + 1];
	pool_boot();
	for (int i = 0; i < RESIZES; i++) {
		submit_batch(ref);
		ck_assert_int_eq(plm_set_workers(client, sizes[i % 8]), 0);
		if (i % 3 == 0) {
			ck_assert_int_eq(plm_pause(client), 0);
			ck_assert_int_eq(plm_resume(client), 0);
		}
		ck_assert_int_eq(plm_set_workers(client, 1 + sizes[(i + 3) % 8]), 0);
		pool_expect_done_once(ref, 2 * BATCH + 1);
		plm_drop_many(client, ref, 2 * BATCH + 1);
	}
	set_workers("2");
	pool_until(pool_workers_are, 2, "workers");
	ck_assert_uint_eq(pool_status().restarts, 0);
	host_stop();
}
END_TEST

START_TEST(too_many_workers_are_refused_by_the_bound_that_they_exceed)
{
	static const struct {
		const char *n;
		int code;
		const char *says;
	} rows[] = { { "300", 75, "--processes" }, { "1001", 64, "at most 1000" },
		{ "-1", 64, "--set" }, { "many", 64, "--set" } };
	pool_boot();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct output_of o = ctl(&host, "workers", "--set", rows[i].n);
		ck_assert_msg(o.code == rows[i].code, "%s: exit code %d", rows[i].n, o.code);
		ck_assert_msg(strstr(o.err, rows[i].says) != NULL, "%s: %s", rows[i].n, o.err);
		output_free(&o);
	}
	ck_assert(pool_workers_are(WORKERS));
	host_stop();
}
END_TEST

START_TEST(workers_that_were_dealt_gpus_at_boot_do_not_become_more)
{
	runtime_boot(&host, "--workers", "gpus=1 x2", "--store", "16M", );
	host_join();
	struct output_of o = ctl(&host, "workers", "--set", "3");
	ck_assert_int_eq(o.code, 64);
	ck_assert_ptr_nonnull(strstr(o.err, "GPUs"));
	output_free(&o);
	set_workers("1");
	set_workers("2");
	pool_until(pool_workers_are, 2, "workers");
	host_stop();
}
END_TEST

START_TEST(only_the_first_kind_grows_and_shrinks)
{
	runtime_boot(&host, "--workers", "gen=1,cpus=2 x2; gen=4,cpus=1 x2", "--store", "16M", );
	host_join();
	set_workers("3");
	pool_until(pool_workers_are, 3 * 2 + 2, "processes of workers");
	ck_assert_uint_eq(pool_worker_process(4, PROCESS_LIVE)->worker_kind, 0);
	ck_assert_uint_eq(pool_worker_process(3, PROCESS_LIVE)->worker_kind, 1);
	set_workers("0");
	pool_until(pool_workers_are, 2, "processes of workers");
	ck_assert_uint_eq(pool_worker_process(2, PROCESS_LIVE)->worker_kind, 1);
	host_stop();
}
END_TEST

/* ---- one worker ---- */

START_TEST(a_drained_worker_ends_its_task_leaves_and_stays_away_until_resumed)
{
	plm_ref busy[WORKERS], queued[TASKS];
	pool_boot();
	pool_sleepers("400", 0, busy, WORKERS);
	for (int i = 0; i < TASKS; i++)
		queued[i] = pool_submit("probe.echo", "x", 0);
	free(ctl_expect(&host, 124, "drain", "1", "--timeout", "0.05"));
	ck_assert_ptr_nonnull(pool_worker_process(1, PROCESS_LEAVING));
	free(ctl_expect(&host, 0, "drain", "1")); /* returns when the worker has left */
	pool_expect_done_once(busy, WORKERS);
	pool_expect_done_once(queued, TASKS);
	ck_assert(pool_workers_are(2));
	ck_assert_ptr_null(pool_worker_process(1, PROCESS_LIVE));
	ck_assert_uint_eq(pool_status().workers_drained, 1);
	ctl_until(&host, "drained", "workers");
	set_workers("4"); /* the drained worker does not come back */
	pool_until(pool_workers_are, 3, "workers");
	ck_assert_ptr_null(pool_worker_process(1, PROCESS_LIVE));
	free(ctl_expect(&host, 0, "resume", "1"));
	pool_until(pool_workers_are, 4, "workers");
	ck_assert_ptr_nonnull(pool_worker_process(1, PROCESS_LIVE));
	ck_assert_uint_eq(pool_status().restarts, 0);
	host_stop();
}
END_TEST

START_TEST(a_worker_killed_while_it_is_drained_loses_no_task_and_stays_away)
{
	plm_ref ref[WORKERS];
	pool_boot();
	pool_sleepers("400", 1, ref, WORKERS);
	ck_assert_int_eq(plm_drain_worker(client, 0), 0);
	const struct process *leaving = pool_worker_process(0, PROCESS_LEAVING);
	ck_assert_ptr_nonnull(leaving);
	uint64_t task = sh_load(&leaving->running);
	ck_assert_int_eq(kill(leaving->pid, SIGKILL), 0);
	ck_assert_int_eq(plm_wait(client, ref, WORKERS, WORKERS, DEADLINE_MS, NULL), 0);
	for (int i = 0; i < WORKERS; i++) {
		uint32_t attempt;
		ck_assert_int_eq(pool_state_of(ref[i], &attempt), RECORD_DONE);
		ck_assert_uint_eq(attempt, ref[i].id == task ? 2 : 1);
	}
	ck_assert(pool_workers_are(2));
	ck_assert_ptr_null(pool_worker_process(0, PROCESS_LIVE));
	host_stop();
}
END_TEST

START_TEST(draining_a_worker_that_is_not_there_is_refused)
{
	pool_boot();
	struct output_of o = ctl(&host, "drain", "3");
	ck_assert_int_eq(o.code, 65);
	ck_assert_ptr_nonnull(strstr(o.err, "no worker 3"));
	output_free(&o);
	free(ctl_expect(&host, 65, "resume", "3"));
	free(ctl_expect(&host, 64, "drain", "x"));
	ck_assert(pool_workers_are(WORKERS));
	host_stop();
}
END_TEST

/* ---- pause, drain, resume ---- */

static void expect_state(const char *expected)
{
	char *text = ctl_expect(&host, 0, "status", "--json"), wanted[64];
	snprintf(wanted, sizeof wanted, "\"state\": \"%s\"", expected);
	ck_assert_msg(strstr(text, wanted) != NULL, "not %s: %s", expected, text);
	free(text);
}

/* One worker is busy. No task reaches the idle workers: not by handover, by a ring or by stealing.
 */
START_TEST(while_paused_running_tasks_go_on_and_none_starts)
{
	plm_ref busy, queued[TASKS + 1];
	pool_boot();
	pool_sleepers("300", 0, &busy, 1);
	queued[TASKS] =
	    pool_submit_after(busy); /* without a pause the worker would run its dependent next */
	free(ctl_expect(&host, 0, "pause"));
	expect_state("paused");
	for (int i = 0; i < TASKS; i++)
		queued[i] = pool_submit("probe.echo", "x", 0);
	pool_expect_done_once(&busy, 1);
	while (pool_state_of(queued[TASKS], NULL) ==
	    RECORD_WAITING) /* until the worker has reported `busy` */
		ck_assert_uint_eq(pool_status().running, 0);
	pool_expect_ready(queued, TASKS + 1);
	/* A whole batch goes through the scheduler. */
	plm_ref more[TASKS];
	plm_task task[TASKS];
	for (int i = 0; i < TASKS; i++)
		task[i] = (plm_task){ .function = "probe.noop" };
	ck_assert_int_eq(plm_submit_many(client, task, TASKS, more), 0);
	ck_assert_int_eq(plm_wait(client, more, TASKS, 1, 200, NULL), -ETIMEDOUT);
	pool_expect_ready(queued, TASKS + 1);
	free(ctl_expect(&host, 0, "resume"));
	pool_expect_done_once(queued, TASKS + 1);
	pool_expect_done_once(more, TASKS);
	expect_state("up");
	host_stop();
}
END_TEST

START_TEST(a_task_that_waits_runs_what_it_waits_for_also_while_paused)
{
	plm_ref tree;
	plm_arg args[] = { PLM_BYTES("7", 1), PLM_BYTES("4", 1) };
	plm_task task = { .function = "probe.tree", .args = args, .nargs = 2 };
	pool_boot();
	ck_assert_int_eq(plm_submit(client, &task, &tree), 0);
	while (pool_state_of(tree, NULL) == RECORD_READY)
		;
	ck_assert_int_eq(plm_pause(client), 0);
	pool_expect_done_once(&tree, 1);
	host_stop();
}
END_TEST

START_TEST(a_new_scheduler_keeps_the_pause)
{
	plm_ref queued;
	pool_boot();
	ck_assert_int_eq(plm_pause(client), 0);
	queued = pool_submit("probe.echo", "x", 0);
	pid_t scheduler = pool_status().scheduler_pid;
	ck_assert_int_eq(kill(scheduler, SIGKILL), 0);
	ck_assert(wait_for_death(scheduler));
	ck_assert_int_eq(plm_wait(client, &queued, 1, 1, 300, NULL), -ETIMEDOUT);
	expect_state("paused");
	ck_assert_int_eq(plm_resume(client), 0);
	pool_expect_done_once(&queued, 1);
	host_stop();
}
END_TEST

START_TEST(a_paused_runtime_that_is_stopped_runs_what_was_accepted)
{
	plm_ref queued;
	uint32_t attempt;
	pool_boot();
	ck_assert_int_eq(plm_pause(client), 0);
	queued = pool_submit("probe.echo", "x", 0);
	ck_assert_int_eq(plm_stop(client, 0), 0);
	ck_assert(wait_for_death(host.pid));
	/* In the memory of the runtime, which the client still has. */
	ck_assert_int_eq(pool_state_of(queued, &attempt), RECORD_DONE);
	ck_assert_uint_eq(attempt, 1);
	plm_disconnect(&client);
	runtime_end(&host);
}
END_TEST

START_TEST(drained_it_runs_what_was_accepted_takes_nothing_new_and_stays_up)
{
	plm_ref busy, queued[TASKS];
	pool_boot();
	pool_sleepers("200", 0, &busy, 1);
	ck_assert_int_eq(plm_pause(client), 0);
	for (int i = 0; i < TASKS; i++)
		queued[i] = pool_submit("probe.echo", "x", 0);
	free(ctl_expect(&host, 0, "drain")); /* ends the pause; returns when no task is left */
	pool_expect_done_once(queued, TASKS);
	ck_assert_int_eq(pool_state_of(busy, NULL), RECORD_DONE);
	expect_state("closed");
	struct output_of o = ctl(&host, "call", "probe.echo", "x");
	ck_assert_int_eq(o.code, 75);
	ck_assert_ptr_nonnull(strstr(o.err, "plmctl resume"));
	output_free(&o);
	free(ctl_expect(&host, 0, "resume"));
	free(ctl_expect(&host, 0, "call", "probe.echo", "x"));
	host_stop();
}
END_TEST

START_TEST(draining_that_takes_too_long_is_124)
{
	plm_ref busy;
	pool_boot();
	pool_sleepers("600000", 0, &busy, 1);
	free(ctl_expect(&host, 124, "drain", "--timeout", "0.1"));
	expect_state("closed");
	ck_assert_int_eq(plm_cancel(client, busy, PLM_GRACE_OF_TASK), 0);
	host_stop();
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
	tcase_add_test(size, workers_that_were_dealt_gpus_at_boot_do_not_become_more);
	tcase_add_test(size, only_the_first_kind_grows_and_shrinks);
	tcase_add_test(size, a_drained_worker_ends_its_task_leaves_and_stays_away_until_resumed);
	tcase_add_test(size, a_worker_killed_while_it_is_drained_loses_no_task_and_stays_away);
	tcase_add_test(size, draining_a_worker_that_is_not_there_is_refused);
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
