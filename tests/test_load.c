/* test_load.c - task files, through the real programs: what each format says, lines that cannot be,
 * names and who waits for whom, what is loaded again and what is not. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/command_case.h"
#include "tests/json.h"
#include "tests/run_suite.h"
#include "tests/runtime.h"

enum { TEST_TIMEOUT_S = 60, PATH_BYTES = 256, REFS_MOST = 512, LONG_LINE = 1 << 20 };

static void boot(void)
{
	command_boot("2");
}

#define load(text, ...) load_bytes((text), strlen(text), __VA_ARGS__ "-")
#define load_bytes(text, bytes, ...)                                                               \
	program_run(&host, "plmctl", (const char *const[]){ "load", __VA_ARGS__, NULL }, (text),   \
	    (bytes))

/* References of all that was loaded, in the order of the file. */
struct refs {
	char *text, *ref[REFS_MOST];
	unsigned n;
};

static struct refs refs_of(struct output_of o)
{
	struct refs refs = { .text = strdup(o.out) };
	ck_assert_msg(o.code == 0, "exit code %d: %s", o.code, o.err);
	for (char *at = strtok(refs.text, "\n"); at; at = strtok(NULL, "\n")) {
		ck_assert_uint_lt(refs.n, REFS_MOST);
		refs.ref[refs.n++] = at;
	}
	output_free(&o);
	return refs;
}

static void expect_value(const char *ref, const char *expected)
{
	check_output(ctl(&host, "get", ref), 0, expected, NULL);
}

static unsigned count_tasks(const char *state)
{
	char *lines = ctl_expect(&host, 0, "tasks", "--json", "--state", state);
	unsigned n = 0;
	for (const char *at = lines; (at = strstr(at, "{\"ref\"")) != NULL; at++)
		n++;
	free(lines);
	return n;
}

/* ---- what a line says ---- */

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
	    "--quiet",));
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

/* Without --format a line says by its beginning what it is; with it all are of one format. */
START_TEST(a_format_may_be_chosen_for_all_lines)
{
	struct refs r = refs_of(load("{ echo braces; }\n", "--quiet", "--format", "lines",));
	expect_value(r.ref[0], "braces\n");
	free(r.text);
	check_output(load("{ echo braces; }\n",), 65, "", "stdin:1: column");
	check_output(load("echo\n", "--format", "origin",), 65, "", ":1: 0 of the four colons");
	check_output(load("echo\n", "--format", "json",), 65, "", ":1: column 4");
	check_output(load("echo\n", "--format", "xml",), 64, "", "xml");
}
END_TEST

START_TEST(priority_memory_and_cpus_of_the_origin_are_honoured)
{
	free(ctl_expect(&host, 0, "pause"));
	struct refs r = refs_of(load("shell:-3:0:2:echo $PLM_CPUS\nshell:7:1:0:true\n", "--quiet",));
	char *first = ctl_expect(&host, 0, "tasks", "--json");
	ck_assert_msg(strstr(first, "\"priority\": -3") && strstr(first, "\"priority\": 7"),
	    "%s", first);
	free(first);
	free(ctl_expect(&host, 0, "resume"));
	expect_value(r.ref[0], "2\n");
	free(r.text);
	check_output(load("shell:1:999999:1:true\n",), 65, "", "mem=999999G");
	check_output(load("shell:1:0:3:true\n",), 65, "", "cpus=3");
}
END_TEST

START_TEST(a_line_has_the_options_of_the_command_line_or_its_own)
{
	char path[PATH_BYTES];
	scratch_write(&host, "input", "from a file\n", 12, path, sizeof path);
	struct refs r = refs_of(load("echo $A $B $PWD\n"
	    "{\"shell\": \"echo $A $B $PWD\", \"env\": {\"B\": \"3\"}, \"dir\": \"/usr\"}\n"
	    "{\"shell\": \"test $PLM_ATTEMPT = 3 && echo $PLM_ATTEMPT\", \"retries\": 2}\n"
	    "{\"shell\": \"echo [$HOME]\", \"no_env\": true, \"env\": {\"HOME\": \"/h\"}}\n"
	    "{\"argv\": [\"seq\", \"9\"], \"output_cap\": 2}\n"
	    "{\"argv\": [\"cat\"], \"stdin\": \"/dev/null\", \"label\": \"own\"}\n"
	    "cat\n", "--quiet", "--wait", "--env", "A=1", "--env", "B=2", "--dir", "/", "--stdin",
	    path, "--label", "all",));
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
	    "{\"shell\": \"sleep 60\", \"total_limit\": \"100ms\"}\n", "--wait",), 2, "", NULL);
}
END_TEST

