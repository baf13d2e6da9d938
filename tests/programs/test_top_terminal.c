/* test_top_terminal.c - plmctl top without a terminal (--once), in terminals of every kind and
 * size, with names that try to speak to the terminal, and with runtimes that go and come. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "tests/support/run_suite.h"
#include "tests/support/top_case.h"

enum {
	PATH_BYTES = 160,
	VERSION_AT = 8, /* in the header of a segment, behind the magic */
	VERSION_BYTES = 4,
	SEGMENT_MODE = 0600,
};

/* ---- --once ---- */

START_TEST(once_prints_each_part_as_plain_text_without_a_terminal)
{
	char *running = sleeper();
	char *waits = ctl_expect(&top_rt, 0, "call", "--detach", "probe.sum", running);
	char *out = ctl_expect(&top_rt, 0, "top", "--once", "--interval", "100ms");
	snprintf(top_screen, sizeof top_screen, "%s", out);
	screen_has(top_rt.name);
	screen_has("cpus    [");
	screen_has("/2 busy]");
	screen_has("slots   [");
	screen_has("store   [");
	screen_has("memory  [");
	screen_has("queue   [");
	screen_has("records [");
	screen_has("tasks/s 0");
	screen_has("1 running");
	screen_has("1 waiting");
	screen_has("Workers:");
	screen_has("100%");
	screen_has("sleep 100000");
	screen_has("Functions:");
	screen_has("probe.sum");
	screen_has("Waiting:");
	screen_has("       1 argument");
	screen_has("Priorities:");
	screen_has("Tasks:");
	screen_has(waits);
	ck_assert_ptr_null(strchr(top_screen, '\033'));
	free(out);
	free(running);
	free(waits);
}
END_TEST

START_TEST(the_rate_of_finished_tasks_is_measured)
{
	struct output_of o;
	char text[SCREEN_BYTES];
	bool seen = false;
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	pid_t pid = fork();
	if (pid == 0) {
		for (;;)
			output_free(&(struct output_of[]){
			    ctl(&top_rt, "call", "probe.sum", "1", "2") }[0]);
	}
	while (!seen && clock_ns() < deadline) {
		o = ctl(&top_rt, "top", "--once", "--interval", "300ms");
		ck_assert_int_eq(o.code, 0);
		snprintf(text, sizeof text, "%s", o.out);
		seen = !strstr(text, "tasks/s 0 ") && strstr(text, "tasks/s ") != NULL;
		output_free(&o);
	}
	kill(pid, SIGKILL);
	wait_for_death(pid);
	ck_assert_msg(seen, "no rate in\n%s", text);
}
END_TEST

static void refused(int code, const char *why, const char *const *words)
{
	struct output_of o = program_run(&top_rt, "plmctl", words, NULL, 0);
	ck_assert_int_eq(o.code, code);
	ck_assert_msg(strstr(o.err, why) != NULL, "\"%s\" is not in: %s", why, o.err);
	output_free(&o);
}
#define REFUSED(code, why, ...) \
	refused((code), (why), (const char *const[]){ "top", __VA_ARGS__, NULL })

START_TEST(what_top_cannot_do_is_refused_with_the_way_out)
{
	REFUSED(64, "plmctl status", "--json", "--once");
	REFUSED(64, "plmctl status", "--quiet", "--once");
	REFUSED(64, "100ms at least", "--interval", "1ms", "--once");
	REFUSED(64, "too many arguments", "word");
	REFUSED(69, "no runtime", "--name", "test-top-nobody", "--once");
	refused(125, "--once", (const char *const[]){ "top", NULL });
}
END_TEST

/* ---- terminals ---- */

START_TEST(a_terminal_that_cannot_draw_is_refused)
{
	open_top("TERM=dumb", "--timeout 5");
	shows("--once");
	shows("ended with 125");
	close_tmux();
	open_top("TERM=no-such-terminal", "--timeout 5");
	shows("--once");
	shows("ended with 125");
}
END_TEST

