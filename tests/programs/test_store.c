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

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tests = tcase_create("store");
	tcase_set_timeout(tests, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tests, NULL, host_stop);
	tcase_add_test(tests, a_chain_of_large_values_holds_what_is_alive_and_a_little);
	tcase_add_test(tests, and_runs_in_a_store_not_much_larger);
	tcase_add_test(tests, dropped_results_leave_at_once);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
