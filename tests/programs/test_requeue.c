/* test_requeue.c - running tasks that return to the queue; through the real programs, with tasks
 * that note time and place of each attempt (tests/support/modules/mod_stubborn.c). */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/plm.h"
#include "tests/support/deaths.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"
#include "tests/support/stubborn_case.h"

enum { TEST_TIMEOUT_S = 120, PATH_BYTES = 128, LINE_BYTES = 256 };

/* ---- tasks ---- */

static plm_ref start(const char *function, const plm_terms *terms)
{
	plm_arg file = PLM_BYTES(notes, strlen(notes));
	plm_task task = { .function = function, .args = &file, .nargs = 1, .terms = terms };
	plm_ref ref;
	ck_assert_msg(plm_submit(client, &task, &ref) == 0, "%s", plm_why());
	return ref;
}

static void requeue(plm_ref ref, int grace_ms, int expected)
{
	int r = plm_requeue(client, ref, grace_ms);
	ck_assert_msg(r == expected, "%d, not %d: %s", r, expected, plm_why());
}

static plm_status status_now(void)
{
	plm_status status;
	ck_assert_int_eq(plm_status_get(client, &status), 0);
	return status;
}

static void end(plm_ref ref)
{
	ck_assert_int_eq(plm_cancel(client, ref, 0), 0);
	plm_drop(client, ref);
}

START_TEST(a_returned_task_runs_again_though_it_may_be_tried_but_once)
{
	static const char *const expected[] = { "begins", "obeys", "begins" };
	struct note all[NOTES_MAX];
	stubborn_boot("1");
	plm_ref ref = start("stubborn.obey", NULL);
	until_noted(1);
	requeue(ref, 60000, 0);
	until_noted(3);
	ck_assert_int_eq(read_notes(all), 3);
	for (int i = 0; i < 3; i++) {
		ck_assert_str_eq(all[i].what, expected[i]);
		ck_assert_int_eq(all[i].pid,
		    all[0].pid); /* a return is no retry, so the same worker may run the task */
	}
	ck_assert_uint_eq(status_now().returned, 1);
	ck_assert_uint_eq(status_now().restarts, 0);
	end(ref);
	host_stop();
}
END_TEST

START_TEST(one_that_does_not_stop_is_ended_with_its_worker_and_runs_again)
{
	struct note all[NOTES_MAX];
	stubborn_boot("1");
	plm_ref ref = start("stubborn.ignore", NULL);
	until_noted(1);
	requeue(ref, 50, 0);
	until_noted(2);
	ck_assert_int_eq(read_notes(all), 2);
	ck_assert_int_ne(all[0].pid, all[1].pid);
	ck_assert_uint_eq(status_now().returned, 1);
	end(ref);
	host_stop();
}
END_TEST

START_TEST(a_return_goes_on_when_the_scheduler_dies)
{
	stubborn_boot("1");
	plm_ref ref = start("stubborn.ignore", NULL);
	until_noted(1);
	requeue(ref, 500, 0);
	kill(status_now().scheduler_pid, SIGKILL);
	until_noted(2);
	ck_assert_uint_eq(status_now().returned, 1);
	end(ref);
	host_stop();
}
END_TEST

START_TEST(a_return_is_no_failure_that_a_pause_follows)
{
	static const plm_terms terms = { .backoff_ms = 3600 * 1000 };
	stubborn_boot("1");
	plm_ref ref = start("stubborn.obey", &terms);
	until_noted(1);
	requeue(ref, PLM_GRACE_OF_TASK, 0);
	until_noted(3);
	end(ref);
	host_stop();
}
END_TEST

START_TEST(budgets_are_what_they_were_after_a_return)
{
	plm_failure failure;
	char enough[PATH_BYTES + 16];
	stubborn_boot("1");
	plm_arg file = PLM_BYTES(notes, strlen(notes));
	plm_task task = { .function = "stubborn.hold", .args = &file, .nargs = 1, .retries = 2 };
	plm_ref ref;
	ck_assert_int_eq(plm_submit(client, &task, &ref), 0);
	until_noted(1);
	requeue(ref, PLM_GRACE_OF_TASK, 0);
	until_noted(2);
	requeue(ref, PLM_GRACE_OF_TASK, 0);
	until_noted(3);
	snprintf(enough, sizeof enough, "%s.enough", notes);
	scratch_write(&host, "notes.enough", "", 0, enough, sizeof enough);
	ck_assert_int_eq(plm_wait(client, &ref, 1, 1, DEADLINE_MS, NULL), 0);
	ck_assert_int_eq(plm_error(client, ref, &failure), 0);
	ck_assert_int_eq(failure.code, EIO);
	until_noted(5); /* two returned attempts, and three that failed */
	struct note all[NOTES_MAX];
	ck_assert_int_eq(read_notes(all), 5);
	plm_drop(client, ref);
	host_stop();
}
END_TEST