START_TEST(every_size_is_drawn_down_to_one_character)
{
	static const int sizes[][2] = { { 80, 24 }, { 200, 50 }, { 40, 12 }, { 20, 8 }, { 10, 4 },
		{ 5, 2 }, { 1, 1 }, { 1, 24 }, { 80, 1 }, { 80, 24 } };
	char *running = sleeper();
	open_top("", "");
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		tmux("resize-window -x %d -y %d", sizes[i][0], sizes[i][1]);
		press("Tab '?' x");
		if (sizes[i][0] >= 40 && sizes[i][1] > 1)
			shows(sizes[i][1] >= 24 ? "cpus" : "tasks/s");
	}
	shows("Help");
	shows("records");
	close_top();
	free(running);
}
END_TEST

/* The kernel also ends the helper of a search for leaks, and the search hangs then. */
#define NO_LEAKS "ASAN_OPTIONS=detect_leaks=0"

static void expect_end_with_terminal(void)
{
	tmux("list-panes -F '#{pane_pid}'");
	pid_t shell = (pid_t)strtol(top_screen, NULL, 10);
	tmux("display-message -p \"$(pgrep -P %d plmctl)\"", shell);
	pid_t pid = (pid_t)strtol(top_screen, NULL, 10);
	ck_assert_int_gt(pid, 1);
	close_tmux();
	ck_assert(wait_for_death(pid));
}

static void squeeze(void)
{
	tmux("resize-window -x 1 -y 1");
	tmux("resize-window -x 3 -y 1");
	tmux("resize-window -x 80 -y 24");
}

START_TEST(a_filter_and_a_question_outlive_a_terminal_of_one_character)
{
	char *running = sleeper();
	open_top(NO_LEAKS, "");
	shows("sleep 100000");
	press("/ s l");
	shows("filter: sl");
	squeeze();
	shows("filter: sl");
	press("Enter c");
	shows("cancel ");
	squeeze();
	shows("sleep 100000? (y/n)");
	press("n");
	hides("(y/n)");
	tmux("resize-window -x 1 -y 1"); /* and the terminal is closed so */
	expect_end_with_terminal();
	free(running);
}
END_TEST

static bool coloured(void)
{
	tmux("capture-pane -e -p");
	for (const char *at = top_screen; (at = strstr(at, "\033[")); at++) {
		int number = 0;
		for (const char *digit = at + 2; *digit && *digit != 'm'; digit++) {
			number = *digit == ';' ? 0 : number * 10 + *digit - '0';
			if ((number >= 30 && number <= 38) || (number >= 90 && number <= 97))
				return true;
		}
	}
	return false;
}

START_TEST(colours_are_left_out_where_they_are_not_wanted_or_unknown)
{
	open_top("", "");
	ck_assert(coloured());
	close_top();
	open_top("NO_COLOR=1", "");
	ck_assert(!coloured());
	close_top();
	open_top("TERM=vt100", "");
	ck_assert(!coloured());
	close_top();
}
END_TEST

START_TEST(names_do_not_speak_to_the_terminal)
{
	char *ref = ctl_expect(&top_rt, 0, "submit", "--detach", "--", "sh", "-c",
	    "sleep 100000 # \033[41mred\033]0;title\a \xff\xe2\x80\xaeturned");
	ctl_until(&top_rt, ref, "tasks", "--quiet", "--state", "running");
	open_top("", "");
	tmux("resize-window -x 200 -y 30");
	shows("sleep 100000 # ?[41mred?]0;title? ?");
	tmux("capture-pane -e -p");
	ck_assert_ptr_null(strstr(top_screen, "\033[41m"));
	ck_assert_ptr_null(strstr(top_screen, "\xe2\x80\xae"));
	tmux("display-message -p '#{pane_title}'");
	ck_assert_ptr_null(strstr(top_screen, "title"));
	char *out = ctl_expect(&top_rt, 0, "top", "--once");
	ck_assert_ptr_null(strchr(out, '\033'));
	ck_assert_ptr_null(strchr(out, '\a'));
	close_top();
	free(out);
	free(ref);
}
END_TEST

START_TEST(top_ends_with_its_terminal)
{
	open_top(NO_LEAKS, "");
	shows("cpus");
	expect_end_with_terminal();
}
END_TEST

/* ---- runtimes that go and come ---- */

static void leave_another_version(void)
{
	static char copy[1 << 20];
	static const char wrong[VERSION_BYTES] = { 0x7f, 0x7f, 0x7f, 0x7f };
	char path[PATH_BYTES];
	runtime_segment(&top_rt, "control", path, sizeof path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ssize_t n = read(fd, copy, sizeof copy);
	ck_assert_int_gt(n, 0);
	close(fd);
	memcpy(copy + VERSION_AT, wrong, VERSION_BYTES);
	runtime_stop(&top_rt);
	shows("the runtime has stopped");
	shows("no runtime");
	press("p");
	shows("there is no runtime");
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, SEGMENT_MODE);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, copy, (size_t)n), n);
	close(fd);
	shows("another version");
	unlink(path);
	shows("the runtime has stopped");
}

