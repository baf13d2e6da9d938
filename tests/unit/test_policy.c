/* test_policy.c - each policy against its definition; random policies against the laws of
 * chance. The seed is fixed, so a verdict is the same in every run. Chance alone would give a
 * wrong verdict for less than one seed in a million. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "policy/draw.h"
#include "policy/policy.h"
#include "tests/support/chance.h"
#include "tests/support/run_suite.h"

enum { WORKERS = 24, ROUNDS = 2000, BINS = 1000, GAMES = 200 };

static struct policy_worker worker[BINS];
static uint32_t open[BINS];
static struct policy_view view = { .worker = worker, .open = open };
static uint64_t seed = RANDOM_SEED;

static const struct policy *policy_named(const char *name)
{
	const struct policy *policy = policy_find(name);
	ck_assert_msg(policy, "there is no policy %s", name);
	return policy;
}

/* n workers, all alike and open. */
static void set_up_workers(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		worker[i] = (struct policy_worker){
			.slots = 4, .weight = 2, .number = i, .free = 4 * POLICY_SLOT
		};
		open[i] = i;
	}
	view.n = n;
}

/* Few values, so that equal workers are frequent; no two share a turn. A full worker is not
 * open. */
static void randomize_workers(uint32_t n)
{
	view.n = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t slots = 1u << draw_below(&seed, 3);
		worker[i] = (struct policy_worker){ .slots = slots,
			.number = i,
			.weight = 2 + 2 * draw_below(&seed, 4),
			.node = draw_below(&seed, 3),
			.last_turn = draw_below(&seed, 2) ? 1000 + (i * 7) % n : 0,
			.free = draw_below(&seed, 2 * slots + 1) * (POLICY_SLOT / 2) };
		if (worker[i].free)
			open[view.n++] = i;
	}
}

static bool is_open(uint32_t number)
{
	for (uint32_t i = 0; i < view.n; i++)
		if (open[i] == number)
			return true;
	return false;
}

/* As a heap of keys would: the largest. */
static uint32_t first_by_key(const struct policy *policy)
{
	uint32_t best = open[0];
	for (uint32_t i = 1; i < view.n; i++)
		if (policy->key(&worker[open[i]]) > policy->key(&worker[best]))
			best = open[i];
	return best;
}

/* Places a task of one cpu; a full worker is not open any more. */
static uint32_t place_by_key(const struct policy *policy, uint64_t turn)
{
	uint32_t chosen = first_by_key(policy);
	worker[chosen].last_turn = turn;
	worker[chosen].free -= POLICY_SLOT;
	for (uint32_t i = 0; i < view.n && worker[chosen].free == 0; i++)
		if (open[i] == chosen)
			open[i--] = open[--view.n];
	return chosen;
}

/* ---- the table ---- */

START_TEST(each_policy_is_found_by_its_name_and_the_default_is_locality)
{
	size_t n = 0;
	for (const struct policy *policy; (policy = policy_at(n)) != NULL; n++) {
		ck_assert_ptr_eq(policy_find(policy->name), policy);
		ck_assert_msg((policy->key != NULL) != (policy->draw != NULL),
		    "%s has to order or to draw, one of both", policy->name);
		ck_assert_uint_gt(strlen(policy->help), 0);
	}
	ck_assert_uint_eq(n, 6);
	ck_assert_ptr_null(policy_at(n + 1));
	ck_assert_str_eq(policy_at(0)->name, "locality");
	ck_assert_ptr_null(policy_find("localit"));
	ck_assert_ptr_null(policy_find(""));
}
END_TEST

/* ---- policies that order, against their definition in words ---- */

static bool warmer(const struct policy_worker *a, const struct policy_worker *b)
{
	return a->last_turn != b->last_turn ? a->last_turn > b->last_turn : a->number < b->number;
}

static bool round_robin_before(const struct policy_worker *a, const struct policy_worker *b)
{
	return a->last_turn != b->last_turn ? a->last_turn < b->last_turn : a->number < b->number;
}

static bool load_aware_before(const struct policy_worker *a, const struct policy_worker *b)
{
	uint64_t room_a = a->free * a->weight, room_b = b->free * b->weight;
	return room_a != room_b ? room_a > room_b : warmer(a, b);
}

static bool static_fill_before(const struct policy_worker *a, const struct policy_worker *b)
{
	uint32_t strong_a = a->slots * a->weight, strong_b = b->slots * b->weight;
	return strong_a != strong_b ? strong_a > strong_b : a->number < b->number;
}