/* ---- lines that cannot be ---- */

static const struct { const char *line, *why; } bad_lines[] = {
	{ "shell:1:1", "2 of the four colons" },
	{ "shell:high:1:1:true", "the priority is a whole number" },
	{ "shell:40000:1:1:true", "the priority is a whole number" },
	{ "shell:1:-1:1:true", "the memory is a whole number" },
	{ "shell:1:1:1.5:true", "the cpus are a whole number" },
	{ "shell:1:1:1:  ", "there is no command" },
	{ "demo:1:1:1:true", "shell, python or func: \"demo\"" },
	{ "func:1:1:1: ", "there is no function" },
	{ "func:1:0:1:no.such 1", "no function \"no.such\"" },
	{ "func:1:0:1:probe.echo 'open", "' is not closed" },
	{ "func:1:0:1:probe.echo @none", "not a reference" },
	{ "func:1:0:1:probe.echo @1.1.1", "another runtime" },
	{ "echo \001", "byte 6 is 0x01" },
	{ "{\"shell\": \"a\"", "column" },
	{ "{\"shell\": \"a\"} more", "column" },
	{ "{\"shell\": \"a\", \"shell\": \"b\"}", "duplicate" },
	{ "{\"shell\": \"a\\u0000b\"}", "column" },
	{ "{\"shell\": \"\377\"}", "byte 0xff" },
	{ "{}", "says what is to run, and there is none" },
	{ "{\"shell\": \"a\", \"argv\": [\"b\"]}", "and there are more" },
	{ "{\"shell\": \"\"}", "not empty" },
	{ "{\"argv\": []}", "\"argv\"" },
	{ "{\"argv\": [1]}", "\"argv\"" },
	{ "{\"shell\": \"a\", \"args\": []}", "those of \"func\"" },
	{ "{\"shell\": \"a\", \"prioriti\": 1}", "no key \"prioriti\"" },
	{ "{\"shell\": \"a\", \"priority\": \"1\"}", "\"priority\" is a whole number" },
	{ "{\"shell\": \"a\", \"retries\": 255}", "\"retries\" is a whole number" },
	{ "{\"shell\": \"a\", \"retries\": 200, \"crash_retries\": 200}", "together" },
	{ "{\"shell\": \"a\", \"run_limit\": \"soon\"}", "run_limit" },
	{ "{\"shell\": \"a\", \"run_limit\": -1}", "run_limit" },
	{ "{\"shell\": \"a\", \"needs\": \"cpus\"}", "cpus" },
	{ "{\"shell\": \"a\", \"needs\": \"gpus=1\"}", "gpus=1" },
	{ "{\"shell\": \"a\", \"replicas\": 0}", "\"replicas\"" },
	{ "{\"shell\": \"a\", \"output_cap\": \"much\"}", "output_cap" },
	{ "{\"shell\": \"a\", \"env\": {\"A=B\": \"c\"}}", "without =" },
	{ "{\"shell\": \"a\", \"env\": \"A=B\"}", "an object" },
	{ "{\"shell\": \"a\", \"label\": \"\"}", "\"label\"" },
	{ "{\"shell\": \"a\", \"name\": \"@1\"}", "not to begin with @" },
	{ "{\"shell\": \"a\", \"after\": 1}", "\"after\"" },
	{ "{\"shell\": \"a\", \"after\": \"@1.1.1\"}", "another runtime" },
	{ "{\"shell\": \"a\", \"in\": {\"PLM_X\": \"@1.1.1\"}}", "no name for a variable" },
	{ "{\"shell\": \"a\", \"in\": {\"X\": \"file\"}}", "\"in\"" },
	{ "{\"shell\": \"a\", \"out\": [\"X=a/b\"]}", "\"out\"" },
	{ "{\"shell\": \"a\", \"out\": [\"X\", \"X=y\"]}", "asked for twice" },
	{ "{\"func\": \"probe.echo\", \"dir\": \"/\"}", "are for commands" },
	{ "{\"func\": \"probe.echo\", \"args\": [1]}", "\"args\"" },
	{ "[\"echo\"]", NULL }, /* no object, so it is a line for the shell */
};

