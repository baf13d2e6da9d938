/* test_fleet_follow.c - the output of a command of a fleet while it runs on some host. Each command
 * waits for a file that the test makes after it has read what came before. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/command_case.h"
#include "tests/support/fleet_case.h"
#include "tests/support/run_suite.h"

enum { TIMEOUT_S = 120, LINE_BYTES = 400, MANY = 700000 };

static const char *gate(const char *name)
{
	static char path[LINE_BYTES];
	snprintf(path, sizeof path, "%s/%s", fleet_directory, name);
	return path;
}

static void open_gate(const char *name)
{
	FILE *file = fopen(gate(name), "w");
	ck_assert_ptr_nonnull(file);
	fclose(file);
}

static char *submitted(const char *retries, const char *format)
{
	char line[2 * LINE_BYTES];
	snprintf(line, sizeof line, "wait_for() { until test -e %s/$1; do sleep 0.01; done; }; %s",
	    fleet_directory, format);
	return fleet_expect(
	    0, "submit", "--detach", "--retries", retries, "--backoff", "1ms", "--shell", line);
}

/* plmctl logs --follow, whose output the test reads as it comes. */
static FILE *following(const char *option, const char *ref)
{
	char line[2 * LINE_BYTES];
	const char *bin = getenv("PLM_BIN");
	snprintf(line, sizeof line, "exec %s/plmctl logs --follow %s %s 2>%s/errors",
	    bin ? bin : ".", option, ref, fleet_directory);
	FILE *pipe = popen(line, "r");
	ck_assert_ptr_nonnull(pipe);
	return pipe;
}

static void comes(FILE *pipe, const char *expected)
{
	char line[LINE_BYTES] = "";
	ck_assert_ptr_nonnull(fgets(line, sizeof line, pipe));
	ck_assert_str_eq(line, expected);
}

static void ends(FILE *pipe, int code)
{
	ck_assert_int_eq(fgetc(pipe), EOF);
	int status = pclose(pipe);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), code);
}

START_TEST(output_comes_while_the_command_runs)
{
	char *ref = submitted("0", "echo first; wait_for a; echo second; wait_for b; echo third");
	FILE *pipe = following("", ref); /* before any host is up */
	fleet_host_up(0, "1");
	comes(pipe, "first\n");
	open_gate("a");
	comes(pipe, "second\n");
	FILE *later = following("", ref);
	comes(later, "first\n");
	comes(later, "second\n");
	open_gate("b");
	comes(pipe, "third\n");
	comes(later, "third\n");
	ends(pipe, 0);
	ends(later, 0);
	check_output(fleet("logs", "--follow", ref), 0, "first\nsecond\nthird\n", "");
	free(ref);
}
END_TEST

START_TEST(errors_and_another_attempt_are_followed)
{
	fleet_host_up(0, "1");
	char line[LINE_BYTES];
	snprintf(line, sizeof line,
	    "echo one >&2; test -e %s/again && { echo two >&2; exit 0; }; : > %s/again; "
	    "wait_for a; exit 3",
	    fleet_directory, fleet_directory);
	char *ref = submitted("1", line);
	FILE *pipe = following("--stderr", ref);
	comes(pipe, "one\n");
	open_gate("a");
	comes(pipe, "one\n");
	comes(pipe, "two\n");
	ends(pipe, 0);
	FILE *file = fopen(gate("errors"), "r");
	comes(file, "plmctl: attempt 2\n");
	fclose(file);
	free(ref);
}
END_TEST

START_TEST(long_output_comes_byte_for_byte)
{
	char line[LINE_BYTES];
	fleet_host_up(0, "1");
	snprintf(line, sizeof line, "yes 123456789 | head -c %d; wait_for a; echo", MANY);
	char *ref = submitted("0", line);
	FILE *pipe = following("", ref);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(fgetc(pipe), "123456789\n"[i % 10]);
	open_gate("a");
	comes(pipe, "\n");
	ends(pipe, 0);
	free(ref);
}
END_TEST

START_TEST(a_task_that_never_ends_is_followed_for_a_time)
{
	fleet_host_up(0, "1");
	char *ref = submitted("0", "echo first; wait_for never");
	ctl_until(&fleet_host[0], ref, "tasks", "--quiet", "--state", "running");
	fleet_run(124, "--timeout", "0.3", "logs", "--follow", ref);
	struct output_of o = fleet("logs", ref);
	ck_assert_int_eq(o.code, 0);
	ck_assert_ptr_nonnull(strstr(o.err, "--follow shows its output"));
	output_free(&o);
	fleet_run(0, "cancel", ref);
	fleet_run(65, "logs", "--follow", "@1.1.1");
	free(ref);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		output_comes_while_the_command_runs,
		errors_and_another_attempt_are_followed,
		long_output_comes_byte_for_byte,
		a_task_that_never_ends_is_followed_for_a_time,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests("fleet follow", TIMEOUT_S, fleet_begin, fleet_end, tests,
	    sizeof tests / sizeof tests[0]);
}
