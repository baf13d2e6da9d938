/* test_nested_commands.c - commands that wait, through plmctl, for tasks of their own runtime: a
 * spare gets the cpu, and a wait that can never end is an error. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/command_case.h"
#include "tests/support/json.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60, LINE_BYTES = 1024 };

static void nested_commands_boot(const char *workers, const char *spares)
{
	char path[LINE_BYTES];
	const char *bin = getenv("PLM_BIN");
	ck_assert_ptr_nonnull(realpath(bin ? bin : ".", path));
	setenv("BIN", path, 1); /* a command gets the environment of plmctl, hence ours */
	runtime_boot(
	    &host, "--workers", workers, "--spares", spares, "--tasks", "4096", "--store", "64M", );
	setenv("HERE", host.directory, 1);
}

static void expect_line(const char *line, int code, const char *out, const char *err)
{
	check_output(order("--shell", line), code, out, err);
}

static int32_t pid_of(const char *key)
{
	char *line = ctl_expect(&host, 0, "status", "--json"), *pid = json_field(line, key);
	int32_t ret = (int32_t)atol(pid);
	free(pid);
	free(line);
	return ret;
}

/* ---- a spare gets the cpu of a waiting command ---- */

START_TEST(maps_in_all_slots_run_what_they_map)
{
	nested_commands_boot("2", "2");
	check_output(
	    ctl(&host, "map", "-k", "-j2", "$BIN/plmctl map echo ::: {}; :", ":::", "1", "2"), 0,
	    "1\n2\n", NULL);
	expect_line("seq 300 | $BIN/plmctl map -k -j4 echo {} | tail -n 1", 0, "300\n", NULL);
	host_stop();
}
END_TEST

START_TEST(each_command_that_waits_is_served_on_one_worker)
{
	nested_commands_boot("1", "2");
	expect_line("$BIN/plmctl submit -- echo inner", 0, "inner\n", NULL);
	expect_line("$BIN/plmctl submit -- $BIN/plmctl submit -- echo deep", 0, "deep\n", NULL);
	expect_line("$BIN/plmctl call probe.echo called", 0, "called", NULL);
	expect_line("$BIN/plmctl get $($BIN/plmctl submit --detach -- echo got)", 0, "got\n", NULL);
	expect_line(
	    "$BIN/plmctl wait --quiet $($BIN/plmctl submit --detach -- true)", 0, NULL, NULL);
	expect_line("echo echo loaded | $BIN/plmctl load --wait -", 0, NULL, "1 tasks ended");
	expect_line("$BIN/plmctl map --private echo ::: own", 0, "own\n", NULL);
	host_stop();
}
END_TEST

START_TEST(several_clients_of_one_command_may_wait_at_once)
{
	nested_commands_boot("1", "1");
	expect_line("for i in 1 2 3; do $BIN/plmctl submit -- echo $i & done; wait", 0, NULL, NULL);
	host_stop();
}
END_TEST

START_TEST(tasks_of_tasks_are_accepted_by_a_runtime_that_drains)
{
	nested_commands_boot("1", "1");
	char *ref = detached("--shell",
	    "until [ -e $HERE/go ]; do sleep 0.01; done; "
	    "$BIN/plmctl submit -- echo late");
	ctl_until(&host, "\"workers_busy\": 1", "status", "--json");
	check_output(ctl(&host, "--timeout", "0.01", "drain"), 124, "", NULL);
	char path[LINE_BYTES];
	scratch_write(&host, "go", "", 0, path, sizeof path);
	check_output(ctl(&host, "get", ref), 0, "late\n", NULL);
	free(ref);
	host_stop();
}
END_TEST

START_TEST(explain_names_the_client_that_waits_inside)
{
	nested_commands_boot("1", "1");
	char *ref = detached("--shell",
	    "$BIN/plmctl submit -- sh -c "
	    "'until [ -e $HERE/go ]; do sleep 0.01; done'");
	ctl_until(&host, "plmctl, pid", "explain", ref);
	ctl_until(&host, "waits in its command for @", "explain", ref);
	char path[LINE_BYTES];
	scratch_write(&host, "go", "", 0, path, sizeof path);
	check_output(ctl(&host, "wait", ref), 0, NULL, NULL);
	free(ref);
	host_stop();
}
END_TEST

/* ---- waits that can never end ---- */

START_TEST(a_command_that_waits_for_itself_is_told)
{
	static const char *const lines[] = { "$BIN/plmctl wait $PLM_TASK",
		"$BIN/plmctl get $PLM_TASK", "$BIN/plmctl call probe.echo $PLM_TASK" };
	nested_commands_boot("1", "2");
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		expect_line(lines[i], 125, "", "waits for itself");
	expect_line("$BIN/plmctl stop", 125, "", "or with --now");
	expect_line("$BIN/plmctl drain", 125, "", "call it from outside");
	expect_line("$BIN/plmctl drain 0", 125, "", "call it from outside");
	host_stop();
}
END_TEST

