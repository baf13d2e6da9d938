/* test_command_end.c - commands as tasks, through the real programs: how commands are stopped, the
 * end of all processes of a command, and the end of commands after a process of the runtime was
 * killed. Processes of a command write their pids into files, and the test asks the kernel whether
 * these processes live. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/command_case.h"
#include "tests/support/json.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"
#include "tests/support/program_runtime.h"

enum { TEST_TIMEOUT_S = 60, PATH_BYTES = 256, LINE_BYTES = 2048 };

/* ---- processes and their files ---- */

static bool exists(long pid)
{
	char path[PATH_BYTES], state = 'Z';
	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	FILE *file = fopen(path, "r");
	if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	if (file)
		fclose(file);
	return state != 'Z' && state != 'X';
}

static void expect_gone(const char *name)
{
	long pid = scratch_number(&host, name);
	ck_assert_msg(!exists(pid), "%s, pid %ld, goes on", name, pid);
}

static void expect_death(const char *name)
{
	long pid = scratch_number(&host, name);
	uint64_t deadline_ns = deadline_after_ms(DEADLINE_MS);
	while (exists(pid) && clock_ns() < deadline_ns)
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	ck_assert_msg(!exists(pid), "%s, pid %ld, goes on", name, pid);
}

/* Every kind of process that a command can leave: the command itself, a process of its group, in
 * another session, in another session with an empty environment, one that ignores SIGTERM, and a
 * grandchild. */
static const char *const tree[] = { "self", "group", "session", "bare", "deaf", "grandchild" };
enum { TREE = sizeof tree / sizeof tree[0] };

/* A command that starts all these processes, waits for their pids, runs `prepare`, writes the file
 * "ready" and runs `end`. */
static const char *tree_line(const char *prepare, const char *end)
{
	static char line[LINE_BYTES];
	snprintf(line, sizeof line,
	    "cd %s; echo $$ > self; sleep 1000 & echo $! > group; "
	    "setsid sh -c 'echo $$ > session; exec sleep 1000' & "
	    "setsid env -i /bin/sh -c 'echo $$ > bare; /bin/sleep 1000; :' & "
	    "setsid sh -c 'trap \"\" TERM; echo $$ > deaf; while :; do sleep 0.05; done' & "
	    "(setsid sh -c 'sh -c \"echo \\$\\$ > grandchild; sleep 1000; :\"; :' &) ; "
	    "for i in group session bare deaf grandchild; do until [ -s $i ]; do sleep 0.01; "
	    "done; done; %s echo 1 > ready; %s",
	    host.directory, prepare, end);
	return line;
}

static void forget_tree(void)
{
	char path[PATH_BYTES];
	for (size_t i = 0; i < TREE; i++) {
		scratch_path(&host, tree[i], path, sizeof path);
		unlink(path);
	}
}

static int32_t worker_pid(void)
{
	char *line = ctl_expect(&host, 0, "workers", "--json"), *pid = json_field(line, "pid");
	int32_t ret = (int32_t)atol(pid);
	free(pid);
	free(line);
	return ret;
}

/* ---- all processes end with the command ---- */

START_TEST(whatever_a_command_leaves_behind_ends_before_its_task_does)
{
	check_output(
	    order("--shell", tree_line("", "echo done; exit 4")), 4, "done\n", "left behind");
	for (size_t i = 0; i < TREE; i++)
		expect_gone(tree[i]);
	forget_tree();
	check_output(order("--shell", tree_line("", "kill -9 $$")), 128 + SIGKILL, "", NULL);
	for (size_t i = 0; i < TREE; i++)
		expect_gone(tree[i]);
}
END_TEST

START_TEST(what_is_left_behind_gets_a_sigterm_first)
{
	char line[LINE_BYTES];
	snprintf(line, sizeof line,
	    "cd %s; setsid sh -c 'trap \"echo 1 > asked; exit\" TERM; "
	    "echo $$ > ready; while :; do sleep 0.01; done' & until [ -s ready ]; do sleep 0.01; "
	    "done",
	    host.directory);
	check_output(order("--shell", line), 0, "", "left behind");
	ck_assert_int_eq(scratch_number(&host, "asked"), 1);
	expect_gone("ready");
}
END_TEST

START_TEST(a_process_that_holds_the_output_open_does_not_hold_the_task)
{
	uint64_t begun_ns = clock_ns();
	check_output(order("--shell", "echo out; sleep 1000 &"), 0, "out\n",
	    "ended 1 process the "
	    "command left behind");
	ck_assert_uint_lt(clock_ns() - begun_ns, 10 * NS_PER_S);
}
END_TEST

