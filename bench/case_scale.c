/* How the flow of small tasks changes with workers and with client processes. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/flow.h"
#include "bench/machine_limits.h"
#include "bench/measured_runtime.h"

enum { CLIENTS_MAX = 64, BATCH = 500, READY_MAX_S = 60, PATIENCE_MS = 60000 };

struct scale {
	struct runtime_options options;
	unsigned clients;
	size_t total; /* of all clients */
};

/* Shared with the clients of a round. */
struct crowd {
	const char *runtime_name;
	struct flow flow;
	int start_read, start_write; /* closing start_write starts all clients */
	_Atomic unsigned ready, failed;
	_Atomic uint64_t end_ns; /* of the last */
};

static int await_shot(const struct crowd *crowd)
{
	char byte;
	close(crowd->start_write);
	return read(crowd->start_read, &byte, 1) == 0 ? 0 : -EPIPE;
}

static int client_run(struct crowd *crowd)
{
	struct flow flow = crowd->flow, warm = crowd->flow;
	plm_ref *refs = calloc(BATCH * FLOW_IN_FLIGHT, sizeof *refs);
	int r = refs ? plm_connect(&flow.client, crowd->runtime_name) : -ENOMEM;
	if (r < 0)
		return r;
	plm_patience(flow.client, PATIENCE_MS);
	warm.client = flow.client;
	warm.total = BATCH;
	r = flow_through(&warm, refs);
	atomic_fetch_add(&crowd->ready, 1);
	if (r >= 0)
		r = await_shot(crowd);
	if (r >= 0)
		r = flow_through(&flow, refs);
	uint64_t end = clock_ns(), last = atomic_load(&crowd->end_ns);
	while (last < end && !atomic_compare_exchange_weak(&crowd->end_ns, &last, end))
		;
	plm_disconnect(&flow.client);
	free(refs);
	return r;
}

static void client_body(void *context)
{
	struct crowd *crowd = context;
	int r = client_run(crowd);
	if (r < 0) {
		bench_failed("a client", r);
		atomic_fetch_add(&crowd->failed, 1);
	}
}

static int crowd_await_ready(struct crowd *crowd, unsigned n)
{
	struct timespec pause = clock_timespec(NS_PER_MS);
	uint64_t deadline = clock_ns() + READY_MAX_S * NS_PER_S;
	while (atomic_load(&crowd->ready) < n) {
		if (clock_ns() > deadline || atomic_load(&crowd->failed) > 0)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Starts the clients, lets them go when all are ready, and waits for their ends. */
static int crowd_run(struct crowd *crowd, unsigned n, uint64_t *ret_start)
{
	int pid[CLIENTS_MAX], r = 0;
	unsigned started = 0;
	while (started < n && r >= 0) {
		r = pid[started] = helper_start(client_body, crowd);
		started += r >= 0;
	}
	if (r >= 0)
		r = crowd_await_ready(crowd, n);
	*ret_start = clock_ns();
	close(crowd->start_write);
	for (unsigned i = 0; i < started; i++)
		if (r < 0)
			helper_end(pid[i]);
		else
			waitpid(pid[i], NULL, 0);
	close(crowd->start_read);
	return r < 0 ? r : atomic_load(&crowd->failed) ? -EIO : 0;
}

static int scale_body(struct runtime *runtime, void *context)
{
	const struct scale *scale = context;
	plm_task task[BATCH] = { 0 };
	struct crowd *crowd = shared_map(sizeof *crowd);
	int start[2];
	if (!crowd || pipe(start) < 0)
		return -ENOMEM;
	for (int i = 0; i < BATCH; i++)
		task[i].function = "probe.noop";
	crowd->runtime_name = runtime->name;
	crowd->flow = (struct flow){
		.tasks = task, .batch = BATCH, .threads = 1, .total = scale->total / scale->clients
	};
	crowd->start_read = start[0];
	crowd->start_write = start[1];
	uint64_t began = 0;
	int r = crowd_run(crowd, scale->clients, &began);
	double tasks = (double)(crowd->flow.total / BATCH * BATCH * scale->clients);
	double rate = tasks * NS_PER_S / (double)(atomic_load(&crowd->end_ns) - began);
	munmap(crowd, sizeof *crowd);
	return r < 0 ? r : (int)(rate / 1000);
}

/* A new runtime for each round, so that all series are measured in turn. */
static int round_scale(void *context, struct samples *ret)
{
	struct scale *scale = context;
	int r = runtime_with(&scale->options, scale_body, scale);
	if (r < 0)
		return r;
	samples_add(ret, r * 1e3);
	return 0;
}

static void scale_rows(struct bench *bench, struct series *series, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct row row = row_of(&series[i], 0.5, 1e-6, "M/s");
		if (i > 0) {
			row.limit = samples_at(&series[0].all, 0.5) * 1e-6;
			row.limit_name = series[0].name;
			row.sense = TARGET_AT_LEAST;
			row.bound = 0.5;
			row.of_ratio = true;
		}
		row_print(bench, &row);
	}
}

int case_scale(struct bench *bench)
{
	size_t total = bench_choose(bench, 1024000, 256000);
	struct runtime_options few = { .path = bench->plm_path, .workers = 2 };
	struct runtime_options one = few, four = few, many = few, crowded = few;
	one.workers = 1;
	four.workers = 4;
	many.workers = 256;
	crowded.processes = 128;
	struct scale scale[] = {
		{ few, 1, total },
		{ one, 1, total },
		{ four, 1, total },
		{ many, 1, total },
		{ few, 2, total },
		{ few, 4, total },
		{ crowded, 64, total },
		{ many, 64, total },
	};
	struct series series[] = {
		SERIES("1 client, 2 workers", round_scale, &scale[0]),
		SERIES("1 client, 1 worker", round_scale, &scale[1]),
		SERIES("1 client, 4 workers", round_scale, &scale[2]),
		SERIES("1 client, 256 workers", round_scale, &scale[3]),
		SERIES("2 clients, 2 workers", round_scale, &scale[4]),
		SERIES("4 clients, 2 workers", round_scale, &scale[5]),
		SERIES("64 clients, 2 workers", round_scale, &scale[6]),
		SERIES("64 clients, 256 workers", round_scale, &scale[7]),
	};
	rows_title("scale: no-op tasks a second, batches of 500");
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 5, 2));
	if (r == 0)
		scale_rows(bench, series, COUNT_OF(series));
	series_free(series, COUNT_OF(series));
	return r;
}
