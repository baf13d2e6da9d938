/* test_command_objects.c - commands and futures, through the real programs: values that a
 * command reads, files that become values, tasks to wait for, and refusals. The files after a
 * death: test_command_files.c. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/json.h"
#include "tests/support/objects_case.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60 };

/* ---- values that a command reads ---- */

START_TEST(a_value_of_any_size_is_stdin_and_a_file)
{
	static const size_t sizes[] = { 0, 1, 24, 32, 33, 4096, 100001, LARGE_BYTES };
	char path[PATH_BYTES];
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		char *ref = put_bytes(sizes[i], path);
		check_output(order("--stdin", ref, "cmp", "-", path), 0, "", NULL);
		check_output(order("--in", in_variable("X", ref), "sh", "-c", "cmp $X $0", path), 0,
		    "", NULL);
		free(ctl_expect(&host, 0, "drop", ref));
		free(ref);
	}
}
END_TEST

START_TEST(a_file_of_a_value_can_be_read_from_anywhere_any_number_of_times)
{
	char *ref = detached("echo", "abcdef");
	const char *in = in_variable("X", ref);
	check_output(order("--in", in, "--shell", "cat $X $X; tail -c 3 $X; head -c 2 $X"), 0,
	    "abcdef\nabcdef\nef\nab", NULL);
	check_output(
	    order("--stdin", ref, "--shell", "tail -c 3; test -f /dev/stdin"), 0, "ef\n", NULL);
	/* also for a process with closed descriptors, an empty environment and another session */
	check_output(order("--in", in, "--shell", "setsid env -i /bin/cat $X 3<&- 4<&- 5<&-"), 0,
	    "abcdef\n", NULL);
	free(ref);
}
END_TEST

START_TEST(a_command_cannot_change_a_value)
{
	char *ref = detached("echo", "value");
	check_output(order("--in", in_variable("X", ref), "--shell", "echo no > $X"), 2, "",
	    "not permitted");
	check_output(order("--in", in_variable("X", ref), "--shell", "echo no >> $X; cat $X"), 0,
	    "value\n", NULL);
	check_output(ctl(&host, "get", ref), 0, "value\n", NULL);
	free(ref);
}
END_TEST

START_TEST(several_values_come_each_under_its_name)
{
	char *a = detached("echo", "a"),
	     *b = ctl_expect(&host, 0, "call", "--detach", "probe.sum", "40", "2");
	char *in = strdup(in_variable("A", a)), *in_b = strdup(in_variable("_b2", b));
	check_output(order("--in", in, "--stdin", b, "--in", in_b, "--in", in_variable("C", a),
			 "--shell", "cat; cat $A $_b2 $C"),
	    0, "42a\n42a\n", NULL);
	/* the futures count as arguments of the task, not as words of the command */
	check_output(order("--in", in, "--stdin", b, "cat"), 0, "42", NULL);
	free(in_b);
	free(in);
	free(b);
	free(a);
}
END_TEST

START_TEST(a_command_has_no_other_descriptor_for_its_values)
{
	char *ref = detached("echo", "a");
	check_output(order("--in", in_variable("A", ref), "--stdin", ref, "--shell",
			 "exec ls /proc/self/fd"),
	    0, "0\n1\n2\n3\n", NULL); /* 3: the directory that ls reads */
	free(ref);
}
END_TEST

/* ---- files that a command writes ---- */

START_TEST(what_it_writes_is_a_further_result)
{
	struct results r = results_of("--out", "B", "--out", "A=name.txt", "--out", "C", "--shell",
	    "echo b > $B; rm -f $A; echo a > other; echo a > $A.part; mv $A.part $A; : > $C; "
	    "basename $A; rm other");
	ck_assert_uint_eq(r.n, 4);
	check_output(ctl(&host, "get", r.ref[0]), 0, "name.txt\n", NULL);
	check_output(ctl(&host, "get", r.ref[1]), 0, "b\n", NULL);
	check_output(ctl(&host, "get", r.ref[2]), 0, "a\n", NULL);
	check_output(ctl(&host, "get", r.ref[3]), 0, "", NULL);
	check_output(ctl(&host, "call", "probe.wordcount", r.ref[2]), 0, "1", NULL);
	check_output(order("--stdin", r.ref[1], "cat"), 0, "b\n", NULL);
	expect_no_files();
	/* all results of a task are kept together, and dropped together */
	free(ctl_expect(&host, 0, "drop", r.ref[2]));
	check_output(ctl(&host, "get", r.ref[0]), 65, "", "unknown reference");
	free(r.all);
}
END_TEST

