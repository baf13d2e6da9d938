/* What plmctl top costs: the first frame, and the share of a core while the runtime is large, or
 * fast. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/flow.h"
#include "bench/measured_runtime.h"
#include "bench/processes.h"

enum {
	MANY_WORKERS = 1000,
	PROCESSES = 1024, /* the most */
	MANY_TASKS = 1000000,
	ROOM = 100000, /* records beside the tasks */
	BATCH = 1000,
	ROWS = 30,
	COLUMNS = 100,
	FRAME_MAX_S = 30,
	SETTLE_S = 6, /* the first pass over a million records may cost more */
	PATH_BYTES = 4096,
	SEEN_BYTES = 4096,
};

struct watcher { /* plmctl top in a terminal of its own */
	pid_t pid;
	int terminal;
	char seen[SEEN_BYTES]; /* the last output */
	size_t bytes;
};

static int watcher_open(const struct bench *bench, const struct runtime *rt, struct watcher *ret)
{
	struct winsize size = { .ws_row = ROWS, .ws_col = COLUMNS };
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%sctl", bench->plm_path);
	ret->bytes = 0;
	ret->pid = forkpty(&ret->terminal, NULL, NULL, &size);
	if (ret->pid == 0) {
		setenv("TERM", "xterm-256color", 1);
		execl(path, path, "top", "--name", rt->name, (char *)NULL);
		_exit(127);
	}
	return ret->pid < 0 ? -errno : 0;
}

static void watcher_close(struct watcher *w)
{
	kill(w->pid, SIGTERM);
	waitpid(w->pid, NULL, 0);
	close(w->terminal);
}

static void watcher_keep(struct watcher *w, const char *text, size_t n)
{
	size_t over = w->bytes + n > sizeof w->seen - 1 ? w->bytes + n - (sizeof w->seen - 1) : 0;
	memmove(w->seen, w->seen + over, w->bytes - over);
	memcpy(w->seen + w->bytes - over, text, n);
	w->bytes += n - over;
	w->seen[w->bytes] = 0;
}

/* Takes the output, as a terminal does, until the text has come or the time is over. */
static bool watcher_take(struct watcher *w, uint64_t until_ns, const char *text)
{
	char piece[SEEN_BYTES / 4];
	for (uint64_t now = clock_ns(); now < until_ns; now = clock_ns()) {
		struct pollfd ready = { .fd = w->terminal, .events = POLLIN };
		poll(&ready, 1, (int)((until_ns - now) / NS_PER_MS) + 1);
		ssize_t n = ready.revents & POLLIN ? read(w->terminal, piece, sizeof piece) : 0;
		if (n < 0)
			return false;
		watcher_keep(w, piece, (size_t)n);
		if (text && strstr(w->seen, text))
			return true;
	}
	return false;
}

/* The share of a core that top takes, in percent. */
static int watcher_share(struct bench *bench, struct watcher *w, double *ret)
{
	struct process_use before, after;
	unsigned seconds = bench_choose(bench, 10, 4);
	watcher_take(w, clock_ns() + SETTLE_S * NS_PER_S, NULL);
	uint64_t start = clock_ns();
	int r = process_use(w->pid, &before);
	watcher_take(w, start + seconds * NS_PER_S, NULL);
	if (r == 0)
		r = process_use(w->pid, &after);
	if (r < 0)
		return bench_failed("reading the use of plmctl top", r);
	*ret = (double)(after.cpu_ns - before.cpu_ns) * 100 / (double)(clock_ns() - start);
	return 0;
}

static int watcher_row(struct bench *bench, struct watcher *w, const char *name)
{
	struct row row = { .name = name, .unit = "%", .sense = TARGET_AT_MOST, .bound = 5 };
	int r = watcher_share(bench, w, &row.value);
	row.low = row.high = row.value;
	if (r == 0)
		row_print(bench, &row);
	return r;
}

/* ---- large ---- */

struct first_frame {
	struct bench *bench;
	struct runtime *runtime;
};

static int round_first_frame(void *context, struct samples *ret)
{
	const struct first_frame *of = context;
	struct watcher w;
	uint64_t start = clock_ns();
	int r = watcher_open(of->bench, of->runtime, &w);
	if (r < 0)
		return r;
	bool drawn = watcher_take(&w, start + FRAME_MAX_S * NS_PER_S, "records");
	samples_add(ret, (double)(clock_ns() - start));
	watcher_close(&w);
	return drawn ? 0 : -ETIME;
}

