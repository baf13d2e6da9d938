/* test_fleet_needs.c - tasks with needs in a fleet: claimed in batches, and never in the way of
 * tasks that could run. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fleet_case.h"
#include "tests/support/run_suite.h"

enum { TIMEOUT_S = 120, TASKS = 400, PATH_BYTES = 300 };

static unsigned long calls(void)
{
	const char *text = REDIS("eval",
	    "return string.match(redis.call('INFO', 'commandstats'), 'cmdstat_fcall:calls=(%d+)')",
	    "0");
	return strtoul(text[0] == '"' ? text + 1 : text, NULL, 10);
}

static const char *lines(unsigned n, const char *line)
{
	static char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/tasks", fleet_directory);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	for (unsigned i = 0; i < n; i++)
		fprintf(file, "%s\n", line);
	fclose(file);
	return path;
}

static void load(unsigned n, const char *needs)
{
	fleet_run(0, "load", "--wait", "--needs", needs, lines(n, "func:0:0:0:probe.noop"));
}

START_TEST(tasks_with_needs_are_claimed_in_batches)
{
	fleet_host_up(0, "rare=1 x2");
	load(8, "rare=1"); /* the class is known to the host */
	unsigned long before = calls();
	load(TASKS, "rare=1");
	unsigned long after = calls();
	ck_assert_uint_gt(after, before);
	ck_assert_msg(after - before < TASKS / 2, "%lu calls for %d tasks", after - before, TASKS);
}
END_TEST

START_TEST(a_task_that_waits_for_its_needs_takes_no_room_from_others)
{
	fleet_host_up(0, "rare=1 x1; plain=1 x1");
	char *first = fleet_expect(
	    0, "submit", "--detach", "--needs", "rare=1", "--priority", "9", "sleep", "1000");
	ctl_until(&fleet_host[0], first, "tasks", "--quiet", "--state", "running");
	char *ref[3];
	for (int i = 0; i < 3; i++)
		ref[i] = fleet_expect(0, "submit", "--detach", "--needs",
		    i == 2 ? "gpus=99" : "rare=1", "--priority", "9", "sleep", "1000");
	load(50, "plain=1");
	for (int i = 0; i < 20; i++)
		fleet_run(0, "submit", "true");
	fleet_run(0, "cancel", "--wait", first, ref[0], ref[1], ref[2]);
	free(first);
	for (int i = 0; i < 3; i++)
		free(ref[i]);
}
END_TEST

START_TEST(what_does_not_begin_here_goes_to_another_host)
{
	char line[PATH_BYTES + 64];
	fleet_host_up(0, "rare=1 x1");
	load(64, "rare=1"); /* this host tries many at once by now */
	snprintf(line, sizeof line, "shell:0:0:0:echo began >> %s; sleep 1000", fleet_ledger());
	fleet_run(0, "load", "--needs", "rare=1", lines(10, line));
	fleet_ledger_until(1);
	fleet_host_up(1, "rare=1 x8");
	fleet_ledger_until(9); /* one here, eight there: one alone waits here */
	fleet_run(0, "cancel", "--wait", "--all");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		tasks_with_needs_are_claimed_in_batches,
		a_task_that_waits_for_its_needs_takes_no_room_from_others,
		what_does_not_begin_here_goes_to_another_host,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests("fleet needs", TIMEOUT_S, fleet_begin, fleet_end, tests,
	    sizeof tests / sizeof tests[0]);
}
