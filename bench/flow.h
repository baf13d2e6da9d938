/* flow.h - many small tasks, submitted in batches, awaited and dropped, two batches in flight;
 * and single tasks, one after another. Where: a client. Blocks: until the tasks have ended, at
 * most a minute for a batch. Allocates: references. */
#ifndef PLM_BENCH_FLOW_H
#define PLM_BENCH_FLOW_H

#include "bench/measure.h"
#include "client/plm.h"

enum { FLOW_THREADS_MAX = 4, FLOW_IN_FLIGHT = 2 /* batches of a thread */ };

struct flow {
	plm *client;
	const plm_task *tasks; /* one batch of equal tasks */
	size_t batch;
	size_t total; /* of each thread, in a round */
	unsigned threads;
	bool singly; /* a call for each task */
};

/* Runs all tasks from this thread; `refs` has room for FLOW_IN_FLIGHT batches. 0 or -errno. */
int flow_through(const struct flow *flow, plm_ref *refs);

/* Runs all tasks from all threads; adds one sample: tasks a second. A round for
 * series_in_turn(). */
int round_flow(void *flow, struct samples *ret);

/* One task after another; adds the ns from submit to value of each task, or the mean of so many
 * tasks in a row, which is finer than a tick of the clock. */
struct trip {
	plm *client;
	unsigned pause_us, samples; /* before each: 0: back to back */
	unsigned row;               /* 0: one */
};
int round_trip(void *trip, struct samples *ret);

#endif