static int large_rows(struct runtime *runtime, struct bench *bench)
{
	struct first_frame of = { bench, runtime };
	struct series first = SERIES("plmctl top, first frame", round_first_frame, &of);
	struct watcher w;
	int r = series_in_turn(&first, 1, bench_choose(bench, 9, 5));
	if (r == 0) {
		struct row row = row_of(&first, 0.5, 1e-6, "ms");
		row.sense = TARGET_AT_MOST;
		row.bound = 100;
		row_print(bench, &row);
		r = watcher_open(bench, runtime, &w);
	}
	series_free(&first, 1);
	if (r < 0)
		return bench_failed("plmctl top", r);
	r = watcher_row(bench, &w, "plmctl top, 1,000 workers, 1,000,000 tasks");
	watcher_close(&w);
	return r;
}

static int large_body(struct runtime *runtime, void *context)
{
	plm_task *tasks = calloc(BATCH, sizeof *tasks);
	plm_ref *refs = calloc(BATCH, sizeof *refs);
	int r = tasks && refs ? plm_pause(runtime->client) : -ENOMEM;
	for (size_t i = 0; r == 0 && i < BATCH; i++)
		tasks[i] = (plm_task){ .function = "probe.noop", .priority = (int)(i % 10) };
	for (int i = 0; r == 0 && i < MANY_TASKS / BATCH; i++)
		r = plm_submit_many(runtime->client, tasks, BATCH, refs);
	free(tasks);
	free(refs);
	return r < 0 ? bench_failed("a million tasks", r) : large_rows(runtime, context);
}

/* ---- fast ---- */

struct stream {
	struct flow flow;
	_Atomic bool stop;
	_Atomic uint64_t tasks;
	int error;
};

static void *stream_run(void *context)
{
	struct stream *s = context;
	plm_ref *refs = calloc((size_t)BATCH * FLOW_IN_FLIGHT, sizeof *refs);
	s->error = refs ? 0 : -ENOMEM;
	while (s->error == 0 && !atomic_load(&s->stop)) {
		s->error = flow_through(&s->flow, refs);
		atomic_fetch_add(&s->tasks, s->flow.total);
	}
	free(refs);
	return NULL;
}

static int fast_rows(struct bench *bench, struct runtime *runtime, struct stream *s)
{
	struct watcher w;
	int r = watcher_open(bench, runtime, &w);
	if (r < 0)
		return bench_failed("plmctl top", r);
	watcher_take(&w, clock_ns() + FRAME_MAX_S * NS_PER_S, "records");
	uint64_t start = clock_ns(), before = atomic_load(&s->tasks);
	r = watcher_row(bench, &w, "plmctl top, workers shown, at full flow");
	if (r == 0 && write(w.terminal, "\t", 1) == 1)
		r = watcher_row(bench, &w, "plmctl top, functions shown, at full flow");
	struct row row = { .name = "plmctl top, the flow meanwhile",
		.unit = "1/s",
		.value = (double)(atomic_load(&s->tasks) - before) * 1e9 /
		    (double)(clock_ns() - start) };
	row.low = row.high = row.value;
	if (r == 0)
		row_print(bench, &row);
	watcher_close(&w);
	return r;
}

static int fast_body(struct runtime *runtime, void *context)
{
	plm_task *tasks = calloc(BATCH, sizeof *tasks);
	struct stream s = { .flow = { runtime->client, tasks, BATCH, 100 * BATCH, 1, false } };
	pthread_t thread;
	for (size_t i = 0; tasks && i < BATCH; i++)
		tasks[i].function = "probe.noop";
	int r = tasks ? -pthread_create(&thread, NULL, stream_run, &s) : -ENOMEM;
	if (r == 0) {
		r = fast_rows(context, runtime, &s);
		atomic_store(&s.stop, true);
		pthread_join(thread, NULL);
		r = r < 0 ? r : s.error;
	}
	free(tasks);
	return r < 0 ? bench_failed("plmctl top", r) : 0;
}

int case_top(struct bench *bench)
{
	struct runtime_options large = { .path = bench->plm_path,
		.workers = MANY_WORKERS,
		.tasks = MANY_TASKS + ROOM,
		.processes = PROCESSES };
	struct runtime_options fast = { .path = bench->plm_path, .workers = bench->workers };
	rows_title("top: what a watcher in a terminal costs");
	int r = runtime_with(&large, large_body, bench);
	int second = runtime_with(&fast, fast_body, bench);
	return r < 0 ? r : second;
}