/* The n-th of the "outputs" of plmctl info; valid until the next call. */
static const char *listed_output(const char *ref, unsigned n)
{
	static char ret[PLM_REF_TEXT_BYTES];
	char *line = ctl_expect(&host, 0, "info", "--json", ref);
	const char *at = strstr(line, "\"outputs\": [");
	for (unsigned i = 0; at && i <= n; i++)
		at = strchr(at + 1, '@');
	ck_assert_msg(at != NULL, "there is no output %u in %s", n, line);
	snprintf(ret, sizeof ret, "%.*s", (int)strcspn(at, "\""), at);
	free(line);
	return ret;
}

START_TEST(info_lists_the_outputs_also_of_a_retried_command)
{
	char path[PATH_BYTES];
	struct results r = results_of("--dir", host.directory, "--out", "A", "--out", "B",
	    "--retries", "1", "--shell", "echo a > $A; echo b > $B; test -e go");
	check_output(ctl(&host, "get", r.ref[1]), 1, NULL, NULL);
	ck_assert_str_eq(listed_output(r.ref[0], 0), r.ref[1]);
	ck_assert_str_eq(listed_output(r.ref[2], 1), r.ref[2]);
	scratch_write(&host, "go", "", 0, path, sizeof path);
	char *again = ctl_expect(&host, 0, "retry", r.ref[0]);
	check_output(ctl(&host, "get", listed_output(again, 1)), 0, "b\n", NULL);
	free(again);
	again = detached("true");
	ctl_until(&host, "\"outputs\": []", "info", "--json", again);
	ctl_until(&host, "OUTPUTS          -", "info", again);
	free(again);
	free(r.all);
}
END_TEST

START_TEST(a_large_output_is_kept_whole)
{
	char path[PATH_BYTES];
	char *ref = put_bytes(LARGE_BYTES, path);
	struct results r =
	    results_of("--in", in_variable("X", ref), "--out", "COPY", "--shell", "cp $X $COPY");
	ck_assert_uint_eq(r.n, 2);
	check_output(ctl(&host, "get", r.ref[0]), 0, "", NULL);
	free(ctl_expect(&host, 0, "drop", ref));
	check_output(order("--stdin", r.ref[1], "cmp", "-", path), 0, "", NULL);
	free(r.all);
	free(ref);
}
END_TEST

