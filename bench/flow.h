/* flow.h - many small tasks: submitted in batches, awaited, dropped, two batches in flight; and one
 * at a time.
 * Where: a client.  Blocks: until its tasks have ended, a minute a batch.
 * Allocates: references. */
#ifndef PLM_BENCH_FLOW_H
#define PLM_BENCH_FLOW_H

#include "bench/measure.h"
#include "client/plm.h"

enum { FLOW_THREADS_MAX = 4, FLOW_IN_FLIGHT = 2 /* batches of a thread */ };

struct flow {
	plm *client;
	const plm_task *tasks; /* one batch, all alike */
	size_t batch;
	size_t total; /* of each thread, in a round */
	unsigned threads;
	bool singly; /* a call for each task */
};

/* All of it by this thread; `refs` has room for FLOW_IN_FLIGHT batches. 0 or -errno. */
int flow_through(const struct flow *flow, plm_ref *refs);

/* All of it by all threads; adds one sample: tasks a second. A round for series_in_turn(). */
int round_flow(void *flow, struct samples *ret);

/* One task after the other; adds the ns of each, from its submit to its value. */
struct trip {
	plm *client;
	unsigned pause_us, samples; /* before each: 0: back to back */
};
int round_trip(void *trip, struct samples *ret);

#endif
