/* test_client_ends.c - tasks that end with their client: the effect of a signal, or of death, on
 * the tasks of a waiting plmctl; and waiting until a cancelled task has really ended. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/handle.h"
#include "tests/support/command_case.h"
#include "tests/support/json.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60, PATH_BYTES = 256, KILLED = 128 };

/* A command that ignores SIGTERM, so that only SIGKILL helps. The file "deaf" gets its pid. */
#define DEAF "trap '' TERM; echo $$ > $HERE/deaf; while :; do sleep 0.01; done"
#define GRACE "300ms"

static void client_ends_boot(void)
{
	host_boot("1");
	setenv(
	    "HERE", host.directory, 1); /* a command gets the environment of plmctl, hence ours */
	setenv("PLM_NAME", host.name, 1);
	setenv("XDG_RUNTIME_DIR", host.directory, 1);
}

/* ---- a plmctl in the background ---- */

#define start(...) start_with((const char *const[]){ "plmctl", __VA_ARGS__, NULL })
static pid_t start_with(const char *const *arguments)
{
	char program[PATH_BYTES], said[PATH_BYTES];
	const char *bin = getenv("PLM_BIN");
	snprintf(program, sizeof program, "%s/plmctl", bin ? bin : ".");
	scratch_path(&host, "said", said, sizeof said);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	int fd = open(said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execv(program, (char *const *)(uintptr_t)arguments);
	_exit(99);
}

static int end_of(pid_t pid)
{
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : KILLED + WTERMSIG(status);
}

static void expect_said(const char *text)
{
	char path[PATH_BYTES], all[1024] = "";
	scratch_path(&host, "said", path, sizeof path);
	FILE *file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	size_t n = fread(all, 1, sizeof all - 1, file);
	all[n] = 0;
	fclose(file);
	ck_assert_msg(strstr(all, text) != NULL, "it said \"%s\", without \"%s\"", all, text);
}

static bool is_there(const char *name)
{
	char path[PATH_BYTES];
	scratch_path(&host, name, path, sizeof path);
	return access(path, F_OK) == 0;
}

/* Waits until the deaf command has written its pid; removes the file. */
static pid_t deaf(void)
{
	char path[PATH_BYTES];
	pid_t pid = (pid_t)scratch_number(&host, "deaf");
	scratch_path(&host, "deaf", path, sizeof path);
	unlink(path);
	return pid;
}

/* A zombie counts as gone. */
static void expect_gone(pid_t pid)
{
	ck_assert_msg(process_start_time(pid) == 0, "pid %d runs still", (int)pid);
}

static void nothing_is_left(void)
{
	ctl_until(&host, "\"records_used\": 0", "status", "--json");
}

/* ---- signals ---- */

START_TEST(the_first_signal_cancels_says_so_and_waits_for_the_end)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		pid_t waiter = start("submit", "--grace", GRACE, "--shell", DEAF);
		pid_t command = deaf();
		ck_assert_int_eq(kill(waiter, signals[i]), 0);
		ck_assert_int_eq(end_of(waiter), KILLED + signals[i]);
		expect_gone(command);
		expect_said("cancelling; press Ctrl-C again");
	}
	pid_t waiter = start("call", "probe.sleep", "100000");
	ctl_until(&host, "\"running\": 1", "status", "--json");
	ck_assert_int_eq(kill(waiter, SIGINT), 0);
	ck_assert_int_eq(end_of(waiter), KILLED + SIGINT);
	nothing_is_left();
}
END_TEST

START_TEST(what_a_signal_cancels_has_its_grace)
{
	pid_t waiter = start("submit", "--grace", "1h", "--shell",
	    "trap 'echo > $HERE/asked; "
	    "sleep 0.2; echo > $HERE/in_peace; exit' TERM; echo $$ > $HERE/deaf; "
	    "while :; do sleep 0.01; done");
	pid_t command = deaf();
	ck_assert_int_eq(kill(waiter, SIGINT), 0);
	ck_assert_int_eq(end_of(waiter), KILLED + SIGINT);
	expect_gone(command);
	ck_assert(is_there("asked") && is_there("in_peace"));
}
END_TEST

START_TEST(the_second_signal_leaves_at_once)
{
	pid_t waiter = start("submit", "--grace", "1h", "--shell", DEAF), command = deaf();
	ck_assert_int_eq(kill(waiter, SIGINT), 0);
	ctl_until(&host, "stopping", "tasks", "--json");
	ck_assert_int_eq(kill(waiter, SIGINT), 0);
	ck_assert_int_eq(end_of(waiter), KILLED + SIGINT);
	ck_assert_int_eq(kill(command, SIGKILL), 0);
	nothing_is_left();
}
END_TEST

