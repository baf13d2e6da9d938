/* Small tasks: how many a second, and the latency of a single task. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/flow.h"
#include "bench/machine_limits.h"
#include "bench/measured_runtime.h"

enum { BATCH_MAX = 10000 };

/* ---- tasks a second ---- */

static void flow_rows(struct bench *bench, struct series *series, size_t n)
{
	double limit = samples_at(&series[0].all, 0.5) * 1e-6;
	for (size_t i = 0; i < n; i++) {
		struct row row = row_of(&series[i], 0.5, 1e-6, "M/s");
		if (i > 0) {
			row.limit = limit;
			row.limit_name = series[0].name;
		}
		if (i == 1 || i == 2) {
			row.sense = TARGET_AT_LEAST;
			row.bound = 3;
		}
		row_print(bench, &row);
	}
}

struct flow_case {
	struct bench *bench;
	plm_task *tasks;
};

static int flow_body(struct runtime *runtime, void *context)
{
	struct flow_case *flow_case = context;
	struct bench *bench = flow_case->bench;
	size_t total = bench_choose(bench, 500000, 200000);
	struct pipeline_limit pipeline = { .items = 10000000 };
	struct flow by_1000 = { runtime->client, flow_case->tasks, 1000, total, 1, false };
	struct flow by_10000 = { runtime->client, flow_case->tasks, 10000, total, 1, false };
	struct flow singly = { runtime->client, flow_case->tasks, 1000, total / 2, 1, true };
	struct flow threads = { runtime->client, flow_case->tasks, 1000, total / FLOW_THREADS_MAX,
		FLOW_THREADS_MAX, false };
	struct series series[] = {
		SERIES("bare pipeline, items", limit_pipeline, &pipeline),
		SERIES("tasks, batches of 1000", round_flow, &by_1000),
		SERIES("tasks, batches of 10000", round_flow, &by_10000),
		SERIES("tasks, one call each", round_flow, &singly),
		SERIES("tasks, 4 threads, batches of 1000", round_flow, &threads),
	};
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 7, 3));
	if (r == 0)
		flow_rows(bench, series, COUNT_OF(series));
	series_free(series, COUNT_OF(series));
	return r;
}

int case_flow(struct bench *bench)
{
	struct runtime_options options = { .path = bench->plm_path, .workers = bench->workers };
	struct flow_case context = { bench, calloc(BATCH_MAX, sizeof(plm_task)) };
	if (!context.tasks)
		return bench_failed("flow", -ENOMEM);
	for (size_t i = 0; i < BATCH_MAX; i++)
		context.tasks[i].function = "probe.noop";
	rows_title("flow: no-op tasks, awaited and dropped");
	int r = runtime_with(&options, flow_body, &context);
	free(context.tasks);
	return r;
}

/* ---- single tasks ---- */

/* series[0] is the bare path, series[1] a task's; the target applies to the median of series[1]. */
static void trip_rows(struct bench *bench, struct series series[2], double bound, bool of_ratio)
{
	static const struct {
		double fraction;
		const char *name;
	} quantile[] = { { 0.5, "p50" }, { 0.99, "p99" } };
	for (size_t q = 0; q < COUNT_OF(quantile); q++) {
		double limit = samples_at(&series[0].all, quantile[q].fraction) * 1e-3;
		for (size_t i = 0; i < 2; i++) {
			char name[64];
			struct row row = row_of(&series[i], quantile[q].fraction, 1e-3, "us");
			snprintf(name, sizeof name, "%s, %s", series[i].name, quantile[q].name);
			row.name = name;
			if (quantile[q].fraction > 0.5)
				row.low = row.high = 0; /* the low and high of the rounds belong
							 * to medians */
			if (i == 1) {
				row.limit = limit;
				row.limit_name = series[0].name;
			}
			if (i == 1 && q == 0) {
				row.sense = TARGET_AT_MOST;
				row.bound = bound;
				row.of_ratio = of_ratio;
			}
			row_print(bench, &row);
		}
	}
}

static int trip_body(struct runtime *runtime, void *context)
{
	struct bench *bench = context;
	unsigned idle = bench_choose(bench, 400, 200), hot = bench_choose(bench, 4000, 2000);
	struct hop_limit hop_idle = { .members = 3, .pause_us = 1000, .samples = idle, .turns = 1 };
	struct hop_limit hop_hot = { .members = 3, .samples = hot, .turns = 1 };
	struct trip trip_idle = { runtime->client, 1000, idle, 1 };
	struct trip trip_hot = { runtime->client, 0, hot, 1 };
	struct series series[] = {
		SERIES("bare three hops, from idle", limit_hop, &hop_idle),
		SERIES("task, from idle", round_trip, &trip_idle),
		SERIES("bare three hops, back to back", limit_hop, &hop_hot),
		SERIES("tasks, back to back", round_trip, &trip_hot),
	};
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 7, 3));
	if (r == 0) {
		trip_rows(bench, series, 1.3, true);
		trip_rows(bench, series + 2, 3, false);
	}
	series_free(series, COUNT_OF(series));
	return r;
}

int case_trip(struct bench *bench)
{
	struct runtime_options options = { .path = bench->plm_path, .workers = bench->workers };
	rows_title("trip: one task, submit to result");
	return runtime_with(&options, trip_body, bench);
}
