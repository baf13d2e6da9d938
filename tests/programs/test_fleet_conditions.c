/* test_fleet_conditions.c - tasks of a fleet that start after any end, or after a failure, of
 * another task, as on one runtime; and the hooks of commands. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/command_case.h"
#include "tests/support/fleet_case.h"
#include "tests/support/run_suite.h"

enum { TIMEOUT_S = 120, LINE_BYTES = 400, MANY = 20 };

static const char says[] = "echo $PLM_AFTER $PLM_AFTER_STATE $PLM_AFTER_CODE";

static unsigned lines_of(const char *text)
{
	unsigned n = text[0] != 0;
	for (; *text; text++)
		n += *text == '\n' && text[1];
	return n;
}

static char *queued(const char *line)
{
	return fleet_expect(0, "submit", "--detach", "--shell", line);
}

static void said(const char *option, const char *ref, const char *end)
{
	char expected[LINE_BYTES];
	snprintf(expected, sizeof expected, "%s %s\n", ref, end);
	check_output(fleet("submit", option, ref, "--shell", says), 0, expected, "");
}

START_TEST(a_command_after_any_end_runs_whatever_the_end)
{
	fleet_host_up(0, "1");
	char *good = queued("true"), *bad = queued("exit 7"), *killed = queued("kill -9 $$");
	char *gone = queued("sleep 1000");
	ctl_until(&fleet_host[0], gone, "tasks", "--quiet", "--state", "running");
	/* The ends are known before, and come while the tasks wait. */
	char *waits = fleet_expect(0, "submit", "--detach", "--after-any", gone, "--shell", says);
	fleet_run(0, "cancel", gone);
	char *text = fleet_expect(0, "get", waits), expected[LINE_BYTES];
	snprintf(expected, sizeof expected, "%s cancelled 130", gone);
	ck_assert_str_eq(text, expected);
	free(text);
	said("--after-any", good, "done 0");
	said("--after-any", bad, "failed 7");
	said("--after-any", killed, "failed 137");
	said("--after-any", gone, "cancelled 130");
	said("--after-failed", bad, "failed 7");
	said("--after-failed", gone, "cancelled 130");
	free(good);
	free(bad);
	free(killed);
	free(gone);
	free(waits);
}
END_TEST

START_TEST(a_task_for_a_failure_is_cancelled_after_a_success)
{
	fleet_host_up(0, "1");
	char *good = queued("true"), *bad = queued("false");
	fleet_run(1, "wait", good, bad);
	fleet_run(130, "submit", "--after-failed", good, "--", "echo", "never");
	fleet_run(130, "submit", "--after-any", bad, "--after-failed", good, "--", "echo", "never");
	check_output(
	    fleet("submit", "--after-any", good, "--after-failed", bad, "--", "echo", "both"), 0,
	    "both\n", "");
	/* A task that waits is cancelled, too, and those that want its value fail with it. */
	char *slow = fleet_expect(0, "submit", "--detach", "--needs", "rare=1", "true");
	char *after = fleet_expect(0, "submit", "--detach", "--after-failed", slow, "--", "true");
	char *then = fleet_expect(0, "submit", "--detach", "--after", after, "--", "true");
	char *text = fleet_expect(0, "explain", after);
	ck_assert_ptr_nonnull(strstr(text, "a failure of"));
	ck_assert_ptr_nonnull(strstr(text, slow));
	free(text);
	fleet_host_up(1, "rare=1 x1");
	fleet_run(2, "wait", slow, after, then);
	text = fleet_expect(0, "info", "--json", after);
	ck_assert_ptr_nonnull(strstr(text, "\"state\": \"cancelled\""));
	free(text);
	text = fleet_expect(0, "info", "--json", then);
	ck_assert_ptr_nonnull(strstr(text, "\"state\": \"failed\""));
	free(text);
	free(good);
	free(bad);
	free(slow);
	free(after);
	free(then);
}
END_TEST

START_TEST(conditions_that_cannot_be_met_together_are_refused)
{
	char *ref = queued("true");
	struct output_of o =
	    fleet("submit", "--after", ref, "--after-any", ref, "--after-failed", ref, "true");
	ck_assert_int_ne(o.code, 0);
	ck_assert_ptr_nonnull(strstr(o.err, "could never start"));
	output_free(&o);
	fleet_run(0, "submit", "--detach", "--after-any", ref, "--after", ref, "true");
	free(ref);
}
END_TEST

