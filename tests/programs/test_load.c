/* test_load.c - task files, through the real programs: each format, wrong lines, and the tasks
 * of loaded lines. Names, and files loaded again: test_load_again.c. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/json.h"
#include "tests/support/load_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60, PATH_BYTES = 256, LONG_LINE = 1 << 20 };

/* ---- lines and their tasks ---- */

START_TEST(each_line_says_what_is_to_run)
{
	struct refs r = refs_of(load("# a comment, and a blank line\n"
				     "\n"
				     "shell:1:0:1:echo http://a:80/ b:c\n"
				     "python:1:0:1:-c 'print(6 * 7)' unused\n"
				     "func:1:0:0:probe.sum 1 '2' \"3\"\n"
				     "echo plain: $((1 + 1))\n"
				     "{\"shell\": \"echo json $0\"}\n"
				     "{\"argv\": [\"printf\", \"%s|\", \"a b\", \"\", \"$0\"]}\n"
				     "{\"func\": \"probe.echo\", \"args\": [\"@@text\"]}\n",
	    "--quiet", ));
	ck_assert_uint_eq(r.n, 7);
	expect_value(r.ref[0], "http://a:80/ b:c\n");
	expect_value(r.ref[1], "42\n");
	expect_value(r.ref[2], "6");
	expect_value(r.ref[3], "plain: 2\n");
	expect_value(r.ref[4], "json /bin/sh\n");
	expect_value(r.ref[5], "a b||$0|");
	expect_value(r.ref[6], "@text");
	free(r.text);
}
END_TEST

START_TEST(the_examples_run_as_they_are)
{
	struct refs r = refs_of(ctl(&host, "load", "--quiet", "--wait", "examples/tasks.txt"));
	ck_assert_uint_eq(r.n, 5);
	expect_value(r.ref[0], "fetching http://example.org:8080/a with a parameter\n");
	expect_value(r.ref[1], "two cpus, the cpus are 2\n");
	expect_value(r.ref[3], "from python\n");
	expect_value(r.ref[4], "6");
	free(r.text);
	r = refs_of(ctl(&host, "load", "--quiet", "--wait", "examples/tasks.jsonl"));
	ck_assert_uint_eq(r.n, 4);
	expect_value(r.ref[2], "there are 3 words\n");
	expect_field(r.ref[0], "label", "example");
	free(r.text);
}
END_TEST

/* Without --format the beginning of a line decides the format; with --format all lines have one
 * format. */
START_TEST(a_format_may_be_chosen_for_all_lines)
{
	struct refs r = refs_of(load("{ echo braces; }\n", "--quiet", "--format", "lines", ));
	expect_value(r.ref[0], "braces\n");
	free(r.text);
	check_output(load("{ echo braces; }\n", ), 65, "", "stdin:1: column");
	check_output(load("echo\n", "--format", "origin", ), 65, "",
	    ":1: the line has 0 of the "
	    "four colons");
	check_output(load("echo\n", "--format", "json", ), 65, "", ":1: column 4");
	check_output(load("echo\n", "--format", "xml", ), 64, "", "xml");
}
END_TEST

START_TEST(priority_memory_and_cpus_of_the_origin_are_honoured)
{
	free(ctl_expect(&host, 0, "pause"));
	struct refs r =
	    refs_of(load("shell:-3:0:2:echo $PLM_CPUS\nshell:7:1:0:true\n", "--quiet", ));
	char *first = ctl_expect(&host, 0, "tasks", "--json");
	ck_assert_msg(
	    strstr(first, "\"priority\": -3") && strstr(first, "\"priority\": 7"), "%s", first);
	free(first);
	free(ctl_expect(&host, 0, "resume"));
	expect_value(r.ref[0], "2\n");
	free(r.text);
	check_output(load("shell:1:999999:1:true\n", ), 65, "", "mem=999999G");
	check_output(load("shell:1:0:3:true\n", ), 65, "", "cpus=3");
}
END_TEST

