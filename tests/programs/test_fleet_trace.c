/* test_fleet_trace.c - one trace of several hosts: each task once, on the tracks of its host, at
 * its time, with arrows between hosts (trace_fleet_check.py); hosts that give no part are named. */
#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/command_case.h"
#include "tests/support/fleet_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, PATH_BYTES = 300, LAYERS = 6, WIDTH = 6, TASKS = LAYERS * WIDTH };

#define OTHER_CLOCK "monotonic 5000 0\nboottime 5000 0\n"

static char *task[TASKS];

static char *path_of(const char *name)
{
	static char path[4][PATH_BYTES];
	static unsigned turn;
	char *ret = path[turn++ % 4];
	snprintf(ret, PATH_BYTES, "%s/%s", fleet_directory, name);
	return ret;
}

/* Children begin with a CLOCK_MONOTONIC of their own, as on another machine, until the first clock
 * is back. Without leave for it all hosts have one clock. */
static int clock_leave(void)
{
	int own = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
	if (own < 0 || unshare(CLONE_NEWTIME) != 0) {
		puts("left out: clocks that differ: no leave for a namespace of time");
		return -1;
	}
	int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(write(fd, OTHER_CLOCK, sizeof OTHER_CLOCK - 1), 0);
	close(fd);
	return own;
}

static void clock_back(int own)
{
	if (own < 0)
		return;
	ck_assert_int_eq(setns(own, CLONE_NEWTIME), 0);
	close(own);
}

static void hosts_up(void)
{
	setenv("PLM_EVENTS", "on", 1);
	for (unsigned i = 0; i < FLEET_HOSTS; i++) {
		int own = i == 2 ? clock_leave() : -1;
		fleet_host_up(i, "1");
		clock_back(own);
	}
}

/* Each task waits for a task of the layer before, and writes down when it ran. */
static void tasks_run(void)
{
	char words[PATH_BYTES + 64], name[32];
	for (unsigned i = 0; i < TASKS; i++) {
		snprintf(name, sizeof name, "ran-%u", i);
		snprintf(words, sizeof words, "sleep 0.03; date +%%s.%%N > %s", path_of(name));
		const char *after = i < WIDTH ? NULL : task[i - WIDTH];
		task[i] = after
		    ? fleet_expect(0, "submit", "--detach", "--after", after, "--shell", words)
		    : fleet_expect(0, "submit", "--detach", "--shell", words);
	}
	for (unsigned i = 0; i < TASKS; i++)
		fleet_run(0, "wait", task[i]);
}

static void tasks_write(void)
{
	FILE *file = fopen(path_of("tasks"), "w");
	ck_assert_ptr_nonnull(file);
	for (unsigned i = 0; i < TASKS; i++) {
		char *row = fleet_expect(0, "info", "--json", task[i]);
		fprintf(file, "%s\n", row);
		free(row);
		free(task[i]);
	}
	fclose(file);
}

/* missing: the name of a host that gave no part, or NULL. */
static void judged(const char *missing)
{
	char line[4 * PATH_BYTES];
	tasks_write();
	snprintf(line, sizeof line, "python3 tests/programs/trace_fleet_check.py %s %s %s %s >&2",
	    path_of("tasks"), path_of("a.json"), path_of("a.pftrace"), missing ? missing : "");
	ck_assert_int_eq(system(line), 0); /* NOLINT: our words */
}

static void traced(int code, const char *says)
{
	check_output(
	    fleet("trace", "--last", "60s", "--timeout", "2", path_of("a.json")), code, "", says);
	check_output(fleet("trace", "--last", "60s", "--timeout", "2", path_of("a.pftrace")), code,
	    "", says);
}

START_TEST(a_trace_has_each_task_once_on_its_host_at_its_time)
{
	hosts_up();
	tasks_run();
	traced(0, "3 hosts, whose clocks are known to ");
	judged(NULL);
	ck_assert_str_eq(REDIS("KEYS", "*trace*"), "");
}
END_TEST

START_TEST(a_host_killed_in_between_is_named_and_the_others_are_there)
{
	char says[2 * PATH_BYTES], name[PATH_BYTES];
	hosts_up();
	tasks_run();
	snprintf(name, sizeof name, "%s", fleet_host_name(1));
	fleet_host_kill(1);
	snprintf(says, sizeof says, "host %s did not answer in time", name);
	check_output(fleet("trace", "--timeout", "0.5", path_of("a.json")), 74, "", says);
	fleet_host_until(1, "lost");
	snprintf(says, sizeof says, "host %s is lost, last seen ", name);
	traced(74, says);
	judged(name);
}
END_TEST

START_TEST(a_stopped_host_delays_nobody_and_goes_on)
{
	char says[PATH_BYTES];
	hosts_up();
	tasks_run();
	snprintf(says, sizeof says, "host %s did not answer in time", fleet_host_name(2));
	kill(fleet_bridge(2), SIGSTOP);
	check_output(fleet("trace", "--timeout", "0.5", path_of("a.json")), 74, "", says);
	kill(fleet_bridge(2), SIGCONT);
	fleet_host_until(2, "up");
	traced(0, "3 hosts");
	judged(NULL);
}
END_TEST

START_TEST(what_a_host_cannot_give_is_said)
{
	char says[PATH_BYTES];
	unsetenv("PLM_EVENTS");
	fleet_host_up(0, "1");
	snprintf(says, sizeof says, "host %s: its event log is off", fleet_host_name(0));
	check_output(fleet("trace", path_of("a.json")), 66, "", says);
	ck_assert_int_ne(access(path_of("a.json"), F_OK), 0);
	check_output(fleet("trace", path_of("a.plmrec")), 64, "", "a recording is of one runtime");
	check_output(fleet("trace", "--record", path_of("a.json")), 64, "", "about one runtime");
	check_output(fleet("trace", "--for-fleet"), 64, "", "holds no request of a bridge");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_trace_has_each_task_once_on_its_host_at_its_time,
		a_host_killed_in_between_is_named_and_the_others_are_there,
		a_stopped_host_delays_nobody_and_goes_on,
		what_a_host_cannot_give_is_said,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests("fleet_trace", TEST_TIMEOUT_S, fleet_begin, fleet_end, tests,
	    sizeof tests / sizeof tests[0]);
}
