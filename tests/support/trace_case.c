#include "tests/support/trace_case.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/plm_inspect.h"
#include "tests/support/deaths.h"
#include "tests/support/run_suite.h"

enum { PATH_BYTES = 256, LINE_BYTES = 1024, NOOPS_AT_ONCE = 1000, OBJECT_BYTES = 1000 };

void trace_boot(void)
{
	runtime_boot(
	    &host, "--workers", "3", "--tasks", "4096", "--store", "64M", "--events", "on", );
	host_join();
}

void trace_boot_unlogged(void)
{
	runtime_boot(&host, "--workers", "2", "--tasks", "4096", "--store", "64M", );
	host_join();
}

void trace_end(void)
{
	runtime_end(&host);
}

void trace_stop(void)
{
	host_stop();
}

/* ---- load ---- */

static char *detached(const char *function, const char *one, const char *two)
{
	return ctl_expect(&host, 0, "call", "--detach", "--crash-retries", "2", function, one, two);
}

static plm_ref ref_of(const char *text)
{
	plm_ref ref;
	ck_assert_int_eq(plm_ref_parse(text, &ref), 0);
	return ref;
}

static bool task_runs(void *text)
{
	plm_inspect *in;
	plm_task_row row;
	ck_assert_int_eq(plm_inspect_of(&in, client), 0);
	int r = plm_inspect_task(in, ref_of(text), 0, &row, sizeof row);
	plm_inspect_close(&in);
	return r == 0 && row.state == PLM_STATE_RUNNING;
}

/* The worker process that runs the task. */
static pid_t pid_of(const char *text)
{
	plm_inspect *in;
	plm_work_row row;
	uint64_t cursor = 0;
	pid_t pid = 0;
	ck_assert_int_eq(plm_inspect_of(&in, client), 0);
	while (plm_inspect_work(in, 1u << PLM_KIND_WORKER, &cursor, &row, sizeof row, 1) > 0)
		if (row.running.id == ref_of(text).id)
			pid = row.pid;
	plm_inspect_close(&in);
	return pid;
}

static void kill_the_worker_of_a_task(void)
{
	char *task =
	    ctl_expect(&host, 0, "call", "--detach", "--crash-retries", "2", "probe.sleep", "300");
	until(task_runs, task, "the task runs");
	pid_t pid = pid_of(task);
	ck_assert_int_gt(pid, 0);
	kill(pid, SIGKILL);
	free(ctl_expect(&host, 0, "wait", task));
	free(ctl_expect(&host, 0, "drop", task));
	free(task);
}

static void cancel_a_running_task(void)
{
	char *task = ctl_expect(&host, 0, "call", "--detach", "probe.sleep", "100000");
	until(task_runs, task, "the task runs");
	free(ctl_expect(&host, 0, "cancel", task));
	free(ctl_expect(&host, 1, "wait", task));
	free(task);
}

static void cancel_a_queued_task(void)
{
	char *one = ctl_expect(&host, 0, "call", "--detach", "probe.sleep", "100000");
	char *two = detached("probe.sum", one, "1");
	free(ctl_expect(&host, 0, "cancel", two));
	free(ctl_expect(&host, 0, "cancel", one));
	free(ctl_expect(&host, 1, "wait", one));
	free(one);
	free(two);
}

static void retry_and_return(void)
{
	char *task = ctl_expect(&host, 0, "call", "--detach", "probe.sleep", "100000");
	until(task_runs, task, "the task runs");
	free(ctl_expect(&host, 0, "requeue", task));
	until(task_runs, task, "the task runs again");
	free(ctl_expect(&host, 0, "cancel", task));
	free(ctl_expect(&host, 1, "wait", task));
	free(ctl_expect(&host, 1, "call", "--retries", "2", "probe.fail", "thrice"));
	free(ctl_expect(
	    &host, 124, "submit", "--run-limit", "50ms", "--retries", "1", "--", "sleep", "1000"));
	free(task);
}

/* The second line of the output is the reference of the file. */
static void take_a_further_result(void)
{
	char *both = ctl_expect(
	    &host, 0, "submit", "--detach", "--out", "FILE", "--shell", "echo a file > $FILE");
	char *file = strchr(both, '\n');
	ck_assert_ptr_nonnull(file);
	*file++ = 0;
	free(ctl_expect(&host, 0, "submit", "--stdin", file, "--", "cat"));
	free(ctl_expect(&host, 0, "call", "probe.wordcount", file, both));
	free(ctl_expect(&host, 0, "submit", "--after", both, "--", "true"));
	free(both);
}

static void take_an_object(void)
{
	char text[OBJECT_BYTES];
	memset(text, 'x', sizeof text);
	struct output_of o = ctl_with_input(&host, text, sizeof text, "put", "-");
	ck_assert_int_eq(o.code, 0);
	o.out[strcspn(o.out, "\n")] = 0;
	free(ctl_expect(&host, 0, "call", "probe.wordcount", o.out));
	output_free(&o);
}

