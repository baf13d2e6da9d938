/* test_fleet_deaths.c - hosts of a fleet are killed, stopped and cut off, Redis is killed: no
 * accepted task is lost, none commits twice, and none begins more often than its retries allow.
 *
 * Tasks write a line into a ledger when they begin. The engine counts commits. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/fleet_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 300, PATH_BYTES = 300, TASKS = 300, CRASH_RETRIES = 9 };

/* Loads TASKS commands, each of which begins with a line of its own in the ledger. */
static void load_tasks(const char *crash_retries, const char *work)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/tasks", fleet_directory);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < TASKS; i++)
		fprintf(
		    file, "shell:0:0:0:echo %d. >> %s; %s; echo %d\n", i, fleet_ledger(), work, i);
	fclose(file);
	fleet_run(0, "load", "--crash-retries", crash_retries, path);
}

/* Each task is done, in the engine and in the ledger; returns how many began again. */
static unsigned check_ledger(void)
{
	char expected[64], begin[16];
	unsigned again = 0;
	struct output_of o = fleet("wait", "--finished", "--todo", "--in-progress", "--failed");
	ck_assert_msg(o.code == 0, "exit code %d: %s", o.code, o.err);
	output_free(&o);
	char *status = fleet_expect(0, "status", "--json");
	snprintf(expected, sizeof expected, "\"done\": %d, \"failed\": 0, \"cancelled\": 0", TASKS);
	ck_assert_msg(strstr(status, expected) != NULL, "%s is not in %s", expected, status);
	free(status);
	for (int i = 0; i < TASKS; i++) {
		snprintf(begin, sizeof begin, "%d.", i);
		unsigned lines = fleet_ledger_lines(begin);
		ck_assert_msg(
		    lines >= 1 && lines <= 1 + CRASH_RETRIES, "task %d began %u times", i, lines);
		again += lines - 1;
	}
	char *values = fleet_expect(0, "tasks", "--json", "--finished");
	unsigned rows = 0;
	for (const char *at = values; (at = strstr(at, "\"state\": \"done\"")) != NULL; at++)
		rows++;
	ck_assert_uint_eq(rows, TASKS);
	free(values);
	return again;
}

START_TEST(a_killed_host_loses_its_tasks_to_others_at_once)
{
	fleet_host_up(0, "3");
	fleet_host_up(1, "3");
	load_tasks("9", "sleep 0.02");
	fleet_ledger_until(TASKS / 5);
	fleet_host_kill(1);
	unsigned again = check_ledger();
	printf("a host killed: %d tasks done, %u began again\n", TASKS, again);
	fleet_host_until(1, "lost");
}
END_TEST

START_TEST(a_task_without_crash_retries_runs_at_most_once)
{
	fleet_host_up(0, "1");
	char line[PATH_BYTES + 64];
	snprintf(line, sizeof line, "echo began >> %s; sleep 1000", fleet_ledger());
	char *ref = fleet_expect(0, "submit", "--detach", "--shell", line);
	fleet_ledger_until(1);
	fleet_host_kill(0);
	fleet_host_up(1, "1");
	fleet_run(1, "wait", ref);
	char *row = fleet_expect(0, "info", "--json", ref);
	ck_assert_ptr_nonnull(strstr(row, "gave no sign of life"));
	ck_assert_uint_eq(fleet_ledger_lines("began"), 1);
	free(row);
	free(ref);
}
END_TEST

START_TEST(a_host_stopped_for_two_leases_finds_its_attempts_void)
{
	fleet_host_up(0, "3");
	fleet_host_up(1, "3");
	load_tasks("9", "sleep 0.05");
	fleet_ledger_until(TASKS / 5);
	fleet_host_signal(1, SIGSTOP);
	fleet_host_until(1, "lost");
	/* All tasks end on the other host meanwhile. */
	unsigned again = check_ledger();
	fleet_host_signal(1, SIGCONT);
	fleet_host_until(1, "up");
	char *status = fleet_expect(0, "status", "--json");
	ck_assert_ptr_nonnull(strstr(status, "\"done\": 300"));
	ck_assert_ptr_nonnull(strstr(status, "\"running\": 0"));
	free(status);
	check_ledger();
	printf("a host stopped: %d tasks done, %u began again\n", TASKS, again);
	char *ref = fleet_expect(0, "submit", "--detach", "true");
	fleet_run(0, "wait", ref);
	free(ref);
}
END_TEST

START_TEST(a_host_cut_off_for_three_leases_gives_its_tasks_up_and_comes_back)
{
	fleet_host_up(0, "3");
	fleet_host_up_behind_wire(1, "3");
	load_tasks("9", "sleep 0.05");
	fleet_ledger_until(TASKS / 5);
	fleet_wire_cut();
	fleet_host_until(1, "lost");
	unsigned again = check_ledger();
	fleet_wire_heal();
	fleet_host_until(1, "up");
	check_ledger();
	printf("a host cut off: %d tasks done, %u began again\n", TASKS, again);
	for (int i = 0; i < 4; i++) {
		char *out = fleet_expect(0, "submit", "echo", "healed");
		ck_assert_str_eq(out, "healed");
		free(out);
	}
}
END_TEST

