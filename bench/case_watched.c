/* What the event log costs: tasks of a runtime that a client watches, beside the same runtime
 * unwatched. Each round switches the log. */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "bench/cases.h"
#include "bench/flow.h"
#include "bench/measured_runtime.h"
#include "client/plm_inspect.h"

enum { WATCHED_BATCH = 1000 };

struct watched {
	plm *client;
	bool on;
	round_function *round;
	void *context;
};

static int round_watched(void *context, struct samples *ret)
{
	struct watched *watched = context;
	int r =
	    watched->on ? plm_events_watch(watched->client) : plm_events_unwatch(watched->client);
	return r < 0 ? bench_failed("switching the event log", r)
		     : watched->round(watched->context, ret);
}

/* The rounds of the log on, each beside the round before with the log off. */
static void watched_rows(
    struct bench *bench, struct series series[2], double scale, const char *unit, double bound)
{
	for (int i = 0; i < 2; i++) {
		struct row row = row_of(&series[i], 0.5, scale, unit);
		if (i == 1) {
			row.limit = samples_at(&series[0].all, 0.5) * scale;
			row.limit_name = series[0].name;
			row.sense = bound < 1 ? TARGET_AT_LEAST : TARGET_AT_MOST;
			row.bound = bound;
			row.of_ratio = true;
		}
		row_print(bench, &row);
	}
}

static int watched_body(struct runtime *runtime, void *context)
{
	struct bench *bench = context;
	plm_task *tasks = calloc(WATCHED_BATCH, sizeof *tasks);
	if (!tasks)
		return bench_failed("watched", -ENOMEM);
	for (size_t i = 0; i < WATCHED_BATCH; i++)
		tasks[i].function = "probe.noop";
	struct flow flow = { runtime->client, tasks, WATCHED_BATCH,
		bench_choose(bench, 500000, 200000), 1, false };
	struct trip idle = { runtime->client, 1000, bench_choose(bench, 400, 200), 1 };
	struct trip hot = { runtime->client, 0, bench_choose(bench, 1000, 500), 8 };
	plm *client = runtime->client;
	struct watched way[] = { { client, false, round_flow, &flow },
		{ client, true, round_flow, &flow }, { client, false, round_trip, &hot },
		{ client, true, round_trip, &hot }, { client, false, round_trip, &idle },
		{ client, true, round_trip, &idle } };
	struct series series[] = {
		SERIES("tasks, log off", round_watched, &way[0]),
		SERIES("tasks, log on", round_watched, &way[1]),
		SERIES("trip back to back, log off", round_watched, &way[2]),
		SERIES("trip back to back, log on", round_watched, &way[3]),
		SERIES("trip from idle, log off", round_watched, &way[4]),
		SERIES("trip from idle, log on", round_watched, &way[5]),
	};
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 15, 7));
	if (r == 0) {
		watched_rows(bench, series, 1e-6, "M/s", 0.97);
		watched_rows(bench, series + 2, 1e-3, "us", 1.03);
		watched_rows(bench, series + 4, 1e-3, "us", 1.03);
	}
	series_free(series, COUNT_OF(series));
	free(tasks);
	return r;
}

int case_watched(struct bench *bench)
{
	struct runtime_options options = { .path = bench->plm_path, .workers = bench->workers };
	rows_title("watched: the cost of the event log");
	return runtime_with(&options, watched_body, bench);
}