START_TEST(an_output_that_is_no_file_fails_with_a_word)
{
	static const struct {
		const char *line, *word;
	} cases[] = {
		{ "true", "has not written its output O: no file is at the path in $O" },
		{ "mkdir $O; echo > $O/file", "its output O is not a file, but a directory" },
		{ "ln -s /etc/passwd $O", "its output O is not a file, but a link" },
		{ "mkfifo $O", "its output O is not a file, but a device, pipe or socket" },
		{ "rm -r $(dirname $O)", "has not written its output FIRST" },
		{ "truncate -s 1G $O", "no room for its output O of 1073741824 bytes" },
		{ "mkdir -p $O/a/b; chmod 0 $O/a", "its output O is not a file, but a directory" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char line[LINE_BYTES];
		snprintf(line, sizeof line, "echo kept; echo first > $FIRST; %s", cases[i].line);
		struct results r = results_of("--out", "FIRST", "--out", "O", "--shell", line);
		check_output(ctl(&host, "get", r.ref[2]), 1, "", cases[i].word);
		check_output(ctl(&host, "get", r.ref[1]), 1, "", " failed: ");
		check_output(ctl(&host, "logs", r.ref[0]), 0, "kept\n", NULL);
		expect_no_files();
		free(ctl_expect(&host, 0, "drop", r.ref[0]));
		free(r.all);
	}
	ctl_until(&host, "\"store_used\": 0", "status", "--json");
}
END_TEST

START_TEST(a_command_that_failed_has_no_outputs)
{
	struct results r = results_of("--out", "O", "--shell", "echo half > $O; exit 3");
	check_output(ctl(&host, "get", r.ref[1]), 1, "", " failed: exit code 3\n");
	check_output(ctl(&host, "call", "probe.wordcount", r.ref[1]), 1, "", "exit code 3");
	expect_no_files();
	free(r.all);
	/* FIRST became a value before the command failed: the value is freed, too */
	r = results_of("--out", "FIRST", "--out", "O", "--shell", "truncate -s 1M $FIRST");
	check_output(ctl(&host, "get", r.ref[1]), 1, "", "has not written its output O");
	char *status = ctl_expect(&host, 0, "status", "--json"),
	     *used = json_field(status, "store_used");
	ck_assert_int_lt(atol(used), 1 << 20);
	free(used);
	free(status);
	free(r.all);
	r = results_of("--retries", "1", "--out", "O", "--shell",
	    "test -e $O && echo old > $O || echo $PLM_ATTEMPT > $O; test $PLM_ATTEMPT = 2");
	check_output(ctl(&host, "get", r.ref[1]), 0, "2\n", NULL);
	free(r.all);
}
END_TEST

START_TEST(outputs_are_printed_with_their_names_as_json)
{
	unsigned values;
	struct output_of o = order("--json", "--detach", "--out", "B=x y", "--out", "A", "--shell",
	    "echo > $A; echo \"$B\" > \"$B\"");
	ck_assert_ptr_null(json_lines_check(o.out, o.out_bytes, &values));
	ck_assert_uint_eq(values, 3);
	const char *second = strchr(o.out, '\n') + 1;
	char *name = json_field(second, "out"), *ref = json_field(second, "ref");
	ck_assert_str_eq(name, "B");
	output_free(&o);
	char *text = ctl_expect(&host, 0, "get", ref);
	ck_assert_msg(strstr(text, "/x y") != NULL, "the path is %s", text);
	free(text);
	free(ref);
	free(name);
}
END_TEST

/* ---- the order ---- */

START_TEST(a_command_starts_after_the_tasks_of_its_option_after)
{
	char line[LINE_BYTES], path[PATH_BYTES];
	snprintf(line, sizeof line, "until [ -e %s/go ]; do sleep 0.01; done; echo 1 > %s/did",
	    host.directory, host.directory);
	char *first = detached("--shell", line), *object = ctl_expect(&host, 0, "put", "Makefile");
	snprintf(line, sizeof line, "%s/did", host.directory);
	char *second = detached("--after", object, "--after", first, "cat", line);
	ctl_until(&host, "is waiting", "explain", second);
	scratch_write(&host, "go", "", 0, path, sizeof path);
	check_output(ctl(&host, "get", second), 0, "1\n", NULL);
	check_output(
	    order("--after", second, "--after", second, "echo", "third"), 0, "third\n", NULL);
	free(second);
	free(object);
	free(first);
}
END_TEST

START_TEST(what_comes_after_a_failure_fails_and_names_the_root)
{
	char said[LINE_BYTES];
	char *root = detached("--shell", "echo no luck >&2; exit 3");
	char *next = detached("--after", root, "echo", "never");
	snprintf(said, sizeof said,
	    "failed because task %s failed: exit code 3: "
	    "no luck",
	    root);
	check_output(ctl(&host, "get", next), 1, "", said);
	check_output(order("--after", next, "echo", "never"), 1, "", said);
	check_output(order("--in", in_variable("X", root), "echo", "never"), 1, "", said);
	check_output(order("--stdin", root, "echo", "never"), 1, "", said);
	check_output(
	    order("--replicas", "2", "--after", root, "echo", "never"), 1, "", "exit code 3");
	char *fine = detached("true");
	check_output(order("--replicas", "2", "--after", fine, "--shell", "exit 6"), 6, "", NULL);
	free(fine);
	free(next);
	next = detached("--after", root, "--after", root, "--out", "O", "echo", "never");
	struct results r = take_results(next);
	check_output(ctl(&host, "get", r.ref[1]), 1, "", said);
	free(r.all);
	free(root);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(a_stale_reference_is_65_and_is_named)
{
	char *ref = ctl_expect(&host, 0, "put", "Makefile");
	free(ctl_expect(&host, 0, "drop", ref));
	check_output(order("--stdin", ref, "true"), 65, "", ref);
	check_output(order("--in", in_variable("X", ref), "true"), 65, "", "unknown reference");
	check_output(order("--after", ref, "true"), 65, "", ref);
	check_output(order("--after", "@1.1.1", "true"), 65, "", "belongs to another runtime");
	check_output(order("--after", "1.1.1", "true"), 65, "", "begins with @");
	check_output(order("--stdin", "@nonsense", "true"), 65, "", "not a reference");
	free(ref);
}
END_TEST

START_TEST(options_that_make_no_sense_are_64)
{
	static const struct {
		const char *words[8];
		const char *said;
	} cases[] = {
		{ { "--in", "X" }, "--in wants NAME=@REF" },
		{ { "--in", "X=Makefile" }, "--in wants NAME=@REF" },
		{ { "--in", "1X=@1.1.1" }, "\"1X\" cannot be the name of a variable" },
		{ { "--in", "=@1.1.1" }, "\"\" cannot be the name of a variable" },
		{ { "--in", "A-B=@1.1.1" }, "\"A-B\" cannot be the name" },
		{ { "--in", "PLM_TASK=@1.1.1" }, "that begins with PLM_" },
		{ { "--out", "" }, "cannot be the name of a variable" },
		{ { "--out", "A B" }, "cannot be the name of a variable" },
		{ { "--out", "A=" }, "FILE without" },
		{ { "--out", "A=b/c" }, "FILE without" },
		{ { "--out", "A=.." }, "FILE without" },
		{ { "--out", "A" }, "--out needs --detach" },
		{ { "--detach", "--out", "A", "--in", "A=@1.1.1" }, "A is set twice" },
		{ { "--detach", "--out", "A", "--out", "A=b" }, "A is set twice" },
		{ { "--detach", "--out", "A", "--out", "B=A" },
		    "two outputs write the same file: "
		    "A" },
		{ { "--in", "A=@1.1.1", "--env", "A=1" }, "A is set twice" },
		{ { "--detach", "--out", "A", "--replicas", "2" }, "--replicas" },
		{ { "--stdin", "@1.1.1", "--stdin", "@1.1.2" }, "standard input is given twice" },
		{ { "--stdin", "@1.1.1", "--stdin", "Makefile" }, "standard input is given twice" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *words[16] = { "submit" };
		size_t n = 1;
		for (size_t k = 0; cases[i].words[k]; k++)
			words[n++] = cases[i].words[k];
		words[n] = "true";
		check_output(program_run(&host, "plmctl", words, NULL, 0), 64, "", cases[i].said);
	}
}
END_TEST

/* A client can submit the function itself, without the checks of plmctl. */
START_TEST(fields_of_nonsense_are_refused_by_the_worker)
{
	static const struct {
		const char *fields;
		size_t bytes;
		const char *said;
	} cases[] = {
		{ "a\0a\0a\0a\0a\0a\0", 12, "6 futures are asked for in 5 arguments" },
		{ "a\0a\0nX\0", 7, "leave no word for the program" },
		{ "n1\0", 3, "\"1\" is no name" },
		{ "nX=1\0", 5, "\"X=1\" is no name" },
		{ "oX=a/b\0", 7, "\"X=a/b\" is no name" },
		{ "oX\0", 3, "the task has 1" },
	};
	char path[PATH_BYTES];
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		scratch_write(&host, "fields", cases[i].fields, cases[i].bytes, path, sizeof path);
		char *ref = ctl_expect(&host, 0, "put", path);
		check_output(ctl(&host, "call", "command.run", ref, "", "sh", "-c", "echo > $X"), 1,
		    "", cases[i].said);
		free(ref);
	}
	expect_no_files();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_value_of_any_size_is_stdin_and_a_file,
		a_file_of_a_value_can_be_read_from_anywhere_any_number_of_times,
		a_command_cannot_change_a_value,
		several_values_come_each_under_its_name,
		a_command_has_no_other_descriptor_for_its_values,
		what_it_writes_is_a_further_result,
		info_lists_the_outputs_also_of_a_retried_command,
		a_large_output_is_kept_whole,
		an_output_that_is_no_file_fails_with_a_word,
		a_command_that_failed_has_no_outputs,
		outputs_are_printed_with_their_names_as_json,
		a_command_starts_after_the_tasks_of_its_option_after,
		what_comes_after_a_failure_fails_and_names_the_root,
		a_stale_reference_is_65_and_is_named,
		options_that_make_no_sense_are_64,
		fields_of_nonsense_are_refused_by_the_worker,
	};
	return run_tests("command objects", TEST_TIMEOUT_S, objects_boot, host_stop, tests,
	    sizeof tests / sizeof tests[0]);
}
