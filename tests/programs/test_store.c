/* test_store.c - the store holds what is alive and a little more, and running work finds room.
 *
 * Sizes are counted, not times: store_reserved is the most bytes that the store ever held, in steps
 * of STORE_CHUNK_BYTES. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "tests/support/fixture.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, MIB = 1 << 20, VALUE_BYTES = 2 * MIB, LINKS = 500 };

static void boot(const char *workers, const char *store)
{
	runtime_boot(&host, "--workers", workers, "--store", store, );
	host_join();
}

static uint64_t store_peak(void)
{
	plm_status status;
	ck_assert_int_eq(plm_status_get(client, &status), 0);
	return status.store_reserved;
}

/* ---- values that nobody needs any more leave at once ---- */

static plm_ref chain_begin(void)
{
	plm_ref first;
	void *data;
	ck_assert_int_eq(plm_create(client, VALUE_BYTES, &data, &first), 0);
	memset(data, 'c', VALUE_BYTES);
	ck_assert_int_eq(plm_seal(client, first), 0);
	return first;
}

/* Each task copies the value of the task before; the client keeps the last future alone. */
static plm_ref chain_of(size_t links)
{
	plm_ref last = chain_begin();
	for (size_t i = 0; i < links; i++) {
		plm_ref next = submit_after(client, "probe.echo", last);
		plm_drop(client, last);
		last = next;
	}
	return last;
}

static void expect_end_of_chain(plm_ref last)
{
	plm_view view;
	int r = plm_get(client, last, &view, DEADLINE_MS);
	ck_assert_msg(r == 0, "the chain ends with %d: %s", r, plm_why());
	ck_assert_uint_eq(view.len, VALUE_BYTES);
	ck_assert_int_eq(((const char *)view.data)[VALUE_BYTES - 1], 'c');
	plm_release(client, &view);
}

/* Alive are an argument and a result. */
START_TEST(a_chain_of_large_values_holds_what_is_alive_and_a_little)
{
	enum { PEAK = 2 * 2 * VALUE_BYTES + 2 * STORE_CHUNK_BYTES };
	boot("2", "1G");
	expect_end_of_chain(chain_of(LINKS));
	ck_assert_uint_le(store_peak(), PEAK);
}
END_TEST

START_TEST(and_runs_in_a_store_not_much_larger)
{
	boot("2", "16M");
	expect_end_of_chain(chain_of(LINKS));
}
END_TEST

/* Nobody wants the results. */
START_TEST(dropped_results_leave_at_once)
{
	enum { PEAK = 2 * STORE_CHUNK_BYTES, TASKS = 200 };
	boot("1", "1G");
	for (int i = 0; i < TASKS; i++)
		plm_drop(client, submit_text(client, "probe.fill", "2097152"));
	expect_text(client, submit_text(client, "probe.echo", "last"), "last");
	ck_assert_uint_le(store_peak(), PEAK);
}
END_TEST

/* ---- running work finds room before queued work ---- */

enum { BLOCK_BYTES = MIB, PAIRS = 100 };

static char block[BLOCK_BYTES];

/* A task with so many blocks of arguments, whose result is as long, and a task that counts the
 * result; the first is dropped at once. */
static plm_ref submit_pair(const plm_arg *argument, size_t blocks)
{
	const plm_arg both[] = { *argument, *argument };
	plm_ref echoed = submit_args(client, "probe.echo", both, blocks);
	plm_ref counted = submit_after(client, "probe.wordcount", echoed);
	plm_drop(client, echoed);
	return counted;
}

static void expect_all_done(const plm_ref *refs, size_t n)
{
	plm_failure failure;
	ck_assert_int_eq(plm_wait(client, refs, n, n, DEADLINE_MS, NULL), 0);
	for (size_t i = 0; i < n; i++)
		if (plm_outcome(client, refs[i]) != 0) {
			ck_assert_int_eq(plm_error(client, refs[i], &failure), 0);
			ck_abort_msg(
			    "task %zu of %zu: %d, \"%s\"", i, n, failure.code, failure.message);
		}
}

/* Objects come and go one by one, so the free room may be in pieces of one block: then a result has
 * one block, too. */
static void expect_that_a_flood_runs(const char *workers, bool as_objects)
{
	plm_ref refs[PAIRS], object = PLM_NONE;
	boot(workers, "16M");
	memset(block, 'b', sizeof block);
	for (int i = 0; i < PAIRS; i++) {
		plm_arg argument = PLM_BYTES(block, sizeof block);
		if (as_objects) {
			object = put(client, block, sizeof block);
			argument = PLM_FUTURE(object);
		}
		refs[i] = submit_pair(&argument, as_objects ? 1 : 2);
		plm_drop(client, object);
	}
	expect_all_done(refs, PAIRS);
}

START_TEST(a_flood_of_arguments_leaves_room_for_results)
{
	expect_that_a_flood_runs(_i ? "2" : "1", false);
}
END_TEST

START_TEST(a_flood_of_objects_leaves_room_for_results)
{
	expect_that_a_flood_runs(_i ? "2" : "1", true);
}
END_TEST