/* Each by itself, so that each is seen to be one; and all in one file, that none hides another. */
START_TEST(every_bad_line_is_named_and_nothing_is_loaded)
{
	enum { LINES = sizeof bad_lines / sizeof bad_lines[0] };
	static char all[1 << 16];
	char where[32];
	size_t n = 0, bad = 0;
	free(ctl_expect(&host, 0, "pause"));
	for (size_t i = 0; i < LINES; i++) {
		n += (size_t)snprintf(all + n, sizeof all - n, "echo good\n%s\n",
		    bad_lines[i].line);
		bad += bad_lines[i].why != NULL;
		if (bad_lines[i].why)
			check_output(load(bad_lines[i].line,), 65, "", bad_lines[i].why);
	}
	struct output_of o = load(all,);
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
	check_output(load(all, "--skip-bad",), 0, "", "bad lines left out");
	ck_assert_uint_eq(count_tasks("ready"), 2 * LINES - bad);
}
END_TEST

START_TEST(ends_of_lines_and_a_byte_order_mark_are_none_of_the_command)
{
	struct refs r = refs_of(load("\357\273\277echo one\r\n\r\necho two\r\necho three", "--quiet",));
	ck_assert_uint_eq(r.n, 3);
	expect_value(r.ref[0], "one\n");
	expect_value(r.ref[1], "two\n");
	expect_value(r.ref[2], "three\n");
	free(r.text);
	check_output(load("", "--quiet",), 0, "", NULL);
	check_output(load("\n# nothing\n",), 0, "", "loaded 0, skipped 0");
}
END_TEST

START_TEST(binary_rubbish_is_refused)
{
	static char data[100000];
	uint64_t state = RANDOM_SEED;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (char)random_next(&state);
	check_output(load_bytes(data, sizeof data, "-"), 65, "", "this is no line of text");
	check_output(load_bytes("echo a\0b\n", 9, "-"), 65, "", ":1: byte 7 is 0x00");
	check_output(load_bytes("{\"shell\": \"a\"}\0\n", 16, "-"), 65, "", ":1: column");
	check_output(load_bytes("\0\0\n", 3, "-"), 65, "", ":1: byte 1 is 0x00");
	ck_assert_uint_eq(count_tasks("done"), 0);
}
END_TEST

/* A program is given no longer word than 128 KiB; functions take what there is. */
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
	check_output(ctl(&host, "load", path), 65, "", ":1: a line of more than 16 MiB");
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

/* ---- names ---- */

START_TEST(a_line_starts_when_those_it_names_have_ended_wherever_they_stand)
{
	struct refs r = refs_of(load(
	    "{\"name\": \"c\", \"shell\": \"echo c >> order\", \"after\": [\"b\", \"a\"]}\n"
	    "{\"name\": \"b\", \"shell\": \"echo b >> order\", \"after\": \"a\"}\n"
	    "{\"name\": \"a\", \"shell\": \"sleep 0.05; echo a >> order\"}\n"
	    "{\"shell\": \"echo d >> order\", \"after\": [\"c\"]}\n",
	    "--quiet", "--wait", "--dir", host.directory,));
	ck_assert_uint_eq(r.n, 4);
	free(r.text);
	check_output(order("--dir", host.directory, "cat", "order"), 0, "a\nb\nc\nd\n", NULL);
}
END_TEST

