/* The runtime at boot and at rest. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/machine_limits.h"
#include "bench/processes.h"
#include "bench/measured_runtime.h"

/* ---- boot ---- */

static int round_boot(void *context, struct samples *ret)
{
	struct runtime runtime;
	plm_view view;
	uint64_t start = clock_ns();
	int r = runtime_start(context, &runtime);
	if (r < 0)
		return r;
	r = runtime_call(&runtime, "probe.echo", "first", &view);
	uint64_t end = clock_ns();
	if (r == 0)
		plm_release(runtime.client, &view);
	runtime_stop(&runtime);
	if (r == 0)
		samples_add(ret, (double)(end - start));
	return r;
}

int case_boot(struct bench *bench)
{
	struct runtime_options options = { .path = bench->plm_path, .workers = 2 };
	struct fork_limit fork_exec = { .exec = true, .samples = 3 };
	struct series series[] = {
		SERIES("fork, exec /bin/true, wait", limit_fork, &fork_exec),
		SERIES("plm with 2 workers", round_boot, &options),
	};
	rows_title("boot: from exec to the first result");
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 9, 5));
	if (r == 0) {
		struct row bare = row_of(&series[0], 0.5, 1e-6, "ms");
		struct row row = row_of(&series[1], 0.5, 1e-6, "ms");
		row.limit = bare.value;
		row.limit_name = bare.name;
		row.sense = TARGET_AT_MOST;
		row.bound = 15;
		row_print(bench, &bare);
		row_print(bench, &row);
	}
	series_free(series, COUNT_OF(series));
	return r;
}

/* ---- rest ---- */

enum { IDLE_SETTLE_S = 2, MEMBERS_MAX = 64 };

struct idle {
	struct member_use {
		char name[24];
		pid_t pid;
		struct process_use before, after;
	} member[MEMBERS_MAX];
	size_t n;
};

static void idle_add(struct idle *idle, const char *name, unsigned number, pid_t pid)
{
	struct member_use *member = &idle->member[idle->n++];
	member->pid = pid;
	if (number)
		snprintf(member->name, sizeof member->name, "%s %u", name, number);
	else
		snprintf(member->name, sizeof member->name, "%s", name);
}

static int idle_members(struct runtime *runtime, struct idle *ret)
{
	plm_status status;
	pid_t child[MEMBERS_MAX - 2];
	int r = plm_status_get(runtime->client, &status);
	if (r < 0)
		return bench_failed("status", r);
	idle_add(ret, "manager", 0, status.manager_pid);
	idle_add(ret, "scheduler", 0, status.scheduler_pid);
	size_t n = process_children(status.manager_pid, child, COUNT_OF(child));
	for (size_t i = 0, worker = 1; i < n; i++)
		if (child[i] != status.scheduler_pid)
			idle_add(ret, "worker", (unsigned)worker++, child[i]);
	return 0;
}

static void idle_rows(struct bench *bench, const struct member_use *member, double seconds)
{
	const struct process_use *before = &member->before, *after = &member->after;
	char name[64];
	struct row row = { .name = name };
	snprintf(name, sizeof name, "%s, CPU time", member->name);
	row.unit = "us/s";
	row.value = (double)(after->cpu_ns - before->cpu_ns) * 1e-3 / seconds;
	row_print(bench, &row);
	snprintf(name, sizeof name, "%s, wake-ups", member->name);
	row.unit = "1/s";
	row.value = (double)(after->switches - before->switches) / seconds;
	row.sense = TARGET_AT_MOST;
	row.bound = 1.1; /* a tick a second, and a tick on the edge of the window */
	row_print(bench, &row);
	row.sense = TARGET_NONE;
	snprintf(name, sizeof name, "%s, resident", member->name);
	row.unit = "MB";
	row.value = (double)after->resident_bytes * 1e-6;
	if (member->name[0] != 'w') { /* a worker's memory belongs to the worker's tasks */
		row.sense = TARGET_AT_MOST;
		row.bound = 10;
	}
	row_print(bench, &row);
}

static int idle_body(struct runtime *runtime, void *context)
{
	struct bench *bench = context;
	unsigned seconds = bench->idle_s ? bench->idle_s : bench_choose(bench, 10, 4);
	struct idle idle = { .n = 0 };
	sleep(IDLE_SETTLE_S); /* the remaining work of a boot is no rest */
	int r = idle_members(runtime, &idle);
	for (size_t i = 0; i < idle.n && r == 0; i++)
		r = process_use(idle.member[i].pid, &idle.member[i].before);
	uint64_t start = clock_ns();
	sleep(seconds);
	for (size_t i = 0; i < idle.n && r == 0; i++)
		r = process_use(idle.member[i].pid, &idle.member[i].after);
	if (r < 0)
		return bench_failed("reading the use of a process", r);
	double passed = (double)(clock_ns() - start) * 1e-9;
	for (size_t i = 0; i < idle.n; i++)
		idle_rows(bench, &idle.member[i], passed);
	return 0;
}

int case_idle(struct bench *bench)
{
	struct runtime_options options = { .path = bench->plm_path, .workers = bench->workers };
	rows_title("idle: a client is connected, nothing to do");
	return runtime_with(&options, idle_body, bench);
}
