/* The death of the scheduler and of the manager: how long until tasks flow again, how much of
 * the death a client notices, how long until the successor is ready. Worker deaths:
 * case_death.c; deaths of lock holders: bench_locks.c. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/flow.h"
#include "bench/measured_runtime.h"
#include "bench/witness.h"

enum {
	QUEUED = 10000,
	SCHEDULER_DEATHS = 5, /* a round */
	OLD_MS = 600,         /* a scheduler that lived so long did not die young: the next
			       * scheduler comes at once */
	GUARDED_DEATHS = 5,
	OLD_MANAGER_MS = 150, /* the same for a manager under a guard */
	FLOW_BATCH = 1000,
	FLOW_TASKS = 50000,
	TRIPS = 1000,
	SETTLE_MAX_MS = 60000,
};

/* Kills a process that is not our child. Returns when the kernel reports the death, and when the
 * signal was sent. 0 or -errno. */
static int kill_other(pid_t pid, uint64_t *ret_killed_ns)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return -errno;
	struct pollfd dead = { .fd = fd, .events = POLLIN };
	*ret_killed_ns = clock_ns();
	int r = kill(pid, SIGKILL) < 0 ? -errno : 0;
	if (r == 0 && poll(&dead, 1, SETTLE_MAX_MS) != 1)
		r = -ETIMEDOUT;
	close(fd);
	return r;
}

static void let_grow_old(unsigned ms)
{
	struct timespec pause = clock_timespec(ms * NS_PER_MS);
	nanosleep(&pause, NULL);
}

/* ---- the scheduler ---- */

struct restart {
	struct runtime *runtime;
	struct witness witness;
	plm_task *tasks;
	plm_ref *refs;
	struct samples values; /* of this round: time until the first value */
};

/* The tasks wait in the heap and no task waits in a ring: the queue rests. */
static int queue_all(struct restart *d)
{
	plm *client = d->runtime->client;
	memset(d->witness.seen, 0, sizeof *d->witness.seen);
	int r = plm_pause(client);
	if (r == 0)
		r = plm_submit_many(client, d->tasks, QUEUED, d->refs);
	return r < 0 ? bench_failed("queueing", r) : 0;
}

/* When the queue goes on the scheduler is dead: every later start was placed by the next
 * scheduler. */
static int kill_scheduler(struct restart *d, uint64_t *ret_killed_ns)
{
	plm_status status;
	int r = plm_status_get(d->runtime->client, &status);
	if (r == 0)
		r = kill_other(status.scheduler_pid, ret_killed_ns);
	if (r == 0)
		r = plm_resume(d->runtime->client);
	return r < 0 ? bench_failed("killing the scheduler", r) : 0;
}

static int one_restart(struct restart *d, struct samples *ret)
{
	plm *client = d->runtime->client;
	uint64_t killed;
	int r = queue_all(d);
	if (r < 0)
		return r;
	let_grow_old(OLD_MS);
	r = kill_scheduler(d, &killed);
	if (r < 0)
		return r;
	r = plm_wait(client, d->refs, QUEUED, 1, SETTLE_MAX_MS, NULL);
	uint64_t first = clock_ns();
	if (r == 0)
		r = plm_wait(client, d->refs, QUEUED, QUEUED, SETTLE_MAX_MS, NULL);
	plm_drop_many(client, d->refs, QUEUED);
	if (r == 0 && d->witness.seen->first_ns < killed)
		r = -EPROTO; /* the dead scheduler had placed the task */
	if (r < 0)
		return bench_failed("tasks of a dead scheduler", r);
	samples_add(ret, (double)(d->witness.seen->first_ns - killed));
	samples_add(&d->values, (double)(first - killed));
	return 0;
}

static int some_restarts(void *context, struct samples *ret)
{
	int r = 0;
	for (int i = 0; i < SCHEDULER_DEATHS && r == 0; i++)
		r = one_restart(context, ret);
	return r;
}

/* Of the same deaths. */
static int their_values(void *context, struct samples *ret)
{
	struct restart *d = context;
	*ret = d->values;
	d->values = (struct samples){ 0 };
	return 0;
}

static void row_at_most(struct bench *bench, struct series *series, double bound_ms)
{
	struct row row = row_of(series, 0.5, 1e-6, "ms");
	row.sense = TARGET_AT_MOST;
	row.bound = bound_ms;
	row_print(bench, &row);
}

static int scheduler_rows(struct bench *bench, struct restart *d)
{
	struct series series[] = {
		SERIES("from the scheduler's death to the next start", some_restarts, d),
		SERIES("from the scheduler's death to the next value", their_values, d),
	};
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 3, 1));
	for (size_t i = 0; i < COUNT_OF(series) && r == 0; i++)
		row_at_most(bench, &series[i], 20);
	series_free(series, COUNT_OF(series));
	samples_free(&d->values);
	return r;
}

static int scheduler_body(struct runtime *runtime, void *context)
{
	struct restart d = { .runtime = runtime,
		.tasks = calloc(QUEUED, sizeof(plm_task)),
		.refs = calloc(QUEUED, sizeof(plm_ref)) };
	int r = d.tasks && d.refs ? witness_open(&d.witness) : -ENOMEM;
	if (r == 0) {
		plm_arg path = PLM_BYTES(d.witness.path, strlen(d.witness.path));
		for (size_t i = 0; i < QUEUED; i++)
			d.tasks[i] =
			    (plm_task){ .function = "bench.first", .args = &path, .nargs = 1 };
		r = runtime_load_bench(runtime);
		if (r == 0)
			r = scheduler_rows(context, &d);
		witness_close(&d.witness);
	}
	free(d.tasks);
	free(d.refs);
	return r;
}

