/* bench_place - the scheduler's cost of placing a task, with few workers and with many.
 *
 * The scheduler itself runs here. The workers are rows of a table (tests/support/stage.h) that
 * take their tasks at once and do nothing. The time is that of the scheduler alone, which sees room
 * at a worker, chooses a task and a worker, and moves the task from the heap into the worker's
 * ring. */
#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/measure.h"
#include "tests/support/stage.h"

enum {
	MANY = 1000,
	QUEUED = 50000,
	BATCH = 1000, /* submitted at once: a ring of hints has room for so many */
	SHORT_NS =
	    1000000, /* with tasks this long, a worker gets a second task behind the running task */
};

static const char usage[] =
    "usage: bench_place [--quick] [--only PART] [--csv FILE] [--help]\n"
    "Measures what the scheduler takes to place a task.\n"
    "  --quick      fewer rounds\n"
    "  --only PART  one of: workers policies\n"
    "  --csv FILE   append the figures there (default build/bench/results.csv)\n";

struct place {
	const char *policy;
	uint32_t workers;
};

/* All workers finish their tasks. */
static void take_all(uint32_t workers)
{
	for (uint32_t i = 0; i < workers; i++) {
		struct ring ring = ring_down(&stage.tables, stage_worker(i));
		ring_done(&ring, ring_used(&ring));
	}
}

/* As when each worker reports: the workers have room again. */
static uint32_t place_round(uint32_t workers)
{
	struct scheduler *s = &stage.scheduler;
	for (uint32_t i = 0; i < workers; i++)
		room_refresh(s, stage_worker(i));
	uint32_t placed = 0, n;
	do {
		n = place_tasks(s);
		placed += n;
	} while (n);
	return placed;
}

static int place_all(void *context, struct samples *ret)
{
	const struct place *place = context;
	uint64_t ns = 0, placed = 0;
	stage_boot(&(struct stage_plan){ place->policy, place->workers, SHORT_NS, 0,
	    { .processes = PROCESSES_MAX,
		.workers = place->workers,
		.records = 1 << 17,
		.nodes = 1,
		.store_bytes = 1 << 20 } });
	for (uint32_t i = 0; i < QUEUED; i += BATCH)
		stage_submit(&stage.client[0], 0, BATCH, NULL);
	while (heap_length(&stage.tables.task_heap) > 0) {
		take_all(place->workers);
		uint64_t start = clock_ns();
		placed += place_round(place->workers);
		ns += clock_ns() - start;
	}
	samples_add(ret, (double)ns / (double)placed);
	stage_close();
	return 0;
}

static int by_workers(struct bench *bench)
{
	struct place place[] = { { "locality", 2 }, { "locality", 64 }, { "locality", MANY } };
	struct series series[] = {
		SERIES("placing a task, 2 workers", place_all, &place[0]),
		SERIES("placing a task, 64 workers", place_all, &place[1]),
		SERIES("placing a task, 1000 workers", place_all, &place[2]),
	};
	rows_title("place: the scheduler's time to place a task");
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 9, 3));
	double few = 0;
	for (size_t i = 0; i < COUNT_OF(series) && r == 0; i++) {
		struct row row = row_of(&series[i], 0.5, 1, "ns");
		if (i > 0) {
			row.limit_name = series[0].name;
			row.limit = few;
			row.sense = TARGET_AT_MOST;
			row.bound = 1.5;
			row.of_ratio = true;
		} else {
			few = row.value;
		}
		row_print(bench, &row);
	}
	series_free(series, COUNT_OF(series));
	return r;
}

static int by_policy(struct bench *bench)
{
	enum { POLICIES_MAX = 16 };
	static char name[POLICIES_MAX][64];
	struct place place[POLICIES_MAX];
	struct series series[POLICIES_MAX];
	size_t n = 0;
	double least = 0, most = 0;
	for (; policy_at(n) && n < POLICIES_MAX; n++) {
		place[n] = (struct place){ policy_at(n)->name, 64 };
		snprintf(name[n], sizeof name[n], "placing a task, %s", policy_at(n)->name);
		series[n] = (struct series)SERIES(name[n], place_all, &place[n]);
	}
	rows_title("place: each policy, 64 workers");
	int r = series_in_turn(series, n, bench_choose(bench, 9, 3));
	for (size_t i = 0; i < n && r == 0; i++) {
		struct row row = row_of(&series[i], 0.5, 1, "ns");
		least = i == 0 || row.value < least ? row.value : least;
		most = row.value > most ? row.value : most;
		row_print(bench, &row);
	}
	struct row row = { .name = "policies differ by",
		.unit = "ns",
		.value = most - least,
		.sense = TARGET_AT_MOST,
		.bound = 100 };
	if (r == 0)
		row_print(bench, &row);
	series_free(series, n);
	return r;
}

int main(int argc, char **argv)
{
	static const struct bench_part parts[] = {
		{ "workers", by_workers },
		{ "policies", by_policy },
	};
	static const struct bench_program program = { "bench_place", usage, parts,
		COUNT_OF(parts) };
	return bench_main(&program, argc, argv);
}
