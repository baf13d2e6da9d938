/* sim_tasks.c - the tasks of a simulation: arrival, run time, place of the bytes. */
#include <math.h>
#include <stdlib.h>

#include "bench/sim.h"
#include "policy/draw.h"

/* Bimodal: one task in ten is ten times as long as the rest. */
#define LONG_SHARE 0.1
#define LONG_FACTOR 10.0

/* Pareto: a tail so heavy that the variance is infinite; cut off, or one task would be the whole
 * run. */
#define PARETO_SHAPE 1.5
#define PARETO_CUT 1000.0 /* times the mean */

struct sim_setup sim_default(void)
{
	return (struct sim_setup){ .workers = 64,
		.slots = 1,
		.nodes = 1,
		.tasks = 100000,
		.load = 0.9,
		.immediate = true,
		.depth = SIM_DEPTH_MAX,
		.runtime = SIM_EXPONENTIAL,
		.mean_us = 1000,
		.mix = { 1 },
		.mix_n = 1,
		.transfer = 1,
		.seed = 1 };
}

uint32_t sim_weight(uint32_t generation)
{
	return 2 * generation;
}

double sim_speed(uint32_t generation)
{
	return (double)sim_weight(generation) / sim_weight(1);
}

static double draw_exponential(uint64_t *seed)
{
	return -log1p(-draw_share(seed));
}

/* Of mean 1; the cut removes a hundredth of Pareto's mean. */
static double draw_runtime(enum sim_runtime kind, uint64_t *seed)
{
	switch (kind) {
	case SIM_EXPONENTIAL: return draw_exponential(seed);
	case SIM_BIMODAL: {
		double small = 1 / (1 - LONG_SHARE + LONG_SHARE * LONG_FACTOR);
		return draw_share(seed) < LONG_SHARE ? small * LONG_FACTOR : small;
	}
	case SIM_PARETO: {
		double least = (PARETO_SHAPE - 1) / PARETO_SHAPE;
		return fmin(least * pow(1 - draw_share(seed), -1 / PARETO_SHAPE), PARETO_CUT);
	}
	default: return 1;
	}
}

/* Mean time between two arrivals; 0: all at once. */
static double mean_gap_ns(const struct sim_setup *setup)
{
	double speed = 0;
	if (setup->load <= 0)
		return 0;
	for (uint32_t i = 0; i < setup->workers; i++)
		speed += sim_speed(setup->mix[i % setup->mix_n]) * setup->slots;
	return setup->mean_us * SIM_NS_PER_US / (setup->load * speed);
}

struct sim_task *sim_make_tasks(const struct sim_setup *setup)
{
	struct sim_task *tasks = calloc(setup->tasks, sizeof *tasks);
	/* A stream for each: changing the mean or the share leaves the other two streams alone. */
	uint64_t seed = setup->seed, arrivals = draw_bits(&seed), runtimes = draw_bits(&seed),
		 homes = draw_bits(&seed);
	double now = 0, gap = mean_gap_ns(setup), mean_ns = setup->mean_us * SIM_NS_PER_US;
	if (!tasks)
		return NULL;
	for (uint32_t i = 0; i < setup->tasks; i++) {
		now += gap * draw_exponential(&arrivals);
		uint64_t runtime = (uint64_t)(mean_ns * draw_runtime(setup->runtime, &runtimes));
		tasks[i].arrival_ns = (uint64_t)now;
		tasks[i].runtime_ns = runtime > 0 ? runtime : 1;
		tasks[i].home = draw_share(&homes) < setup->bytes
		    ? draw_below(&homes, setup->workers)
		    : POLICY_NOBODY;
	}
	return tasks;
}
