/* The time of plmctl to make traces and plots of a million events. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/measured_runtime.h"
#include "client/plm_inspect.h"

enum {
	BATCH = 1000,
	EVENTS_OF_TASK = 5,
	PATH_BYTES = 256,
	LINE_BYTES = 1024,
	START_MAX_MS = 10000
};

struct trace_case {
	struct bench *bench;
	unsigned tasks;
	char stem[PATH_BYTES]; /* of the files */
};

static pid_t start_recording(const struct trace_case *c, const struct runtime *runtime)
{
	char program[PATH_BYTES], file[PATH_BYTES];
	snprintf(program, sizeof program, "%sctl", c->bench->plm_path);
	snprintf(file, sizeof file, "%.200s.plmrec", c->stem);
	pid_t pid = fork();
	if (pid == 0) {
		execl(program, program, "trace", "--quiet", "--name", runtime->name, "--record",
		    file, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static bool events_are_on(const struct runtime *runtime)
{
	plm_inspect *in;
	plm_events *events = NULL;
	plm_events_state state = { .on = 0 };
	if (plm_inspect_open(&in, runtime->name) < 0)
		return false;
	if (plm_events_open(&events, in, PLM_EVENTS_NOW) == 0)
		plm_events_state_get(events, &state, sizeof state);
	plm_events_close(&events);
	plm_inspect_close(&in);
	return state.on;
}

static int run_tasks(const struct trace_case *c, const struct runtime *runtime)
{
	static plm_task task[BATCH];
	static plm_ref ref[BATCH];
	int r = 0;
	for (int i = 0; i < BATCH; i++)
		task[i] = (plm_task){ .function = "probe.noop" };
	for (unsigned done = 0; done < c->tasks && r >= 0; done += BATCH) {
		r = plm_submit_many(runtime->client, task, BATCH, ref);
		if (r >= 0)
			r = plm_wait(runtime->client, ref, BATCH, BATCH, -1, NULL);
		plm_drop_many(runtime->client, ref, BATCH);
	}
	return r < 0 ? r : 0;
}

static int record(struct trace_case *c, const struct runtime *runtime)
{
	uint64_t deadline_ns = deadline_after_ms(START_MAX_MS);
	int status = -1, r = 0;
	pid_t pid = start_recording(c, runtime);
	while (pid > 0 && !events_are_on(runtime) && clock_ns() < deadline_ns)
		usleep(1000);
	if (pid > 0) {
		r = run_tasks(c, runtime);
		kill(pid, SIGINT);
		waitpid(pid, &status, 0);
	}
	if (r == 0 && status != 0)
		r = -EIO;
	return r < 0 ? bench_failed("recording a million events", r) : 0;
}

static int row_of_form(const struct trace_case *c, const char *command, const char *suffix)
{
	char line[LINE_BYTES], name[64];
	snprintf(line, sizeof line,
	    "%sctl %s --quiet --from %.200s.plmrec %.200s%s >/dev/null 2>&1", c->bench->plm_path,
	    command, c->stem, c->stem, suffix);
	uint64_t start = clock_ns();
	if (system(line) != 0)
		return bench_failed(line, -EIO);
	double seconds = (double)(clock_ns() - start) * 1e-9;
	snprintf(name, sizeof name, "%s of a million events: %s", command, suffix);
	struct row row = { .name = name,
		.unit = "s",
		.value = seconds * 1e6 / (c->tasks * (double)EVENTS_OF_TASK),
		.sense = TARGET_AT_MOST,
		.bound = 5 };
	row_print(c->bench, &row);
	return 0;
}

static int trace_body(struct runtime *runtime, void *context)
{
	static const char *const forms[][2] = {
		{ "trace", ".json" },
		{ "trace", ".json.gz" },
		{ "trace", ".pftrace" },
		{ "plot", ".svg" },
	};
	struct trace_case *c = context;
	char file[PATH_BYTES];
	struct stat st;
	int r = record(c, runtime);
	for (size_t i = 0; i < COUNT_OF(forms) && r == 0; i++)
		r = row_of_form(c, forms[i][0], forms[i][1]);
	snprintf(file, sizeof file, "%.200s.plmrec", c->stem);
	if (r == 0 && stat(file, &st) == 0) {
		struct row row = { .name = "an event in a recording",
			.unit = "bytes",
			.value = (double)st.st_size / (c->tasks * (double)EVENTS_OF_TASK) };
		row_print(c->bench, &row);
	}
	unlink(file);
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		snprintf(file, sizeof file, "%.200s%s", c->stem, forms[i][1]);
		unlink(file);
	}
	return r;
}

int case_trace(struct bench *bench)
{
	struct trace_case c = { .bench = bench,
		.tasks = bench_choose(bench, 200 * BATCH, 40 * BATCH) };
	struct runtime_options options = { .path = bench->plm_path, .workers = bench->workers };
	snprintf(c.stem, sizeof c.stem, "/tmp/plm-bench-trace-%d", (int)getpid());
	rows_title("trace: a recording of no-op tasks, five events each, into other forms");
	return runtime_with(&options, trace_body, &c);
}
