/* test_draw.c - random numbers: even within their bounds, and the same for a seed for ever. */
#include <stdbool.h>

#include "policy/draw.h"
#include "tests/support/chance.h"
#include "tests/support/run_suite.h"

/* Bounds of three quarters of 2^32 expose faulty draws: a remainder makes the first third twice
 * as frequent; scaling without a second draw favours multiples of 3. */
static bool bounded_evenly(uint32_t (*below)(uint64_t *stream, uint32_t n))
{
	enum { NUMBERS = 30000 };
	uint32_t n = UINT32_C(3) << 30, third[3] = { 0 }, rest[3] = { 0 };
	double expected[3] = { NUMBERS / 3.0, NUMBERS / 3.0, NUMBERS / 3.0 };
	uint64_t stream = RANDOM_SEED;
	for (int i = 0; i < NUMBERS; i++) {
		uint32_t number = below(&stream, n);
		ck_assert_uint_lt(number, n);
		third[number >> 30]++;
		rest[number % 3]++;
	}
	double bound = chi_square_bound(2);
	return chi_square(third, expected, 3) < bound && chi_square(rest, expected, 3) < bound;
}

static uint32_t faulty_remainder(uint64_t *stream, uint32_t n)
{
	return (uint32_t)(draw_bits(stream) >> 32) % n;
}

static uint32_t faulty_scaled(uint64_t *stream, uint32_t n)
{
	return (uint32_t)((draw_bits(stream) >> 32) * n >> 32);
}

START_TEST(bounded_numbers_are_as_frequent_as_each_other)
{
	ck_assert(bounded_evenly(draw_below));
	ck_assert(!bounded_evenly(faulty_remainder));
	ck_assert(!bounded_evenly(faulty_scaled));
}
END_TEST

/* Reference values of splitmix64: a recorded seed keeps its meaning for ever. */
START_TEST(numbers_of_a_seed_never_change)
{
	uint64_t stream = 1234567;
	ck_assert_uint_eq(draw_bits(&stream), UINT64_C(6457827717110365317));
	ck_assert_uint_eq(draw_bits(&stream), UINT64_C(3203168211198807973));
	ck_assert_uint_eq(draw_bits(&stream), UINT64_C(9817491932198370423));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("draw");
	TCase *tcase = tcase_create("random numbers");
	tcase_add_test(tcase, bounded_numbers_are_as_frequent_as_each_other);
	tcase_add_test(tcase, numbers_of_a_seed_never_change);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
