/* explore_main.c - runs many schedules of each scenario; the first failing schedule is shrunk,
 * printed, and ends the run. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "verify/explore/explore.h"
#include "tests/support/mutate.h"
#include "tests/support/seen.h"

enum {
	SEEDS_DEFAULT = 10000,
	SEEN_SLOTS = 1 << 20,
	SHRINKS_MAX = 4000,
	STEP_NOT_MET = 3, /* exit code, as of the kill sweeps */
};

bool tracing, tracing_steps;

static struct options_of_explore {
	const char *scenario;
	uint64_t seed, seeds; /* the first, how many more; seed 0 is undisturbed */
	bool one, selfcheck;
} asked = { .seeds = SEEDS_DEFAULT };

struct tally {
	uint64_t schedules, steps, deaths, distinct;
	double seconds;
};

static uint64_t seen[SEEN_SLOTS]; /* fingerprints; 0: none. Full: no longer counted. */

static bool is_new(uint64_t fingerprint)
{
	fingerprint |= 1;
	for (uint32_t i = 0; i < 16; i++) {
		uint64_t *slot = &seen[(fingerprint + i) % SEEN_SLOTS];
		if (*slot == fingerprint)
			return false;
		if (*slot == 0) {
			*slot = fingerprint;
			return true;
		}
	}
	return false;
}

/* True if nothing was found. */
bool explore_one(uint64_t seed)
{
	image_restore();
	scenario_forget();
	memory_is_ours = true;
	schedule_begin(seed);
	run_schedule();
	memory_is_ours = false;
	return w.failure[0] == 0;
}

/* ---- a failure, made smaller ---- */

static struct schedule smaller;

static bool fails_without(uint64_t seed, uint32_t from, uint32_t n)
{
	schedule = smaller;
	memmove(&schedule.decision[from], &schedule.decision[from + n],
	    (schedule.n - from - n) * sizeof schedule.decision[0]);
	schedule.n -= n;
	schedule.replay = true;
	if (explore_one(seed))
		return false;
	smaller.n = schedule.n;
	memcpy(smaller.decision, schedule.decision, sizeof smaller.decision);
	return true;
}

void explore_shrink(uint64_t seed)
{
	uint32_t tries = 0, piece = schedule.n / 2;
	smaller = schedule;
	while (piece > 0 && tries < SHRINKS_MAX) {
		bool found = false;
		for (uint32_t at = 0; at + piece <= smaller.n && tries++ < SHRINKS_MAX;)
			if (fails_without(seed, at, piece))
				found = true;
			else
				at += piece;
		if (!found || piece > smaller.n)
			piece /= 2;
	}
	schedule = smaller;
	schedule.replay = true;
	explore_one(seed);
}

static void explore_main_tell(uint64_t seed)
{
	char found[sizeof w.failure];
	uint32_t before = schedule.n;
	memcpy(found, w.failure, sizeof found);
	printf("FAILED %s, seed %llu: %s\n", w.scenario->name, (unsigned long long)seed, found);
	bool traced = tracing, steps_traced = tracing_steps;
	tracing = tracing_steps = false;
	explore_shrink(seed);
	tracing = traced, tracing_steps = steps_traced;
	if (tracing)
		explore_one(seed);
	printf("  the same with %u of its %u decisions: %s\n", schedule.n, before, w.failure);
	schedule_print();
	printf("  again: explore --scenario %s --seed %llu\n", w.scenario->name,
	    (unsigned long long)seed);
	schedule.replay = false;
}

/* ---- scenarios ---- */

