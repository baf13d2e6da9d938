/* test_top.c - each key of plmctl top, in a real terminal. Terminals, --once, and runtimes that go:
 * test_top_terminal.c. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "tests/support/run_suite.h"
#include "tests/support/top_case.h"

enum { PATH_BYTES = 160 };

/* ---- keys ---- */

START_TEST(tab_and_arrows_go_through_the_panes)
{
	static const char *const names[] = { "[Functions]", "[Waiting]", "[Priorities]", "[Tasks]",
		"[Workers]" };
	open_top("", "");
	shows("[Workers]");
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		press(i % 2 ? "Right" : "Tab");
		shows(names[i]);
	}
	press("Left");
	shows("[Tasks]");
	press("BTab");
	shows("[Priorities]");
	close_top();
}
END_TEST

START_TEST(each_key_of_the_table_quits)
{
	static const char *const quits[] = { "q", "F10", "Escape", "C-c" };
	for (size_t i = 0; i < COUNT_OF(quits); i++) {
		open_top("", "");
		press(quits[i]);
		shows("ended with 0");
		close_tmux();
	}
}
END_TEST

START_TEST(help_names_the_keys_and_any_key_goes_back)
{
	static const char *const keys[] = { "'?'", "F1", "h" };
	open_top("", "");
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		press(keys[i]);
		shows("cancel the task of the row");
		press("x");
		shows("[Workers]");
	}
	close_top();
}
END_TEST

START_TEST(rows_are_sorted_by_the_column_that_keys_choose)
{
	char *running = sleeper();
	open_top("", "");
	shows("by WORKER");
	press("'>'");
	shows("by PID");
	press("F6");
	shows("by STATE");
	press("F6");
	shows("by BUSY, largest first");
	press("i");
	shows("by BUSY;");
	press("'<'");
	shows("by STATE");
	press("'<' '<' '<'");
	shows("by RUNNING");
	press("'>'");
	shows("by WORKER");
	shows(" 100%");
	ck_assert(screen_in_order("\n     0 ", "\n     1 "));
	press("i");
	shows("by WORKER, largest first");
	ck_assert(screen_in_order("\n     1 ", "\n     0 "));
	close_top();
	free(running);
}
END_TEST

START_TEST(a_filter_shows_the_rows_with_a_text_alone)
{
	free(ctl_expect(&top_rt, 0, "pause"));
	char *one = ctl_expect(&top_rt, 0, "submit", "--detach", "--", "echo", "apple");
	char *two = ctl_expect(&top_rt, 0, "submit", "--detach", "--", "echo", "pear");
	open_top("", "");
	press("BTab");
	shows("echo apple");
	shows("echo pear");
	press("/ APQ BSpace");
	shows("filter: AP_");
	hides("echo pear");
	shows("echo apple");
	press("Enter");
	shows("only rows with \"AP\"");
	press("F4");
	shows("filter: AP_");
	press("Escape");
	shows("echo pear");
	hides("only rows");
	press("/ q Enter"); /* letters are text here, and no keys */
	shows("no row passes the filter");
	close_top();
	free(one);
	free(two);
}
END_TEST

START_TEST(cancel_asks_and_cancels_the_task_of_the_row)
{
	char *running = sleeper(), question[PATH_BYTES];
	snprintf(question, sizeof question, "cancel %s sleep 100000?", running);
	open_top("", "");
	press("BTab");
	shows("sleep 100000");
	press("c");
	shows(question);
	press("n");
	shows("not done");
	free(ctl_expect(&top_rt, 0, "tasks", "--quiet", "--state", "running"));
	press("F9");
	shows(question);
	press("y");
	shows("cancelled: @");
	ctl_until(&top_rt, running, "tasks", "--quiet", "--state", "cancelled");
	close_top();
	free(running);
}
END_TEST

START_TEST(the_task_of_a_worker_is_cancelled_in_the_pane_of_workers)
{
	char *running = sleeper();
	open_top("", "");
	shows("sleep 100000");
	press("'>' '>' '>'"); /* by BUSY, so the sleeper comes first */
	shows("by BUSY");
	shows("100%");
	press("Home c");
	shows("cancel @");
	press("y");
	shows("cancelled: @");
	ctl_until(&top_rt, running, "tasks", "--quiet", "--state", "cancelled");
	hides("sleep 100000");
	press("c");
	shows("no task is chosen");
	press("Tab c");
	shows("choose a task");
	close_top();
	free(running);
}
END_TEST

START_TEST(a_failed_task_is_retried)
{
	char *fails = ctl_expect(&top_rt, 0, "submit", "--detach", "--", "false");
	ctl_until(&top_rt, fails, "tasks", "--quiet", "--state", "failed");
	open_top("", "");
	press("r");
	shows("in the pane Tasks");
	press("BTab");
	shows(fails);
	press("r");
	shows("retried: @");
	press("Home"); /* the message, which names the task, goes */
	hides(fails);
	close_top();
	free(fails);
}
END_TEST

