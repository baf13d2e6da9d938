/* test_load_again.c - task files whose lines name each other, files loaded again, waiting for
 * loaded tasks and for room. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/json.h"
#include "tests/support/load_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60, PATH_BYTES = 256 };

/* ---- names ---- */

START_TEST(a_line_starts_when_those_it_names_have_ended_wherever_they_stand)
{
	struct refs r = refs_of(
	    load("{\"name\": \"c\", \"shell\": \"echo c >> order\", \"after\": [\"b\", \"a\"]}\n"
		 "{\"name\": \"b\", \"shell\": \"echo b >> order\", \"after\": \"a\"}\n"
		 "{\"name\": \"a\", \"shell\": \"sleep 0.05; echo a >> order\"}\n"
		 "{\"shell\": \"echo d >> order\", \"after\": [\"c\"]}\n",
		"--quiet", "--wait", "--dir", host.directory, ));
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
	    "--json", "--wait", );
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
			  "true\n",
			 "--wait", ),
	    2, "", "3 tasks ended, 2 did not succeed");
}
END_TEST

START_TEST(names_that_cannot_be_are_refused)
{
	check_output(load("{\"name\": \"a\", \"shell\": \"1\"}\n"
			  "{\"name\": \"a\", \"shell\": \"2\"}\n", ),
	    65, "", ":2: the name \"a\" is that of line 1");
	check_output(load("{\"shell\": \"1\", \"after\": \"zz\"}\n", ), 65, "", "waits for \"zz\"");
	check_output(load("{\"name\": \"me\", \"shell\": \"1\", \"after\": \"me\"}\n", ), 65, "",
	    "a circle: \"me\" (line 1) waits for it");
	struct output_of o =
	    load("{\"name\": \"x\", \"shell\": \"1\", \"after\": \"y\"}\n"
		 "{\"name\": \"y\", \"shell\": \"1\", \"after\": [\"good\", \"z\"]}\n"
		 "{\"name\": \"z\", \"shell\": \"1\", \"after\": \"x\"}\n"
		 "{\"name\": \"good\", \"shell\": \"true\"}\n"
		 "{\"shell\": \"1\", \"after\": \"z\"}\n",
		"--skip-bad", );
	ck_assert_msg(strstr(o.err, "a circle: ") &&
		strstr(o.err,
		    "\"x\" (line 1) waits for \"y\" "
		    "(line 2)"),
	    "%s", o.err);
	ck_assert_msg(strstr(o.err, ":5: it waits for \"z\", line 3, which is bad"), "%s", o.err);
	check_output(o, 0, "", "loaded 1, skipped 0, 4 bad lines left out");
}
END_TEST

/* The value of this line is one more than the value of the line before. */
static size_t chain_line(char *to, char chain, int i)
{
	size_t n = (size_t)sprintf(to, "{\"name\": \"%c%d\", \"func\": \"probe.sum\", ", chain, i);
	n += (size_t)sprintf(to + n, "\"args\": [\"1\"");
	if (i > 0)
		n += (size_t)sprintf(to + n, ", {\"result\": \"%c%d\"}", chain, i - 1);
	return n + (size_t)sprintf(to + n, "]}\n");
}