START_TEST(children_that_a_function_has_are_none_of_a_command)
{
	/* The function has a child process, and waits for a command that runs in its worker. */
	runtime_end(&host);
	runtime_boot(&host, "--workers", "1", "--module", test_module("mod_parent"), );
	check_output(ctl(&host, "call", "parent.wait"), 0, "value\nalive", NULL);
}
END_TEST

/* ---- a command is asked to stop ---- */

START_TEST(a_cancelled_command_gets_a_sigterm_at_once)
{
	char line[LINE_BYTES];
	int32_t worker = worker_pid();
	snprintf(line, sizeof line,
	    "cd %s; trap 'echo 1 > asked; exit 1' TERM; echo; "
	    "echo $$ > self; while :; do sleep 0.01; done",
	    host.directory);
	char *ref = detached("--grace", "30s", "--shell", line);
	scratch_number(&host, "self");
	uint64_t begun_ns = clock_ns();
	free(ctl_expect(&host, 0, "cancel", ref));
	ck_assert_int_eq(scratch_number(&host, "asked"), 1);
	/* The SIGTERM did not wait for the next tick of a second, nor for half of the grace. */
	ck_assert_uint_lt(clock_ns() - begun_ns, 800 * NS_PER_MS);
	expect_death("self");
	ctl_until(&host, "\"asked_to_stop\": true", "info", "--json", ref);
	expect_field(ref, "state", "cancelled");
	expect_field(ref, "killed", "false");
	ck_assert_int_eq(worker_pid(), worker);
	check_output(ctl(&host, "get", ref), 130, "", "cancelled");
	free(ref);
}
END_TEST

START_TEST(a_command_that_ignores_sigterm_is_killed_and_its_worker_is_not)
{
	int32_t worker = worker_pid();
	char *ref = detached("--grace", "800ms", "--shell",
	    tree_line("trap '' TERM;", "while :; do sleep 0.01; done"));
	scratch_number(&host, "ready");
	free(ctl_expect(&host, 0, "cancel", ref));
	for (size_t i = 0; i < TREE; i++)
		expect_death(tree[i]);
	ctl_until(&host, "\"killed\": true", "info", "--json", ref);
	expect_field(ref, "signal", "9");
	ck_assert_int_eq(worker_pid(), worker);
	free(ref);
}
END_TEST

START_TEST(a_stopped_command_can_be_cancelled)
{
	char line[LINE_BYTES];
	snprintf(line, sizeof line, "echo $$ > %s/self; kill -STOP $$", host.directory);
	char *ref = detached("--grace", "5s", "--shell", line);
	scratch_number(&host, "self");
	free(ctl_expect(&host, 0, "cancel", ref));
	expect_death("self");
	ctl_until(&host, "\"asked_to_stop\": true", "info", "--json", ref);
	expect_field(ref, "signal", "15");
	free(ref);
}
END_TEST

START_TEST(a_limit_of_time_ends_a_command_and_is_124)
{
	check_output(order("--run-limit", "100ms", "--shell", tree_line("", "sleep 1000")), 124, "",
	    "killed: ran longer than --run-limit 100ms");
	check_output(order("--run-limit", "100ms", "--shell", "echo so far; sleep 1000"), 124,
	    "so far\n", NULL);
	check_output(order("--timeout", "0.1", "sleep", "1000"), 124, "", "--timeout ran out");
	ctl_until(&host, "\"workers_busy\": 0", "status", "--json");
}
END_TEST

START_TEST(stopping_the_runtime_now_ends_its_commands)
{
	char *ref = detached("--shell", tree_line("trap '' TERM;", "while :; do sleep 0.01; done"));
	scratch_number(&host, "ready");
	free(ctl_expect(&host, 0, "stop", "--now"));
	ck_assert(wait_for_death(host.pid));
	for (size_t i = 0; i < TREE; i++)
		expect_gone(tree[i]);
	free(ref);
	host_boot("1");
}
END_TEST

/* ---- retries ---- */

START_TEST(a_command_is_tried_again_and_the_last_attempt_counts)
{
	char *ref = detached("--retries", "2", "--shell", "echo try $PLM_ATTEMPT; exit 3");
	check_output(ctl(&host, "logs", "--follow", ref), 0, NULL, NULL);
	check_output(ctl(&host, "logs", ref), 0, "try 3\n", NULL);
	expect_field(ref, "attempt", "3");
	check_output(ctl(&host, "tasks", "--state", "dead", "--quiet"), 0, NULL, NULL);
	char *again = ctl_expect(&host, 0, "retry", ref);
	check_output(ctl(&host, "wait", again), 1, NULL, NULL);
	check_output(ctl(&host, "logs", again), 0, "try 3\n", NULL);
	check_output(order("--retries", "2", "--shell", "test $PLM_ATTEMPT = 2"), 0, "", NULL);
	check_output(order("--retries", "1", "--shell", "exit 8"), 8, "", NULL);
	free(again);
	free(ref);
}
END_TEST