void trace_mixed_load(void)
{
	char *a = detached("probe.sum", "1", "2"), *b = detached("probe.sum", a, "10");
	free(ctl_expect(&host, 0, "call", "probe.sum", a, b));
	free(ctl_expect(&host, 0, "call", "probe.sum", a, a));
	free(ctl_expect(&host, 1, "call", "probe.fail", "on purpose"));
	free(ctl_expect(&host, 0, "call", "probe.tree", "3", "2"));
	free(ctl_expect(&host, 0, "submit", "--", "echo", "a command"));
	free(ctl_expect(&host, 3, "submit", "--", "sh", "-c", "exit 3"));
	take_a_further_result();
	take_an_object();
	retry_and_return();
	kill_the_worker_of_a_task();
	cancel_a_running_task();
	cancel_a_queued_task();
	trace_noops(200);
	free(a);
	free(b);
}

void trace_noops(unsigned n)
{
	plm_task task[NOOPS_AT_ONCE];
	plm_ref ref[NOOPS_AT_ONCE];
	for (unsigned i = 0; i < NOOPS_AT_ONCE; i++)
		task[i] = (plm_task){ .function = "probe.noop" };
	for (unsigned at = 0, many; at < n; at += many) {
		many = n - at < NOOPS_AT_ONCE ? n - at : NOOPS_AT_ONCE;
		ck_assert_int_ge(plm_submit_many(client, task, many, ref), 0);
		ck_assert_int_ge(plm_wait(client, ref, many, many, DEADLINE_MS, NULL), 0);
		plm_drop_many(client, ref, many);
	}
}

/* ---- judging ---- */

static const char *python(void)
{
	const char *given = getenv("PYTHON");
	return given && given[0] ? given : "python3";
}

static char *output_of_line(const char *line)
{
	FILE *pipe = popen(line, "r");
	char *text = calloc(1, 1 << 16);
	ck_assert(pipe && text);
	size_t n = fread(text, 1, (1 << 16) - 1, pipe);
	int status = pclose(pipe);
	ck_assert_msg(status == 0, "%s: exit status %#x\n%s", line, (unsigned)status, text);
	text[n] = 0;
	return text;
}

char *trace_python(const char *program, const char *argument)
{
	char line[LINE_BYTES];
	snprintf(line, sizeof line, "%s -c '%s' %s 2>&1", python(), program, argument);
	return output_of_line(line);
}

void trace_judge(const char *program, const char *arguments)
{
	char line[LINE_BYTES * 3];
	snprintf(line, sizeof line, "%s tests/programs/%s %s 2>&1", python(), program, arguments);
	char *text = output_of_line(line);
	printf("%s", text);
	free(text);
}

static void trace_expect(const char *recording, const char *more)
{
	char json[PATH_BYTES], perfetto[PATH_BYTES], tables[PATH_BYTES], line[2 * LINE_BYTES];
	scratch_path(&host, "checked.json.gz", json, sizeof json);
	scratch_path(&host, "checked.pftrace", perfetto, sizeof perfetto);
	scratch_path(&host, "tables", tables, sizeof tables);
	free(ctl_expect(&host, 0, "trace", "--from", recording, json));
	free(ctl_expect(&host, 0, "trace", "--from", recording, perfetto));
	free(ctl_expect(&host, 0, "plot", "--from", recording, "--csv", tables));
	snprintf(line, sizeof line, "%s %s %s %s", tables, json, perfetto, more);
	trace_judge("trace_check.py", line);
}

void trace_expect_true(const char *recording)
{
	trace_expect(recording, "");
}

void trace_expect_all(const char *recording)
{
	char workers[PATH_BYTES];
	char *rows = ctl_expect(&host, 0, "workers", "--json");
	scratch_write(&host, "workers", rows, strlen(rows), workers, sizeof workers);
	trace_expect(recording, workers);
	free(rows);
}

/* ---- plmctl beside the test ---- */

static bool log_is(bool on)
{
	plm_inspect *in;
	plm_events *events;
	plm_events_state state = { .on = !on };
	ck_assert_int_eq(plm_inspect_open(&in, host.name), 0);
	ck_assert_int_eq(plm_events_open(&events, in, PLM_EVENTS_NOW), 0);
	plm_events_state_get(events, &state, sizeof state);
	plm_events_close(&events);
	plm_inspect_close(&in);
	return state.on == on;
}

static bool log_is_on(void *unused)
{
	(void)unused;
	return log_is(true);
}

static bool log_is_off(void *unused)
{
	(void)unused;
	return log_is(false);
}

void trace_await_log_off(const char *what)
{
	until(log_is_off, NULL, what);
}

pid_t trace_record(const char *path, size_t bytes)
{
	const char *const words[] = { "plmctl", "trace", "--record", path, NULL };
	pid_t pid = trace_start(bytes, words);
	until(log_is_on, NULL, "the recording switches the log on");
	return pid;
}

pid_t trace_start(size_t bytes, const char *const *words)
{
	char path[PATH_BYTES];
	const char *bin = getenv("PLM_BIN");
	scratch_path(&host, "stderr", path, sizeof path);
	pid_t pid = fork();
	if (pid == 0) {
		if (!freopen(path, "w", stderr))
			_exit(98);
		const struct rlimit limit = { bytes, bytes };
		signal(SIGXFSZ, SIG_IGN);
		setenv("PLM_NAME", host.name, 1);
		if (bytes)
			setrlimit(RLIMIT_FSIZE, &limit);
		snprintf(path, sizeof path, "%s/plmctl", bin ? bin : ".");
		execv(path, (char *const *)(const void *)words);
		_exit(99);
	}
	return pid;
}