static double seconds_now(void)
{
	struct timespec now;
	timespec_get(&now, TIME_UTC);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void explore_begin(const struct scenario *scenario)
{
	image_make(scenario);
	memset(seen, 0, sizeof seen);
	bool traced = tracing_steps;
	tracing_steps = false;
	if (explore_one(0))
		typical_steps = (uint32_t)w.step;
	tracing_steps = traced;
}

/* Returns the seed that failed, or 0. */
static bool explore_main_explore(const struct scenario *scenario, struct tally *ret)
{
	double began = seconds_now();
	*ret = (struct tally){ 0 };
	explore_begin(scenario);
	bool sound = w.failure[0] == 0;
	uint64_t seed = asked.seed, last = asked.one ? seed : seed + asked.seeds;
	for (; sound && seed <= last; seed++) {
		sound = explore_one(seed);
		ret->schedules++;
		ret->steps += w.step;
		ret->deaths += w.deaths;
		ret->distinct += is_new(judge_fingerprint());
		if (!sound)
			break;
	}
	ret->seconds = seconds_now() - began;
	if (!sound && mutate_wanted())
		printf("FAILED %s, seed %llu: %s\n", scenario->name, (unsigned long long)seed,
		    w.failure);
	else if (!sound)
		explore_main_tell(seed);
	return sound;
}

static int explore_all(void)
{
	int passed = 0, failed = 0;
	printf("%-16s %10s %12s %8s %10s %7s %10s\n", "scenario", "schedules", "steps", "deaths",
	    "distinct", "seconds", "a minute");
	for (size_t i = 0; i < scenario_count; i++) {
		struct tally t;
		if (asked.scenario && strcmp(asked.scenario, scenarios[i].name) != 0)
			continue;
		bool sound = explore_main_explore(&scenarios[i], &t);
		printf("%-16s %10llu %12llu %8llu %10llu %7.1f %10.0f\n", scenarios[i].name,
		    (unsigned long long)t.schedules, (unsigned long long)t.steps,
		    (unsigned long long)t.deaths, (unsigned long long)t.distinct, t.seconds,
		    (double)t.schedules * 60 / (t.seconds > 0 ? t.seconds : 1));
		fflush(stdout);
		seen_write(scenarios[i].name);
		passed += sound;
		failed += !sound;
	}
	if (passed + failed == 0) {
		fprintf(stderr, "explore: no scenario \"%s\": --list names them\n", asked.scenario);
		return 64;
	}
	printf("%d passed, %d failed\n", passed, failed);
	if (mutate_wanted() && !mutate_was_met()) {
		fprintf(stderr, "explore: nobody comes to \"%s\"\n", getenv("PLM_MUTATE"));
		return STEP_NOT_MET;
	}
	return failed > 0;
}

/* ---- options ---- */

static const char help[] =
    "usage: explore [--scenario NAME] [[--from SEED] --seeds N | --seed N] [--mutate RULE]\n"
    "    [--trace] [--list]\n"
    "Runs the whole runtime in one process under schedules drawn from seeds "
    "(verify/explore/README.md).\n"
    "  --scenario NAME  this one alone\n"
    "  --seeds N        the schedules of seeds 0 to N of each scenario (10000)\n"
    "  --from SEED      ... of seeds SEED to SEED + N\n"
    "  --seed N         this schedule alone\n"
    "  --mutate RULE    break one rule, to see that it is found: wake, bump, commit, inherit,\n"
    "                   hold\n"
    "  --self-check     that each broken rule is found, and that a seed gives the same again\n"
    "  --trace          what the runtime logs, with the number of the step\n"
    "  --steps          that, and each step that writes\n"
    "  --reached        which steps each scenario comes to, into explore.steps beside the program\n"
    "  --list           the scenarios\n";

static int explore_main_usage(const char *what, const char *value)
{
	fprintf(stderr, "explore: %s \"%s\"; --help tells what there is\n", what, value);
	return 64;
}

static int explore_main_list(void)
{
	for (size_t i = 0; i < scenario_count; i++)
		printf("%-16s %s\n", scenarios[i].name, scenarios[i].help);
	return 0;
}

static bool take_mutation(const char *name)
{
	for (int i = 0; i < MUTATIONS; i++)
		if (strcmp(name, mutation_names[i]) == 0) {
			mutation = (enum mutation)i;
			return true;
		}
	return false;
}

static bool come_to(const struct step *step, const void *at, size_t bytes)
{
	schedule_step(step ? step->what : NULL);
	if (step)
		seen_here(step, SEEN_REACHED);
	return mutate_step(step, at, bytes);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "scenario", 1, 0, 's' }, { "seeds", 1, 0, 'n' },
		{ "seed", 1, 0, 'o' }, { "mutate", 1, 0, 'm' }, { "trace", 0, 0, 't' },
		{ "from", 1, 0, 'f' }, { "steps", 0, 0, 'S' }, { "self-check", 0, 0, 'C' },
		{ "reached", 0, 0, 'r' }, { "list", 0, 0, 'l' }, { "help", 0, 0, 'h' }, { 0 } };
	int c;
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
		switch (c) {
		case 's': asked.scenario = optarg; break;
		case 'n': asked.seeds = strtoull(optarg, NULL, 10); break;
		case 'f': asked.seed = strtoull(optarg, NULL, 10); break;
		case 'o':
			asked.one = true;
			asked.seed = strtoull(optarg, NULL, 10);
			break;
		case 't': tracing = true; break;
		case 'C': asked.selfcheck = true; break;
		case 'S': tracing = tracing_steps = true; break;
		case 'm':
			if (!take_mutation(optarg))
				return explore_main_usage("no such rule:", optarg);
			break;
		case 'r': seen_open(); break;
		case 'l': return explore_main_list();
		case 'h': fputs(help, stdout); return 0;
		default: return 64;
		}
	if (optind < argc)
		return explore_main_usage("what is", argv[optind]);
	if (mutate_wanted())
		mutate_open();
	step_hook = come_to;
	run_open();
	return asked.selfcheck ? !selfcheck() : explore_all();
}