static bool locality_before(const struct policy_worker *a, const struct policy_worker *b)
{
	uint64_t left = a->free * b->slots, right = b->free * a->slots; /* a/b > c/d, no division */
	return left != right ? left > right : warmer(a, b);
}

static const struct {
	const char *name;
	bool (*before)(const struct policy_worker *a, const struct policy_worker *b);
} orders[] = {
	{ "round-robin", round_robin_before },
	{ "load-aware", load_aware_before },
	{ "static-fill", static_fill_before },
	{ "locality", locality_before },
};

static void assert_ordered(const struct policy *policy, const struct policy_worker *a,
    const struct policy_worker *b, bool before)
{
	uint64_t key_a = policy->key(a), key_b = policy->key(b);
	ck_assert_uint_ne(key_a, key_b);
	ck_assert_msg((key_a > key_b) == before, "workers %u and %u are in the wrong order",
	    a->number, b->number);
}

START_TEST(keys_order_as_the_definition_does_and_no_two_are_alike)
{
	const struct policy *policy = policy_named(orders[_i].name);
	for (int round = 0; round < ROUNDS; round++) {
		randomize_workers(WORKERS);
		for (uint32_t a = 0; a < WORKERS; a++)
			for (uint32_t b = 0; b < a; b++)
				assert_ordered(policy, &worker[a], &worker[b],
				    orders[_i].before(&worker[a], &worker[b]));
	}
}
END_TEST

START_TEST(round_robin_gives_each_worker_one_turn_in_each_round)
{
	const struct policy *policy = policy_named("round-robin");
	set_up_workers(WORKERS);
	for (uint32_t turn = 0; turn < 3 * WORKERS; turn++)
		ck_assert_uint_eq(place_by_key(policy, turn + 1), turn % WORKERS);
}
END_TEST

START_TEST(round_robin_does_not_go_astray_when_32_bits_of_turns_are_used_up)
{
	const struct policy *policy = policy_named("round-robin");
	set_up_workers(WORKERS);
	/* Not where a sum of turns and numbers goes over, either. */
	uint64_t first = UINT32_MAX - (_i ? POLICY_NUMBERS : 0) - 2 * WORKERS;
	for (uint32_t i = 0; i < 4 * WORKERS; i++)
		ck_assert_uint_eq(place_by_key(policy, first + i), i % WORKERS);
}
END_TEST

START_TEST(load_aware_loads_workers_in_the_ratio_of_their_strength)
{
	const struct policy *policy = policy_named("load-aware");
	set_up_workers(4);
	for (uint32_t i = 0; i < 4; i++) {
		worker[i].slots = 60;
		worker[i].weight = 2 + 2 * i;
		worker[i].free = 60 * POLICY_SLOT;
	}
	for (uint32_t turn = 1; view.n == 4; turn++) {
		place_by_key(policy, turn);
		uint64_t least = UINT64_MAX, most = 0;
		for (uint32_t i = 0; i < 4; i++) {
			uint64_t room = worker[i].free * worker[i].weight;
			least = room < least ? room : least;
			most = room > most ? room : most;
		}
		/* The room of all shrinks together, once the strong are down to the weak. */
		if (worker[0].free < 60 * POLICY_SLOT)
			ck_assert_uint_le(most - least, UINT64_C(8) * POLICY_SLOT);
	}
}
END_TEST

START_TEST(load_aware_and_locality_keep_to_the_warm_one_among_equals)
{
	const struct policy *policy = policy_named(_i ? "locality" : "load-aware");
	set_up_workers(WORKERS);
	ck_assert_uint_eq(first_by_key(policy), 0);
	worker[17].last_turn = 41;
	worker[5].last_turn = 40;
	ck_assert_uint_eq(first_by_key(policy), 17);
	worker[17].free--;
	ck_assert_uint_eq(first_by_key(policy), 5);
}
END_TEST

START_TEST(static_fill_fills_the_strongest_before_the_next_gets_anything)
{
	static const uint32_t weight[] = { 2, 8, 4, 8 }, order[] = { 1, 3, 2, 0 };
	const struct policy *policy = policy_named("static-fill");
	set_up_workers(4);
	for (uint32_t i = 0; i < 4; i++)
		worker[i].weight = weight[i];
	for (uint32_t turn = 0; turn < 16; turn++)
		ck_assert_uint_eq(place_by_key(policy, turn + 1), order[turn / 4]);
	ck_assert_uint_eq(view.n, 0);
}
END_TEST