START_TEST(what_has_not_begun_stays_where_it_is_and_what_is_settled_stays_settled)
{
	plm_ref object;
	stubborn_boot("1");
	plm_ref busy = start("stubborn.obey", NULL);
	until_noted(1);
	plm_ref ready = start("stubborn.obey", NULL);
	plm_task task = { .function = "probe.echo", .args = &PLM_FUTURE(busy), .nargs = 1 };
	plm_ref waiting;
	ck_assert_int_eq(plm_submit(client, &task, &waiting), 0);
	requeue(ready, PLM_GRACE_OF_TASK, 0);
	requeue(waiting, PLM_GRACE_OF_TASK, 0);
	ck_assert_uint_eq(status_now().ready, 1);
	ck_assert_uint_eq(status_now().waiting, 1);
	ck_assert_uint_eq(status_now().returned, 0);
	ck_assert_int_eq(plm_cancel(client, ready, PLM_GRACE_OF_TASK), 0);
	requeue(ready, PLM_GRACE_OF_TASK, -EALREADY);
	ck_assert_int_eq(plm_cancel(client, busy, 60000), 0);
	requeue(busy, PLM_GRACE_OF_TASK, -EALREADY);
	ck_assert_int_eq(plm_put(client, "x", 1, &object), 0);
	requeue(object, PLM_GRACE_OF_TASK, -EALREADY);
	requeue(object, -2, -EINVAL);
	plm_drop_many(client, (plm_ref[]){ ready, waiting, busy, object }, 4);
	host_stop();
}
END_TEST

/* ---- commands ---- */

static bool line_is_there(void *context)
{
	static char line[LINE_BYTES];
	FILE *file = fopen(notes, "r");
	int n = 0;
	while (n < *(const int *)context && file && fgets(line, sizeof line, file))
		n += strchr(line, '\n') != NULL;
	if (file)
		fclose(file);
	return n >= *(const int *)context;
}

START_TEST(all_that_a_returned_command_has_started_is_ended_before_it_runs_again)
{
	char line[LINE_BYTES];
	int one = 1, two = 2, child, attempt;
	stubborn_boot("1");
	snprintf(line, sizeof line,
	    "trap '' TERM; (trap '' TERM; exec setsid sleep 3600) & "
	    "echo $! $PLM_ATTEMPT >> %s; sleep 3600",
	    notes);
	char *ref = ctl_expect(&host, 0, "submit", "--detach", "--shell", line);
	until(line_is_there, &one, "the command has begun");
	plm_ref task;
	ck_assert_int_eq(plm_ref_parse(ref, &task), 0);
	requeue(task, 400, 0);
	until(line_is_there, &two, "the command has begun again");
	FILE *file = fopen(notes, "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%d %d", &child, &attempt), 2);
	ck_assert_int_eq(attempt, 1);
	ck_assert_int_lt(kill(child, 0), 0);
	ck_assert_int_eq(fscanf(file, "%d %d", &child, &attempt), 2);
	ck_assert_int_eq(attempt, 2);
	fclose(file);
	ck_assert_uint_eq(status_now().returned, 1);
	free(ctl_expect(&host, 0, "cancel", "--grace", "0ms", ref));
	free(ref);
	host_stop();
}
END_TEST

int main(void)
{
	const TTest *const all[] = { a_returned_task_runs_again_though_it_may_be_tried_but_once,
		one_that_does_not_stop_is_ended_with_its_worker_and_runs_again,
		a_return_goes_on_when_the_scheduler_dies,
		a_return_is_no_failure_that_a_pause_follows,
		budgets_are_what_they_were_after_a_return,
		what_has_not_begun_stays_where_it_is_and_what_is_settled_stays_settled,
		all_that_a_returned_command_has_started_is_ended_before_it_runs_again };
	return run_tests("requeue", TEST_TIMEOUT_S, NULL, NULL, all, sizeof all / sizeof all[0]);
}
