/* sim_standard.c - the standard set: two choices and theory, unlike workers, heavy tails, bytes. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/why.h"
#include "bench/sim.h"

enum { BINS = 1000, GAMES = 100 };

/* ---- n balls into n bins ---- */

struct game {
	double mean, least, most; /* of the fullest bin */
};

/* As many tasks as workers, all at once, each for a worker's own queue: nothing ends in between. */
static int sim_standard_play(const struct policy *policy, uint64_t seed, struct game *ret)
{
	struct sim_setup setup = sim_default();
	struct sim_result result;
	*ret = (struct game){ .least = BINS };
	setup.workers = setup.tasks = BINS;
	setup.load = 0;
	setup.runtime = SIM_CONSTANT;
	for (uint32_t game = 0; game < GAMES; game++) {
		setup.seed = seed + game;
		struct sim_task *tasks = sim_make_tasks(&setup);
		int r = tasks ? sim_run(&setup, policy, tasks, &result)
			      : why(-ENOMEM, "no memory for %u tasks", setup.tasks);
		free(tasks);
		if (r < 0)
			return r;
		ret->mean += result.most / GAMES;
		ret->least = fmin(ret->least, result.most);
		ret->most = fmax(ret->most, result.most);
	}
	return 0;
}

static void balls_row(const struct sim_output *to, const char *name, const struct game *game)
{
	if (game->most > 0)
		printf("  %-32s %8.2f %8.0f %8.0f\n", name, game->mean, game->least, game->most);
	else
		printf("  %-32s %8.2f\n", name, game->mean);
	if (to->csv)
		fprintf(to->csv, "balls,%s,%u,1,%u,immediate,,,,,,,,%.2f,,\n", name, BINS, BINS,
		    game->mean);
}

static int sim_standard_balls(const struct sim_output *to, uint64_t seed)
{
	struct game game, one = { .mean = log(BINS) / log(log(BINS)) },
			  two = { .mean = log(log(BINS)) / log(2) };
	int r = 0;
	printf("\nballs: %u tasks at once on %u workers, most at one worker, %u seeds\n", BINS,
	    BINS, GAMES);
	printf("  %-32s %8s %8s %8s\n", "", "mean", "least", "most");
	for (size_t i = 0; policy_at(i); i++) {
		if (!policy_at(i)->draw)
			continue;
		r = sim_standard_play(policy_at(i), seed, &game);
		if (r < 0)
			return r;
		balls_row(to, policy_at(i)->name, &game);
	}
	balls_row(to, "theory: log n / log log n", &one);
	balls_row(to, "theory: log log n / log 2", &two);
	return r;
}

/* ---- tables ---- */

static struct sim_setup setup_of(uint32_t workers, uint32_t tasks, uint64_t seed)
{
	struct sim_setup setup = sim_default();
	setup.workers = workers;
	setup.tasks = tasks;
	setup.seed = seed;
	return setup;
}

static int many_alike(const struct sim_output *to, uint64_t seed)
{
	struct sim_setup setup = setup_of(1000, 1000000, seed);
	return sim_table(to, "alike", &setup, NULL);
}

static int sim_standard_differing(const struct sim_output *to, uint64_t seed)
{
	struct sim_setup setup = setup_of(64, 1000000, seed);
	setup.slots = 4;
	setup.load = 0.8;
	setup.depth = 4;
	setup.mix_n = SIM_GENERATIONS;
	for (uint32_t i = 0; i < SIM_GENERATIONS; i++)
		setup.mix[i] = i + 1;
	int r = sim_table(to, "generations", &setup, NULL);
	if (r < 0)
		return r;
	setup.immediate = false;
	return sim_table(to, "generations in one queue", &setup, NULL);
}

static int heavy_tails(const struct sim_output *to, uint64_t seed)
{
	struct sim_setup setup = setup_of(64, 1000000, seed);
	setup.load = 0.7;
	setup.runtime = SIM_PARETO;
	return sim_table(to, "heavy tails", &setup, NULL);
}

static int with_bytes(const struct sim_output *to, uint64_t seed)
{
	struct sim_setup setup = setup_of(64, 1000000, seed);
	setup.nodes = 4;
	setup.load = 0.4;
	setup.bytes = 0.8;
	setup.immediate = false;
	return sim_table(to, "bytes", &setup, NULL);
}

int sim_standard(const struct sim_output *to, uint64_t seed)
{
	static int (*const parts[])(const struct sim_output *to, uint64_t seed) = {
		many_alike,
		sim_standard_differing,
		heavy_tails,
		with_bytes,
		sim_standard_balls,
	};
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		int r = parts[i](to, seed);
		if (r < 0)
			return r;
	}
	return 0;
}
