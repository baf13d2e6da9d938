/* The runtime itself: its start, a long queue, and its rest. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/limits.h"
#include "bench/processes.h"
#include "bench/runtime.h"

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
		row.bound = 30;
		row_print(bench, &bare);
		row_print(bench, &row);
	}
	series_free(series, COUNT_OF(series));
	return r;
}

/* ---- a million tasks that wait ---- */

enum {
	QUEUE_TASKS = 1100000,
	QUEUE_SHORT = 10000,
	QUEUE_LONG = 1000000,
	QUEUE_BATCH = 1000,
	QUEUE_BATCHES = 20,     /* of a window */
	QUEUE_SINGLES = 500,    /* a sample of submits one by one */
	QUEUE_REST_MS = 50,     /* a scheduler that rested so long has drained what was sent */
	QUEUE_REST_MAX_S = 60,
	QUEUE_FEW_TASKS = 100000, /* the smaller of two runtimes, to tell a record from the rest */
};

struct queue {
	struct runtime *runtime;
	plm_ref *refs;
	plm_task *tasks;
	pid_t scheduler;
	size_t length;
};

struct queue_window {
	struct samples batch, single; /* ns of a submit */
	double scheduler;             /* ns of its CPU time for a task; 0: unknown */
};

static int queue_batch(struct queue *queue, size_t n)
{
	plm_ref *refs = queue->refs + queue->length;
	int r = plm_submit_many(queue->runtime->client, queue->tasks, n, refs);
	if (r < 0)
		return bench_failed("submitting a batch", r);
	queue->length += n;
	return 0;
}

static int queue_single(struct queue *queue)
{
	int r = plm_submit(queue->runtime->client, queue->tasks, queue->refs + queue->length);
	if (r < 0)
		return bench_failed("submitting a task", r);
	queue->length++;
	return 0;
}

static int queue_to(struct queue *queue, size_t length)
{
	int r = 0;
	while (r == 0 && queue->length < length) {
		size_t n = length - queue->length;
		r = queue_batch(queue, n < QUEUE_BATCH ? n : QUEUE_BATCH);
	}
	return r;
}

/* Submitting is one process's work, queueing another's: waits until that one has done its share.
 * There is nothing to ask for it, so we look whether the scheduler still uses the processor. */
static double scheduler_rest(const struct queue *queue)
{
	const uint64_t rest_ns = QUEUE_REST_MS * NS_PER_MS / 20;
	struct process_use before, now = { 0 };
	uint64_t deadline = clock_ns() + QUEUE_REST_MAX_S * NS_PER_S;
	struct timespec pause = clock_timespec(QUEUE_REST_MS * NS_PER_MS);
	do {
		before = now;
		nanosleep(&pause, NULL);
		if (process_use(queue->scheduler, &now) < 0)
			return 0;
	} while (now.cpu_ns - before.cpu_ns > rest_ns && clock_ns() < deadline);
	return (double)now.cpu_ns;
}

static int window_batches(struct queue *queue, struct queue_window *ret)
{
	for (int i = 0; i < QUEUE_BATCHES; i++) {
		uint64_t start = clock_ns();
		int r = queue_batch(queue, QUEUE_BATCH);
		if (r < 0)
			return r;
		samples_add(&ret->batch, (double)(clock_ns() - start) / QUEUE_BATCH);
	}
	return 0;
}

static int window_singles(struct queue *queue, struct queue_window *ret)
{
	for (int i = 0; i < QUEUE_BATCHES; i++) {
		uint64_t start = clock_ns();
		for (int j = 0; j < QUEUE_SINGLES; j++) {
			int r = queue_single(queue);
			if (r < 0)
				return r;
		}
		samples_add(&ret->single, (double)(clock_ns() - start) / QUEUE_SINGLES);
	}
	return 0;
}

static int window_measure(struct queue *queue, size_t length, struct queue_window *ret)
{
	int r = queue_to(queue, length);
	if (r < 0)
		return r;
	double before = scheduler_rest(queue);
	r = window_batches(queue, ret);
	double after = scheduler_rest(queue);
	ret->scheduler = (after - before) / (QUEUE_BATCHES * QUEUE_BATCH);
	return r < 0 ? r : window_singles(queue, ret);
}

