/* test_keep.c - plm --keep-finished and --keep, through the real programs. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/command_case.h"
#include "tests/support/fixture.h"
#include "tests/support/journal_case.h"
#include "tests/support/json.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60, MORE_THAN_FIT = 120 };

static void boot_with(const char *rules, const char *tasks)
{
	runtime_end(&host);
	runtime_boot(&host, "--workers", "2", "--keep-finished", rules, "--tasks", tasks, );
}

static char *detach(const char *text)
{
	return ctl_expect(&host, 0, "call", "--detach", "probe.echo", text);
}

static char *detach_and_wait(const char *text)
{
	char *ref = detach(text);
	free(ctl_expect(&host, 0, "wait", ref));
	return ref;
}

static void expect_left(const char *ref)
{
	check_output(ctl(&host, "get", ref), 65, "", "has left");
}

static void until_status(const char *key, long least)
{
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	for (;;) {
		char *out = ctl_expect(&host, 0, "status", "--json");
		char *value = json_field(out, key);
		ck_assert_ptr_nonnull(value);
		long now = strtol(value, NULL, 10);
		free(value);
		free(out);
		if (now >= least)
			return;
		ck_assert_msg(clock_ns() < deadline, "%s is %ld, not %ld", key, now, least);
	}
}

START_TEST(more_than_the_number_leave_and_who_comes_back_is_told)
{
	boot_with("2,1h", "1024");
	char *refs[4];
	for (int i = 0; i < 4; i++)
		refs[i] = detach_and_wait("x");
	until_status("left", 2);
	expect_left(refs[1]);
	check_output(ctl(&host, "get", refs[3]), 0, "x", NULL);
	char *out = ctl_expect(&host, 0, "status", "--json");
	char *rules = json_field(out, "keep_finished");
	ck_assert_str_eq(rules, "2,1h");
	free(rules);
	free(out);
	for (int i = 0; i < 4; i++)
		free(refs[i]);
}
END_TEST

START_TEST(a_time_of_its_own_is_longer_or_shorter_than_that_of_the_others)
{
	static const char line[] = "{\"shell\": \"true\", \"keep\": \"1ms\"}\n";
	boot_with("1", "1024");
	char *kept = ctl_expect(&host, 0, "submit", "--detach", "--keep", "1h", "--", "echo", "a");
	char *brief = ctl_expect(&host, 0, "call", "--detach", "--keep", "1ms", "probe.noop");
	free(ctl_expect(&host, 0, "wait", kept));
	until_status("left", 1);
	check_output(ctl(&host, "get", brief), 65, "", NULL);
	for (int i = 0; i < 3; i++)
		free(detach_and_wait("x"));
	until_status("left", 3);
	check_output(ctl(&host, "get", kept), 0, "a\n", NULL);
	check_output(ctl_with_input(&host, line, strlen(line), "load", "--wait", "-"), 0, "",
	    "1 tasks ended");
	until_status("left", 4);
	free(kept);
	free(brief);
}
END_TEST

START_TEST(the_order_outlives_the_scheduler)
{
	boot_with("2", "1024");
	char *refs[4], *out = ctl_expect(&host, 0, "status", "--json");
	char *pid = json_field(out, "scheduler_pid");
	refs[0] = detach_and_wait("0");
	refs[1] = detach_and_wait("1");
	kill(atoi(pid), SIGKILL);
	refs[2] = detach_and_wait("2");
	refs[3] = detach_and_wait("3");
	until_status("left", 2);
	check_output(ctl(&host, "get", refs[0]), 65, "", NULL);
	check_output(ctl(&host, "get", refs[1]), 65, "", NULL);
	check_output(ctl(&host, "get", refs[2]), 0, "2", NULL);
	for (int i = 0; i < 4; i++)
		free(refs[i]);
	free(pid);
	free(out);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
	const char *const bad[] = { "0", "41d", "3,4", "soon" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		check_output(
		    program_run(&host, "plm",
			(const char *const[]){ "--name", "never", "--keep-finished", bad[i], NULL },
			NULL, 0),
		    64, "", "keep-finished");
	check_output(ctl(&host, "call", "--keep", "1h", "probe.noop"), 64, "", "add --detach");
	check_output(ctl(&host, "submit", "--keep", "1h", "--", "true"), 64, "", "add --detach");
	check_output(ctl(&host, "map", "--keep", "1h", "true"), 64, "", "--keep");
	check_output(
	    ctl(&host, "call", "--detach", "--keep", "0", "probe.noop"), 64, "", "of 1ms at least");
}
END_TEST

/* ---- with a journal ---- */