/* ---- where the bytes lie ---- */

static const struct near_case {
	const char *rule;
	struct policy_bytes bytes[3];
	size_t n;
	uint32_t nearest;
} near_cases[] = {
	{ "nobody is near to nothing", { { 0 } }, 0, POLICY_NOBODY },
	{ "no bytes draw nobody", { { 3, 1, 0 } }, 1, POLICY_NOBODY },
	{ "a node nobody is on", { { POLICY_NOBODY, 9, 100 } }, 1, POLICY_NOBODY },
	{ "a node that does not matter", { { 5, POLICY_NOBODY, 100 } }, 1, POLICY_NOBODY },
	{ "its own cache", { { 3, 1, 100 } }, 1, 3 },
	{ "a cache before a node", { { POLICY_NOBODY, 0, 1000 }, { 3, 1, 1 } }, 2, 3 },
	{ "most in a cache", { { 3, 1, 10 }, { 0, 0, 11 } }, 2, 0 },
	{ "parts in one cache are added", { { 3, 1, 6 }, { 0, 0, 11 }, { 3, 1, 6 } }, 3, 3 },
	{ "as much in each cache: more on the node",
	    { { 3, 1, 10 }, { 0, 0, 10 }, { POLICY_NOBODY, 0, 1 } }, 3, 0 },
	{ "as much in each: more free", { { 1, 0, 10 }, { 3, 1, 10 } }, 2, 1 },
	{ "on its node: most free there", { { POLICY_NOBODY, 1, 10 } }, 1, 4 },
	{ "in the cache of a full one: its node", { { 5, 1, 10 } }, 1, 4 },
};

/* Workers 0, 1, 2 on node 0; 3, 4, 5 on node 1; 5 is full. */
START_TEST(near_is_the_open_worker_with_most_of_the_bytes)
{
	static const uint32_t free_slots[] = { 1, 4, 2, 2, 3, 0 };
	const struct near_case *one = &near_cases[_i];
	set_up_workers(6);
	for (uint32_t i = 0; i < 6; i++) {
		worker[i].node = i / 3;
		worker[i].free = (uint64_t)free_slots[i] * POLICY_SLOT;
	}
	view.n = 5;
	uint32_t nearest = policy_named("locality")->near(&view, one->bytes, one->n);
	ck_assert_msg(nearest == one->nearest, "%s: %u, not %u", one->rule, nearest, one->nearest);
}
END_TEST

START_TEST(only_locality_asks_where_bytes_lie)
{
	const struct policy *policy;
	for (size_t i = 0; (policy = policy_at(i)) != NULL; i++)
		ck_assert((policy->near != NULL) == (strcmp(policy->name, "locality") == 0));
}
END_TEST

START_TEST(every_policy_chooses_only_open_workers)
{
	const struct policy *policy = policy_at((size_t)_i);
	for (int round = 0; round < ROUNDS; round++) {
		randomize_workers(WORKERS);
		if (view.n == 0)
			continue;
		if (policy->draw)
			ck_assert_uint_lt(policy->draw(&view, &seed), view.n);
		if (!policy->near)
			continue;
		struct policy_bytes bytes = { .worker = draw_below(&seed, WORKERS),
			.node = draw_below(&seed, 3),
			.bytes = 64 };
		uint32_t nearest = policy->near(&view, &bytes, 1);
		ck_assert(nearest == POLICY_NOBODY || is_open(nearest));
	}
}
END_TEST

/* ---- chance ---- */

typedef uint32_t draw_function(const struct policy_view *view, uint64_t *seed);

enum { RANKS = 8, DRAWS = 80000 };

/* Worker k has room for k + 1: how often each worker was drawn, against the expected number. */
static bool draws_as_expected(draw_function *draw, const double *share)
{
	uint32_t seen[RANKS] = { 0 };
	double expected[RANKS];
	uint64_t stream = RANDOM_SEED;
	set_up_workers(RANKS);
	for (uint32_t i = 0; i < RANKS; i++) {
		worker[i].free = (i + 1) * (POLICY_SLOT / 4);
		open[i] = (i * 3) % RANKS; /* a position is not a number */
		expected[i] = share[i] * DRAWS;
	}
	for (int i = 0; i < DRAWS; i++) {
		uint32_t position = draw(&view, &stream);
		ck_assert_uint_lt(position, RANKS);
		seen[open[position]]++;
	}
	return chi_square(seen, expected, RANKS) < chi_square_bound(RANKS - 1);
}

