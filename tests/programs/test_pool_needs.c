/* test_pool_needs.c - tasks that need several cpus, while workers leave and the queue is paused. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "client/handle.h"
#include "tests/support/fixture.h"
#include "tests/support/pool_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120 };

static plm_ref submit_for(const char *ms, const char *needs)
{
	plm_ref ref;
	plm_terms terms = { .needs = needs };
	plm_arg arg = PLM_BYTES(ms, strlen(ms));
	plm_task task = { .function = "probe.sleep", .args = &arg, .nargs = 1, .terms = &terms };
	ck_assert_msg(plm_submit(client, &task, &ref) == 0, "%s", plm_why());
	return ref;
}

static plm_ref submit_needing(const char *needs)
{
	return submit_for("1", needs);
}

static void set_workers(unsigned n)
{
	ck_assert_int_eq(plm_set_workers(client, n), 0);
}

static uint32_t booked_for(plm_ref ref)
{
	const struct tables *t = plm_tables(client);
	uint32_t n = 0;
	for (uint32_t i = 0; i < t->limits.processes; i++)
		n += sh_load(&t->process[i].booked) == ref.id;
	return n;
}

static plm_ref expected_ref;

static bool booked_are(uint64_t wanted)
{
	return booked_for(expected_ref) >= wanted;
}

static void until_booked(plm_ref ref, uint32_t slots_at_least)
{
	expected_ref = ref;
	pool_until(booked_are, slots_at_least, "booked slots");
}

/* Drains the workers that run these two tasks. */
static void drain_runners(const plm_ref busy[2])
{
	for (uint32_t worker = 0; worker < POOL_WORKERS; worker++) {
		uint64_t task = sh_load(&pool_worker_process(worker, PROCESS_LIVE)->running);
		if (task == busy[0].id || task == busy[1].id)
			ck_assert_int_eq(plm_drain_worker(client, worker), 0);
	}
}

static plm_ref task_of_worker(uint32_t worker)
{
	return (plm_ref){ sh_load(&pool_worker_process(worker, PROCESS_LIVE)->running),
		expected_ref.runtime };
}

/* The wide task came first, so cpus are booked for it first; with two workers left it gets none. */
START_TEST(a_task_too_wide_for_the_workers_there_are_waits_and_holds_up_no_other)
{
	plm_ref wide, narrow, plain, busy[2];
	pool_boot();
	pool_sleepers("400", 0, busy, 2);
	wide = submit_needing("cpus=3"); /* some cpus are booked when workers leave */
	set_workers(2);
	narrow = submit_needing("cpus=2");
	plain = pool_submit("probe.echo", "x", 0);
	pool_expect_done_once(busy, 2);
	pool_expect_done_once(&narrow, 1);
	pool_expect_done_once(&plain, 1);
	pool_expect_ready(&wide, 1);
	set_workers(3);
	pool_expect_done_once(&wide, 1);
	host_stop();
}
END_TEST

START_TEST(a_runtime_that_grew_takes_wider_tasks)
{
	plm_ref wide;
	plm_terms terms = { .needs = "cpus=5" };
	pool_boot();
	ck_assert_int_eq(plm_check_terms(client, &terms), -EINVAL);
	set_workers(5);
	ck_assert_int_eq(plm_check_terms(client, &terms), 0);
	wide = submit_needing("cpus=5");
	pool_expect_done_once(&wide, 1);
	host_stop();
}
END_TEST

/* The tasks of workers 0 and 1 end soon, that of worker 2 never does: if worker 2 were booked, the
 * wide task would wait for ever. */
START_TEST(a_worker_that_leaves_is_booked_no_more)
{
	plm_ref busy[POOL_WORKERS], wide;
	pool_boot();
	pool_sleepers("600000", 0, busy, POOL_WORKERS);
	expected_ref = busy[0];
	plm_ref lasting = task_of_worker(2);
	ck_assert_int_eq(plm_drain_worker(client, 2), 0);
	wide = submit_needing("cpus=2");
	until_booked(wide, 1);
	for (int i = 0; i < POOL_WORKERS; i++)
		if (busy[i].id != lasting.id)
			ck_assert_int_eq(plm_cancel(client, busy[i], PLM_GRACE_OF_TASK), 0);
	pool_expect_done_once(&wide, 1);
	ck_assert_uint_eq(pool_workers_in(PROCESS_LEAVING), 1);
	ck_assert_int_eq(plm_cancel(client, lasting, PLM_GRACE_OF_TASK), 0);
	host_stop();
}
END_TEST