/* Submits until the first refusal, while the queue is paused; returns how many were accepted. */
static size_t flood(plm_ref *refs, size_t max)
{
	const plm_arg argument = PLM_BYTES(block, sizeof block);
	const plm_task task = { .function = "probe.noop", .args = &argument, .nargs = 1 };
	size_t n = 0;
	int r = 0;
	while (n < max && (r = plm_submit(client, &task, &refs[n])) == 0)
		n++;
	ck_assert_int_eq(r, -ENOSPC);
	return n;
}

START_TEST(arguments_fill_half_of_the_store_and_the_refusal_says_so)
{
	plm_ref refs[16];
	plm_store store;
	boot("1", "16M");
	ck_assert_int_eq(plm_pause(client), 0);
	plm_patience(client, 0);
	size_t n = flood(refs, COUNT_OF(refs));
	ck_assert_uint_eq(n, 7); /* each block takes a page more */
	ck_assert_msg(strstr(plm_why(), "arguments of queued tasks") &&
		strstr(plm_why(), "plm_patience") && strstr(plm_why(), "--store"),
	    "%s", plm_why());
	ck_assert_int_eq(plm_store_get(client, &store), 0);
	ck_assert_uint_eq(store.bytes, 16 * MIB);
	ck_assert_uint_eq(store.arguments_most, 8 * MIB);
	ck_assert_uint_ge(store.arguments, n * BLOCK_BYTES);
	ck_assert_uint_le(store.arguments, store.arguments_most);
	ck_assert_uint_eq(store.used, store.arguments);
	plm_drop(client, put(client, block, sizeof block)); /* objects find room */
	ck_assert_int_eq(plm_resume(client), 0);
	expect_all_done(refs, n);
	ctl_until(&host, "\"store_arguments\": 0", "status", "--json");
	plm_drop_many(client, refs, n);
}
END_TEST

START_TEST(objects_of_a_client_leave_the_last_quarter)
{
	plm_ref refs[32];
	plm_store store;
	plm_failure failure;
	size_t n = 0;
	boot("1", "16M");
	plm_patience(client, 0);
	while (n < COUNT_OF(refs) && plm_put(client, block, sizeof block, &refs[n]) == 0)
		n++;
	ck_assert_uint_eq(n, 12);
	ck_assert_msg(strstr(plm_why(), "results of running tasks"), "%s", plm_why());
	ck_assert_int_eq(plm_store_get(client, &store), 0);
	ck_assert_uint_eq(store.objects_most, 12 * MIB);
	ck_assert_uint_eq(store.used, 12 * MIB);
	plm_ref fits = submit_text(client, "probe.fill", "4000000");
	expect_all_done(&fits, 1);
	/* No room for the result, nor for a long message: the failure says so all the same. */
	failure = expect_failure(client, submit_text(client, "probe.fill", "400000"), ENOSPC);
	ck_assert_msg(strstr(failure.message, "result") && strstr(failure.message, "--store"),
	    "\"%s\"", failure.message);
	plm_drop_many(client, refs, n);
	plm_drop(client, fits);
}
END_TEST

/* ---- all that a process submitted ---- */

START_TEST(all_that_a_process_submitted_has_ended_dropped_or_not)
{
	enum { TASKS = 200 };
	plm_status status;
	plm *other;
	boot("2", "16M");
	other = host_connect();
	plm_ref slow = submit_text(other, "probe.sleep", "600000");
	for (int i = 0; i < TASKS; i++)
		plm_drop(client, submit_text(client, "probe.sleep", "2"));
	ck_assert_int_eq(plm_wait_all(client, 0), -ETIMEDOUT);
	ck_assert_int_eq(plm_wait_all(client, DEADLINE_MS), 0);
	ck_assert_int_eq(plm_status_get(client, &status), 0);
	ck_assert_uint_eq(status.ready + status.waiting, 0);
	ck_assert_uint_eq(status.running, 1); /* of the other client */
	ck_assert_int_eq(plm_wait_all(other, 1), -ETIMEDOUT);
	ck_assert_int_eq(plm_cancel(other, slow, 0), 0);
	ck_assert_int_eq(plm_wait_all(other, DEADLINE_MS), 0);
	plm_disconnect(&other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tests = tcase_create("store");
	tcase_set_timeout(tests, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tests, NULL, host_stop);
	tcase_add_test(tests, a_chain_of_large_values_holds_what_is_alive_and_a_little);
	tcase_add_test(tests, and_runs_in_a_store_not_much_larger);
	tcase_add_test(tests, dropped_results_leave_at_once);
	tcase_add_loop_test(tests, a_flood_of_arguments_leaves_room_for_results, 0, 2);
	tcase_add_loop_test(tests, a_flood_of_objects_leaves_room_for_results, 0, 2);
	tcase_add_test(tests, arguments_fill_half_of_the_store_and_the_refusal_says_so);
	tcase_add_test(tests, objects_of_a_client_leave_the_last_quarter);
	tcase_add_test(tests, all_that_a_process_submitted_has_ended_dropped_or_not);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