/* Of two distinct draws rank k wins if the second is one of the k lower ranks. */
static bool draws_as_two_choices(draw_function *draw)
{
	double share[RANKS];
	for (uint32_t k = 0; k < RANKS; k++)
		share[k] = 2.0 * k / (RANKS * (RANKS - 1));
	return draws_as_expected(draw, share);
}

static bool draws_uniformly(draw_function *draw)
{
	double share[RANKS];
	for (uint32_t k = 0; k < RANKS; k++)
		share[k] = 1.0 / RANKS;
	return draws_as_expected(draw, share);
}

static uint32_t fuller_of(const struct policy_view *in, uint32_t a, uint32_t b, bool invert)
{
	uint64_t room_a = in->worker[in->open[a]].free, room_b = in->worker[in->open[b]].free;
	return (room_a > room_b) != invert ? a : b;
}

/* Draws that must be rejected. */
static uint32_t faulty_same_twice(const struct policy_view *in, uint64_t *stream)
{
	return fuller_of(in, draw_below(stream, in->n), draw_below(stream, in->n), false);
}

static uint32_t faulty_neighbours(const struct policy_view *in, uint64_t *stream)
{
	uint32_t first = draw_below(stream, in->n);
	return fuller_of(in, first, (first + 1) % in->n, false);
}

static uint32_t faulty_the_fuller(const struct policy_view *in, uint64_t *stream)
{
	uint32_t first = draw_below(stream, in->n), second = draw_below(stream, in->n - 1);
	return fuller_of(in, first, second + (second >= first), true);
}

static uint32_t faulty_never_the_last(const struct policy_view *in, uint64_t *stream)
{
	return draw_below(stream, in->n > 1 ? in->n - 1 : 1);
}

START_TEST(power_of_two_draws_each_pair_alike_and_takes_the_better)
{
	draw_function *of_random = policy_named("random")->draw;
	ck_assert(draws_as_two_choices(policy_named("power-of-two")->draw));
	ck_assert(!draws_as_two_choices(faulty_same_twice));
	ck_assert(!draws_as_two_choices(faulty_neighbours));
	ck_assert(!draws_as_two_choices(faulty_the_fuller));
	ck_assert(!draws_as_two_choices(of_random));
}
END_TEST

START_TEST(random_draws_each_alike_whatever_its_room)
{
	ck_assert(draws_uniformly(policy_named("random")->draw));
	ck_assert(!draws_uniformly(faulty_never_the_last));
	ck_assert(!draws_uniformly(policy_named("power-of-two")->draw));
}
END_TEST

/* Two open workers make one pair. */
static bool takes_the_better_of_two(draw_function *draw)
{
	uint64_t stream = RANDOM_SEED;
	set_up_workers(2);
	for (int i = 0; i < 100; i++) {
		uint32_t better = (uint32_t)i % 2;
		worker[better].free = 2 * POLICY_SLOT;
		worker[!better].free = POLICY_SLOT;
		if (open[draw(&view, &stream)] != better)
			return false;
	}
	return true;
}

START_TEST(power_of_two_draws_two_different_workers)
{
	ck_assert(takes_the_better_of_two(policy_named("power-of-two")->draw));
	ck_assert(!takes_the_better_of_two(faulty_same_twice));
	ck_assert(!takes_the_better_of_two(policy_named("random")->draw));
}
END_TEST

START_TEST(power_of_two_weighs_free_slots_by_generation)
{
	set_up_workers(2);
	worker[0].weight = 8;
	worker[0].free = POLICY_SLOT; /* 8 of work against 6 */
	worker[1].free = 3 * POLICY_SLOT;
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(policy_named("power-of-two")->draw(&view, &seed), 0);
}
END_TEST

START_TEST(one_open_worker_is_drawn)
{
	set_up_workers(3);
	open[0] = 2;
	view.n = 1;
	for (int i = 0; i < 100; i++) {
		ck_assert_uint_eq(policy_named("power-of-two")->draw(&view, &seed), 0);
		ck_assert_uint_eq(policy_named("random")->draw(&view, &seed), 0);
	}
}
END_TEST

