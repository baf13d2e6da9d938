/* Batches of small tasks, two in flight: submitted, awaited, dropped. */
#include "bench/flow.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

enum { SETTLE_MAX_MS = 60000 };

static int submit_batch(const struct flow *flow, plm_ref *refs)
{
	if (!flow->singly)
		return plm_submit_many(flow->client, flow->tasks, flow->batch, refs);
	for (size_t i = 0; i < flow->batch; i++) {
		int r = plm_submit(flow->client, &flow->tasks[i], &refs[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Waits for the whole batch, reads one value to check for failure, drops all. */
static int settle_batch(const struct flow *flow, const plm_ref *refs)
{
	plm_view view;
	int r = plm_wait(flow->client, refs, flow->batch, flow->batch, SETTLE_MAX_MS, NULL);
	if (r >= 0)
		r = plm_get(flow->client, refs[flow->batch - 1], &view, 0);
	if (r >= 0)
		plm_release(flow->client, &view);
	plm_drop_many(flow->client, refs, flow->batch);
	return r < 0 ? r : 0;
}

/* Two batches are in flight: workers run one batch while this thread submits, awaits and drops
 * another. */
int flow_through(const struct flow *flow, plm_ref *refs)
{
	size_t batches = flow->total / flow->batch;
	for (size_t i = 0; i < batches + FLOW_IN_FLIGHT - 1; i++) {
		plm_ref *mine = refs + i % FLOW_IN_FLIGHT * flow->batch;
		plm_ref *other = refs + (i + 1) % FLOW_IN_FLIGHT * flow->batch;
		int r = i < batches ? submit_batch(flow, mine) : 0;
		if (r >= 0 && i >= FLOW_IN_FLIGHT - 1)
			r = settle_batch(flow, other);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Returns 0 or the error, as the pointer that a thread returns. */
static void *flow_thread(void *context)
{
	const struct flow *flow = context;
	plm_ref *refs = calloc(flow->batch * FLOW_IN_FLIGHT, sizeof *refs);
	intptr_t r = refs ? flow_through(flow, refs) : -ENOMEM;
	free(refs);
	if (r < 0) /* plm_why() belongs to this thread */
		bench_failed("submitting, awaiting and dropping", (int)r);
	return (void *)r;
}

static int flow_threads(struct flow *flow)
{
	pthread_t thread[FLOW_THREADS_MAX];
	unsigned started = 0;
	int r = 0;
	while (started < flow->threads && r == 0) {
		r = -pthread_create(&thread[started], NULL, flow_thread, flow);
		started += r == 0;
	}
	while (started > 0) {
		void *answer;
		pthread_join(thread[--started], &answer);
		if (r == 0)
			r = (int)(intptr_t)answer;
	}
	return r;
}

int round_flow(void *context, struct samples *ret)
{
	struct flow *flow = context;
	uint64_t start = clock_ns();
	int r = flow->threads > 1 ? flow_threads(flow) : (int)(intptr_t)flow_thread(flow);
	if (r == 0)
		samples_add(ret,
		    (double)(flow->total * flow->threads) * NS_PER_S /
			(double)(clock_ns() - start));
	return r;
}

/* ---- one at a time ---- */

static int trip_once(plm *client, double *ret_ns)
{
	static const plm_task noop = { .function = "probe.noop" };
	plm_ref ref;
	plm_view view;
	uint64_t start = clock_ns();
	int r = plm_submit(client, &noop, &ref);
	if (r < 0)
		return r;
	r = plm_get(client, ref, &view, SETTLE_MAX_MS);
	*ret_ns = (double)(clock_ns() - start);
	if (r >= 0)
		plm_release(client, &view);
	plm_drop(client, ref);
	return r < 0 ? r : 0;
}

int round_trip(void *context, struct samples *ret)
{
	const struct trip *trip = context;
	struct timespec pause = clock_timespec(trip->pause_us * (uint64_t)1000);
	unsigned row = trip->row ? trip->row : 1;
	double sum = 0;
	for (unsigned i = 1; i <= trip->samples * row; i++) {
		double ns;
		if (trip->pause_us)
			nanosleep(&pause, NULL);
		int r = trip_once(trip->client, &ns);
		if (r < 0)
			return r;
		sum += ns;
		if (i % row)
			continue;
		samples_add(ret, sum / row);
		sum = 0;
	}
	return 0;
}