START_TEST(top_tells_that_the_runtime_is_gone_and_goes_on_with_the_next)
{
	open_top("", "");
	press("p");
	shows("paused for");
	leave_another_version();
	runtime_reboot(&top_rt, "--workers", "1", "--tasks", "1024", "--store", "16M", );
	shows("another boot of the runtime");
	shows("up for");
	shows("/1 busy]");
	close_top();
	runtime_stop(&top_rt);
}
END_TEST

START_TEST(top_tells_that_a_runtime_is_dead_and_shows_what_it_left)
{
	open_top("", "");
	runtime_kill(&top_rt);
	shows("are dead");
	shows("slots");
	runtime_reboot(&top_rt, "--workers", "2", "--tasks", "1024", "--store", "16M", );
	hides("are dead");
	shows("up for");
	close_top();
	runtime_stop(&top_rt);
}
END_TEST

/* A killed manager stays a zombie for as long as its parent, our test, does not ask for its end. */
START_TEST(top_tells_that_a_manager_is_dead_whose_parent_does_not_reap_it)
{
	open_top("", "");
	kill(top_rt.pid, SIGKILL);
	ck_assert(wait_for_death(top_rt.pid));
	shows("are dead");
	runtime_kill(&top_rt);
	runtime_reboot(&top_rt, "--workers", "2", "--tasks", "1024", "--store", "16M", );
	hides("are dead");
	close_top();
	runtime_stop(&top_rt);
}
END_TEST

START_TEST(top_names_a_stopped_manager)
{
	open_top("", "");
	kill(top_rt.pid, SIGSTOP);
	shows("is stopped: the dead are not replaced");
	kill(top_rt.pid, SIGCONT);
	hides("is stopped: the dead are not replaced");
	close_top();
	runtime_stop(&top_rt);
}
END_TEST

/* While functions are shown, top is a client of the runtime. */
START_TEST(the_log_of_the_next_boot_is_watched)
{
	open_top("", "");
	press("Tab");
	ctl_until(&top_rt, "event log        on", "status");
	runtime_stop(&top_rt);
	shows("the runtime has stopped");
	runtime_reboot(&top_rt, "--workers", "1", "--tasks", "1024", "--store", "16M", );
	shows("another boot of the runtime");
	ctl_until(&top_rt, "event log        on", "status");
	runtime_kill(&top_rt);
	shows("are dead");
	shows("[Functions]");
	runtime_reboot(&top_rt, "--workers", "2", "--tasks", "1024", "--store", "16M", );
	hides("are dead");
	ctl_until(&top_rt, "event log        on", "status");
	close_top();
	ctl_until(&top_rt, "event log        off", "status");
	runtime_stop(&top_rt);
}
END_TEST

int main(void)
{
	const TTest *const text[] = {
		once_prints_each_part_as_plain_text_without_a_terminal,
		the_rate_of_finished_tasks_is_measured,
		what_top_cannot_do_is_refused_with_the_way_out,
	};
	const TTest *const drawn[] = {
		a_terminal_that_cannot_draw_is_refused,
		every_size_is_drawn_down_to_one_character,
		a_filter_and_a_question_outlive_a_terminal_of_one_character,
		colours_are_left_out_where_they_are_not_wanted_or_unknown,
		names_do_not_speak_to_the_terminal,
		top_ends_with_its_terminal,
	};
	const TTest *const gone[] = {
		top_tells_that_the_runtime_is_gone_and_goes_on_with_the_next,
		top_tells_that_a_runtime_is_dead_and_shows_what_it_left,
		top_tells_that_a_manager_is_dead_whose_parent_does_not_reap_it,
		top_names_a_stopped_manager,
		the_log_of_the_next_boot_is_watched,
	};
	Suite *suite = suite_create("top_terminal");
	top_cases_of_text(suite, text, COUNT_OF(text));
	top_cases(suite, drawn, COUNT_OF(drawn), gone, COUNT_OF(gone));
	return run_suite(suite);
}