/* n balls into n bins: the most in any bin. */
static uint32_t most_in_a_bin(draw_function *draw, uint64_t *stream)
{
	uint32_t most = 0;
	set_up_workers(BINS);
	for (uint32_t ball = 0; ball < BINS; ball++) {
		struct policy_worker *chosen = &worker[open[draw(&view, stream)]];
		chosen->free--;
		uint32_t load = (uint32_t)(4 * POLICY_SLOT - chosen->free);
		most = load > most ? load : most;
	}
	return most;
}

struct mean {
	double mean, error; /* standard error of the mean */
};

static struct mean mean_of_games(draw_function *draw)
{
	double sum = 0, squares = 0;
	uint64_t stream = RANDOM_SEED;
	for (int game = 0; game < GAMES; game++) {
		double most = most_in_a_bin(draw, &stream);
		sum += most;
		squares += most * most;
	}
	double mean = sum / GAMES;
	return (struct mean){ mean, sqrt((squares / GAMES - mean * mean) / (GAMES - 1)) };
}

/* Two choices: log log n / log 2 + O(1); a single choice: log n / log log n (1 + o(1)). For a
 * thousand bins these are 3, and 5 to 6 (exactly: the largest of a thousand Poisson variables of
 * mean 1). */
START_TEST(most_in_one_of_a_thousand_bins_is_that_of_the_theory)
{
	struct mean one = mean_of_games(policy_named("random")->draw);
	struct mean two = mean_of_games(policy_named("power-of-two")->draw);
	double error = sqrt(one.error * one.error + two.error * two.error);
	double theory = log(log(BINS)) / log(2);
	ck_assert_double_gt(one.mean - two.mean, 5 * error);
	ck_assert_double_ge(two.mean, theory);
	ck_assert_double_le(two.mean, theory + 1);
	ck_assert_double_ge(one.mean, 5);
	ck_assert_double_le(one.mean, 6);
}
END_TEST

static void draw_some(draw_function *draw, uint64_t stream, uint32_t *ret, uint32_t n)
{
	set_up_workers(BINS);
	for (uint32_t i = 0; i < n; i++)
		ret[i] = draw(&view, &stream);
}

START_TEST(the_same_seed_makes_the_same_choices_another_one_others)
{
	uint32_t first[64], again[64], other[64];
	draw_function *draw = policy_named(_i ? "random" : "power-of-two")->draw;
	draw_some(draw, 1, first, COUNT_OF(first));
	draw_some(draw, 1, again, COUNT_OF(again));
	draw_some(draw, 2, other, COUNT_OF(other));
	ck_assert_mem_eq(first, again, sizeof first);
	ck_assert_mem_ne(first, other, sizeof first);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy");
	TCase *rules = tcase_create("rules"), *chance = tcase_create("chance");
	tcase_add_test(rules, each_policy_is_found_by_its_name_and_the_default_is_locality);
	tcase_add_loop_test(
	    rules, keys_order_as_the_definition_does_and_no_two_are_alike, 0, COUNT_OF(orders));
	tcase_add_test(rules, round_robin_gives_each_worker_one_turn_in_each_round);
	tcase_add_loop_test(
	    rules, round_robin_does_not_go_astray_when_32_bits_of_turns_are_used_up, 0, 2);
	tcase_add_test(rules, load_aware_loads_workers_in_the_ratio_of_their_strength);
	tcase_add_loop_test(rules, load_aware_and_locality_keep_to_the_warm_one_among_equals, 0, 2);
	tcase_add_test(rules, static_fill_fills_the_strongest_before_the_next_gets_anything);
	tcase_add_loop_test(
	    rules, near_is_the_open_worker_with_most_of_the_bytes, 0, COUNT_OF(near_cases));
	tcase_add_test(rules, only_locality_asks_where_bytes_lie);
	tcase_add_loop_test(rules, every_policy_chooses_only_open_workers, 0, 6);
	tcase_add_test(chance, power_of_two_draws_each_pair_alike_and_takes_the_better);
	tcase_add_test(chance, random_draws_each_alike_whatever_its_room);
	tcase_add_test(chance, power_of_two_draws_two_different_workers);
	tcase_add_test(chance, power_of_two_weighs_free_slots_by_generation);
	tcase_add_test(chance, one_open_worker_is_drawn);
	tcase_add_test(chance, most_in_one_of_a_thousand_bins_is_that_of_the_theory);
	tcase_add_loop_test(chance, the_same_seed_makes_the_same_choices_another_one_others, 0, 2);
	suite_add_tcase(suite, rules);
	suite_add_tcase(suite, chance);
	return run_suite(suite);
}