START_TEST(what_a_signal_finds_queued_never_starts)
{
	pid_t first = start("submit", "--grace", GRACE, "--shell", DEAF), command = deaf();
	pid_t second = start("submit", "--shell", "echo > $HERE/started");
	ctl_until(&host, "\"ready\": 1", "status", "--json");
	ck_assert_int_eq(kill(second, SIGTERM), 0);
	ck_assert_int_eq(end_of(second), KILLED + SIGTERM);
	ck_assert_int_eq(kill(first, SIGINT), 0);
	ck_assert_int_eq(end_of(first), KILLED + SIGINT);
	expect_gone(command);
	nothing_is_left();
	ck_assert(!is_there("started"));
}
END_TEST

/* ---- deaths ---- */

START_TEST(tasks_of_a_killed_client_end_and_the_queued_never_start)
{
	pid_t first = start("submit", "--grace", GRACE, "--shell", DEAF), command = deaf();
	pid_t second = start("submit", "--shell", "echo > $HERE/started");
	ctl_until(&host, "\"ready\": 1", "status", "--json");
	kill(second, SIGKILL);
	kill(first, SIGKILL);
	end_of(first);
	end_of(second);
	ck_assert(wait_for_death(command));
	nothing_is_left();
	ck_assert(!is_there("started"));
	pid_t map = start("map", "-j1", "--grace", GRACE, DEAF "; :", ":::", "1", "2", "3");
	command = deaf();
	kill(map, SIGKILL);
	end_of(map);
	ck_assert(wait_for_death(command));
	nothing_is_left();
}
END_TEST

START_TEST(a_scheduler_that_was_dead_meanwhile_ends_them_too)
{
	char *line = ctl_expect(&host, 0, "status", "--json");
	char *pid = json_field(line, "scheduler_pid");
	pid_t waiter = start("submit", "--grace", GRACE, "--shell", DEAF), command = deaf();
	ck_assert_int_eq(kill((pid_t)atol(pid), SIGSTOP), 0);
	kill(waiter, SIGKILL);
	end_of(waiter);
	ck_assert_int_eq(kill((pid_t)atol(pid), SIGKILL), 0);
	ck_assert(wait_for_death(command));
	nothing_is_left();
	free(pid);
	free(line);
}
END_TEST

/* ---- tasks that do not end with their client: detached, or not tied ---- */

START_TEST(what_is_detached_or_not_tied_goes_on)
{
	plm *rt;
	char *ref = detached("--shell", "until [ -e $HERE/go ]; do sleep 0.01; done; echo on");
	ck_assert_int_eq(plm_connect(&rt, host.name), 0);
	plm_ref lonely;
	const plm_arg text = PLM_BYTES("1", 1);
	const plm_task task = { .function = "probe.sleep", .args = &text, .nargs = 1 };
	ck_assert_int_eq(plm_submit(rt, &task, &lonely), 0); /* a task that nobody waits for */
	plm_drop(rt, lonely);
	plm_disconnect(&rt);
	char path[PATH_BYTES];
	scratch_write(&host, "go", "", 0, path, sizeof path);
	check_output(ctl(&host, "get", ref), 0, "on\n", NULL);
	ctl_until(&host, "\"done\": 2", "workers", "--json");
	free(ctl_expect(&host, 0, "drop", ref));
	nothing_is_left();
	free(ref);
}
END_TEST

START_TEST(a_tied_task_lives_as_long_as_anybody_holds_or_needs_it)
{
	plm *maker, *other;
	plm_ref held, needed, child;
	ck_assert_int_eq(plm_connect(&maker, host.name), 0);
	ck_assert_int_eq(plm_connect(&other, host.name), 0);
	ck_assert_int_eq(plm_pause(maker), 0);
	const plm_arg text = PLM_BYTES("x", 1);
	const plm_task tied = {
		.function = "probe.echo", .args = &text, .nargs = 1, .flags = PLM_TIED
	};
	ck_assert_int_eq(plm_submit(maker, &tied, &held), 0);
	ck_assert_int_eq(plm_submit(maker, &tied, &needed), 0);
	const plm_arg future = PLM_FUTURE(needed);
	const plm_task after = { .function = "probe.echo", .args = &future, .nargs = 1 };
	ck_assert_int_eq(plm_submit(maker, &after, &child), 0);
	ck_assert_int_eq(plm_hold(other, held), 0);
	ck_assert_int_eq(plm_hold(other, child), 0);
	plm_disconnect(&maker);
	ctl_until(&host, "\"clients\": 2", "status", "--json"); /* `other`, and plmctl itself */
	ck_assert_int_eq(plm_resume(other), 0);
	plm_view view;
	ck_assert_int_eq(plm_get(other, held, &view, DEADLINE_MS), 0);
	plm_release(other, &view);
	ck_assert_int_eq(plm_get(other, child, &view, DEADLINE_MS), 0);
	plm_release(other, &view);
	plm_disconnect(&other);
	nothing_is_left();
}
END_TEST

