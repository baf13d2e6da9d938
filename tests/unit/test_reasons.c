/* test_reasons.c - which futures stand beside which reason of `plmctl explain`. */
#include <check.h>

#include "client/inspect_reasons.h"
#include "tests/support/run_suite.h"

static struct explanation said;
static struct look look = { .ret = &said };

static void forget(void)
{
	said = (struct explanation){ .reasons = 0 };
	look.last = NULL;
}

static void say_many(uint32_t n)
{
	forget();
	for (uint32_t i = 1; i <= n; i++) {
		reasons_say(&look, "reason", "number %u", i);
		reasons_blame(&look, i);
	}
}

START_TEST(a_reason_that_finds_no_room_blames_nobody)
{
	say_many(REASONS_MAX + 1);
	ck_assert_uint_eq(said.reasons, REASONS_MAX);
	for (uint32_t i = 0; i < REASONS_MAX; i++) {
		ck_assert_uint_eq(said.reason[i].refs, 1);
		ck_assert_uint_eq(said.reason[i].ref[0], i + 1);
	}
}
END_TEST

START_TEST(no_future_is_blamed_for_nothing)
{
	forget();
	reasons_blame(&look, 7); /* before anything is said */
	reasons_say(&look, "reason", "of no future");
	reasons_blame(&look, 0);
	ck_assert_uint_eq(said.reason[0].refs, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reasons");
	TCase *tests = tcase_create("reasons");
	tcase_add_test(tests, a_reason_that_finds_no_room_blames_nobody);
	tcase_add_test(tests, no_future_is_blamed_for_nothing);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
