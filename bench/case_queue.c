/* A long queue: the cost of a task with a million and with ten million tasks waiting before it. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/machine_limits.h"
#include "bench/processes.h"
#include "bench/measured_runtime.h"

enum {
	QUEUE_REST_TASKS = 100000, /* room beside the longest queue */
	WINDOWS_MAX = 3,
	QUEUE_BATCH = 1000,
	QUEUE_BATCHES = 20,  /* of a window */
	QUEUE_SINGLES = 500, /* for one sample of submits in single calls */
	QUEUE_REST_MS = 50,  /* a scheduler that rested so long has drained the ring */
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
	struct samples first, batch, single; /* ns of a submit */
	double scheduler;                    /* ns of the scheduler's CPU time for a task; 0:
					      * unknown */
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

/* The client submits and the scheduler queues; waits until the scheduler has queued all. No call
 * tells when, so the CPU time of the scheduler is watched until it stops growing. */
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

/* Takes the last n tasks back: the next tasks use their records. */
static int queue_withdraw(struct queue *queue, size_t n)
{
	plm *client = queue->runtime->client;
	queue->length -= n;
	for (size_t i = 0; i < n; i++) {
		int r = plm_cancel(client, queue->refs[queue->length + i], PLM_GRACE_OF_TASK);
		if (r < 0)
			return bench_failed("cancelling a task", r);
	}
	plm_drop_many(client, queue->refs + queue->length, n);
	return 0;
}

static int window_batches(struct queue *queue, struct samples *ret)
{
	for (int i = 0; i < QUEUE_BATCHES; i++) {
		uint64_t start = clock_ns();
		int r = queue_batch(queue, QUEUE_BATCH);
		if (r < 0)
			return r;
		samples_add(ret, (double)(clock_ns() - start) / QUEUE_BATCH);
	}
	return 0;
}

static int window_singles(struct queue *queue, struct samples *ret)
{
	for (int i = 0; i < QUEUE_BATCHES; i++) {
		uint64_t start = clock_ns();
		for (int j = 0; j < QUEUE_SINGLES; j++) {
			int r = queue_single(queue);
			if (r < 0)
				return r;
		}
		samples_add(ret, (double)(clock_ns() - start) / QUEUE_SINGLES);
	}
	return 0;
}

/* The first process to touch a page of the table pays the kernel, and a virtual machine's host:
 * some 2 us, and up to 10 us, at any length of the queue. So the same tasks are queued twice,
 * and the second time is the cost at that length. */
static int window_measure(struct queue *queue, size_t length, struct queue_window *ret)
{
	int r = queue_to(queue, length);
	if (r == 0)
		r = window_batches(queue, &ret->first);
	if (r == 0)
		r = queue_to(queue, queue->length + QUEUE_BATCHES * QUEUE_SINGLES);
	scheduler_rest(queue);
	if (r == 0)
		r = queue_withdraw(queue, queue->length - length);
	if (r < 0)
		return r;
	double before = scheduler_rest(queue);
	r = window_batches(queue, &ret->batch);
	double after = scheduler_rest(queue);
	ret->scheduler = (after - before) / (QUEUE_BATCHES * QUEUE_BATCH);
	return r < 0 ? r : window_singles(queue, &ret->single);
}

/* The only worker gets a task that outranks and outlasts the queue. */
static int queue_block(struct runtime *runtime)
{
	plm_arg arg = PLM_BYTES("600000", 6);
	plm_task task = { .function = "probe.sleep", .args = &arg, .nargs = 1, .priority = 32767 };
	plm_ref ref;
	int r = plm_submit(runtime->client, &task, &ref);
	return r < 0 ? bench_failed("submitting probe.sleep", r) : 0;
}

static const size_t lengths[WINDOWS_MAX] = { 10000, 1000000, 10000000 };

/* A cost at each length; the first length is the reference for the rest. */
static void queue_row(struct bench *bench, const char *name, const double *ns, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char text[64];
		snprintf(text, sizeof text, "%s, %zu queued", name, lengths[i]);
		struct row row = { .name = text, .unit = "ns", .value = ns[i] };
		if (i > 0) {
			row.limit = ns[0];
			row.limit_name = "the short queue";
			row.sense = TARGET_AT_MOST;
			row.bound = 1.5;
			row.of_ratio = true;
		}
		row_print(bench, &row);
	}
}

static void queue_rows(struct bench *bench, struct queue_window *window, size_t n)
{
	double batch[WINDOWS_MAX], single[WINDOWS_MAX], scheduler[WINDOWS_MAX], both[WINDOWS_MAX];
	for (size_t i = 0; i < n; i++) {
		struct row first = { .unit = "ns",
			.value = samples_at(&window[i].first, 0.5),
			.name = "submit in a batch, its memory touched first" };
		row_print(bench, &first);
		batch[i] = samples_at(&window[i].batch, 0.5);
		single[i] = samples_at(&window[i].single, 0.5);
		scheduler[i] = window[i].scheduler;
		both[i] = batch[i] + scheduler[i];
	}
	queue_row(bench, "submit in a batch", batch, n);
	queue_row(bench, "submit alone", single, n);
	if (scheduler[0] > 0) {
		queue_row(bench, "scheduler, CPU a task", scheduler, n);
		queue_row(bench, "submitting and queueing", both, n);
	}
}

static int queue_measure(struct bench *bench, struct queue *queue, size_t windows)
{
	struct queue_window window[WINDOWS_MAX] = { 0 };
	int r = 0;
	for (size_t i = 0; i < windows && r == 0; i++)
		r = window_measure(queue, lengths[i], &window[i]);
	if (r == 0)
		queue_rows(bench, window, windows);
	for (size_t i = 0; i < windows; i++) {
		samples_free(&window[i].first);
		samples_free(&window[i].batch);
		samples_free(&window[i].single);
	}
	return r;
}

struct queue_case {
	struct bench *bench;
	long long control_bytes;
	size_t windows, tasks;
};

static int queue_body(struct runtime *runtime, void *context)
{
	struct queue_case *queue_case = context;
	struct queue queue = { .runtime = runtime,
		.refs = calloc(queue_case->tasks, sizeof(plm_ref)),
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
		r = queue_measure(queue_case->bench, &queue, queue_case->windows);
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
	struct queue_case context = { .bench = bench, .windows = bench_choose(bench, 3, 2) };
	context.tasks = lengths[context.windows - 1] + QUEUE_REST_TASKS;
	struct runtime_options options = {
		.path = bench->plm_path, .workers = 1, .tasks = context.tasks
	};
	long long small_bytes = 0;
	rows_title("queue: what wait, up to ten million");
	int r = runtime_with(&options, queue_body, &context);
	if (r < 0)
		return r;
	options.tasks = QUEUE_FEW_TASKS;
	r = runtime_with(&options, control_body, &small_bytes);
	if (r < 0)
		return r;
	double growth = (double)(context.control_bytes - small_bytes);
	struct row row = { .name = "shared memory, a queued task",
		.unit = "bytes",
		.value = growth / (double)(context.tasks - QUEUE_FEW_TASKS),
		.sense = TARGET_AT_MOST,
		.bound = 200 };
	row_print(bench, &row);
	return 0;
}