START_TEST(a_retry_asks_for_the_same_conditions_again)
{
	fleet_host_up(0, "1");
	char line[LINE_BYTES];
	snprintf(line, sizeof line, "test -e %s/flag", fleet_directory);
	char *bad = queued(line);
	fleet_run(1, "wait", bad);
	char *after =
	    fleet_expect(0, "submit", "--detach", "--after-failed", bad, "--shell", "exit 5");
	fleet_run(1, "wait", after);
	fleet_run(0, "retry", after); /* the task before it has still failed */
	fleet_run(1, "wait", after);
	snprintf(line, sizeof line, "touch %s/flag", fleet_directory);
	ck_assert_int_eq(system(line), 0);
	fleet_run(0, "retry", bad);
	fleet_run(0, "wait", bad);
	struct output_of o = fleet("retry", after);
	ck_assert_int_eq(o.code, 65);
	ck_assert_ptr_nonnull(strstr(o.err, "has not ended as it has to"));
	output_free(&o);
	free(bad);
	free(after);
}
END_TEST

START_TEST(a_hook_runs_after_any_end_of_its_command)
{
	char line[LINE_BYTES];
	fleet_host_up(0, "1");
	snprintf(line, sizeof line, "echo $PLM_AFTER_STATE $PLM_AFTER_CODE >> %s", fleet_ledger());
	check_output(fleet("submit", "--on-finish", line, "--", "echo", "out"), 0, "out\n", "");
	fleet_ledger_until(1);
	fleet_run(3, "submit", "--on-finish", line, "--", "sh", "-c", "exit 3");
	fleet_ledger_until(2);
	char *waits = fleet_expect(
	    0, "submit", "--detach", "--needs", "rare=1", "--on-finish", line, "--", "true");
	fleet_run(0, "cancel", waits);
	fleet_ledger_until(3);
	ck_assert_uint_eq(fleet_ledger_lines("done 0"), 1);
	ck_assert_uint_eq(fleet_ledger_lines("failed 3"), 1);
	ck_assert_uint_eq(fleet_ledger_lines("cancelled 130"), 1);
	char *hooks = fleet_expect(0, "tasks", "--quiet", "--label", "on-finish");
	ck_assert_ptr_nonnull(strchr(hooks, '\n'));
	free(hooks);
	fleet_run(0, "submit", "--on-finish", "", "--", "true");
	ck_assert_uint_eq(fleet_ledger_lines(""), 3);
	free(waits);
}
END_TEST

START_TEST(a_file_may_name_conditions)
{
	char path[LINE_BYTES];
	fleet_host_up(0, "2");
	snprintf(path, sizeof path, "%s/graph", fleet_directory);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fprintf(file,
	    "{\"name\": \"a\", \"shell\": \"exit 4\"}\n"
	    "{\"shell\": \"echo any $PLM_AFTER_CODE >> %s\", \"after_any\": \"a\"}\n"
	    "{\"shell\": \"echo failed $PLM_AFTER_CODE >> %s\", \"after_failed\": \"a\"}\n",
	    fleet_ledger(), fleet_ledger());
	fclose(file);
	fleet_run(1, "load", "--wait", path);
	ck_assert_uint_eq(fleet_ledger_lines("any 4"), 1);
	ck_assert_uint_eq(fleet_ledger_lines("failed 4"), 1);
}
END_TEST

/* A file of commands, one of which fails, one without a hook; the ledger gets a line of each hook.
 */
START_TEST(a_file_gives_its_commands_hooks_once)
{
	char path[LINE_BYTES], hook[LINE_BYTES];
	fleet_host_up(0, "2");
	snprintf(path, sizeof path, "%s/file", fleet_directory);
	snprintf(hook, sizeof hook, "echo $PLM_AFTER_STATE $PLM_AFTER_CODE >> %s", fleet_ledger());
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < MANY; i++)
		fprintf(file, "{\"shell\": \": %d; exit %d\"}\n", i, i == 3 ? 7 : 0);
	fprintf(file, "{\"shell\": \"true\", \"on_finish\": \"\"}\n");
	fclose(file);
	fleet_run(1, "load", "--unique", "--wait", "--on-finish", hook, path);
	fleet_ledger_until(MANY);
	ck_assert_uint_eq(fleet_ledger_lines("done 0"), MANY - 1);
	ck_assert_uint_eq(fleet_ledger_lines("failed 7"), 1);
	/* What is there already has its hook: the failed command alone is loaded again. */
	fleet_run(1, "load", "--unique", "--wait", "--on-finish", hook, path);
	fleet_ledger_until(MANY + 1);
	ck_assert_uint_eq(fleet_ledger_lines("failed 7"), 2);
	char *hooks = fleet_expect(0, "tasks", "--quiet", "--label", "on-finish");
	ck_assert_uint_eq(lines_of(hooks), MANY + 1);
	free(hooks);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_command_after_any_end_runs_whatever_the_end,
		a_task_for_a_failure_is_cancelled_after_a_success,
		conditions_that_cannot_be_met_together_are_refused,
		a_retry_asks_for_the_same_conditions_again,
		a_hook_runs_after_any_end_of_its_command,
		a_file_may_name_conditions,
		a_file_gives_its_commands_hooks_once,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests("fleet conditions", TIMEOUT_S, fleet_begin, fleet_end, tests,
	    sizeof tests / sizeof tests[0]);
}
