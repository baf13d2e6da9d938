/* test_journal_after.c - a command that comes after another task finds the end of that task in its
 * variables, whichever boot saw the end. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/plm.h"
#include "tests/support/fixture.h"
#include "tests/support/journal_case.h"
#include "tests/support/json.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, PATH_BYTES = 128, LINE_BYTES = 512, ACCEPTED = 13, ENDED = 4 };

static char *gate; /* runs until open_gate() */

/* A command that comes after `before`, and not before the gate is open. It notes what it finds. */
static void note_end(const char *name, const char *option, const char *before)
{
	char path[PATH_BYTES], line[LINE_BYTES];
	scratch_path(&host, "ends", path, sizeof path);
	snprintf(line, sizeof line, "echo %s $PLM_AFTER_STATE $PLM_AFTER_CODE $PLM_AFTER >> %s",
	    name, path);
	free(keep(option, before, "--after", gate, "--shell", line));
}

static void expect_end(const char *name, const char *end, const char *ref)
{
	char line[LINE_BYTES];
	snprintf(line, sizeof line, "%s %s %s", name, end, ref);
	ck_assert_msg(count_lines("ends", line) == 1, "no line \"%s\"", line);
}

/* The reference of the task that the command came after, as the command has noted it. */
static void noted_ref(const char *name, char ret[LINE_BYTES])
{
	char path[PATH_BYTES], line[LINE_BYTES];
	size_t length = strlen(name);
	scratch_path(&host, "ends", path, sizeof path);
	FILE *f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ret[0] = 0;
	while (fgets(line, sizeof line, f))
		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			snprintf(ret, LINE_BYTES, "%s", strrchr(line, ' ') + 1);
	ret[strcspn(ret, "\n")] = 0;
	fclose(f);
}

/* A task that ends with its submitter, so the journal does not know the task. */
static void submit_mortal(void *context)
{
	(void)context;
	struct output_of r = ctl(&host, "submit", "--label", "mortal", "sleep 60");
	output_free(&r);
}

static char *reference_of_mortal(void)
{
	ctl_until(&host, "@", "tasks", "--label", "mortal", "--quiet");
	char *ref = ctl_expect(&host, 0, "tasks", "--label", "mortal", "--quiet");
	ref[strcspn(ref, "\n")] = 0;
	return ref;
}

/* plm.h promises an empty argument to functions. */
static void submit_function_after(const char *before)
{
	plm *rt;
	plm_ref ref, echo;
	ck_assert_int_eq(plm_connect(&rt, host.name), 0);
	ck_assert_int_eq(plm_ref_parse(before, &ref), 0);
	const plm_arg args[] = { PLM_BYTES("alone", 5), PLM_AFTER(ref, PLM_AFTER_ANY) };
	const plm_terms terms = { .needs = NULL };
	const plm_task task = { .function = "probe.echo",
		.args = args,
		.nargs = 2,
		.priority = -9,
		.flags = PLM_KEEP,
		.terms = &terms };
	ck_assert_int_eq(plm_submit(rt, &task, &echo), 0);
	plm_disconnect(&rt);
}

static void expect_value(const char *text, const char *expected)
{
	char *line = history_line(text);
	ck_assert_ptr_nonnull(line);
	char *ref = json_field(line, "ref"), *value = ctl_expect(&host, 0, "get", ref);
	ck_assert_str_eq(value, expected);
	free(value);
	free(ref);
	free(line);
}