/* The only worker is given something that outranks and outlasts the queue. */
static int queue_block(struct runtime *runtime)
{
	plm_arg arg = PLM_BYTES("600000", 6);
	plm_task task = { .function = "probe.sleep", .args = &arg, .nargs = 1, .priority = 32767 };
	plm_ref ref;
	int r = plm_submit(runtime->client, &task, &ref);
	return r < 0 ? bench_failed("submitting probe.sleep", r) : 0;
}

static void queue_row(struct bench *bench, const char *name, double few, double many)
{
	char text[64];
	snprintf(text, sizeof text, "%s, %d queued", name, QUEUE_SHORT);
	struct row row = { .name = text, .unit = "ns", .value = few };
	row_print(bench, &row);
	snprintf(text, sizeof text, "%s, %d queued", name, QUEUE_LONG);
	row.value = many;
	row.limit = few;
	row.limit_name = "the short queue";
	row.sense = TARGET_AT_MOST;
	row.bound = 1.5;
	row.of_ratio = true;
	row_print(bench, &row);
}

static void queue_rows(struct bench *bench, struct queue_window window[2])
{
	queue_row(bench, "submit in a batch", samples_at(&window[0].batch, 0.5),
	    samples_at(&window[1].batch, 0.5));
	queue_row(bench, "submit alone", samples_at(&window[0].single, 0.5),
	    samples_at(&window[1].single, 0.5));
	if (window[0].scheduler > 0 && window[1].scheduler > 0)
		queue_row(bench, "scheduler, CPU a task", window[0].scheduler,
		    window[1].scheduler);
}

static int queue_measure(struct bench *bench, struct queue *queue)
{
	struct queue_window window[2] = { 0 };
	int r = window_measure(queue, QUEUE_SHORT, &window[0]);
	if (r == 0)
		r = window_measure(queue, QUEUE_LONG, &window[1]);
	if (r == 0)
		queue_rows(bench, window);
	for (int i = 0; i < 2; i++) {
		samples_free(&window[i].batch);
		samples_free(&window[i].single);
	}
	return r;
}

struct queue_case {
	struct bench *bench;
	long long control_bytes;
};

static int queue_body(struct runtime *runtime, void *context)
{
	struct queue_case *queue_case = context;
	struct queue queue = { .runtime = runtime, .refs = calloc(QUEUE_TASKS, sizeof(plm_ref)),
		.tasks = calloc(QUEUE_BATCH, sizeof(plm_task)) };
	plm_status status;
	int r = queue.refs && queue.tasks ? plm_status_get(runtime->client, &status) : -ENOMEM;
	if (r < 0)
		bench_failed("queue", r);
	for (size_t i = 0; r >= 0 && i < QUEUE_BATCH; i++)
		queue.tasks[i].function = "probe.noop";
	if (r >= 0)
		r = queue_block(runtime);
	if (r >= 0) {
		queue.scheduler = status.scheduler_pid;
		queue_case->control_bytes = runtime_control_bytes(runtime);
		r = queue_measure(queue_case->bench, &queue);
	}
	free(queue.refs);
	free(queue.tasks);
	return r;
}

static int control_body(struct runtime *runtime, void *context)
{
	long long *ret = context;
	*ret = runtime_control_bytes(runtime);
	return *ret < 0 ? bench_failed("the size of the control segment", (int)*ret) : 0;
}

int case_queue(struct bench *bench)
{
	struct runtime_options options = { .path = bench->plm_path, .workers = 1,
		.tasks = QUEUE_TASKS };
	struct queue_case context = { .bench = bench };
	long long small_bytes = 0;
	rows_title("queue: a million tasks wait");
	int r = runtime_with(&options, queue_body, &context);
	if (r < 0)
		return r;
	options.tasks = QUEUE_FEW_TASKS;
	r = runtime_with(&options, control_body, &small_bytes);
	if (r < 0)
		return r;
	double growth = (double)(context.control_bytes - small_bytes);
	struct row row = { .name = "shared memory, a queued task", .unit = "bytes",
		.value = growth / (QUEUE_TASKS - QUEUE_FEW_TASKS),
		.sense = TARGET_AT_MOST, .bound = 256 };
	row_print(bench, &row);
	return 0;
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
	row_print(bench, &row);
	snprintf(name, sizeof name, "%s, resident", member->name);
	row.unit = "MB";
	row.value = (double)after->resident_bytes * 1e-6;
	if (member->name[0] != 'w') { /* a worker's memory is that of its tasks */
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
	sleep(IDLE_SETTLE_S); /* what a boot leaves to be done is not rest */
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
