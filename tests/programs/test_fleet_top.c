/* test_fleet_top.c - plmctl top of a fleet: a frame as text, and a terminal (of tmux). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fleet_case.h"
#include "tests/support/run_suite.h"
#include "tests/support/top_case.h"

enum { TEST_TIMEOUT_S = 120, TEXT_BYTES = 200 };

static void frame(void)
{
	char *out = fleet_expect(0, "top", "--once", "--interval", "100ms");
	snprintf(top_screen, sizeof top_screen, "%s", out);
	free(out);
}

START_TEST(a_frame_as_text_shows_the_queue_and_the_hosts)
{
	fleet_host_up(0, "2");
	fleet_host_up(1, "1");
	char *failing = fleet_expect(0, "submit", "--detach", "false");
	fleet_run(1, "wait", failing);
	free(failing);
	fleet_run(0, "submit", "--detach", "--needs", "never=1", "true");
	frame();
	screen_has("2 hosts");
	screen_has("0/3 busy]");
	screen_has("1 todo: 1 ready");
	screen_has("1 failed");
	screen_has(fleet_host_name(0));
	screen_has(fleet_host_name(1));
	fleet_host_kill(1);
	fleet_host_until(1, "lost");
	frame();
	screen_has("1 host ");
	screen_has("1 lost");
	ck_assert_ptr_null(strchr(top_screen, '\033'));
	struct output_of o = fleet("top", "--once", "--json");
	ck_assert_int_eq(o.code, 64);
	output_free(&o);
}
END_TEST

START_TEST(rates_are_of_the_interval)
{
	fleet_host_up(0, "2");
	char *loop = fleet_expect(0, "submit", "--detach", "--shell", "sleep 0.3");
	struct output_of o = fleet("top", "--once", "--interval", "2s");
	ck_assert_int_eq(o.code, 0);
	ck_assert_msg(strstr(o.out, "tasks/s 0.5"), "no rate of a task in two seconds:\n%s", o.out);
	output_free(&o);
	free(loop);
}
END_TEST

START_TEST(a_terminal_drains_a_host_and_tells_of_an_engine_that_is_away)
{
	char text[TEXT_BYTES];
	if (system("tmux -V >/dev/null 2>&1") != 0) { /* NOLINT: our words */
		puts("tmux is not installed: what top draws of a fleet is not tested");
		return;
	}
	fleet_host_up(0, "1");
	fleet_host_up(1, "1");
	top_rt = fleet_host[0];
	open_top("", " ");
	shows("2 hosts");
	shows("TASKS/S");
	press("Down");
	press("d");
	snprintf(text, sizeof text, "Drain %s", fleet_host_name(1));
	shows(text);
	press("n"); /* no */
	hides(text);
	press("d");
	shows(text);
	press("y");
	shows("takes no more tasks");
	shows(" drain ");
	press("d");
	shows("takes tasks again");
	hides(" drain ");
	fleet_redis_kill();
	shows("cannot be reached");
	fleet_redis_start(NULL, NULL);
	hides("cannot be reached");
	shows("2 hosts");
	close_top();
}
END_TEST

static void fleet_top_end(void)
{
	if (top_rt.directory[0])
		close_tmux();
	fleet_end();
}

int main(void)
{
	const TTest *const tests[] = {
		a_frame_as_text_shows_the_queue_and_the_hosts,
		rates_are_of_the_interval,
		a_terminal_drains_a_host_and_tells_of_an_engine_that_is_away,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests("fleet_top", TEST_TIMEOUT_S, fleet_begin, fleet_top_end, tests,
	    sizeof tests / sizeof tests[0]);
}