START_TEST(values_go_from_line_to_line)
{
	struct output_of o = load(
	    "{\"func\": \"probe.sum\", \"args\": [{\"result\": \"three\"}, \"4\"]}\n"
	    "{\"name\": \"three\", \"func\": \"probe.sum\", \"args\": [\"1\", \"2\"]}\n"
	    "{\"argv\": [\"sh\", \"-c\", \"cat $X -\"], \"in\": {\"X\": {\"result\": \"three\"}}, "
	    "\"stdin\": {\"result\": \"three\"}}\n"
	    "{\"shell\": \"echo made > $Y\", \"out\": [\"Y\"], \"name\": \"maker\"}\n",
	    "--json", "--wait",);
	const char *line = o.out;
	char *ref[4], *values[4] = { NULL };
	ck_assert_int_eq(o.code, 0);
	for (int i = 0; i < 4; i++, line = strchr(line, '\n') + 1) {
		char *at = json_field(line, "line");
		ck_assert_ptr_nonnull(at);
		int number = atoi(at) - 1;
		free(at);
		ck_assert(number >= 0 && number < 4);
		ref[number] = json_field(line, "ref");
		values[number] = strdup(line);
	}
	expect_value(ref[0], "7");
	expect_value(ref[1], "3");
	expect_value(ref[2], "33");
	const char *out = strstr(values[3], "\"out\": [\"@");
	ck_assert_msg(out != NULL, "%s", values[3]);
	char *made = strndup(out + 9, strcspn(out + 9, "\""));
	expect_value(made, "made\n");
	free(made);
	for (int i = 0; i < 4; i++) {
		free(ref[i]);
		free(values[i]);
	}
	output_free(&o);
}
END_TEST

START_TEST(what_waits_for_a_failed_line_fails)
{
	check_output(load("{\"name\": \"a\", \"shell\": \"exit 3\"}\n"
			  "{\"shell\": \"true\", \"after\": \"a\"}\n"
			  "true\n", "--wait",), 2, "", "3 tasks ended, 2 did not succeed");
}
END_TEST

START_TEST(names_that_cannot_be_are_refused)
{
	check_output(load("{\"name\": \"a\", \"shell\": \"1\"}\n{\"name\": \"a\", \"shell\": \"2\"}\n",),
	    65, "", ":2: the name \"a\" is that of line 1");
	check_output(load("{\"shell\": \"1\", \"after\": \"zz\"}\n",), 65, "", "waits for \"zz\"");
	check_output(load("{\"name\": \"me\", \"shell\": \"1\", \"after\": \"me\"}\n",), 65, "",
	    "a circle: \"me\" (line 1) waits for it");
	struct output_of o = load("{\"name\": \"x\", \"shell\": \"1\", \"after\": \"y\"}\n"
	    "{\"name\": \"y\", \"shell\": \"1\", \"after\": [\"good\", \"z\"]}\n"
	    "{\"name\": \"z\", \"shell\": \"1\", \"after\": \"x\"}\n"
	    "{\"name\": \"good\", \"shell\": \"true\"}\n"
	    "{\"shell\": \"1\", \"after\": \"z\"}\n", "--skip-bad",);
	ck_assert_msg(strstr(o.err, "a circle: ") && strstr(o.err, "\"x\" (line 1) waits for \"y\" "
	    "(line 2)"), "%s", o.err);
	ck_assert_msg(strstr(o.err, ":5: it waits for \"z\", line 3, which is bad"), "%s", o.err);
	check_output(o, 0, "", "loaded 1, skipped 0, 4 bad lines left out");
}
END_TEST

/* Chains in both directions, more than a batch, and more than the depth of any stack. */
START_TEST(long_chains_are_loaded_forwards_and_backwards)
{
	enum { CHAIN = 600, ROOM = CHAIN * 100 };
	char *text = malloc(2 * ROOM);
	size_t n = 0;
	for (int i = 0; i < CHAIN; i++)
		n += (size_t)sprintf(text + n, "{\"name\": \"f%d\", \"func\": \"probe.sum\", \"args\":"
		    " [\"1\", %s%d%s]}\n", i, i ? "{\"result\": \"f" : "\"", i ? i - 1 : 0,
		    i ? "\"}" : "\"");
	for (int i = CHAIN; i-- > 0;)
		n += (size_t)sprintf(text + n, "{\"name\": \"b%d\", \"func\": \"probe.sum\", \"args\":"
		    " [\"1\", %s%d%s]}\n", i, i ? "{\"result\": \"b" : "\"", i ? i - 1 : 0,
		    i ? "\"}" : "\"");
	struct output_of o = load(text, "--json", "--wait",);
	free(text);
	ck_assert_msg(o.code == 0, "%s", o.err);
	for (const char *at = o.out; *at; at = strchr(at, '\n') + 1) {
		char *name = json_field(at, "name"), *ref = json_field(at, "ref");
		if (strcmp(name, "f599") == 0 || strcmp(name, "b599") == 0)
			expect_value(ref, "600");
		free(name);
		free(ref);
	}
	output_free(&o);
}
END_TEST

