/* sim_cost.c - the cost of a placement decision on this machine, with few workers and with many.
 *
 * A decision is the scheduler's work for one task: choose a worker, give the task to the worker,
 * and update the order. A policy with a key: peek at the heap, then update. A drawing policy:
 * the draw. Where near() is asked, the bytes of an argument lie in the cache of an open worker,
 * or only on a node. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"
#include "bench/measure.h"
#include "bench/sim.h"
#include "heap/heap.h"
#include "policy/draw.h"

/* A sample is as many decisions as two half empty workers have room for. */
enum { SLOTS = SIM_SLOTS_MAX, DECISIONS = SLOTS / 2, SAMPLES = 5000, ROUNDS = 5, CASES = 3 };

static const uint32_t workers_of[CASES] = { 2, 64, 1000 };

enum nearness { NOT_ASKED, IN_CACHE, ON_NODE, NEARNESSES };

static const char *const nearness_names[NEARNESSES] = { "", " (in a cache)", " (on a node)" };

struct cost { /* a policy with so many workers */
	const struct policy *policy;
	uint32_t workers;
	enum nearness near;
	struct policy_worker *worker;
	uint32_t *open;
	struct heap order;
	void *memory;
	uint64_t turn, seed;
	uint32_t taken; /* slots, since tasks ended last */
};

static void push_all(void *context, struct heap *heap)
{
	struct cost *cost = context;
	for (uint32_t i = 0; i < cost->workers; i++)
		heap_push(heap, i, 0, cost->policy->key(&cost->worker[i]));
}

static uint32_t sim_cost_decide(struct cost *cost, const struct policy_view *view)
{
	struct heap_entry first;
	if (cost->near) {
		struct policy_bytes bytes = { .worker = POLICY_NOBODY, .bytes = 64 };
		if (cost->near == IN_CACHE)
			bytes.worker = draw_below(&cost->seed, cost->workers);
		return cost->policy->near(view, &bytes, 1);
	}
	if (cost->policy->draw)
		return view->open[cost->policy->draw(view, &cost->seed)];
	CHECK(heap_peek(&cost->order, &first));
	return first.id;
}

static void sim_cost_refresh(struct cost *cost, uint32_t number)
{
	if (cost->policy->key)
		heap_update(&cost->order, number, cost->policy->key(&cost->worker[number]));
}

static void sim_cost_give(struct cost *cost, uint32_t number)
{
	struct policy_worker *worker = &cost->worker[number];
	worker->last_turn = ++cost->turn;
	if (worker->free > POLICY_SLOT) { /* the last cpu stays free, so all workers stay open */
		worker->free -= POLICY_SLOT;
		cost->taken++;
	}
	sim_cost_refresh(cost, number);
}

/* As many tasks end, anywhere. */
static void end_some(struct cost *cost)
{
	while (cost->taken > 0) {
		uint32_t number = draw_below(&cost->seed, cost->workers);
		struct policy_worker *worker = &cost->worker[number];
		if (worker->free == (uint64_t)SLOTS * POLICY_SLOT)
			continue;
		worker->free += POLICY_SLOT;
		sim_cost_refresh(cost, number);
		cost->taken--;
	}
}

static void decide_many(struct cost *cost, struct samples *ret)
{
	struct policy_view view = {
		.worker = cost->worker, .open = cost->open, .n = cost->workers
	};
	for (int sample = 0; sample < SAMPLES; sample++) {
		uint64_t began = clock_ns();
		for (int i = 0; i < DECISIONS; i++)
			sim_cost_give(cost, sim_cost_decide(cost, &view));
		samples_add(ret, (double)(clock_ns() - began) / DECISIONS);
		end_some(cost);
	}
}

static int round_of(void *context, struct samples *ret)
{
	struct cost *cost = context;
	int r = heap_lock(&cost->order);
	if (r < 0)
		return r;
	if (cost->policy->key)
		heap_rebuild(&cost->order);
	decide_many(cost, ret);
	heap_unlock(&cost->order);
	return 0;
}

static int cost_open(
    struct cost *cost, const struct policy *policy, uint32_t workers, enum nearness near)
{
	*cost = (struct cost){ .policy = policy, .workers = workers, .near = near, .seed = 1 };
	cost->worker = calloc(workers, sizeof *cost->worker);
	cost->open = calloc(workers, sizeof *cost->open);
	cost->memory = mmap(
	    NULL, heap_bytes(workers), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!cost->worker || !cost->open || cost->memory == MAP_FAILED)
		return why(-ENOMEM, "no memory for %u workers", workers);
	for (uint32_t i = 0; i < workers; i++) {
		cost->worker[i] = (struct policy_worker){ .slots = SLOTS,
			.number = i,
			.weight = sim_weight(1 + i % SIM_GENERATIONS),
			.free = (uint64_t)SLOTS / 2 * POLICY_SLOT };
		cost->open[i] = i;
	}
	heap_create(cost->memory, workers);
	heap_attach(&cost->order, cost->memory, workers, RANK_WORKER_HEAP, push_all, cost);
	return 0;
}

static void cost_close(struct cost *cost)
{
	free(cost->worker);
	free(cost->open);
	if (cost->memory && cost->memory != MAP_FAILED)
		munmap(cost->memory, heap_bytes(cost->workers));
}

static void print_row(const struct sim_output *to, const char *name, struct series *series)
{
	double ns[CASES];
	for (int i = 0; i < CASES; i++) {
		ns[i] = samples_at(&series[i].all, 0.5);
		if (to->csv)
			fprintf(to->csv, "%s,%u,%.2f,%.2f,%.2f\n", name, workers_of[i], ns[i],
			    samples_at(&series[i].rounds, 0), samples_at(&series[i].rounds, 1));
	}
	printf("  %-22s %9.1f %9.1f %9.1f %8.2f x\n", name, ns[0], ns[1], ns[2], ns[2] / ns[0]);
}

/* Few and many workers in turn: a drift of the machine meets all. */
static int sim_cost_measure(
    const struct sim_output *to, const struct policy *policy, enum nearness near)
{
	struct cost cost[CASES] = { 0 };
	struct series series[CASES];
	char name[32];
	int r = 0;
	snprintf(name, sizeof name, "%s%s", policy->name, nearness_names[near]);
	for (int i = 0; i < CASES && r == 0; i++) {
		r = cost_open(&cost[i], policy, workers_of[i], near);
		series[i] = (struct series)SERIES(name, round_of, &cost[i]);
	}
	if (r == 0)
		r = series_in_turn(series, CASES, ROUNDS);
	if (r == 0)
		print_row(to, name, series);
	if (r == 0)
		series_free(series, CASES);
	for (int i = 0; i < CASES; i++)
		cost_close(&cost[i]);
	return r;
}

int sim_cost(const struct sim_output *to)
{
	printf("\none decision, ns\n  %-22s %9u %9u %9u %10s\n", "workers", workers_of[0],
	    workers_of[1], workers_of[2], "most/few");
	if (to->csv)
		fprintf(to->csv, "policy,workers,ns,low,high\n");
	for (size_t i = 0; policy_at(i); i++) {
		int r = 0;
		for (int near = NOT_ASKED; near < NEARNESSES && r == 0; near++)
			if (near == NOT_ASKED || policy_at(i)->near)
				r = sim_cost_measure(to, policy_at(i), (enum nearness)near);
		if (r < 0)
			return r;
	}
	return 0;
}
