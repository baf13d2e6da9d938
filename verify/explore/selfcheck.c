/* selfcheck.c - tests the explorer: each broken rule is found within a stated number of seeds,
 * and the finding is repeated by the seed and by a list of fewer decisions. */
#include <stdio.h>
#include <string.h>

#include "verify/explore/explore.h"

static const struct {
	enum mutation rule;
	const char *scenario;
	uint64_t seeds; /* the rule must be found within so many seeds: ten times the usual
			 * number */
} broken[] = {
	{ MUTATE_WAKE, "submit", 50 },
	{ MUTATE_BUMP, "worker-death", 2000 },
	{ MUTATE_COMMIT, "cancel", 2000 },
	{ MUTATE_INHERIT, "full-store", 3000 },
	{ MUTATE_HOLD, "dependencies", 500 },
	{ MUTATE_OWED, "stopped", 400 },
	{ MUTATE_LATE, "stopped", 120000 },
};

static const struct scenario *scenario_named(const char *name)
{
	for (size_t i = 0; i < scenario_count; i++)
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	CHECK(!"a scenario of this name");
	return NULL;
}

/* The same failure again by the seed, and a failure with fewer decisions. */
static bool comes_again(uint64_t seed)
{
	char found[sizeof w.failure];
	uint32_t decisions = schedule.n;
	memcpy(found, w.failure, sizeof found);
	if (explore_one(seed) || strcmp(found, w.failure) != 0 || schedule.n != decisions) {
		printf("  seed %llu does not give the same again: \"%s\", then \"%s\"\n",
		    (unsigned long long)seed, found, w.failure);
		return false;
	}
	explore_shrink(seed);
	bool smaller = w.failure[0] && schedule.n <= decisions;
	if (!smaller)
		printf("  seed %llu cannot be shrunk\n", (unsigned long long)seed);
	else
		printf("  with %u of %u decisions: %s\n", schedule.n, decisions, w.failure);
	schedule.replay = false;
	return smaller;
}

static bool is_found(size_t i)
{
	uint64_t seed = 0;
	explore_begin(scenario_named(broken[i].scenario));
	mutation = broken[i].rule;
	while (seed <= broken[i].seeds && explore_one(seed))
		seed++;
	bool found = seed <= broken[i].seeds;
	printf("%-8s broken in %s: %s, seed %llu of at most %llu\n", mutation_names[mutation],
	    broken[i].scenario, found ? "found" : "NOT FOUND", (unsigned long long)seed,
	    (unsigned long long)broken[i].seeds);
	if (found)
		found = comes_again(seed);
	mutation = MUTATE_NOTHING;
	return found;
}

/* Every schedule twice: steps, end and order of all commits. */
static bool is_the_same(const struct scenario *scenario)
{
	enum { SEEDS = 50 };
	explore_begin(scenario);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		explore_one(seed);
		uint64_t steps = w.step, end = judge_fingerprint();
		explore_one(seed + 1);
		explore_one(seed);
		if (steps == w.step && end == judge_fingerprint())
			continue;
		printf("%s, seed %llu: %llu steps, then %llu\n", scenario->name,
		    (unsigned long long)seed, (unsigned long long)steps,
		    (unsigned long long)w.step);
		return false;
	}
	return true;
}

bool selfcheck(void)
{
	int passed = 0, failed = 0;
	for (size_t i = 0; i < COUNT_OF(broken); i++)
		*(is_found(i) ? &passed : &failed) += 1;
	for (size_t i = 0; i < scenario_count; i++)
		*(is_the_same(&scenarios[i]) ? &passed : &failed) += 1;
	printf("%d passed, %d failed\n", passed, failed);
	return failed == 0;
}