/* ---- again ---- */

START_TEST(unique_skips_what_is_done_or_under_way_and_tries_again_what_failed)
{
	static const char text[] = "true\n"
				   "exit 1\n"
				   "shell:3:0:0:true\n"
				   "func:0:0:0:probe.noop\n"
				   "func:1:0:0:probe.sum 1 2\n"
				   "{\"argv\": [\"true\"], \"label\": \"a\"}\n"
				   "true\n";
	check_output(load(text, "--unique",), 0, "", "loaded 5, skipped 2");
	ctl_until(&host, "  running        0", "status");
	ctl_until(&host, "  ready          0", "status");
	check_output(load(text, "--unique",), 0, "", "loaded 1, skipped 6");
	check_output(load(text,), 0, "", "loaded 7, skipped 0");
	free(ctl_expect(&host, 0, "pause"));
	check_output(load("echo waits\n", "--unique",), 0, "", "loaded 1, skipped 0");
	check_output(load("echo waits\n", "--unique", "--priority", "5", "--retries", "2",), 0, "",
	    "loaded 0, skipped 1");
	check_output(load("echo waits\n", "--unique", "--label", "b",), 0, "", "loaded 1,");
	check_output(load("echo waits\n", "--unique", "--dir", "/",), 0, "", "loaded 1,");
	check_output(load("echo waits\n", "--unique", "--env", "A=1",), 0, "", "loaded 1,");
	char *ref = detached("--shell", "echo by submit");
	check_output(load("echo by submit\n{\"shell\": \"echo by submit\"}\n", "--unique",), 0, "",
	    "loaded 0, skipped 2");
	free(ctl_expect(&host, 0, "drop", ref));
	free(ctl_expect(&host, 0, "resume"));
	free(ref);
}
END_TEST

/* A dead one that is retried has the identity it had; what is gone is loaded again. */
START_TEST(identity_goes_with_a_retry_and_ends_with_the_future)
{
	struct refs r = refs_of(load("test -e go\n", "--quiet", "--unique", "--retries", "1", "--dir",
	    host.directory,));
	check_output(ctl(&host, "wait", r.ref[0]), 1, NULL, NULL);
	free(ctl_expect(&host, 0, "pause"));
	char *again = ctl_expect(&host, 0, "retry", r.ref[0]);
	check_output(load("test -e go\n", "--unique", "--dir", host.directory,), 0, "",
	    "loaded 0, skipped 1");
	free(ctl_expect(&host, 0, "drop", again));
	free(ctl_expect(&host, 0, "resume"));
	ctl_until(&host, "  used           0", "status");
	check_output(load("test -e go\n", "--unique", "--dir", host.directory,), 0, "",
	    "loaded 1, skipped 0");
	free(again);
	free(r.text);
}
END_TEST

/* Who waits for a line that is skipped waits for the task that is there. */
START_TEST(names_of_skipped_lines_are_those_of_what_is_there)
{
	static const char one[] = "{\"name\": \"a\", \"func\": \"probe.sum\", \"args\": [\"1\"]}\n";
	static const char two[] = "{\"name\": \"a\", \"func\": \"probe.sum\", \"args\": [\"1\"]}\n"
	    "{\"name\": \"b\", \"func\": \"probe.sum\", \"args\": [\"1\"]}\n"
	    "{\"func\": \"probe.sum\", \"args\": [{\"result\": \"a\"}, {\"result\": \"b\"}]}\n";
	check_output(load(one, "--unique", "--wait",), 0, "", NULL);
	struct refs r = refs_of(load(two, "--unique", "--quiet", "--wait",));
	ck_assert_uint_eq(r.n, 1);
	expect_value(r.ref[0], "2");
	free(r.text);
}
END_TEST