START_TEST(a_killed_bridge_is_replaced_and_its_tasks_end_or_go_on)
{
	fleet_host_up(0, "3");
	load_tasks("9", "sleep 0.02");
	for (unsigned i = 1; i <= 3; i++) {
		fleet_ledger_until(i * TASKS / 10);
		pid_t bridge = fleet_bridge(0);
		ck_assert_int_gt(bridge, 0);
		kill(bridge, SIGKILL);
		ck_assert(wait_for_death(bridge));
	}
	unsigned again = check_ledger();
	printf("a bridge killed three times: %d tasks done, %u began again\n", TASKS, again);
}
END_TEST

START_TEST(redis_is_killed_and_comes_back_with_its_file)
{
	fleet_host_up(0, "3");
	fleet_host_up(1, "3");
	load_tasks("9", "sleep 0.02");
	for (unsigned i = 1; i <= 3; i++) {
		fleet_ledger_until(i * TASKS / 10);
		fleet_redis_kill();
		fleet_redis_start(NULL, NULL);
	}
	unsigned again = check_ledger();
	printf("Redis killed three times: %d tasks done, %u began again\n", TASKS, again);
}
END_TEST

/* A task that tells its process in the ledger, and sleeps. */
static char *submit_sleeper(const char *budget)
{
	char line[PATH_BYTES + 64];
	fleet_host_up(0, "1");
	snprintf(line, sizeof line, "echo $$ >> %s; exec sleep 1000", fleet_ledger());
	char *ref =
	    fleet_expect(0, "submit", "--detach", "--crash-retries", budget, "--shell", line);
	fleet_ledger_until(1);
	return ref;
}

START_TEST(a_host_without_the_engine_ends_its_tasks)
{
	char *ref = submit_sleeper("1");
	fleet_redis_kill();
	fleet_ledger_until_gone(); /* by SIGTERM, or by SIGKILL after the grace */
	fleet_redis_start(NULL, NULL);
	fleet_ledger_until(2); /* the same host, as another member, has the task again */
	fleet_run(0, "cancel", "--wait", ref);
	free(ref);
}
END_TEST

START_TEST(an_engine_replaced_by_an_empty_one_is_a_new_fleet)
{
	char *ref = submit_sleeper("0");
	REDIS("flushall");
	REDIS("function", "flush");
	fleet_ledger_until_gone();
	fleet_host_until(0, "up");
	char *out = fleet_expect(0, "submit", "echo", "new");
	ck_assert_str_eq(out, "new");
	struct output_of o = fleet("get", ref);
	ck_assert_int_eq(o.code, 65);
	output_free(&o);
	free(out);
	free(ref);
}
END_TEST

START_TEST(the_manager_dies_and_its_bridge_brings_the_running_tasks_home)
{
	runtime_boot_loose(&fleet_host[0], "--workers", "1", );
	fleet_host_until(0, "up");
	char line[PATH_BYTES + 64];
	snprintf(line, sizeof line, "echo began >> %s; sleep 0.5; echo ended", fleet_ledger());
	char *ref = fleet_expect(0, "submit", "--detach", "--shell", line);
	fleet_ledger_until(1);
	runtime_kill(&fleet_host[0]);
	char *out = fleet_expect(0, "get", ref);
	ck_assert_str_eq(out, "ended");
	ck_assert_uint_eq(fleet_ledger_lines("began"), 1);
	runtime_reboot(&fleet_host[0], "--workers", "1", );
	free(out);
	out = fleet_expect(0, "submit", "echo", "again");
	ck_assert_str_eq(out, "again");
	free(out);
	free(ref);
}
END_TEST

START_TEST(bells_are_cut_off_while_tasks_come_unasked)
{
	enum { TASKS_ALONE = 60 };
	char line[PATH_BYTES + 64];
	char *ref[TASKS_ALONE];
	fleet_host_up(0, "2");
	for (int i = 0; i < TASKS_ALONE; i++) {
		snprintf(line, sizeof line, "echo %d. >> %s", i, fleet_ledger());
		ref[i] = fleet_expect(0, "submit", "--detach", "--shell", line);
		REDIS("client", "kill", "type", "pubsub");
	}
	for (int i = 0; i < TASKS_ALONE; i++) {
		fleet_run(0, "wait", ref[i]);
		snprintf(line, sizeof line, "%d.", i);
		ck_assert_uint_eq(fleet_ledger_lines(line), 1);
		free(ref[i]);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_killed_host_loses_its_tasks_to_others_at_once,
		a_task_without_crash_retries_runs_at_most_once,
		a_host_stopped_for_two_leases_finds_its_attempts_void,
		a_host_cut_off_for_three_leases_gives_its_tasks_up_and_comes_back,
		a_killed_bridge_is_replaced_and_its_tasks_end_or_go_on,
		redis_is_killed_and_comes_back_with_its_file,
		a_host_without_the_engine_ends_its_tasks,
		an_engine_replaced_by_an_empty_one_is_a_new_fleet,
		the_manager_dies_and_its_bridge_brings_the_running_tasks_home,
		bells_are_cut_off_while_tasks_come_unasked,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests("fleet deaths", TEST_TIMEOUT_S, fleet_begin, fleet_end, tests,
	    sizeof tests / sizeof tests[0]);
}
