/* test_messages.c - messages that a user can act on: each names the thing and the remedy in
 * plain words. Each row replaces a message that users did not understand. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "tests/support/fixture.h"
#include "tests/support/map_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120 };

static void setup(void)
{
	map_setup();
	map_boot("1", "4M");
}

/* ---- errors ---- */

struct row {
	int code;
	const char *line, *said; /* on stderr */
};

static const struct row errors[] = {
	{ 64, "plmctl submit --priorty 1 true", "plmctl: unknown option: --priorty\n" },
	{ 64, "plmctl map -y true ::: 1", "plmctl: unknown option: -y\n" },
	{ 64, "plmctl submit --detach=x true", "plmctl: --detach takes no value: --detach=x\n" },
	{ 64, "plmctl submit --retries", "plmctl: option --retries needs a value\n" },
	{ 64, "plmctl submit --retries many true", "--retries wants a number, not \"many\"\n" },
	{ 64, "plmctl submit --retries 999 true", "--retries wants a number from 0 to " },
	{ 64, "plmctl submit --output-cap x true",
	    "--output-cap: \"x\" at character 1: expected a size such as 512M or 4G" },
	{ 64, "plmctl submit --env X true", "--env wants NAME=VALUE, not \"X\"\n" },
	{ 64, "plmctl submit --out F true", "--out needs --detach, which prints the reference" },
	{ 64, "plmctl submit --shell true more", "\"more\" behind LINE is too much" },
	{ 64, "plmctl move --to done @1.1.1", "--to accepts todo, front and parked, not done" },
	{ 64, "plmctl cancel", "cancel: which tasks? Give references, or a filter such as" },
	{ 64, "plmctl map --halt soon true ::: 1", "such as soon,fail=1 or now,done=50%" },
	{ 64, "plmctl map --resume true ::: 1", "need --joblog FILE" },
	{ 64, "plmctl map --line --json true ::: 1",
	    "--line-buffer or --ungroup, and --json cannot be combined" },
	{ 64, "plmctl tasks --columns odd", "unknown column odd; the columns are ref " },
	{ 64, "plmctl events --kind \"$(printf 'a\\033]0;b\\007')\"", "no such event: a?]0;b?; " },
	{ 65, "plmctl events \"$(printf '\\033[31mx')\"", "not a reference: ?[31mx\n" },
	{ 69, "plmctl --name nobody status",
	    "no runtime \"nobody\" is up; start one: plm --name nobody --daemon\n" },
	{ 1,
	    "mkdir p; cp $(command -v plmctl) p; "
	    "printf '#!/bin/sh\\necho no memory >&2; exit 73\\n' > p/plm; chmod 700 p/plm; "
	    "p/plmctl map --private true ::: 1 || exit 1",
	    "could not start a private runtime (see the error above)\n" },
	{ 125, "plmctl submit --stdin nowhere cat", "cannot open the --stdin file /" },
	{ 125, "plmctl submit --stdin nowhere cat", "/nowhere: No such file or directory" },
	{ 125, "plmctl submit --dir /nowhere true",
	    "cannot enter the directory /nowhere (--dir): No such file or directory" },
	{ 124, "plmctl submit --run-limit 100ms sleep 60",
	    ": killed: ran longer than --run-limit 100ms" },
	{ 124, "plmctl submit --total-limit 1s sleep 60",
	    ": killed: not done within --total-limit 1s of its submission; attempt 1 had run for" },
	{ 0, "plmctl submit --shell 'sleep 60 &'",
	    "plmctl: ended 1 process the command left "
	    "behind" },
	{ 64, "plm --tied --daemon", "--tied and --daemon cannot be combined" },
	{ 64, "plm --reserve-cores 100000", "--reserve-cores 100000 leaves no core for a worker" },
};

START_TEST(an_error_says_to_which_thing_and_what_to_do)
{
	check_shell(errors[_i].code, NULL, errors[_i].said, errors[_i].line);
}
END_TEST

/* ---- explain ---- */

START_TEST(explain_names_commands_by_their_words)
{
	check_shell(0, "", "",
	    "A=$(plmctl submit --detach sleep 1000); "
	    "until plmctl tasks --in-progress --quiet | grep -q $A; do :; done; "
	    "B=$(plmctl submit --detach --after $A true); C=$(plmctl submit --detach --after $B "
	    "--after $A true); D=$(plmctl submit --detach true); "
	    "plmctl explain $B > b; plmctl explain $C > c; plmctl explain $D > d; "
	    "grep -qF \"is waiting: it waits for $A (\\`sleep 1000\\`), which is running\" b || "
	    "cat b; grep -qF \"it waits for $B (\\`true\\`), which is waiting, and for 1 more\" c "
	    "||"
	    " cat c; plmctl cancel --quiet --all > gone; plmctl wait --no-fail --all-kept > ends; "
	    "plmctl forget --quiet --all > gone");
}
END_TEST

START_TEST(explain_says_which_task_runs_before)
{
	struct output_of o =
	    shell("A=$(plmctl submit --detach sleep 1000); "
		  "until plmctl tasks --in-progress --quiet | grep -q $A; do :; done; "
		  "B=$(plmctl submit --detach true); until plmctl explain $B > b; "
		  "grep -q 'worker 0\\|first\\|busy' b; do :; done; cat b; echo after $A; "
		  "plmctl cancel --quiet --all > gone; plmctl wait --no-fail --all-kept > ends; "
		  "plmctl forget --quiet --all > gone");
	ck_assert_msg(!strstr(o.out, "stands in front of") && !strstr(o.out, "other"), "%s", o.out);
	ck_assert_msg(
	    !strstr(o.out, "it is next on") || strstr(o.out, "(`sleep 1000`)"), "%s", o.out);
	output_free(&o);
}
END_TEST

/* ---- help ---- */

static const struct row helps[] = {
	{ 0, "plmctl help map", "run only the jobs that failed" },
	{ 0, "plmctl help map", "take one value from each source per job; shorter sources" },
	{ 0, "plmctl help map", "run N jobs at once" },
	{ 0, "plmctl help submit", "use the environment, umask, nice value and limits of the\n" },
	{ 0, "plmctl help submit", "is the stdin of plmctl, read to its end first" },
	{ 0, "plmctl help history", "only tasks submitted before TIME" },
	{ 0, "plmctl help tasks", "dead:\n                     failed after all retries" },
	{ 0, "plmctl help events", "ends with code 69 when\nthe runtime stops" },
	{ 0, "plm --help", "resumes it with its original options" },
};

START_TEST(help_says_what_an_option_does)
{
	struct output_of o = shell("%s", helps[_i].line);
	ck_assert_msg(o.code == 0 && strstr(o.out, helps[_i].said), "%s: without \"%s\": %s",
	    helps[_i].line, helps[_i].said, o.out);
	output_free(&o);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("messages");
	TCase *tcase = tcase_create("messages");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, setup, map_stop_and_teardown);
	tcase_add_loop_test(
	    tcase, an_error_says_to_which_thing_and_what_to_do, 0, (int)COUNT_OF(errors));
	tcase_add_test(tcase, explain_names_commands_by_their_words);
	tcase_add_test(tcase, explain_says_which_task_runs_before);
	suite_add_tcase(suite, tcase);
	TCase *help = tcase_create("help");
	tcase_add_checked_fixture(help, map_setup, map_teardown);
	tcase_add_loop_test(help, help_says_what_an_option_does, 0, (int)COUNT_OF(helps));
	suite_add_tcase(suite, help);
	return run_suite(suite);
}
