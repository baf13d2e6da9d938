/* The death of a worker: how long the worker's task waits until another worker runs the task. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/measured_runtime.h"
#include "bench/witness.h"

enum { DEATHS = 10, START_MAX_MS = 10000, DEATH_MAX_MS = 10000 };

struct death {
	struct runtime *runtime;
	struct witness witness;
};

static int await_start(const struct witness *w)
{
	uint64_t deadline = deadline_after_ms(START_MAX_MS);
	while (__atomic_load_n(&w->seen->pid, __ATOMIC_ACQUIRE) == 0) {
		if (clock_ns() > deadline)
			return -ETIMEDOUT;
		usleep(1000);
	}
	return 0;
}

static int one_death(struct death *d, struct samples *ret)
{
	struct witness *w = &d->witness;
	plm_arg path = PLM_BYTES(w->path, strlen(w->path));
	plm_task task = { .function = "bench.stay", .args = &path, .nargs = 1, .crash_retries = 1 };
	plm_ref ref;
	memset(w->seen, 0, sizeof *w->seen);
	int r = plm_submit(d->runtime->client, &task, &ref);
	if (r < 0)
		return bench_failed("submitting", r);
	if ((r = await_start(w)) < 0)
		return bench_failed("the start of a task", r);
	uint64_t killed = clock_ns();
	kill(w->seen->pid, SIGKILL);
	r = plm_wait(d->runtime->client, &ref, 1, 1, DEATH_MAX_MS, NULL);
	if (r < 0)
		return bench_failed("a task whose worker was killed", r);
	samples_add(ret, (double)(w->seen->again_ns - killed));
	plm_drop(d->runtime->client, ref);
	return 0;
}

static int some_deaths(void *context, struct samples *ret)
{
	int r = 0;
	for (int i = 0; i < DEATHS && r == 0; i++)
		r = one_death(context, ret);
	return r;
}

static int death_body(struct runtime *runtime, void *context)
{
	struct bench *bench = context;
	struct death d = { .runtime = runtime };
	struct series series[] = { SERIES("from a kill to the next start", some_deaths, &d) };
	int r = witness_open(&d.witness);
	if (r < 0)
		return bench_failed("death", r);
	r = runtime_load_bench(runtime);
	rows_title("death: a worker is killed while it runs a task");
	if (r == 0)
		r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 5, 2));
	if (r == 0) {
		struct row row = row_of(&series[0], 0.5, 1e-6, "ms");
		row.sense = TARGET_AT_MOST;
		row.bound = 5;
		row_print(bench, &row);
	}
	series_free(series, COUNT_OF(series));
	witness_close(&d.witness);
	return r;
}

int case_death(struct bench *bench)
{
	struct runtime_options options = { .path = bench->plm_path, .workers = 2, .quiet = true };
	return runtime_with(&options, death_body, bench);
}
