/* test_soon.c - who looks before sleeping (fleet/soon.h). No test waits for time: waits that lasted
 * long began in the past. */
#include "fleet/soon.h"

#include <check.h>

#include "tests/support/run_suite.h"

enum { TIMEOUT_S = 10 };

static unsigned looks, ready_at;

static bool ready(void *context)
{
	(void)context;
	return ++looks == ready_at;
}

static bool look(struct soon *s, unsigned at)
{
	looks = 0;
	ready_at = at;
	return soon_look(s, ready, NULL);
}

static void waited(struct soon *s, uint64_t ns)
{
	s->began_ns = clock_ns() - ns;
	soon_over(s);
}

START_TEST(a_first_wait_sleeps_at_once)
{
	struct soon s = { 0 };
	ck_assert(!look(&s, 1));
	ck_assert_uint_eq(looks, 0);
}
END_TEST

START_TEST(after_short_waits_a_look_follows_a_look_until_it_is_ready)
{
	struct soon s = { 0 };
	waited(&s, SOON_NS / 2);
	ck_assert_uint_gt(s.average_ns, 0);
	s.average_ns = SOON_NS / 2; /* whatever the machine did meanwhile */
	ck_assert(look(&s, 1));
	ck_assert_uint_eq(looks, 1);
	s.average_ns = SOON_NS / 2;
	ck_assert(!look(&s, UINT32_MAX)); /* and ends without */
	ck_assert_uint_ge(looks, 1);
}
END_TEST

START_TEST(a_long_wait_ends_the_looks_and_short_waits_bring_them_back)
{
	struct soon s = { .average_ns = SOON_NS / 2 };
	waited(&s, 60 * NS_PER_S);
	ck_assert_uint_gt(s.average_ns, SOON_NS);
	ck_assert_uint_le(s.average_ns, SOON_CAP_NS); /* a minute is not remembered for hours */
	ck_assert(!look(&s, 1));
	ck_assert_uint_eq(looks, 0);
	for (int i = 0; s.average_ns > SOON_NS; i++) {
		ck_assert_int_lt(i, 1000);
		waited(&s, 0);
	}
	ck_assert(look(&s, 1));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_first_wait_sleeps_at_once,
		after_short_waits_a_look_follows_a_look_until_it_is_ready,
		a_long_wait_ends_the_looks_and_short_waits_bring_them_back,
	};
	return run_tests("soon", TIMEOUT_S, NULL, NULL, tests, sizeof tests / sizeof tests[0]);
}
