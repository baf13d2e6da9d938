/* Where the time of a task goes: the client's steps, and the CPU time and the sleeps of each
 * process involved. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/processes.h"
#include "bench/measured_runtime.h"

enum { BATCH = 1000, SETTLE_MAX_MS = 60000, MEMBERS_MAX = 16 };

struct cost {
	struct bench *bench;
	plm *client;
	plm_task task[BATCH];
	plm_ref ref[BATCH];
	double submit_ns, wait_ns, drop_ns; /* a task's, of all so far */
};

/* The processes of a runtime and the client, in the groups that the rows name. */
enum part { CLIENT, MANAGER, SCHEDULER, WORKERS, PARTS };

static const char *const parts[PARTS] = { "client", "manager", "scheduler", "workers" };

static int use_add(pid_t pid, struct process_use *sum)
{
	struct process_use use;
	int r = process_use(pid, &use);
	if (r < 0)
		return r;
	sum->cpu_ns += use.cpu_ns;
	sum->switches += use.switches;
	return 0;
}

static int use_of_all(plm *client, struct process_use ret[PARTS])
{
	plm_status status;
	pid_t child[MEMBERS_MAX];
	int r = plm_status_get(client, &status);
	for (int i = 0; i < PARTS; i++)
		ret[i] = (struct process_use){ 0 };
	if (r >= 0)
		r = use_add(getpid(), &ret[CLIENT]);
	if (r >= 0)
		r = use_add(status.manager_pid, &ret[MANAGER]);
	if (r < 0)
		return r;
	size_t n = process_children(status.manager_pid, child, MEMBERS_MAX);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = use_add(child[i], &ret[child[i] == status.scheduler_pid ? SCHEDULER : WORKERS]);
	return r;
}

static int run_batch(struct cost *cost, size_t n)
{
	uint64_t start = clock_ns();
	int r = plm_submit_many(cost->client, cost->task, n, cost->ref);
	if (r < 0)
		return r;
	uint64_t submitted = clock_ns();
	r = plm_wait(cost->client, cost->ref, n, n, SETTLE_MAX_MS, NULL);
	uint64_t settled = clock_ns();
	plm_drop_many(cost->client, cost->ref, n);
	cost->submit_ns += (double)(submitted - start);
	cost->wait_ns += (double)(settled - submitted);
	cost->drop_ns += (double)(clock_ns() - settled);
	return r;
}

static void row_of_cost(
    struct cost *cost, const char *way, const char *what, double value, const char *unit)
{
	char name[64];
	snprintf(name, sizeof name, "%s: %s", way, what);
	struct row row = { .name = name, .unit = unit, .value = value };
	row_print(cost->bench, &row);
}

static void cost_rows(struct cost *cost, const char *way, const struct process_use before[PARTS],
    const struct process_use after[PARTS], double tasks)
{
	char what[48];
	row_of_cost(cost, way, "submit", cost->submit_ns / tasks, "ns");
	row_of_cost(cost, way, "wait", cost->wait_ns / tasks, "ns");
	row_of_cost(cost, way, "drop", cost->drop_ns / tasks, "ns");
	for (int i = 0; i < PARTS; i++) {
		snprintf(what, sizeof what, "CPU of the %s", parts[i]);
		row_of_cost(
		    cost, way, what, (double)(after[i].cpu_ns - before[i].cpu_ns) / tasks, "ns");
		snprintf(what, sizeof what, "sleeps of the %s", parts[i]);
		row_of_cost(
		    cost, way, what, (double)(after[i].switches - before[i].switches) / tasks, "1");
	}
}

/* Runs `tasks` tasks, `n` at a time, one batch after another. */
static int cost_of(struct cost *cost, const char *way, size_t n, size_t tasks)
{
	struct process_use before[PARTS], after[PARTS];
	int r = 0;
	for (size_t done = 0; done < tasks / 10 && r >= 0; done += n)
		r = run_batch(cost, n); /* warm */
	cost->submit_ns = cost->wait_ns = cost->drop_ns = 0;
	if (r >= 0)
		r = use_of_all(cost->client, before);
	for (size_t done = 0; done < tasks && r >= 0; done += n)
		r = run_batch(cost, n);
	if (r >= 0)
		r = use_of_all(cost->client, after);
	if (r < 0)
		return bench_failed(way, r);
	cost_rows(cost, way, before, after, (double)tasks);
	return 0;
}

static int cost_body(struct runtime *runtime, void *context)
{
	struct cost *cost = calloc(1, sizeof *cost);
	if (!cost)
		return bench_failed("cost", -ENOMEM);
	cost->bench = context;
	cost->client = runtime->client;
	for (int i = 0; i < BATCH; i++)
		cost->task[i].function = "probe.noop";
	size_t scale = bench_choose(cost->bench, 4, 1);
	int r = cost_of(cost, "batches of 1000", BATCH, scale * 500000);
	if (r >= 0)
		r = cost_of(cost, "batches of 10", 10, scale * 50000);
	if (r >= 0)
		r = cost_of(cost, "one at a time", 1, scale * 10000);
	free(cost);
	return r;
}

int case_cost(struct bench *bench)
{
	struct runtime_options options = { .path = bench->plm_path, .workers = bench->workers };
	rows_title("cost: of a no-op task, by step and by process");
	return runtime_with(&options, cost_body, bench);
}