START_TEST(a_line_has_the_options_of_the_command_line_or_its_own)
{
	char path[PATH_BYTES];
	scratch_write(&host, "input", "from a file\n", 12, path, sizeof path);
	struct refs r = refs_of(
	    load("echo $A $B $PWD\n"
		 "{\"shell\": \"echo $A $B $PWD\", \"env\": {\"B\": \"3\"}, \"dir\": \"/usr\"}\n"
		 "{\"shell\": \"test $PLM_ATTEMPT = 3 && echo $PLM_ATTEMPT\", \"retries\": 2}\n"
		 "{\"shell\": \"echo [$HOME]\", \"no_env\": true, \"env\": {\"HOME\": \"/h\"}}\n"
		 "{\"argv\": [\"seq\", \"9\"], \"output_cap\": 2}\n"
		 "{\"argv\": [\"cat\"], \"stdin\": \"/dev/null\", \"label\": \"own\"}\n"
		 "cat\n",
		"--quiet", "--wait", "--env", "A=1", "--env", "B=2", "--dir", "/", "--stdin", path,
		"--label", "all", ));
	ck_assert_uint_eq(r.n, 7);
	expect_value(r.ref[0], "1 2 /\n");
	expect_value(r.ref[1], "1 3 /usr\n");
	expect_value(r.ref[2], "3\n");
	expect_value(r.ref[3], "[/h]\n");
	expect_field(r.ref[4], "stdout_dropped", "16");
	expect_field(r.ref[5], "label", "own");
	expect_value(r.ref[5], "");
	expect_field(r.ref[6], "label", "all");
	expect_value(r.ref[6], "from a file\n");
	free(r.text);
	check_output(load("{\"shell\": \"sleep 60\", \"run_limit\": 0.1}\n"
			  "{\"shell\": \"sleep 60\", \"total_limit\": \"100ms\"}\n",
			 "--wait", ),
	    2, "", NULL);
}
END_TEST

/* ---- bad lines ---- */

static const struct {
	const char *line, *why;
} bad_lines[] = {
	{ "shell:1:1", "2 of the four colons" },
	{ "shell:high:1:1:true", "the priority is a whole number" },
	{ "shell:40000:1:1:true", "the priority is a whole number" },
	{ "shell:1:-1:1:true", "the memory is a whole number" },
	{ "shell:1:1:1.5:true", "the cpus are a whole number" },
	{ "shell:1:1:1:  ", "has no command" },
	{ "demo:1:1:1:true", "shell, python or func: \"demo\"" },
	{ "func:1:1:1: ", "no function is named" },
	{ "func:1:0:1:no.such 1", "no function \"no.such\"" },
	{ "func:1:0:1:probe.echo 'open", "a closing ' is missing" },
	{ "func:1:0:1:probe.echo @none", "not a reference" },
	{ "func:1:0:1:probe.echo @1.1.1", "another runtime" }, { "echo \001", "byte 6 is 0x01" },
	{ "{\"shell\": \"a\"", "column" }, { "{\"shell\": \"a\"} more", "column" },
	{ "{\"shell\": \"a\", \"shell\": \"b\"}", "duplicate" },
	{ "{\"shell\": \"a\\u0000b\"}", "column" }, { "{\"shell\": \"\377\"}", "byte 0xff" },
	{ "{}", "and this one has none" },
	{ "{\"shell\": \"a\", \"argv\": [\"b\"]}", "and this one has more" },
	{ "{\"shell\": \"\"}", "not empty" }, { "{\"argv\": []}", "\"argv\"" },
	{ "{\"argv\": [1]}", "\"argv\"" }, { "{\"shell\": \"a\", \"args\": []}", "needs \"func\"" },
	{ "{\"shell\": \"a\", \"prioriti\": 1}", "unknown key \"prioriti\"" },
	{ "{\"shell\": \"a\", \"priority\": \"1\"}", "\"priority\" is a whole number" },
	{ "{\"shell\": \"a\", \"retries\": 255}", "\"retries\" is a whole number" },
	{ "{\"shell\": \"a\", \"retries\": 200, \"crash_retries\": 200}", "together" },
	{ "{\"shell\": \"a\", \"run_limit\": \"soon\"}", "run_limit" },
	{ "{\"shell\": \"a\", \"run_limit\": -1}", "run_limit" },
	{ "{\"shell\": \"a\", \"needs\": \"cpus\"}", "cpus" },
	{ "{\"shell\": \"a\", \"needs\": \"gpus=1\"}", "gpus=1" },
	{ "{\"shell\": \"a\", \"replicas\": 0}", "\"replicas\"" },
	{ "{\"shell\": \"a\", \"output_cap\": \"much\"}", "output_cap" },
	{ "{\"shell\": \"a\", \"mem_limit\": \"much\"}", "mem_limit" },
	{ "{\"shell\": \"a\", \"env\": {\"A=B\": \"c\"}}", "without =" },
	{ "{\"shell\": \"a\", \"env\": \"A=B\"}", "an object" },
	{ "{\"shell\": \"a\", \"label\": \"\"}", "\"label\"" },
	{ "{\"shell\": \"a\", \"name\": \"@1\"}", "not to begin with @" },
	{ "{\"shell\": \"a\", \"after\": 1}", "\"after\"" },
	{ "{\"shell\": \"a\", \"after\": \"@1.1.1\"}", "another runtime" },
	{ "{\"shell\": \"a\", \"in\": {\"PLM_X\": \"@1.1.1\"}}",
	    "cannot be the name of a "
	    "variable" },
	{ "{\"shell\": \"a\", \"in\": {\"X\": \"file\"}}", "\"in\"" },
	{ "{\"shell\": \"a\", \"out\": [\"X=a/b\"]}", "\"out\"" },
	{ "{\"shell\": \"a\", \"out\": [\"X\", \"X=y\"]}", "set twice" },
	{ "{\"func\": \"probe.echo\", \"dir\": \"/\"}", "are for commands" },
	{ "{\"func\": \"probe.echo\", \"args\": [1]}", "\"args\"" },
	{ "[\"echo\"]", NULL }, /* no JSON object, so a line for the shell */
};