START_TEST(replicas_of_a_command_yield_one_output)
{
	runtime_end(&host);
	runtime_boot(&host, "--workers", "2", );
	check_output(order("--replicas", "2", "--shell", "echo one; sleep 0.05"), 0, "one\n", NULL);
	check_output(order("--replicas", "2", "--shell", "exit 6"), 6, "", "exit code 6");
	/* replicas have no log, so the message names the bytes that were cut off */
	check_output(order("--replicas", "2", "head", "-c", "20000000", "/dev/zero"), 125, "",
	    "of its output 3222784 bytes were cut off");
}
END_TEST

/* ---- deaths ---- */

START_TEST(all_of_a_command_dies_with_its_worker)
{
	char *ref = detached("--shell", tree_line("", "sleep 1000"));
	scratch_number(&host, "ready");
	kill(worker_pid(), SIGKILL);
	check_output(ctl(&host, "get", ref), 128 + SIGKILL, "", "its worker was killed");
	for (size_t i = 0; i < TREE; i++)
		expect_death(tree[i]);
	check_output(order("echo", "goes on"), 0, "goes on\n", NULL);
	free(ref);
}
END_TEST

START_TEST(a_command_runs_again_after_its_worker_died)
{
	char *ref = detached("--crash-retries", "1", "--shell",
	    "test $PLM_ATTEMPT = 1 && kill -9 $PPID; echo attempt $PLM_ATTEMPT");
	check_output(ctl(&host, "get", ref), 0, "attempt 2\n", NULL);
	free(ref);
}
END_TEST

/* The command itself ends at once; processes with the mark of the task in their environment end at
 * the next boot of the name. plm cannot find a process that left both session and environment, so
 * the test ends that process. */
START_TEST(what_a_killed_runtime_leaves_is_ended_at_the_latest_by_the_next_of_its_name)
{
	char *ref = detached("--shell", tree_line("", "sleep 1000"));
	scratch_number(&host, "ready");
	runtime_kill(&host);
	expect_death("self");
	runtime_reboot_with(&host, (const char *const[]){ "--workers", "1", NULL });
	for (size_t i = 0; i < TREE; i++)
		if (strcmp(tree[i], "bare") != 0)
			expect_gone(tree[i]);
	kill(-(pid_t)scratch_number(&host, "bare"), SIGKILL);
	free(ref);
}
END_TEST

START_TEST(a_command_of_another_runtime_is_left_alone_by_a_boot)
{
	struct runtime other = host;
	char *ref = detached("--shell", tree_line("", "sleep 1000"));
	scratch_number(&host, "ready");
	runtime_boot(&host, "--workers", "1", );
	runtime_kill(&host);
	runtime_reboot_with(&host, (const char *const[]){ "--workers", "1", NULL });
	runtime_stop(&host);
	runtime_end(&host);
	host = other;
	setenv("XDG_RUNTIME_DIR", host.directory, 1);
	for (size_t i = 0; i < TREE; i++)
		ck_assert(exists(scratch_number(&host, tree[i])));
	free(ctl_expect(&host, 0, "cancel", ref));
	free(ref);
}
END_TEST

/* The worker beats each second while its command runs. */
START_TEST(a_long_command_is_no_worker_that_hangs)
{
	runtime_end(&host);
	runtime_boot(&host, "--workers", "1", "--hang-after", "2s", );
	int32_t worker = worker_pid();
	check_output(order("--shell", "sleep 3; echo lived"), 0, "lived\n", NULL);
	ck_assert_int_eq(worker_pid(), worker);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		whatever_a_command_leaves_behind_ends_before_its_task_does,
		what_is_left_behind_gets_a_sigterm_first,
		a_process_that_holds_the_output_open_does_not_hold_the_task,
		children_that_a_function_has_are_none_of_a_command,
		a_cancelled_command_gets_a_sigterm_at_once,
		a_command_that_ignores_sigterm_is_killed_and_its_worker_is_not,
		a_stopped_command_can_be_cancelled,
		a_limit_of_time_ends_a_command_and_is_124,
		stopping_the_runtime_now_ends_its_commands,
		a_command_is_tried_again_and_the_last_attempt_counts,
		replicas_of_a_command_yield_one_output,
		all_of_a_command_dies_with_its_worker,
		a_command_runs_again_after_its_worker_died,
		what_a_killed_runtime_leaves_is_ended_at_the_latest_by_the_next_of_its_name,
		a_command_of_another_runtime_is_left_alone_by_a_boot,
		a_long_command_is_no_worker_that_hangs,
	};
	return run_tests("command end", TEST_TIMEOUT_S, host_boot_one, host_stop, tests,
	    sizeof tests / sizeof tests[0]);
}