START_TEST(a_command_finds_the_end_before_it_after_each_boot)
{
	char line[LINE_BYTES], path[PATH_BYTES], again[LINE_BYTES];
	journal_boot();
	wait_line(line, sizeof line, "true gate");
	gate = keep("--priority", "9", "--crash-retries", "9", "--shell", line);
	await_lines("begun", 1);
	char *early = keep("exit 3"), *good = keep("true");
	status_reaches("journal_ended", 2);
	scratch_path(&host, "late", path, sizeof path);
	snprintf(line, sizeof line, "until [ -e %s ]; do sleep 0.01; done; kill -9 $$", path);
	char *late = keep("--shell", line), *never = keep("--after", gate, "true never");
	char *live = keep("--after", gate, "exit 9");
	pid_t child = child_of(submit_mortal, NULL);
	char *mortal = reference_of_mortal();
	until_history("kill -9", "state", "running");
	note_end("early", "--after-any", early);
	note_end("good", "--after-any", good);
	note_end("late", "--after-failed", late);
	note_end("never", "--after-any", never);
	note_end("live", "--after-failed", live);
	note_end("mortal", "--after-any", mortal);
	free(ctl_expect(&host, 0, "pause"));
	submit_function_after(late);
	status_reaches("journal_accepted", ACCEPTED);
	free(ctl_expect(&host, 0, "cancel", never));
	scratch_write(&host, "late", "", 0, path, sizeof path);
	status_reaches("journal_ended", ENDED);
	journal_crash();
	exit_of(child);
	journal_reboot();
	status_reaches("journal_resumed", ACCEPTED - ENDED);
	until_history("probe.echo", "state", "done");
	expect_value("probe.echo", "alone");
	journal_crash();
	open_gate();
	journal_reboot();
	history_settles();
	expect_end("early", "failed 3", early);
	expect_end("good", "done 0", good);
	expect_end("late", "failed 137", late);
	expect_end("never", "cancelled 130", never);
	expect_end("mortal", "unknown 125", mortal);
	noted_ref("live", again);
	expect_end("live", "failed 9", again);
	ck_assert_str_ne(again, live);
	free(ctl_expect(&host, 0, "info", again));
	noted_ref("late", again); /* of an earlier boot: the history knows it */
	free(ctl_expect(&host, 0, "history", again));
	journal_end();
	free(gate);
	free(early);
	free(good);
	free(late);
	free(never);
	free(live);
	free(mortal);
}
END_TEST

/* Records are used again in any order: a task may stand in the table before the task that it comes
 * after. All are written in one group. */
START_TEST(a_task_is_durable_wherever_the_task_before_it_stands)
{
	enum { CHAIN = 200, LINE = 96, LINES_BYTES = CHAIN * LINE };
	static char lines[LINES_BYTES];
	char path[PATH_BYTES], out[PATH_BYTES];
	size_t n = 0;
	journal_boot();
	scratch_path(&host, "ends", out, sizeof out);
	for (int i = 0; i < CHAIN; i++)
		n += (size_t)snprintf(lines + n, sizeof lines - n, "true %d\n", i);
	scratch_write(&host, "used", lines, n, path, sizeof path);
	free(ctl_expect(&host, 0, "load", "--wait", path));
	free(ctl_expect(&host, 0, "forget", "--finished"));
	status_reaches("journal_ended", CHAIN);
	ctl_until(&host, "\"records_used\": 0,", "status", "--json");
	n = (size_t)snprintf(lines, sizeof lines, "{\"name\": \"0\", \"shell\": \"true\"}\n");
	for (int i = 1; i < CHAIN; i++)
		n += (size_t)snprintf(lines + n, sizeof lines - n,
		    "{\"name\": \"%d\", \"shell\": \"true\", \"%s\": \"%d\"}\n", i,
		    i % 2 ? "after" : "after_any", i - 1);
	scratch_write(&host, "chain", lines, n, path, sizeof path);
	free(ctl_expect(&host, 0, "pause"));
	free(ctl_expect(&host, 0, "load", path));
	snprintf(lines, sizeof lines, "echo hook $PLM_AFTER_STATE $PLM_AFTER_CODE >> %s", out);
	free(keep("--on-finish", lines, "exit 5"));
	status_reaches("journal_accepted", 2 * CHAIN + 2);
	char *all = ctl_expect(&host, 0, "history", "--json", "--state", "queued");
	ck_assert_ptr_null(strstr(all, "not durable"));
	journal_crash();
	journal_reboot();
	history_settles();
	ck_assert_uint_eq(history_count("done"), 2 * CHAIN + 1);
	ck_assert_uint_eq(count_lines("ends", "hook failed 5"), 1);
	journal_end();
	free(all);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ends before a boot");
	TCase *tcase = tcase_create("boots");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_test(tcase, a_command_finds_the_end_before_it_after_each_boot);
	tcase_add_test(tcase, a_task_is_durable_wherever_the_task_before_it_stands);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