/* Each bad line is loaded alone; then all in one file, so that no error hides another. */
START_TEST(every_bad_line_is_named_and_nothing_is_loaded)
{
	enum { LINES = sizeof bad_lines / sizeof bad_lines[0] };
	static char all[1 << 16];
	char where[32];
	size_t n = 0, bad = 0;
	free(ctl_expect(&host, 0, "pause"));
	for (size_t i = 0; i < LINES; i++) {
		n +=
		    (size_t)snprintf(all + n, sizeof all - n, "echo good\n%s\n", bad_lines[i].line);
		bad += bad_lines[i].why != NULL;
		if (bad_lines[i].why)
			check_output(load(bad_lines[i].line, ), 65, "", bad_lines[i].why);
	}
	struct output_of o = load(all, );
	ck_assert_int_eq(o.code, 65);
	for (size_t i = 0; i < LINES; i++) {
		snprintf(where, sizeof where, "stdin:%zu: ", 2 * i + 2);
		const char *at = strstr(o.err, where);
		ck_assert_msg((at != NULL) == (bad_lines[i].why != NULL), "%s in %s", where, o.err);
		if (at)
			ck_assert_msg(strstr(at, bad_lines[i].why) != NULL, "%s", at);
	}
	output_free(&o);
	ck_assert_uint_eq(count_tasks("ready"), 0);
	check_output(load(all, "--skip-bad", ), 0, "", "bad lines left out");
	ck_assert_uint_eq(count_tasks("ready"), 2 * LINES - bad);
}
END_TEST

START_TEST(ends_of_lines_and_a_byte_order_mark_are_none_of_the_command)
{
	struct refs r =
	    refs_of(load("\357\273\277echo one\r\n\r\necho two\r\necho three", "--quiet", ));
	ck_assert_uint_eq(r.n, 3);
	expect_value(r.ref[0], "one\n");
	expect_value(r.ref[1], "two\n");
	expect_value(r.ref[2], "three\n");
	free(r.text);
	check_output(load("", "--quiet", ), 0, "", NULL);
	check_output(load("\n# nothing\n", ), 0, "", "loaded 0, skipped 0");
}
END_TEST

START_TEST(binary_rubbish_is_refused)
{
	static char data[100000];
	uint64_t state = RANDOM_SEED;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (char)random_next(&state);
	check_output(load_bytes(data, sizeof data, "-"), 65, "", "which is no text");
	check_output(load_bytes("echo a\0b\n", 9, "-"), 65, "", ":1: byte 7 is 0x00");
	check_output(load_bytes("{\"shell\": \"a\"}\0\n", 16, "-"), 65, "", ":1: column");
	check_output(load_bytes("\0\0\n", 3, "-"), 65, "", ":1: byte 1 is 0x00");
	ck_assert_uint_eq(count_tasks("done"), 0);
}
END_TEST

/* Linux limits a word of a program to 128 KiB; functions have no such limit. */
START_TEST(a_line_of_a_megabyte_is_loaded_or_refused_with_the_reason)
{
	char *line = malloc(LONG_LINE + 100), path[PATH_BYTES];
	size_t head = (size_t)sprintf(line, "func:0:0:1:probe.wordcount ");
	memset(line + head, 'x', LONG_LINE);
	memcpy(line + head + LONG_LINE, "\necho next", 11);
	scratch_write(&host, "long", line, head + LONG_LINE + 10, path, sizeof path);
	struct refs r = refs_of(ctl(&host, "load", "--quiet", "--wait", path));
	ck_assert_uint_eq(r.n, 2);
	expect_value(r.ref[1], "next\n");
	free(r.text);
	memset(line, 'x', head);
	scratch_write(&host, "long", line, head + LONG_LINE, path, sizeof path);
	check_output(ctl(&host, "load", path), 65, "", ":1: a word of 1048");
	free(line);
}
END_TEST