/* ---- the manager ---- */

struct headless {
	struct bench *bench;
	const struct runtime_options *options;
	struct runtime *runtime;
	struct flow flow;
	struct trip trip;
};

static int flow_just_after(void *context, struct samples *ret)
{
	struct headless *h = context;
	kill(h->runtime->pid, SIGKILL); /* without waiting: the manager dies while tasks run */
	int r = round_flow(&h->flow, ret);
	runtime_behead(h->runtime);
	return r;
}

static int take_over(void *context, struct samples *ret)
{
	struct headless *h = context;
	uint64_t begun = clock_ns();
	int r = runtime_take_over(h->options, h->runtime);
	samples_add(ret, (double)(clock_ns() - begun));
	return r;
}

/* Series of a living manager and of a dead manager; the target applies to their ratio. */
static void beside_living(struct bench *bench, struct series *living, struct series *dead,
    double scale, const char *unit, enum target_sense sense, double bound)
{
	struct row row = row_of(living, 0.5, scale, unit);
	double limit = row.value;
	row_print(bench, &row);
	row = row_of(dead, 0.5, scale, unit);
	row.limit = limit;
	row.limit_name = living->name;
	row.sense = sense;
	row.bound = bound;
	row.of_ratio = true;
	row_print(bench, &row);
}

/* In turn: a client works; the manager is killed while the client goes on; the next manager
 * takes over. */
static int manager_rows(struct headless *h)
{
	struct series series[] = {
		SERIES("tasks, the manager lives", round_flow, &h->flow),
		SERIES("a task's trip, the manager lives", round_trip, &h->trip),
		SERIES("tasks, from the manager's death on", flow_just_after, h),
		SERIES("a task's trip, the manager is dead", round_trip, &h->trip),
		SERIES("until the next manager is ready", take_over, h),
	};
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(h->bench, 31, 9));
	if (r == 0) {
		beside_living(h->bench, &series[0], &series[2], 1e-6, "M/s", TARGET_AT_LEAST, 0.9);
		beside_living(h->bench, &series[1], &series[3], 1e-3, "us", TARGET_AT_MOST, 1.1);
		row_at_most(h->bench, &series[4], 50);
	}
	series_free(series, COUNT_OF(series));
	return r;
}

static int manager_body(struct runtime *runtime, void *context)
{
	struct headless *h = context;
	plm_task *tasks = calloc(FLOW_BATCH, sizeof *tasks);
	if (!tasks)
		return bench_failed("manager", -ENOMEM);
	for (size_t i = 0; i < FLOW_BATCH; i++)
		tasks[i].function = "probe.noop";
	h->runtime = runtime;
	h->flow = (struct flow){ runtime->client, tasks, FLOW_BATCH, FLOW_TASKS, 1, false };
	h->trip = (struct trip){ runtime->client, 0, TRIPS, 1 };
	int r = manager_rows(h);
	free(tasks);
	return r;
}

/* ---- the manager under a guard ---- */

/* Until a new client can join: the last thing that the next manager sets up. */
static int one_guarded(struct runtime *runtime, struct samples *ret)
{
	plm_status status;
	plm *other = NULL;
	uint64_t killed;
	let_grow_old(OLD_MANAGER_MS);
	int r = plm_status_get(runtime->client, &status);
	if (r == 0)
		r = kill_other(status.manager_pid, &killed);
	if (r < 0)
		return bench_failed("killing the manager", r);
	uint64_t deadline = deadline_after_ms(SETTLE_MAX_MS);
	do
		r = plm_connect(&other, runtime->name);
	while (r < 0 && clock_ns() < deadline);
	if (r < 0)
		return bench_failed("joining under the next manager", r);
	samples_add(ret, (double)(clock_ns() - killed));
	plm_disconnect(&other);
	return 0;
}

static int some_guarded(void *context, struct samples *ret)
{
	int r = 0;
	for (int i = 0; i < GUARDED_DEATHS && r == 0; i++)
		r = one_guarded(context, ret);
	return r;
}

static int guarded_body(struct runtime *runtime, void *context)
{
	struct bench *bench = context;
	struct series series[] = {
		SERIES("under a guard, until a client can join", some_guarded, runtime),
	};
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 3, 1));
	if (r == 0)
		row_at_most(bench, &series[0], 50);
	series_free(series, COUNT_OF(series));
	return r;
}

int case_recovery(struct bench *bench)
{
	struct runtime_options options = { .path = bench->plm_path, .workers = 2, .quiet = true };
	struct headless headless = { .bench = bench, .options = &options };
	rows_title("recovery: the scheduler is killed before 10,000 tasks; the manager");
	int r = runtime_with(&options, scheduler_body, bench);
	/* Members of a dead manager become children of this process. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (r == 0)
		r = runtime_with(&options, manager_body, &headless);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	options.guard = true;
	return r < 0 ? r : runtime_with(&options, guarded_body, bench);
}