START_TEST(a_tied_task_is_cancelled_with_all_it_needs_when_it_is_dropped)
{
	plm *rt;
	plm_ref parent, child;
	ck_assert_int_eq(plm_connect(&rt, host.name), 0);
	ck_assert_int_eq(plm_pause(rt), 0);
	const plm_arg text = PLM_BYTES("x", 1);
	plm_task task = { .function = "probe.echo", .args = &text, .nargs = 1, .flags = PLM_TIED };
	ck_assert_int_eq(plm_submit(rt, &task, &parent), 0);
	const plm_arg future = PLM_FUTURE(parent);
	task.args = &future;
	ck_assert_int_eq(plm_submit(rt, &task, &child), 0);
	plm_drop(rt, parent);
	plm_drop(rt, child);
	nothing_is_left(); /* although the queue is paused */
	plm_disconnect(&rt);
}
END_TEST

/* ---- no process of the task is left ---- */

START_TEST(wait_returns_when_nothing_of_a_cancelled_task_runs)
{
	char *ref = detached("--grace", GRACE, "--shell", DEAF);
	pid_t command = deaf();
	free(ctl_expect(&host, 0, "cancel", ref));
	check_output(ctl(&host, "wait", ref), 1, NULL, NULL);
	expect_gone(command);
	free(ref);
	ref = detached("--grace", GRACE, "--shell", DEAF);
	command = deaf();
	free(ctl_expect(&host, 0, "cancel", "--wait", ref));
	expect_gone(command);
	free(ref);
	pid_t waiter = start("submit", "--grace", GRACE, "--shell", DEAF);
	command = deaf();
	free(ctl_expect(&host, 0, "cancel", "--in-progress"));
	ck_assert_int_eq(end_of(waiter), 130);
	expect_gone(command);
}
END_TEST

START_TEST(cancel_that_waits_heeds_its_timeout_and_requeue_does_not_wait)
{
	char *ref = detached("--grace", "1h", "--shell", DEAF);
	pid_t command = deaf();
	check_output(ctl(&host, "requeue", "--wait", ref), 64, "", "--wait");
	check_output(ctl(&host, "--timeout", "0.05", "cancel", "--wait", ref), 124, "", NULL);
	ck_assert_int_eq(kill(command, SIGKILL), 0);
	check_output(ctl(&host, "wait", ref), 1, NULL, NULL);
	free(ref);
}
END_TEST

START_TEST(what_runs_out_of_time_is_gone_when_plmctl_returns)
{
	pid_t waiter = start("submit", "--timeout", "0.2", "--grace", GRACE, "--shell", DEAF);
	pid_t command = deaf();
	ck_assert_int_eq(end_of(waiter), 124);
	expect_gone(command);
	waiter = start("--timeout", "0.2", "map", "-j1", "--grace", GRACE, DEAF "; :", ":::", "1");
	command = deaf();
	ck_assert_int_eq(end_of(waiter), 124);
	expect_gone(command);
}
END_TEST

START_TEST(a_cancelled_task_of_a_killed_worker_is_gone_too)
{
	plm *rt;
	char *ref = detached("--grace", "1h", "--shell", DEAF);
	pid_t command = deaf();
	free(ctl_expect(&host, 0, "cancel", ref));
	ck_assert_int_eq(plm_connect(&rt, host.name), 0);
	plm_ref task;
	ck_assert_int_eq(plm_ref_parse(ref, &task), 0);
	ck_assert_int_eq(plm_wait(rt, &task, 1, 1, 0, NULL), 0);
	ck_assert_int_eq(plm_wait_ended(rt, &task, 1, 1, 0, NULL), -ETIMEDOUT);
	char *line = ctl_expect(&host, 0, "workers", "--json"), *pid = json_field(line, "pid");
	ck_assert_int_eq(kill((pid_t)atol(pid), SIGKILL), 0);
	ck_assert_int_eq(plm_wait_ended(rt, &task, 1, 1, DEADLINE_MS, NULL), 0);
	expect_gone(command);
	plm_disconnect(&rt);
	free(pid);
	free(line);
	free(ref);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_first_signal_cancels_says_so_and_waits_for_the_end,
		what_a_signal_cancels_has_its_grace,
		the_second_signal_leaves_at_once,
		what_a_signal_finds_queued_never_starts,
		tasks_of_a_killed_client_end_and_the_queued_never_start,
		a_scheduler_that_was_dead_meanwhile_ends_them_too,
		what_is_detached_or_not_tied_goes_on,
		a_tied_task_lives_as_long_as_anybody_holds_or_needs_it,
		a_tied_task_is_cancelled_with_all_it_needs_when_it_is_dropped,
		wait_returns_when_nothing_of_a_cancelled_task_runs,
		cancel_that_waits_heeds_its_timeout_and_requeue_does_not_wait,
		what_runs_out_of_time_is_gone_when_plmctl_returns,
		a_cancelled_task_of_a_killed_worker_is_gone_too,
	};
	return run_tests("client ends", TEST_TIMEOUT_S, client_ends_boot, host_stop, tests,
	    sizeof tests / sizeof tests[0]);
}