START_TEST(a_line_without_an_end_is_refused_and_the_next_one_is_found)
{
	enum { TOO_LONG = (16 << 20) + 12345 };
	char *text = malloc(TOO_LONG + 32), path[PATH_BYTES];
	memset(text, 'x', TOO_LONG);
	memcpy(text + TOO_LONG, "\necho found\n", 13);
	scratch_write(&host, "endless", text, TOO_LONG + 12, path, sizeof path);
	free(text);
	check_output(ctl(&host, "load", path), 65, "", ":1: the line has more than 16 MiB");
	struct refs r = refs_of(ctl(&host, "load", "--skip-bad", "--quiet", path));
	ck_assert_uint_eq(r.n, 1);
	expect_value(r.ref[0], "found\n");
	free(r.text);
}
END_TEST

START_TEST(what_cannot_be_read_is_66_and_wrong_use_64)
{
	check_output(ctl(&host, "load", "/no/such/file"), 66, "", "/no/such/file");
	check_output(ctl(&host, "load", "/"), 66, "", "is a directory");
	check_output(ctl(&host, "load"), 64, "", "too few");
	check_output(ctl(&host, "load", "--detach", "-"), 64, "", "--detach");
	check_output(ctl(&host, "load", "--stdin", "@1.1.1", "-"), 64, "", "--stdin");
}
END_TEST

START_TEST(on_stdout_is_what_was_asked_for)
{
	unsigned values;
	check_output(load("true\ntrue\n", ), 0, "", "loaded 2, skipped 0");
	struct output_of o = load("true\n{\"shell\": \"true\", \"name\": \"n\"}\n", "--json", );
	ck_assert_ptr_null(json_lines_check(o.out, o.out_bytes, &values));
	ck_assert_uint_eq(values, 2);
	ck_assert_ptr_nonnull(strstr(o.out, "\"line\": 2, \"name\": \"n\""));
	output_free(&o);
	o = load("true\n", "--quiet", );
	ck_assert_msg(o.out[0] == '@' && o.err[0] == 0, "%s %s", o.out, o.err);
	output_free(&o);
}
END_TEST

static long status_number(const char *key)
{
	char *line = ctl_expect(&host, 0, "status", "--json"), *value = json_field(line, key);
	ck_assert_msg(value != NULL, "no %s in %s", key, line);
	long number = atol(value);
	free(value);
	free(line);
	return number;
}

/* Two records of 128 bytes, each with 28 bytes in pool and heap, and the arguments in the store. */
START_TEST(a_queued_command_takes_400_bytes_and_its_text)
{
	enum { LINES = 1000, TABLES_EACH = 2 * (128 + 28), TEXT = 31 };
	char *text = malloc(LINES * (TEXT + 2));
	size_t n = 0;
	for (int i = 0; i < LINES; i++)
		n += (size_t)sprintf(text + n, "./cachesim trace%07d LRU 1GB\n", i);
	ck_assert_uint_eq(n, LINES * (TEXT + 1));
	free(ctl_expect(&host, 0, "pause"));
	long before = status_number("store_used");
	check_output(load(text, ), 0, "", "loaded 1000");
	long each = (status_number("store_used") - before) / LINES + TABLES_EACH;
	ck_assert_msg(each <= 400 + TEXT, "%ld bytes", each);
	free(text);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		each_line_says_what_is_to_run,
		the_examples_run_as_they_are,
		a_format_may_be_chosen_for_all_lines,
		priority_memory_and_cpus_of_the_origin_are_honoured,
		a_line_has_the_options_of_the_command_line_or_its_own,
		every_bad_line_is_named_and_nothing_is_loaded,
		ends_of_lines_and_a_byte_order_mark_are_none_of_the_command,
		binary_rubbish_is_refused,
		a_line_of_a_megabyte_is_loaded_or_refused_with_the_reason,
		a_line_without_an_end_is_refused_and_the_next_one_is_found,
		what_cannot_be_read_is_66_and_wrong_use_64,
		on_stdout_is_what_was_asked_for,
		a_queued_command_takes_400_bytes_and_its_text,
	};
	return run_tests("load", TEST_TIMEOUT_S, host_boot_two, host_stop, tests,
	    sizeof tests / sizeof tests[0]);
}
