/* test_share.c - a process that fills the record table leaves the last tenth to other processes. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/support/world.h"

enum { RECORDS = 64, TIMEOUT_S = 20 };

static plm_ref refs[RECORDS + 1];

/* The number of accepted tasks before the first refusal. */
static uint32_t put_all(struct plm *rt)
{
	uint32_t n = 0;
	int r;
	while ((r = plm_put(rt, "x", 1, &refs[n])) == 0)
		n++;
	ck_assert_int_eq(r, -ENOSPC);
	return n;
}

START_TEST(a_client_that_floods_the_table_leaves_the_last_tenth_to_others)
{
	world_boot();
	uint32_t records = world.tables.limits.records, last = records / 10;
	ck_assert_uint_eq(records, RECORDS);
	uint32_t flood = put_all(&world.a);
	ck_assert_uint_ge(flood, records / 2);
	ck_assert_uint_le(flood, records - last);
	ck_assert_msg(
	    strstr(plm_why(), "--tasks") && strstr(plm_why(), "this one"), "%s", plm_why());
	ck_assert_uint_eq(put_all(&world.b), last);
}
END_TEST

START_TEST(a_client_that_flooded_goes_on_when_it_has_dropped_some)
{
	plm_ref more;
	world_boot();
	uint32_t flood = put_all(&world.a);
	plm_drop(&world.a, refs[0]);
	plm_drop(&world.a, refs[flood - 1]);
	world_settle();
	ck_assert_int_eq(plm_put(&world.a, "x", 1, &more), 0);
}
END_TEST

START_TEST(a_table_in_which_nothing_is_left_says_so)
{
	world_boot();
	put_all(&world.a);
	uint32_t b = put_all(&world.b);
	ck_assert_uint_gt(b, 0);
	ck_assert_uint_eq(pool_free_count(&world.tables.pool), 0);
	ck_assert_int_eq(plm_put(&world.a, "x", 1, &refs[RECORDS]), -ENOSPC);
	ck_assert_msg(strstr(plm_why(), "64 of 64"), "%s", plm_why());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("share");
	TCase *tests = tcase_create("share");
	tcase_set_timeout(tests, TIMEOUT_S);
	tcase_add_test(tests, a_client_that_floods_the_table_leaves_the_last_tenth_to_others);
	tcase_add_test(tests, a_client_that_flooded_goes_on_when_it_has_dropped_some);
	tcase_add_test(tests, a_table_in_which_nothing_is_left_says_so);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