/* Chains in both directions, longer than a batch and too long for a recursion. */
START_TEST(long_chains_are_loaded_forwards_and_backwards)
{
	enum { CHAIN = 600, ROOM = CHAIN * 100 };
	char *text = malloc(2 * ROOM);
	size_t n = 0;
	for (int i = 0; i < CHAIN; i++)
		n += chain_line(text + n, 'f', i);
	for (int i = CHAIN; i-- > 0;)
		n += chain_line(text + n, 'b', i);
	struct output_of o = load(text, "--json", "--wait", );
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

/* ---- files loaded again ---- */

START_TEST(unique_skips_what_is_done_or_under_way_and_tries_again_what_failed)
{
	static const char text[] = "true\n"
				   "exit 1\n"
				   "shell:3:0:0:true\n"
				   "func:0:0:0:probe.noop\n"
				   "func:1:0:0:probe.sum 1 2\n"
				   "{\"argv\": [\"true\"], \"label\": \"a\"}\n"
				   "true\n";
	check_output(load(text, "--unique", ), 0, "", "loaded 5, skipped 2");
	ctl_until(&host, "  running        0", "status");
	ctl_until(&host, "  ready          0", "status");
	check_output(load(text, "--unique", ), 0, "", "loaded 1, skipped 6");
	check_output(load(text, ), 0, "", "loaded 7, skipped 0");
	free(ctl_expect(&host, 0, "pause"));
	check_output(load("echo waits\n", "--unique", ), 0, "", "loaded 1, skipped 0");
	check_output(load("echo waits\n", "--unique", "--priority", "5", "--retries", "2", ), 0, "",
	    "loaded 0, skipped 1");
	check_output(load("echo waits\n", "--unique", "--label", "b", ), 0, "", "loaded 1,");
	check_output(load("echo waits\n", "--unique", "--dir", "/", ), 0, "", "loaded 1,");
	check_output(load("echo waits\n", "--unique", "--env", "A=1", ), 0, "", "loaded 1,");
	char *ref = detached("--shell", "echo by submit");
	check_output(load("echo by submit\n{\"shell\": \"echo by submit\"}\n", "--unique", ), 0, "",
	    "loaded 0, skipped 2");
	free(ctl_expect(&host, 0, "drop", ref));
	free(ctl_expect(&host, 0, "resume"));
	free(ref);
}
END_TEST

/* The retry of a dead task has the same identity; a line whose task is gone is loaded again. */
START_TEST(identity_goes_with_a_retry_and_ends_with_the_future)
{
	struct refs r = refs_of(load(
	    "test -e go\n", "--quiet", "--unique", "--retries", "1", "--dir", host.directory, ));
	check_output(ctl(&host, "wait", r.ref[0]), 1, NULL, NULL);
	free(ctl_expect(&host, 0, "pause"));
	char *again = ctl_expect(&host, 0, "retry", r.ref[0]);
	check_output(load("test -e go\n", "--unique", "--dir", host.directory, ), 0, "",
	    "loaded 0, skipped 1");
	free(ctl_expect(&host, 0, "drop", again));
	free(ctl_expect(&host, 0, "resume"));
	ctl_until(&host, "  used           0", "status");
	check_output(load("test -e go\n", "--unique", "--dir", host.directory, ), 0, "",
	    "loaded 1, skipped 0");
	free(again);
	free(r.text);
}
END_TEST

/* A line that waits for a skipped line waits for the task of the earlier load. */
START_TEST(names_of_skipped_lines_are_those_of_what_is_there)
{
	static const char one[] = "{\"name\": \"a\", \"func\": \"probe.sum\", \"args\": [\"1\"]}\n";
	static const char two[] =
	    "{\"name\": \"a\", \"func\": \"probe.sum\", \"args\": [\"1\"]}\n"
	    "{\"name\": \"b\", \"func\": \"probe.sum\", \"args\": [\"1\"]}\n"
	    "{\"func\": \"probe.sum\", \"args\": [{\"result\": \"a\"}, {\"result\": \"b\"}]}\n";
	check_output(load(one, "--unique", "--wait", ), 0, "", NULL);
	struct refs r = refs_of(load(two, "--unique", "--quiet", "--wait", ));
	ck_assert_uint_eq(r.n, 1);
	expect_value(r.ref[0], "2");
	free(r.text);
}
END_TEST

/* ---- load --wait ---- */

START_TEST(wait_ends_with_the_number_of_failed_ones)
{
	char text[128 * 8] = "";
	check_output(load("true\nfalse\nfalse\n", "--wait", ), 2, "", ":2: @");
	for (int i = 0; i < 102; i++)
		strcat(text, "false\n");
	check_output(load(text, "--wait", ), 101, "", "102 did not succeed");
	check_output(load("sleep 60\n", "--wait", "--timeout", "0.1", "--run-limit", "1s", ), 124,
	    "", "ran out");
}
END_TEST

/* Each task drops its own future, so that the table has room again. */
START_TEST(a_full_table_is_waited_for)
{
	char line[PATH_BYTES * 2], bin[PATH_BYTES], *text = calloc(200, sizeof line);
	const char *where = getenv("PLM_BIN");
	runtime_end(&host);
	runtime_boot(&host, "--workers", "2", "--tasks", "128", );
	ck_assert_ptr_nonnull(realpath(where && where[0] ? where : ".", bin));
	snprintf(line, sizeof line, "%s/plmctl drop $PLM_TASK\n", bin);
	for (int i = 0; i < 200; i++)
		strcat(text, line);
	check_output(load(text, ), 0, "", "loaded 200, skipped 0");
	free(text);
}
END_TEST

START_TEST(a_table_that_stays_full_is_told_and_what_was_loaded_stays)
{
	char text[1000] = "";
	runtime_end(&host);
	runtime_boot(&host, "--workers", "2", "--tasks", "64", "--keep-finished", "all", );
	for (int i = 0; i < 100; i++)
		sprintf(text + strlen(text), "test %d\n", i);
	check_output(load(text, "--timeout", "0.3", ), 75, "", "task table full");
	unsigned loaded = count_tasks("done") + count_tasks("failed");
	ck_assert_uint_gt(loaded, 0);
	struct output_of o = load(text, "--unique", "--timeout", "0.1", );
	const char *skipped = strstr(o.err, "skipped ");
	ck_assert_msg(o.code == 75 && skipped && atoi(skipped + 8) > 0, "%s", o.err);
	output_free(&o);
}
END_TEST

/* ---- more lines than the table has room for ---- */

static void boot_small(const char *tasks)
{
	runtime_end(&host);
	runtime_boot(&host, "--workers", "2", "--tasks", tasks, );
}

/* Each line is `before`, its number, `behind`; with `at_last` also the next number and `at_last`.
 */
static char *text_of(unsigned lines, const char *before, const char *behind, const char *at_last)
{
	char *text = calloc(lines + 1, PATH_BYTES), *end = text;
	for (unsigned i = 0; i < lines; i++) {
		end += sprintf(end, "%s%u%s", before, i, behind);
		end += at_last ? sprintf(end, "%u%s", i + 1, at_last) : 0;
	}
	return text;
}

START_TEST(lines_stream_through_a_small_table)
{
	boot_small("256");
	char *text = text_of(20000, "{\"func\": \"probe.echo\", \"args\": [\"", "\"]}\n", NULL);
	check_output(load(text, "--wait", ), 0, "", "20000 tasks ended, 0 did not succeed");
	check_output(load(text, "--quiet", "--unique", "--wait", ), 0, NULL, "");
	text[strlen(text) / 2] = 0;
	*(strrchr(text, '\n') + 1) = 0;
	check_output(load(text, ), 0, "", "loaded 10");
	free(text);
	text = text_of(500, ": ", "\n", NULL); /* each line takes three records */
	strcat(text, "false\n");
	check_output(load(text, "--wait", ), 1, "", "501 tasks ended, 1 did not succeed");
	free(text);
}
END_TEST

START_TEST(names_stream_as_far_as_lines_to_come_do_not_want_them)
{
	boot_small("256");
	char *chain = text_of(1000, "{\"func\": \"probe.echo\", \"args\": [{\"result\": \"",
	    "\"}], \"name\": \"", "\"}\n");
	char *text = calloc(2, strlen(chain) + PATH_BYTES);
	sprintf(text,
	    "{\"name\": \"0\", \"func\": \"probe.echo\", \"args\": [\"v\"]}\n%s"
	    "{\"func\": \"probe.echo\", \"args\": [{\"result\": \"0\"}]}\n",
	    chain);
	check_output(load(text, "--wait", ), 0, "", "1002 tasks ended, 0 did not succeed");
	check_output(load(text, ), 0, "", "loaded 1002");
	free(text);
	free(chain);
}
END_TEST

START_TEST(names_that_have_to_stay_and_fill_the_table_are_told)
{
	boot_small("64");
	char *names = text_of(100, "{\"name\": \"", "\", \"func\": \"probe.noop\"}\n", NULL);
	char *text = calloc(4, strlen(names));
	sprintf(text, "%s{\"func\": \"probe.noop\", \"args\": [", names);
	for (int i = 0; i < 100; i++)
		sprintf(text + strlen(text), "%s{\"result\": \"%d\"}", i ? ", " : "", i);
	strcat(text, "]}\n");
	check_output(load(text, "--wait", ), 75, "", "that later lines of the file wait for");
	check_output(load(text, ), 75, "", "that later lines of the file wait for");
	free(text);
	free(names);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
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
		lines_stream_through_a_small_table,
		names_stream_as_far_as_lines_to_come_do_not_want_them,
		names_that_have_to_stay_and_fill_the_table_are_told,
	};
	return run_tests("load again", TEST_TIMEOUT_S, host_boot_two, host_stop, tests,
	    sizeof tests / sizeof tests[0]);
}