START_TEST(at_the_cap_the_innermost_wait_fails_and_names_the_remedy)
{
	nested_commands_boot("1", "1");
	expect_line("$BIN/plmctl submit -- $BIN/plmctl submit -- echo too deep", 125, "",
	    "larger --spares");
	expect_line("$BIN/plmctl submit -- $BIN/plmctl map -j4 sleep ::: 0 0 0 0 0", 125, "",
	    "larger --spares");
	expect_line("$BIN/plmctl submit -- echo not so deep", 0, "not so deep\n", NULL);
	host_stop();
}
END_TEST

START_TEST(a_task_named_by_somebody_elses_environment_is_no_wait_of_ours)
{
	nested_commands_boot("1", "0");
	char *ref = ctl_expect(&host, 0, "submit", "--detach", "--", "true");
	free(ctl_expect(&host, 0, "wait", ref));
	setenv("PLM_TASK", ref, 1); /* a task that has ended */
	check_output(order("true"), 0, "", NULL);
	setenv("PLM_TASK", "nonsense", 1);
	check_output(order("true"), 0, "", NULL);
	setenv("PLM_TASK", "@1.1.1", 1); /* a reference of another runtime */
	check_output(order("true"), 0, "", NULL);
	unsetenv("PLM_TASK");
	free(ref);
	host_stop();
}
END_TEST

/* ---- deaths ---- */

/* A command whose plmctl waits for a task; the task runs in a spare until the file "go" exists. */
static char *start_waiting(const char *then)
{
	char line[LINE_BYTES];
	snprintf(line, sizeof line,
	    "$BIN/plmctl submit -- sh -c "
	    "'echo > $HERE/inner; until [ -e $HERE/go ]; do sleep 0.01; done' & "
	    "echo $! > $HERE/client; wait; %s",
	    then);
	char *ref = detached("--shell", line);
	ctl_until(&host, "waits in its command for @", "explain", ref);
	ctl_until(&host, "\"running\": 2", "status", "--json");
	return ref;
}

static void let_go(void)
{
	char path[LINE_BYTES];
	scratch_write(&host, "go", "", 0, path, sizeof path);
}

START_TEST(a_client_killed_inside_gives_the_slot_back)
{
	char path[LINE_BYTES];
	nested_commands_boot("1", "1");
	char *ref = start_waiting("until [ -e $HERE/end ]; do sleep 0.01; done; echo end");
	ck_assert_int_eq(kill((pid_t)scratch_number(&host, "client"), SIGKILL), 0);
	ctl_until(&host, "\"clients\": 1", "status", "--json"); /* the killed plmctl is buried */
	char *said = ctl_expect(&host, 0, "explain", ref);
	ck_assert_msg(!strstr(said, "waits in its command"), "%s", said);
	free(said);
	let_go();
	scratch_write(&host, "end", "", 0, path, sizeof path);
	check_output(ctl(&host, "get", ref), 0, "end\n", NULL);
	free(ref);
	host_stop();
}
END_TEST

START_TEST(a_worker_killed_while_its_command_waits_leaves_nobody_waiting)
{
	nested_commands_boot("1", "1");
	char *ref = start_waiting("echo end"), *worker = ctl_expect(&host, 0, "explain", ref);
	const char *pid = strstr(worker, "pid ");
	ck_assert_ptr_nonnull(pid);
	ck_assert_int_eq(kill((pid_t)atol(pid + 4), SIGKILL), 0);
	check_output(ctl(&host, "wait", ref), 1, NULL, NULL);
	let_go();
	expect_line("$BIN/plmctl submit -- echo on", 0, "on\n", NULL);
	free(worker);
	free(ref);
	host_stop();
}
END_TEST

START_TEST(a_scheduler_killed_while_commands_wait_finds_them_again)
{
	nested_commands_boot("1", "2");
	char *ref = start_waiting("$BIN/plmctl submit -- $BIN/plmctl submit -- echo after");
	int32_t scheduler = pid_of("scheduler_pid");
	ck_assert_int_eq(kill(scheduler, SIGKILL), 0);
	ck_assert(wait_for_death(scheduler));
	let_go();
	check_output(ctl(&host, "get", ref), 0, "after\n", NULL);
	free(ref);
	host_stop();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		maps_in_all_slots_run_what_they_map,
		each_command_that_waits_is_served_on_one_worker,
		several_clients_of_one_command_may_wait_at_once,
		tasks_of_tasks_are_accepted_by_a_runtime_that_drains,
		explain_names_the_client_that_waits_inside,
		a_command_that_waits_for_itself_is_told,
		at_the_cap_the_innermost_wait_fails_and_names_the_remedy,
		a_task_named_by_somebody_elses_environment_is_no_wait_of_ours,
		a_client_killed_inside_gives_the_slot_back,
		a_worker_killed_while_its_command_waits_leaves_nobody_waiting,
		a_scheduler_killed_while_commands_wait_finds_them_again,
	};
	return run_tests(
	    "nested commands", TEST_TIMEOUT_S, NULL, NULL, tests, sizeof tests / sizeof tests[0]);
}
