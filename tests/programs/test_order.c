/* test_order.c - the order of queued tasks in a real runtime; test_place.c checks the single
 * rules. */
#include <check.h>
#include <stdlib.h>

#include "base/clock.h"
#include "client/handle.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"
#include "tests/support/program_runtime.h"

enum { TEST_TIMEOUT_S = 60, FLOOD = 6000 };

static void order_boot(const char *ageing)
{
	runtime_boot(&host, "--workers", "1", "--ageing", ageing, );
	host_join();
}

/* By the record: the test itself may see the end late, on a busy machine. */
static uint32_t end_ms(plm_ref ref)
{
	return record_at(plm_tables(client), ref_index(ref.id))->end_ms;
}

/* Submits a flood of tasks of high priority, then a task of low priority. Returns how many tasks of
 * the flood ended after the low task. */
static size_t left_when_low_is_done(const plm_terms *of_low, const plm_terms *of_high)
{
	static plm_ref high[FLOOD];
	static plm_task tasks[FLOOD];
	plm_task one = { .function = "probe.spin",
		.args = &PLM_BYTES("200", 3),
		.nargs = 1,
		.priority = 5,
		.terms = of_high };
	plm_ref low;
	for (int i = 0; i < FLOOD; i++)
		tasks[i] = one;
	one.priority = -5;
	one.terms = of_low;
	ck_assert_int_eq(plm_submit_many(client, tasks, FLOOD, high), 0);
	/* When a task of the flood is done, the scheduler knows the whole flood. A low task
	 * submitted earlier could find the worker idle. */
	ck_assert_int_eq(plm_wait(client, high, 1, 1, DEADLINE_MS, NULL), 0);
	ck_assert_int_eq(plm_submit(client, &one, &low), 0);
	ck_assert_int_eq(plm_wait(client, &low, 1, 1, DEADLINE_MS, NULL), 0);
	ck_assert_int_eq(plm_wait(client, high, FLOOD, FLOOD, DEADLINE_MS, NULL), 0);
	size_t left = 0;
	for (int i = 0; i < FLOOD; i++)
		left += end_ms(high[i]) > end_ms(low);
	return left;
}

START_TEST(a_task_that_ages_is_not_starved_by_higher_priorities)
{
	order_boot("20ms");
	ck_assert_uint_gt(left_when_low_is_done(NULL, NULL), FLOOD / 10);
	host_stop();
}
END_TEST

START_TEST(a_task_with_needs_that_ages_is_not_starved_either)
{
	plm_terms cpu = { .needs = "cpus=1" }, memory = { .needs = "mem=1K" };
	order_boot("20ms");
	ck_assert_uint_gt(left_when_low_is_done(&cpu, &memory), FLOOD / 10);
	host_stop();
	order_boot("20ms");
	ck_assert_uint_gt(left_when_low_is_done(&cpu, &cpu), FLOOD / 10);
	host_stop();
}
END_TEST

START_TEST(without_ageing_priorities_are_strict)
{
	order_boot("0");
	/* The test may hear of the low task before it hears of one that runs and one in the ring.
	 */
	ck_assert_uint_le(left_when_low_is_done(NULL, NULL), 2);
	host_stop();
}
END_TEST

START_TEST(a_time_of_ageing_that_is_none_is_a_usage_error)
{
	static const char *const wrong[] = { "soon", "-1s", "1.2345s", "7", "5d", "99999h", "" };
	static const struct runtime nobody = { .name = "no-such-runtime" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct output_of o = program_run(
		    &nobody, "plm", (const char *const[]){ "--ageing", wrong[i], NULL }, NULL, 0);
		ck_assert_msg(o.code == 64, "%s: exit code %d", wrong[i], o.code);
		output_free(&o);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("order");
	TCase *order = tcase_create("order");
	tcase_set_timeout(order, TEST_TIMEOUT_S);
	tcase_add_test(order, a_task_that_ages_is_not_starved_by_higher_priorities);
	tcase_add_test(order, a_task_with_needs_that_ages_is_not_starved_either);
	tcase_add_test(order, without_ageing_priorities_are_strict);
	tcase_add_test(order, a_time_of_ageing_that_is_none_is_a_usage_error);
	suite_add_tcase(suite, order);
	return run_suite(suite);
}
