/* The path of many small tasks without any work: two rings between three processes. */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/limits.h"
#include "bench/machine_limits.h"
#include "shm/steps.h"

enum {
	RING_ITEMS = 4096,
	BATCH_ITEMS = 512,
	SPINS_BEFORE_YIELD = 100, /* with fewer cores than processes, waiting must give way */
	PIPELINE_MAX_S = 30,
};

/* One writer, one reader. Each counts the entries moved since the start. */
struct bare_ring {
	_Alignas(CACHE_LINE_BYTES) shared64 written; /* W: writer (release) */
	_Alignas(CACHE_LINE_BYTES) shared64 read;    /* W: reader (release) */
	_Alignas(CACHE_LINE_BYTES) uint64_t item[RING_ITEMS];
};

struct pipeline {
	struct bare_ring first, second;
	uint64_t items;
	shared64 sum; /* W: consumer, before its last `read` */
};

/* Waits until at least one entry can be moved; returns at most a batch. */
static uint64_t ring_readable(struct bare_ring *ring, uint64_t read)
{
	uint64_t n;
	for (unsigned spins = 0; (n = sh_load(&ring->written) - read) == 0; spins++)
		if (spins < SPINS_BEFORE_YIELD)
			sh_relax();
		else
			sched_yield();
	return n < BATCH_ITEMS ? n : BATCH_ITEMS;
}

static uint64_t ring_writable(struct bare_ring *ring, uint64_t written)
{
	uint64_t n;
	for (unsigned spins = 0; (n = RING_ITEMS - (written - sh_load(&ring->read))) == 0; spins++)
		if (spins < SPINS_BEFORE_YIELD)
			sh_relax();
		else
			sched_yield();
	return n < BATCH_ITEMS ? n : BATCH_ITEMS;
}

static void limit_pipeline_produce(struct pipeline *pipeline)
{
	struct bare_ring *ring = &pipeline->first;
	for (uint64_t at = 0; at < pipeline->items;) {
		uint64_t n = ring_writable(ring, at);
		if (n > pipeline->items - at)
			n = pipeline->items - at;
		for (uint64_t i = 0; i < n; i++)
			ring->item[(at + i) % RING_ITEMS] = at + i;
		at += n;
		sh_store(&ring->written, at);
	}
}

static void hand_on(void *context)
{
	struct pipeline *pipeline = context;
	struct bare_ring *from = &pipeline->first, *to = &pipeline->second;
	for (uint64_t at = 0; at < pipeline->items;) {
		uint64_t n = ring_readable(from, at), room = ring_writable(to, at);
		if (n > room)
			n = room;
		for (uint64_t i = 0; i < n; i++)
			to->item[(at + i) % RING_ITEMS] = from->item[(at + i) % RING_ITEMS];
		at += n;
		sh_store(&to->written, at);
		sh_store(&from->read, at);
	}
}

static void limit_pipeline_consume(void *context)
{
	struct pipeline *pipeline = context;
	struct bare_ring *ring = &pipeline->second;
	uint64_t sum = 0;
	for (uint64_t at = 0; at < pipeline->items;) {
		uint64_t n = ring_readable(ring, at);
		for (uint64_t i = 0; i < n; i++)
			sum += ring->item[(at + i) % RING_ITEMS];
		at += n;
		sh_poke(&pipeline->sum, sum);
		sh_store(&ring->read, at);
	}
}

static int await_consumer(struct pipeline *pipeline)
{
	uint64_t deadline = clock_ns() + PIPELINE_MAX_S * NS_PER_S;
	while (sh_load(&pipeline->second.read) < pipeline->items) {
		if (clock_ns() > deadline)
			return -ETIMEDOUT;
		sched_yield();
	}
	return sh_peek(&pipeline->sum) == pipeline->items * (pipeline->items - 1) / 2 ? 0 : -EIO;
}

static int pipeline_run(struct pipeline *pipeline, struct samples *ret)
{
	int middle = helper_start(hand_on, pipeline);
	int consumer = helper_start(limit_pipeline_consume, pipeline);
	int r = middle < 0 ? middle : consumer < 0 ? consumer : 0;
	uint64_t start = clock_ns();
	if (r == 0)
		limit_pipeline_produce(pipeline);
	if (r == 0)
		r = await_consumer(pipeline);
	if (r == 0)
		samples_add(ret, (double)pipeline->items * NS_PER_S / (double)(clock_ns() - start));
	helper_end(middle);
	helper_end(consumer);
	return r;
}

int limit_pipeline(void *pipeline_limit, struct samples *ret)
{
	const struct pipeline_limit *limit = pipeline_limit;
	struct pipeline *pipeline = shared_map(sizeof *pipeline);
	if (!pipeline)
		return -ENOMEM;
	pipeline->items = limit->items;
	int r = pipeline_run(pipeline, ret);
	munmap(pipeline, sizeof *pipeline);
	return r;
}