START_TEST(arrows_and_pages_choose_a_row)
{
	static const char *const moves[][2] = { { "Down", "one" }, { "Up", "zero" },
		{ "End", "three" }, { "Home", "zero" }, { "PageDown", "three" },
		{ "PageUp", "zero" } };
	static const char *const words[] = { "zero", "one", "two", "three" };
	char question[PATH_BYTES];
	free(ctl_expect(&top_rt, 0, "pause"));
	for (size_t i = 0; i < COUNT_OF(words); i++)
		free(ctl_expect(&top_rt, 0, "submit", "--detach", "--", "echo", words[i]));
	open_top("", "");
	press("BTab '<'");
	shows("by REF");
	shows("echo three");
	for (size_t i = 0; i < COUNT_OF(moves); i++) {
		press(moves[i][0]);
		press("c");
		snprintf(question, sizeof question, "echo %s?", moves[i][1]);
		shows(question);
		press("n");
		hides(question);
	}
	close_top();
}
END_TEST

START_TEST(pause_and_drain_are_done_and_taken_back)
{
	open_top("", "");
	press("p");
	shows("paused: no task starts");
	ctl_until(&top_rt, "paused", "status");
	shows("paused for");
	press("p");
	shows("resumed: tasks start again");
	shows("up for");
	press("D");
	shows("accept no new tasks");
	press("y");
	shows("closed to new tasks for");
	ctl_until(&top_rt, "closed", "status");
	press("D");
	shows("resumed: new tasks are accepted");
	shows("up for");
	close_top();
}
END_TEST

START_TEST(a_worker_is_sent_away_and_comes_back)
{
	open_top("", "");
	shows("live");
	press("Home d");
	shows("send worker 0 away");
	press("y");
	shows("drained");
	ctl_until(&top_rt, "drained", "workers");
	press("d");
	shows("worker 0 comes back");
	hides("drained");
	press("Tab d");
	shows("choose a worker");
	close_top();
}
END_TEST

/* Calls functions for as long as the test lives. */
static pid_t calls(void)
{
	pid_t pid = fork();
	if (pid == 0)
		for (;;) {
			output_free(&(struct output_of[]){
			    ctl(&top_rt, "call", "probe.sum", "1", "2") }[0]);
			output_free(
			    &(struct output_of[]){ ctl(&top_rt, "submit", "--", "false") }[0]);
		}
	return pid;
}

static bool ends_with_number(const char *row, unsigned word)
{
	for (; word > 0 && row; word--)
		row = strchr(row + strspn(row, " "), ' ');
	return row && row[strspn(row, " ")] >= '0' && row[strspn(row, " ")] <= '9';
}

/* A row of the pane Functions: RUNNING READY WAITING ENDED/S FAILED/S MEAN P99 FUNCTION. */
static void shows_rates(const char *function)
{
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	for (bool seen = false; !seen;) {
		ck_assert_msg(
		    clock_ns() < deadline, "no run times of%s in\n%s", function, top_screen);
		nap();
		tmux("capture-pane -p");
		char *name = strstr(top_screen, function);
		if (!name)
			continue;
		*name = 0;
		char *row = strrchr(top_screen, '\n');
		seen = row && ends_with_number(row + 1, 3) && ends_with_number(row + 1, 5) &&
		    ends_with_number(row + 1, 6);
	}
}

START_TEST(functions_have_rates_and_the_log_is_on_while_they_are_shown)
{
	pid_t pid = calls();
	open_top("", "");
	ctl_until(&top_rt, "event log        off", "status");
	press("Tab");
	shows("ENDED/S");
	shows_rates(" probe.sum");
	shows_rates(" false"); /* a command goes by its program */
	ctl_until(&top_rt, "event log        on", "status");
	press("BTab");
	shows("[Workers]");
	ctl_until(&top_rt, "event log        off", "status");
	press("Tab");
	ctl_until(&top_rt, "event log        on", "status");
	close_top();
	ctl_until(&top_rt, "event log        off", "status");
	kill(pid, SIGKILL);
	ck_assert(wait_for_death(pid));
}
END_TEST

START_TEST(without_a_log_functions_have_the_numbers_of_their_records)
{
	char path[PATH_BYTES];
	runtime_segment(&top_rt, "events", path, sizeof path);
	char *ref = ctl_expect(&top_rt, 0, "call", "--detach", "probe.sum", "1");
	ck_assert_int_eq(unlink(path), 0);
	open_top("", "");
	press("Tab");
	shows("LONGEST");
	shows("no rates: ");
	shows(" probe.sum");
	close_top();
	free(ref);
}
END_TEST

int main(void)
{
	const TTest *const drawn[] = {
		tab_and_arrows_go_through_the_panes,
		each_key_of_the_table_quits,
		help_names_the_keys_and_any_key_goes_back,
		rows_are_sorted_by_the_column_that_keys_choose,
		a_filter_shows_the_rows_with_a_text_alone,
		cancel_asks_and_cancels_the_task_of_the_row,
		the_task_of_a_worker_is_cancelled_in_the_pane_of_workers,
		a_failed_task_is_retried,
		arrows_and_pages_choose_a_row,
		pause_and_drain_are_done_and_taken_back,
		a_worker_is_sent_away_and_comes_back,
		functions_have_rates_and_the_log_is_on_while_they_are_shown,
		without_a_log_functions_have_the_numbers_of_their_records,
	};
	Suite *suite = suite_create("top");
	top_cases(suite, drawn, COUNT_OF(drawn), NULL, 0);
	return run_suite(suite);
}
