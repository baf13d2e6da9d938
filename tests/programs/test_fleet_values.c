/* test_fleet_values.c - values of a fleet: several results, files of commands, input and objects of
 * the submitter, and what lists say. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/command_case.h"
#include "tests/support/fleet_case.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, PATH_BYTES = 300, LINES_MOST = 8 };

/* The lines of a text, which the caller frees; returns how many. */
static unsigned lines_of(char *text, char *ret[LINES_MOST])
{
	unsigned n = 0;
	for (char *line = strtok(text, "\n"); line && n < LINES_MOST; line = strtok(NULL, "\n"))
		ret[n++] = line;
	return n;
}

static void got(const char *expected, const char *ref)
{
	char *text = fleet_expect(0, "get", ref);
	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(a_function_has_several_results)
{
	runtime_boot(&fleet_host[0], "--workers", "1", "--module", test_module("mod_test"), );
	fleet_host_until(0, "up");
	ctl_until(&fleet_host[0], "module test", "hosts", "--json");
	check_output(fleet("call", "--results", "3", "test.split", "a", "b", "c"), 0, "abc", "");
	char *text = fleet_expect(
	    0, "call", "--detach", "--results", "3", "test.split", "first", "", "third");
	char *ref[LINES_MOST];
	ck_assert_uint_eq(lines_of(text, ref), 3);
	got("first", ref[0]);
	got("", ref[1]);
	got("third", ref[2]);
	char *in = fleet_expect(0, "submit", "--stdin", ref[2], "cat");
	ck_assert_str_eq(in, "third");
	free(in);
	in = fleet_expect(0, "call", "probe.echo", ref[2]);
	ck_assert_str_eq(in, "third");
	free(in);
	fleet_run(0, "wait", ref[2], ref[1]);
	fleet_run(0, "forget", ref[1]);
	fleet_run(65, "get", ref[0]);
	free(text);
}
END_TEST

START_TEST(files_that_a_command_writes_become_results)
{
	fleet_host_up(0, "1");
	char *text = fleet_expect(0, "submit", "--detach", "--out", "A", "--out", "B=name.txt",
	    "--shell", "echo one > $A; echo two > $B; echo three");
	char *ref[LINES_MOST];
	ck_assert_uint_eq(lines_of(text, ref), 3);
	got("three", ref[0]);
	got("one", ref[1]);
	got("two", ref[2]);
	char in[2][100];
	snprintf(in[0], sizeof in[0], "X=%s", ref[1]);
	snprintf(in[1], sizeof in[1], "Y=%s", ref[2]);
	check_output(fleet("submit", "--in", in[0], "--in", in[1], "--shell", "cat $X $Y"), 0,
	    "one\ntwo\n", "");
	free(text);
}
END_TEST

/* The engine counts an argument that stands twice as one task to wait for. */
START_TEST(a_value_may_stand_twice_among_the_arguments)
{
	fleet_host_up(0, "1");
	char *slow = fleet_expect(0, "submit", "--detach", "--shell", "sleep 0.2; printf 4");
	char *sum = fleet_expect(0, "call", "probe.sum", slow, slow);
	ck_assert_str_eq(sum, "8");
	free(sum);
	free(slow);
}
END_TEST

START_TEST(input_and_objects_travel_from_the_machine_of_the_submitter)
{
	char path[PATH_BYTES], line[2 * PATH_BYTES];
	fleet_host_up(0, "1");
	snprintf(path, sizeof path, "%s/input", fleet_directory);
	FILE *file = fopen(path, "w");
	fputs("from a file", file);
	fclose(file);
	struct output_of o = ctl_with_input(&fleet_host[0], "through a pipe", 14, "submit",
	    "--stdin", "-", "--", "tr", "a-z", "A-Z");
	ck_assert_msg(o.code == 0 && strcmp(o.out, "THROUGH A PIPE") == 0, "%s", o.err);
	output_free(&o);
	char *ref = fleet_expect(0, "put", path);
	got("from a file", ref);
	check_output(fleet("submit", "--stdin", ref, "cat"), 0, "from a file", "");
	fleet_run(0, "drop", ref);
	fleet_run(65, "get", ref);
	free(ref);
	snprintf(line, sizeof line, "head -c 9000000 /dev/zero > %s", path);
	ck_assert_int_eq(system(line), 0);
	o = fleet("put", path);
	ck_assert_int_eq(o.code, 65);
	ck_assert_ptr_nonnull(strstr(o.err, "more than the 8 MiB"));
	output_free(&o);
}
END_TEST

START_TEST(results_stay_as_long_as_their_submitter_says)
{
	fleet_host_up(0, "1");
	char *brief = fleet_expect(0, "submit", "--detach", "--keep", "1ms", "true");
	char *usual = fleet_expect(0, "submit", "--detach", "true");
	fleet_run(0, "wait", usual);
	/* A renewal forgets. */
	ctl_until(&fleet_host[0], "\"done\": 1", "status", "--json");
	fleet_run(65, "get", brief);
	fleet_run(0, "get", usual);
	free(brief);
	free(usual);
}
END_TEST

START_TEST(a_running_task_is_requeued_and_spends_nothing)
{
	char line[PATH_BYTES + 100];
	fleet_host_up(0, "1");
	snprintf(line, sizeof line, "echo began >> %s; test -e %s/go || sleep 1000", fleet_ledger(),
	    fleet_directory);
	char *ref = fleet_expect(0, "submit", "--detach", "--shell", line);
	fleet_ledger_until(1);
	fleet_run(0, "requeue", ref);
	fleet_ledger_until(2);
	snprintf(line, sizeof line, "touch %s/go", fleet_directory);
	ck_assert_int_eq(system(line), 0);
	fleet_run(0, "move", "--to", "todo", "--in-progress");
	fleet_run(0, "wait", ref);
	ck_assert_uint_eq(fleet_ledger_lines("began"), 3);
	char *row = fleet_expect(0, "info", "--json", ref);
	ck_assert_ptr_nonnull(strstr(row, "\"state\": \"done\""));
	free(row);
	struct output_of o = fleet("requeue", ref);
	ck_assert_int_eq(o.code, 65);
	ck_assert_ptr_nonnull(strstr(o.err, "has ended"));
	output_free(&o);
	free(ref);
}
END_TEST

START_TEST(lists_have_the_columns_and_the_order_asked_for)
{
	fleet_host_up(0, "1");
	fleet_run(0, "call", "--detach", "--priority", "3", "probe.sum", "1");
	fleet_run(0, "submit", "--detach", "--priority", "9", "--label", "z", "true");
	char *last =
	    fleet_expect(0, "submit", "--detach", "--priority", "-2", "--label", "b", "true");
	fleet_run(0, "wait", last);
	char *rows = fleet_expect(
	    0, "tasks", "--json", "--sort", "-priority", "--columns", "priority,label");
	ck_assert_str_eq(rows,
	    "{\"priority\": 9, \"label\": \"z\"}\n{\"priority\": 3, \"label\": null}\n"
	    "{\"priority\": -2, \"label\": \"b\"}");
	free(rows);
	rows = fleet_expect(0, "tasks", "--quiet", "--sort", "label", "--label", "b");
	ck_assert_str_eq(rows, last);
	free(rows);
	struct output_of o = fleet("tasks", "--columns", "worker");
	ck_assert_int_eq(o.code, 64);
	ck_assert_ptr_nonnull(strstr(o.err, "a fleet has no column worker"));
	output_free(&o);
	free(last);
}
END_TEST

START_TEST(the_history_has_filters_and_sums)
{
	fleet_host_up(0, "1");
	fleet_run(0, "submit", "--detach", "--label", "good", "--", "true");
	char *bad = fleet_expect(0, "submit", "--detach", "--label", "bad", "sh", "-c", "exit 3");
	fleet_run(0, "submit", "--detach", "--needs", "rare=1", "echo");
	fleet_run(1, "wait", bad);
	char *row = fleet_expect(0, "history", "--exit-code", "3", "--json");
	ck_assert_ptr_nonnull(strstr(row, bad));
	ck_assert_ptr_nonnull(strstr(row, "\"label\": \"bad\""));
	ck_assert_ptr_null(strchr(row, '\n'));
	free(row);
	row = fleet_expect(0, "history", "--state", "queued", "--json");
	ck_assert_ptr_nonnull(strstr(row, "\"needs\": \"rare=1\""));
	ck_assert_ptr_null(strchr(row, '\n'));
	free(row);
	row = fleet_expect(0, "history", "--totals", "label", "--json");
	ck_assert_ptr_nonnull(strstr(row, "\"key\": \"good\", \"tasks\": 1, \"done\": 1"));
	free(row);
	row = fleet_expect(0, "history", bad);
	ck_assert_ptr_nonnull(strstr(row, "exit code 3"));
	free(row);
	row = fleet_expect(0, "history", "--until", "2001-01-01");
	ck_assert_ptr_null(strchr(row, '@'));
	free(row);
	fleet_run(65, "history", "77");
	free(bad);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_function_has_several_results,
		files_that_a_command_writes_become_results,
		a_value_may_stand_twice_among_the_arguments,
		input_and_objects_travel_from_the_machine_of_the_submitter,
		results_stay_as_long_as_their_submitter_says,
		a_running_task_is_requeued_and_spends_nothing,
		lists_have_the_columns_and_the_order_asked_for,
		the_history_has_filters_and_sums,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests("fleet_values", TEST_TIMEOUT_S, fleet_begin, fleet_end, tests,
	    sizeof tests / sizeof tests[0]);
}