START_TEST(the_history_knows_what_left)
{
	journal_boot("--tasks", "128", "--keep-finished", "1h", );
	char *first = keep("--", "echo", "the first"), *line;
	free(ctl_expect(&host, 0, "wait", first));
	char *text = calloc(MORE_THAN_FIT, 8);
	for (int i = 0; i < MORE_THAN_FIT; i++)
		sprintf(text + strlen(text), ": %d\n", i);
	struct output_of o = ctl_with_input(&host, text, strlen(text), "load", "-");
	ck_assert_msg(o.code == 0, "%s", o.err);
	output_free(&o);
	o = ctl(&host, "get", first);
	ck_assert_msg(o.code == 65 && strstr(o.err, "plmctl history"), "%d %s", o.code, o.err);
	output_free(&o);
	line = ctl_expect(&host, 0, "history", "--json", first);
	char *state = json_field(line, "state");
	ck_assert_str_eq(state, "done");
	history_reaches("done", MORE_THAN_FIT + 1);
	free(state);
	free(line);
	free(text);
	free(first);
	journal_end();
}
END_TEST

static void start(void)
{
	host_boot("2");
}

/* The test waits for the task alone, and not for the journal. */
START_TEST(the_history_is_never_behind_wait)
{
	journal_boot();
	for (int i = 0; i < 10; i++) {
		char *ref = keep("--", "true");
		free(ctl_expect(&host, 0, "wait", ref));
		char *line = ctl_expect(&host, 0, "history", "--json", ref);
		char *state = json_field(line, "state");
		ck_assert_str_eq(state, "done");
		free(state);
		free(line);
		free(ref);
	}
	free(ctl_expect(&host, 0, "pause"));
	char *resumed = keep("--", "echo", "later");
	free(ctl_expect(&host, 0, "history",
	    resumed)); /* plmctl answers when the journal has written the task */
	journal_crash();
	journal_reboot();
	status_reaches("journal_to_resume", 0);
	free(ctl_expect(&host, 0, "wait", "--all-kept"));
	char *line = ctl_expect(&host, 0, "history", "--json", resumed);
	char *state = json_field(line, "state");
	ck_assert_str_eq(state, "done");
	free(state);
	free(line);
	free(resumed);
	journal_end();
}
END_TEST

/* ---- in a removed directory ---- */

static void leave_the_world(void)
{
	char path[128];
	const char *bin = getenv("PLM_BIN");
	static char full[4096];
	if (realpath(bin && bin[0] ? bin : ".", full))
		setenv("PLM_BIN", full, 1);
	scratch_path(&host, "gone", path, sizeof path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(chdir(path), 0);
	ck_assert_int_eq(rmdir(path), 0);
}

START_TEST(a_removed_directory_is_called_so)
{
	static const char gone[] = "the current directory no longer exists";
	leave_the_world();
	check_output(ctl(&host, "submit", "true"), 66, "", gone);
	check_output(ctl(&host, "map", "true", ":::", "1"), 66, "", gone);
	check_output(ctl_with_input(&host, "true\n", 5, "load", "-"), 66, "", gone);
	check_output(ctl(&host, "module", "load", "x.so"), 66, "", gone);
	check_output(ctl(&host, "submit", "--dir", "/", "echo", "here"), 0, "here\n", NULL);
	check_output(ctl(&host, "call", "probe.echo", "x"), 0, "x", NULL);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keep");
	TCase *tcase = tcase_create("plm --keep-finished");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, start, host_stop);
	tcase_add_test(tcase, more_than_the_number_leave_and_who_comes_back_is_told);
	tcase_add_test(tcase, a_time_of_its_own_is_longer_or_shorter_than_that_of_the_others);
	tcase_add_test(tcase, the_order_outlives_the_scheduler);
	tcase_add_test(tcase, what_makes_no_sense_is_refused);
	tcase_add_test(tcase, a_removed_directory_is_called_so);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("with a journal");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_test(tcase, the_history_knows_what_left);
	tcase_add_test(tcase, the_history_is_never_behind_wait);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
