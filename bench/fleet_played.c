/* fleet_played.c - hosts that the bench plays: what a long queue and many hosts cost Redis. */
#include <errno.h>
#include <stdio.h>

#include "bench/fleet_world.h"

enum { PLAYED = 100, PLAYED_TASKS = 10, LEASE_S = 10, RENEWALS = 5 };
enum { CLAIMS = 200, CLAIMED = 64, TURN_BATCHES = CLAIMS * CLAIMED / BATCH };

static int played_claim(
    struct engine *engine, const char *member, unsigned n, struct engine_claim *ret)
{
	const struct engine_class class = { "", n };
	const struct engine_room room = { .free = n };
	int64_t ms;
	return engine_claim(engine, member, &room, n, &class, 1, ret, &ms);
}

static int played_commit(
    struct engine *engine, const char *member, const struct engine_claim *claims, size_t n)
{
	struct engine_end ends[BATCH];
	uint8_t taken[BATCH];
	const struct engine_room room = { .free = (unsigned)n };
	bool idle;
	for (size_t i = 0; i < n; i++)
		ends[i] = (struct engine_end){ .id = claims[i].id,
			.attempt = claims[i].attempt,
			.block = claims[i].block,
			.from = claims[i].from,
			.kind = ENDING_DONE,
			.message = "" };
	return engine_commit(engine, member, &room, ends, n, taken, &idle);
}

static const struct engine_facts played_facts = {
	.name = "played", .runtime = "bench", .can = "", .lacks = "", .has = "", .serves = ""
};

/* ---- a long queue ---- */

struct played_queue {
	struct fleet *fleet;
	struct engine *engine;
};

static int played_fill(const struct played_queue *q, unsigned tasks)
{
	int r = 0;
	for (unsigned i = 0; i < tasks && r >= 0; i += BATCH)
		r = world_add_batch(q->fleet, q->engine);
	return r;
}

/* As many tasks as are claimed come first, so each queue stays as long as it was. Timed: the
 * thread of Redis that serves, since another one writes the file meanwhile. */
static int played_round(void *context, struct samples *ret)
{
	static struct engine_claim claims[CLAIMED];
	const struct played_queue *q = context;
	int r = played_fill(q, CLAIMS * CLAIMED);
	if (r >= 0)
		r = engine_join(q->engine, "played", &played_facts);
	double began = redis_serving_us(q->fleet);
	for (int i = 0; i < CLAIMS && r >= 0; i++) {
		r = played_claim(q->engine, "played", CLAIMED, claims);
		if (r > 0)
			r = played_commit(q->engine, "played", claims, (size_t)r);
	}
	samples_add(ret, (redis_serving_us(q->fleet) - began) / (CLAIMS * CLAIMED));
	return r < 0 ? r : 0;
}

static int played_measure(struct fleet *f, struct played_queue queue[2])
{
	struct series series[] = {
		SERIES("fleet: claim and commit, a task of a short queue", played_round, &queue[0]),
		SERIES("fleet: claim and commit, a task of a long queue", played_round, &queue[1])
	};
	int r = series_in_turn(series, 2, bench_choose(f->bench, 9, 5));
	if (r < 0)
		return r;
	struct row few = row_of(&series[0], 0.5, 1, "us"), many = row_of(&series[1], 0.5, 1, "us");
	row_print(f->bench, &few);
	many.limit_name = few.name;
	many.limit = few.value;
	many.sense = TARGET_AT_MOST;
	many.bound = 1.5;
	many.of_ratio = true;
	row_print(f->bench, &many);
	series_free(series, 2);
	return 0;
}

int print_queue(struct fleet *f)
{
	unsigned n = bench_choose(f->bench, 1000000, 100000);
	struct played_queue queue[2] = { { f, NULL }, { f, NULL } };
	int r = world_queue(f, "short", &queue[0].engine);
	if (r == 0)
		r = world_queue(f, "long", &queue[1].engine);
	double before = redis_number(f, "memory", "used_memory:");
	if (r == 0)
		r = played_fill(&queue[1], n);
	struct engine_status status = { .ready = 0 };
	if (r >= 0)
		r = engine_status(queue[1].engine, &status);
	const struct row length = { .name = "fleet: tasks of the long queue",
		.unit = "tasks",
		.value = (double)status.ready };
	const struct row memory = { .name = "fleet: memory of Redis, a queued task",
		.unit = "bytes",
		.value =
		    (redis_number(f, "memory", "used_memory:") - before) / (double)status.ready };
	if (r == 0) {
		row_print(f->bench, &length);
		row_print(f->bench, &memory);
		r = played_measure(f, queue);
	}
	engine_close(&queue[0].engine);
	engine_close(&queue[1].engine);
	return r < 0 ? bench_failed("the long queue", r) : 0;
}

/* ---- many hosts ---- */

/* Each host renews as often as a bridge, and has PLAYED_TASKS tasks of a second, claimed and
 * committed at once: the work of a second at once, and how long Redis computes for it. */
int print_hosts(struct fleet *f)
{
	const struct played_queue queue = { f, f->engine };
	struct engine_orders orders;
	struct engine_claim claims[PLAYED_TASKS];
	char member[PLAYED][ENGINE_MEMBER_BYTES];
	int r = played_fill(&queue, LEASE_S / RENEWALS * PLAYED * PLAYED_TASKS);
	for (int i = 0; i < PLAYED && r >= 0; i++) {
		snprintf(member[i], sizeof member[i], "host%d", i);
		r = engine_join(f->engine, member[i], &played_facts);
	}
	double began = redis_cpu_us(f);
	/* As long as a renewal lasts, so that each host renews once. */
	for (int second = 0; second < LEASE_S / RENEWALS; second++)
		for (int i = 0; i < PLAYED && r >= 0; i++) {
			if (second == 0)
				r = engine_renew(f->engine, member[i], &played_facts, &orders);
			if (r >= 0)
				r = played_claim(f->engine, member[i], PLAYED_TASKS, claims);
			if (r > 0)
				r = played_commit(f->engine, member[i], claims, (size_t)r);
		}
	double spent_us = redis_cpu_us(f) - began;
	if (r < 0)
		return bench_failed("hosts", r);
	const struct row row = { .name = "fleet: core of Redis, 100 hosts of 10 tasks a second",
		.unit = "%",
		.value = spent_us / (LEASE_S / RENEWALS * 1e6) * 100,
		.sense = TARGET_AT_MOST,
		.bound = 20 };
	row_print(f->bench, &row);
	return 0;
}