/* ---- waiting ---- */

START_TEST(wait_ends_with_the_number_of_failed_ones)
{
	char text[128 * 8] = "";
	check_output(load("true\nfalse\nfalse\n", "--wait",), 2, "", ":2: @");
	for (int i = 0; i < 102; i++)
		strcat(text, "false\n");
	check_output(load(text, "--wait",), 101, "", "102 did not succeed");
	check_output(load("sleep 60\n", "--wait", "--timeout", "0.1", "--run-limit", "1s",), 124, "", "ran out");
}
END_TEST

/* What a finished task of this file leaves it drops itself: so there is room again. */
START_TEST(a_full_table_is_waited_for)
{
	char line[PATH_BYTES * 2], bin[PATH_BYTES], *text = calloc(200, sizeof line);
	const char *where = getenv("PLM_BIN");
	runtime_end(&host);
	runtime_boot(&host, "--workers", "2", "--tasks", "128",);
	ck_assert_ptr_nonnull(realpath(where && where[0] ? where : ".", bin));
	snprintf(line, sizeof line, "%s/plmctl drop $PLM_TASK\n", bin);
	for (int i = 0; i < 200; i++)
		strcat(text, line);
	check_output(load(text,), 0, "", "loaded 200, skipped 0");
	free(text);
}
END_TEST

START_TEST(a_table_that_stays_full_is_told_and_what_was_loaded_stays)
{
	char text[1000] = "";
	runtime_end(&host);
	runtime_boot(&host, "--workers", "2", "--tasks", "64",);
	for (int i = 0; i < 100; i++)
		sprintf(text + strlen(text), "test %d\n", i);
	check_output(load(text, "--timeout", "0.3",), 75, "", "the table of futures is full");
	unsigned loaded = count_tasks("done") + count_tasks("failed");
	ck_assert_uint_gt(loaded, 0);
	struct output_of o = load(text, "--unique", "--timeout", "0.1",);
	const char *skipped = strstr(o.err, "skipped ");
	ck_assert_msg(o.code == 75 && skipped && atoi(skipped + 8) > 0, "%s", o.err);
	output_free(&o);
}
END_TEST

START_TEST(on_stdout_is_what_was_asked_for)
{
	unsigned values;
	check_output(load("true\ntrue\n",), 0, "", "loaded 2, skipped 0");
	struct output_of o = load("true\n{\"shell\": \"true\", \"name\": \"n\"}\n", "--json",);
	ck_assert_ptr_null(json_lines_check(o.out, o.out_bytes, &values));
	ck_assert_uint_eq(values, 2);
	ck_assert_ptr_nonnull(strstr(o.out, "\"line\": 2, \"name\": \"n\""));
	output_free(&o);
	o = load("true\n", "--quiet",);
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

/* Two records of 128 bytes with 28 for their places in pool and heap, and their arguments. */
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
	check_output(load(text,), 0, "", "loaded 1000");
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
	    a_line_starts_when_those_it_names_have_ended_wherever_they_stand,
	    values_go_from_line_to_line,
	    what_waits_for_a_failed_line_fails,
	    names_that_cannot_be_are_refused,
	    long_chains_are_loaded_forwards_and_backwards,
	    unique_skips_what_is_done_or_under_way_and_tries_again_what_failed,
	    identity_goes_with_a_retry_and_ends_with_the_future,
	    names_of_skipped_lines_are_those_of_what_is_there,
	    wait_ends_with_the_number_of_failed_ones,
	    a_full_table_is_waited_for,
	    a_table_that_stays_full_is_told_and_what_was_loaded_stays,
	    on_stdout_is_what_was_asked_for,
	    a_queued_command_takes_400_bytes_and_its_text,
	};
	Suite *suite = suite_create("load");
	TCase *tcase = tcase_create("plmctl load");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, boot, command_stop);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
