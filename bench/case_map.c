/* Map and reduce: a thousand tasks with an argument each, and a task that takes all the values. */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/measured_runtime.h"

enum { MAPPED = 1000, PATIENCE_MS = 60000 };

struct map {
	plm *client;
	plm_task task[MAPPED];
	plm_arg given[MAPPED], made[MAPPED];
	plm_ref ref[MAPPED];
	bool reduce;
};

static int case_map_reduce(struct map *map)
{
	plm_task sum = { .function = "probe.sum", .args = map->made, .nargs = MAPPED };
	plm_ref ref;
	plm_view view;
	for (size_t i = 0; i < MAPPED; i++)
		map->made[i] = PLM_FUTURE(map->ref[i]);
	int r = plm_submit(map->client, &sum, &ref);
	if (r < 0)
		return r;
	r = plm_get(map->client, ref, &view, PATIENCE_MS);
	if (r >= 0)
		plm_release(map->client, &view);
	plm_drop(map->client, ref);
	return r;
}

static int map_once(struct map *map)
{
	int r = plm_submit_many(map->client, map->task, MAPPED, map->ref);
	if (r < 0)
		return r;
	r = map->reduce ? case_map_reduce(map)
			: plm_wait(map->client, map->ref, MAPPED, MAPPED, PATIENCE_MS, NULL);
	plm_drop_many(map->client, map->ref, MAPPED);
	return r;
}

static int round_map(void *context, struct samples *ret)
{
	enum { TIMES = 50 };
	for (int i = 0; i < TIMES; i++) {
		uint64_t start = clock_ns();
		int r = map_once(context);
		if (r < 0)
			return r;
		samples_add(ret, (double)(clock_ns() - start));
	}
	return 0;
}

static struct map *map_make(plm *client, bool with_reduce)
{
	struct map *map = calloc(1, sizeof *map);
	if (!map)
		return NULL;
	map->client = client;
	map->reduce = with_reduce;
	for (size_t i = 0; i < MAPPED; i++) {
		map->given[i] = PLM_BYTES("7", 1);
		map->task[i] =
		    (plm_task){ .function = "probe.echo", .args = &map->given[i], .nargs = 1 };
	}
	return map;
}

static int map_body(struct runtime *runtime, void *context)
{
	struct bench *bench = context;
	struct map *only = map_make(runtime->client, false);
	struct map *both = map_make(runtime->client, true);
	struct series series[] = {
		SERIES("map of 1,000, awaited", round_map, only),
		SERIES("map of 1,000 and one reduce", round_map, both),
	};
	int r = only && both ? 0 : -ENOMEM;
	if (r == 0)
		r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 7, 3));
	for (size_t i = 0; i < COUNT_OF(series) && r == 0; i++) {
		struct row row = row_of(&series[i], 0.5, 1e-3, "us");
		row_print(bench, &row);
	}
	series_free(series, COUNT_OF(series));
	free(only);
	free(both);
	return r;
}

int case_map(struct bench *bench)
{
	struct runtime_options options = { .path = bench->plm_path, .workers = bench->workers };
	rows_title("map: a thousand arguments");
	return runtime_with(&options, map_body, bench);
}