/* A busy worker may be booked to run the wide task. When it is drained, another worker must run the
 * task. */
START_TEST(what_a_leaving_worker_was_to_run_goes_to_others_while_it_is_busy)
{
	plm_ref busy[2], wide;
	pool_boot();
	pool_sleepers("600000", 0, busy, 2);
	wide = submit_needing("cpus=2");
	until_booked(wide, 1);
	drain_runners(busy);
	set_workers(4);
	pool_expect_done_once(&wide, 1);
	ck_assert_uint_eq(pool_workers_in(PROCESS_LEAVING), 2);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(plm_cancel(client, busy[i], PLM_GRACE_OF_TASK), 0);
	host_stop();
}
END_TEST

/* The same while the task is not given to a worker yet, since its booked workers are busy. */
START_TEST(what_a_leaving_worker_was_kept_to_run_goes_to_others_while_it_is_busy)
{
	plm_ref busy[2], wide;
	pool_boot();
	pool_sleepers("600000", 0, busy, 2);
	wide = submit_needing("cpus=3");
	until_booked(wide, 2); /* beside the worker that is to run the task */
	set_workers(5);
	pool_until(pool_workers_are, 5, "workers");
	drain_runners(busy);
	pool_expect_done_once(&wide, 1);
	ck_assert_uint_eq(pool_workers_in(PROCESS_LEAVING), 2);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(plm_cancel(client, busy[i], PLM_GRACE_OF_TASK), 0);
	host_stop();
}
END_TEST

START_TEST(while_paused_no_slot_is_booked)
{
	plm_ref holds, waits;
	runtime_boot(&host, "--workers", "licence=1 x1; gen=1 x2", );
	host_join();
	holds = submit_for("600000", "licence=1");
	pool_until(pool_running_are, 1, "running tasks");
	waits = submit_needing("licence=1"); /* on its shelf when `behind` has run */
	plm_ref behind = pool_submit("probe.echo", "x", 0);
	pool_expect_done_once(&behind, 1);
	ck_assert_int_eq(plm_pause(client), 0);
	ck_assert_int_eq(plm_cancel(client, holds, PLM_GRACE_OF_TASK), 0);
	ck_assert_int_eq(plm_wait(client, &waits, 1, 1, 200, NULL), -ETIMEDOUT);
	ck_assert_uint_eq(booked_for(waits), 0);
	pool_expect_ready(&waits, 1);
	ck_assert_int_eq(plm_resume(client), 0);
	pool_expect_done_once(&waits, 1);
	host_stop();
}
END_TEST

/* The busy worker has the wide task behind its running task, and gives the wide task back. */
START_TEST(what_was_given_before_a_pause_is_given_again_after_it)
{
	plm_ref busy, wide;
	pool_boot();
	pool_sleepers("600000", 0, &busy, 1);
	wide = submit_needing("cpus=3");
	until_booked(wide, 2); /* the third follows soon if the busy worker is to run the task */
	ck_assert_int_eq(plm_wait(client, &wide, 1, 1, 50, NULL), -ETIMEDOUT);
	ck_assert_int_eq(plm_pause(client), 0);
	ck_assert_int_eq(plm_cancel(client, busy, PLM_GRACE_OF_TASK), 0);
	ck_assert_int_eq(plm_wait(client, &wide, 1, 1, 200, NULL), -ETIMEDOUT);
	pool_expect_ready(&wide, 1);
	ck_assert_int_eq(plm_resume(client), 0);
	pool_expect_done_once(&wide, 1);
	host_stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool and needs");
	TCase *needs = tcase_create("needs");
	tcase_set_timeout(needs, TEST_TIMEOUT_S);
	tcase_add_test(
	    needs, a_task_too_wide_for_the_workers_there_are_waits_and_holds_up_no_other);
	tcase_add_test(needs, a_runtime_that_grew_takes_wider_tasks);
	tcase_add_test(needs, a_worker_that_leaves_is_booked_no_more);
	tcase_add_test(needs, what_a_leaving_worker_was_to_run_goes_to_others_while_it_is_busy);
	tcase_add_test(
	    needs, what_a_leaving_worker_was_kept_to_run_goes_to_others_while_it_is_busy);
	tcase_add_test(needs, while_paused_no_slot_is_booked);
	tcase_add_test(needs, what_was_given_before_a_pause_is_given_again_after_it);
	suite_add_tcase(suite, needs);
	return run_suite(suite);
}
