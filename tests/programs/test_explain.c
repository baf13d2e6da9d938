/* test_explain.c - plmctl explain: for each rule that keeps a task back, a task that the rule
 * keeps back. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "tests/support/explain_case.h"
#include "tests/support/fixture.h"
#include "tests/support/roles_case.h"

/* ---- references ---- */

static void expect_65(const char *ref, const char *word)
{
	struct output_of o = ctl(&host, "explain", ref);
	ck_assert_msg(o.code == 65 && strstr(o.err, word), "%s: %d, %s", ref, o.code, o.err);
	ck_assert_uint_eq(o.out_bytes, 0);
	output_free(&o);
}

START_TEST(no_future_is_65_and_the_others_are_explained)
{
	char wrong[128];
	boot("--workers", "1");
	char *ref = detach("probe.noop");
	free(ctl_expect(&host, 0, "wait", ref));
	expect_65("@x", "@x");
	snprintf(wrong, sizeof wrong, "%s", ref);
	char *digit = &wrong[strlen(wrong) - 1];
	*digit = *digit == '1' ? '2' : '1';
	expect_65(wrong, "another runtime");
	snprintf(wrong, sizeof wrong, "@1.7fffffff%s", strrchr(ref, '.'));
	expect_65(wrong, "unknown reference");
	struct output_of o = ctl(&host, "explain", "--quiet", wrong, ref);
	ck_assert_int_eq(o.code, 65);
	ck_assert_str_eq(o.out, "done\n");
	output_free(&o);
	end();
}
END_TEST

/* ---- settled ---- */

START_TEST(what_is_settled_says_when_and_how_long)
{
	boot("--workers", "1");
	char *done = detach("probe.sleep", "30"), *never = detach("probe.sum", done, "x");
	char path[128];
	scratch_write(&host, "four", "four", 4, path, sizeof path);
	char *object = keep(ctl_expect(&host, 0, "put", path));
	struct output_of wait = ctl(&host, "wait", done, never);
	output_free(&wait);
	until_says(done, "is done", " ago, after it waited ", " and ran ");
	until_says(object, "an object of 4 B, put");
	char *ran = strstr(keep(ctl_expect(&host, 0, "explain", done)), " and ran ");
	ck_assert_int_ge(atoi(ran + strlen(" and ran ")), 20);
	end();
}
END_TEST

START_TEST(a_failure_names_its_root_and_message)
{
	boot("--workers", "1");
	char *root = detach("probe.fail", "the root", "7"), *middle = detach("probe.sum", root);
	char *leaf = detach("probe.sum", middle, "1"), *crash = detach("probe.crash", "SEGV");
	struct output_of wait = ctl(&host, "wait", leaf, crash);
	output_free(&wait);
	until_says(root, "is failed", "and ran", "the root (code 7)");
	until_says(leaf, "and never ran, because", root, "failed in probe.fail: the root (code 7)");
	until_says(crash, "(signal 11)");
	end();
}
END_TEST

START_TEST(a_cancelled_task_says_whether_it_ran)
{
	boot("--workers", "1");
	char *running = detach("probe.sleep", LONG), *waiting = detach("probe.sum", running);
	until_running(running);
	free(ctl_expect(&host, 0, "cancel", waiting, running));
	struct output_of wait = ctl(&host, "wait", waiting, running);
	output_free(&wait);
	until_says(waiting, "is cancelled: before it ran");
	until_says(running, "is cancelled: ", "and ran");
	end();
}
END_TEST

/* ---- running ---- */

START_TEST(a_running_task_says_where_and_which_attempt)
{
	char where[64];
	boot("--workers", "1");
	char *ref = detach("--crash-retries", "1", "probe.sleep", LONG);
	until_running(ref);
	snprintf(where, sizeof where, "on worker 0, pid %d", member_pid("worker"));
	until_says(ref, "is running: attempt 1 has run for", where);
	kill(member_pid("worker"), SIGKILL);
	until_says(ref, "is running: attempt 2");
	end();
}
END_TEST

START_TEST(a_task_that_was_asked_to_stop_says_so)
{
	boot("--workers", "1");
	char *ref = detach("probe.sleep", LONG);
	until_running(ref);
	kill(member_pid("worker"), SIGSTOP);
	kill(member_pid("scheduler"), SIGSTOP); /* a running scheduler would end the worker */
	free(ctl_expect(&host, 0, "cancel", ref));
	until_says(ref, "is running: ", "  and: it was asked to stop");
	end();
}
END_TEST

START_TEST(a_task_whose_worker_died_says_so_until_it_is_dealt_with)
{
	boot("--workers", "1");
	char *ref = detach("probe.sleep", LONG);
	until_running(ref);
	kill(member_pid("scheduler"), SIGSTOP);
	kill(member_pid("worker"), SIGKILL);
	until_code(ref, "orphaned");
	end();
}
END_TEST

START_TEST(a_task_that_waits_in_its_function_names_what_for)
{
	char awaited[96], text[64];
	boot("--workers", "2", "--module", test_module("mod_test"));
	char *inner = detach("probe.sleep", LONG);
	until_running(inner);
	snprintf(text, sizeof text, "@%s", inner); /* a reference as text is no argument future */
	char *outer = detach("test.await", text);
	snprintf(awaited, sizeof awaited, "it waits in its function for %s (probe.sleep)", inner);
	until_says(outer, awaited);
	end();
}
END_TEST

START_TEST(a_task_below_another_in_its_slot_names_that)
{
	boot("--workers", "1", "--module", test_module("mod_test"));
	char *outer = detach("test.nest", LONG);
	until_says(outer, "is running", "its worker runs @", "(probe.sleep) in its place");
	end();
}
END_TEST

/* ---- waiting ---- */

START_TEST(a_waiting_task_names_its_first_argument_and_the_root)
{
	char first[128], root[128];
	boot("--workers", "3");
	char *a = detach("probe.sleep", LONG), *b = detach("probe.sleep", LONG);
	char *middle = detach("probe.sum", "1", a, b, "2", a), *leaf = detach("probe.sum", middle);
	until_running(a);
	snprintf(first, sizeof first,
	    "is waiting: it waits for %s (probe.sleep), which is "
	    "running, "
	    "and for 2 more\n",
	    a);
	until_says(middle, first);
	snprintf(first, sizeof first, "is waiting: it waits for %s (probe.sum), which is waiting\n",
	    middle);
	snprintf(root, sizeof root,
	    "the first of that chain is %s (probe.sleep), 2 steps up, "
	    "which is running",
	    a);
	until_says(leaf, first, root);
	end();
}
END_TEST

START_TEST(an_argument_that_failed_dooms_before_the_scheduler_knows)
{
	boot("--workers", "1");
	char *a = detach("probe.sleep", LONG), *b = detach("probe.sleep", LONG);
	char *task = detach("probe.sum", a, b);
	until_running(a);
	kill(member_pid("scheduler"), SIGSTOP);
	free(ctl_expect(&host, 0, "cancel", b));
	until_says(task, "it needs ", b, "which was cancelled: it is about to fail, too");
	end();
}
END_TEST

START_TEST(what_only_the_scheduler_has_to_look_at_says_so)
{
	plm_ref object, task, raw;
	char text[PLM_REF_TEXT_BYTES];
	void *data;
	boot("--workers", "1");
	host_join();
	ck_assert_int_eq(plm_put(client, "1", 1, &object), 0);
	ck_assert_int_eq(plm_create(client, 1, &data, &raw), 0);
	plm_ref_print(raw, text);
	until_says(text, "is reserved: process slot ", " fills an object that it has not sealed");
	kill(member_pid("scheduler"), SIGSTOP);
	plm_arg args[] = { PLM_FUTURE(object) };
	plm_task sum = { .function = "probe.sum", .args = args, .nargs = 1 };
	ck_assert_int_eq(plm_submit(client, &sum, &task), 0);
	plm_ref_print(task, text);
	until_code(text, "counting");
	until_code(detach("--needs", "cpus=1", "probe.noop"), "placing");
	end();
}
END_TEST

START_TEST(a_result_of_a_task_is_explained_by_the_task)
{
	boot("--workers", "1");
	char *refs = detach("--results", "2", "probe.sleep", LONG), *second = strchr(refs, '\n');
	*second++ = 0;
	until_running(refs);
	until_says(second, ", a result of ", refs, "is running");
	end();
}
END_TEST

/* ---- ready ---- */

START_TEST(a_task_in_front_of_a_worker_names_that)
{
	boot("--workers", "1");
	free(ctl_expect(&host, 0, "call", "probe.noop"));
	kill(member_pid("worker"),
	    SIGSTOP); /* the scheduler gives the task, and no worker claims the task */
	char *task = detach("probe.noop");
	until_code(task, "queued");
	until_says(task, "is ready: it is next on worker 0 (pid ");
	end();
}
END_TEST

/* N of the line "and: N tasks of higher priority or submitted earlier go ..." */
static int tasks_before(const char *ref)
{
	char *text = ctl_expect(&host, 0, "explain", ref);
	char *line = strstr(text, " of higher priority or submitted earlier go");
	while (line && line > text && *line != ':')
		line--;
	int n = line ? atoi(line + 1) : 0;
	free(text);
	return n;
}

START_TEST(when_all_slots_are_busy_it_counts_the_tasks_before_it)
{
	enum { FILLERS = 4 }; /* the first may wait in the ring instead of the queue */
	boot("--workers", "1");
	char *a = detach("probe.sleep", LONG);
	until_running(a);
	for (int i = 0; i < FILLERS; i++)
		detach("probe.noop");
	char *b = detach("probe.noop"), *c = detach("probe.noop");
	until_says(
	    c, "is ready: no worker is free: 1 of 1 places are busy\n", " go first; the next is ");
	int before = tasks_before(b);
	ck_assert_int_ge(before, FILLERS - 2);
	ck_assert_int_eq(tasks_before(c), before + 1);
	char *d = detach("--priority", "1", "probe.noop");
	until_says(c, " of higher priority or submitted earlier go first; the next is ", d);
	ck_assert_int_eq(tasks_before(c), before + 2);
	char *json = keep(ctl_expect(&host, 0, "explain", "--json", c));
	ck_assert_msg(strstr(json, a) != NULL, "%s", json);
	end();
}
END_TEST

/* Kills each member of this kind as soon as it lives, until explain names the code: the manager
 * waits longer before each successor. */
static void kill_until_code(const char *kind, const char *ref, const char *expected)
{
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	char *code = NULL;
	do {
		ck_assert_msg(clock_ns() < deadline, "it says only \"%s\"", code);
		int pid = member_pid(kind);
		if (pid > 0)
			kill(pid, SIGKILL);
		free(code);
		code = ctl_expect(&host, 0, "explain", "--quiet", ref);
	} while (strcmp(code, expected) != 0);
	free(code);
}

START_TEST(while_the_queue_is_paused_it_says_so)
{
	boot("--workers", "1");
	free(ctl_expect(&host, 0, "pause"));
	char *task = detach("probe.noop"), *needs = detach("--needs", "cpus=1", "probe.noop");
	until_code(task, "paused");
	until_code(needs, "paused");
	free(ctl_expect(&host, 0, "resume"));
	until_code(task, "done");
	end();
}
END_TEST

START_TEST(a_pause_before_a_retry_says_how_long)
{
	boot("--workers", "1");
	char *task = detach("--retries", "1", "--backoff", "1m", "probe.fail", "once");
	until_code(task, "backoff");
	until_says(task, "is ready: it pauses for another 1.", "min before attempt 2");
	end();
}
END_TEST

START_TEST(a_task_without_attempts_left_names_the_way_back)
{
	boot("--workers", "1");
	char *task = detach("--retries", "1", "probe.fail", "twice");
	until_code(task, "failed");
	until_says(task,
	    "twice (code 1); it had all its attempts; `plmctl retry` gives it new "
	    "ones");
	end();
}
END_TEST

START_TEST(a_task_that_is_over_its_limit_says_so)
{
	boot("--workers", "1");
	char *task = keep(ctl_expect(&host, 0, "submit", "--detach", "--run-limit", "100ms",
	    "--grace", "10m", "--shell", "trap '' TERM; while :; do sleep 1; done"));
	until_says(task, "a limit of its time is over: it was asked to stop", "within 600000 ms");
	end();
}
END_TEST

START_TEST(a_cancelled_task_says_the_grace_that_the_cancel_gave_it)
{
	boot("--workers", "1");
	char *task = keep(ctl_expect(&host, 0, "submit", "--detach", "--grace", "10m", "--shell",
	    "trap '' TERM; while :; do sleep 1; done"));
	until_running(task);
	free(ctl_expect(&host, 0, "cancel", "--grace", "5m", task));
	until_says(task, "it was asked to stop", "within 300000 ms");
	end();
}
END_TEST

START_TEST(without_a_worker_that_is_to_be_it_names_the_way_back)
{
	boot("--workers", "1");
	free(ctl_expect(&host, 0, "workers", "--set", "0"));
	char *task = detach("probe.noop");
	until_code(task, "no-worker");
	until_says(task, "told to leave: `plmctl workers --set N`");
	end();
}
END_TEST

START_TEST(without_a_living_worker_it_says_so)
{
	boot("--workers", "1", MANY_SLOTS);
	kill(member_pid("scheduler"), SIGSTOP);
	kill_until_code("worker", detach("--needs", "cpus=1", "probe.noop"), "no-worker");
	end();
}
END_TEST

START_TEST(without_a_scheduler_it_says_so)
{
	boot("--workers", "1", MANY_SLOTS);
	char *a = detach("--needs", "cpus=1", "probe.sleep", LONG);
	until_running(a);
	kill_until_code("scheduler", detach("--needs", "cpus=1", "probe.noop"), "no-scheduler");
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		no_future_is_65_and_the_others_are_explained,
		what_is_settled_says_when_and_how_long,
		a_failure_names_its_root_and_message,
		a_cancelled_task_says_whether_it_ran,
		a_running_task_says_where_and_which_attempt,
		a_task_that_was_asked_to_stop_says_so,
		a_task_whose_worker_died_says_so_until_it_is_dealt_with,
		a_task_that_waits_in_its_function_names_what_for,
		a_task_below_another_in_its_slot_names_that,
		a_waiting_task_names_its_first_argument_and_the_root,
		an_argument_that_failed_dooms_before_the_scheduler_knows,
		what_only_the_scheduler_has_to_look_at_says_so,
		a_result_of_a_task_is_explained_by_the_task,
		a_task_in_front_of_a_worker_names_that,
		when_all_slots_are_busy_it_counts_the_tasks_before_it,
		while_the_queue_is_paused_it_says_so,
		a_pause_before_a_retry_says_how_long,
		a_task_without_attempts_left_names_the_way_back,
		a_task_that_is_over_its_limit_says_so,
		a_cancelled_task_says_the_grace_that_the_cancel_gave_it,
		without_a_worker_that_is_to_be_it_names_the_way_back,
		without_a_living_worker_it_says_so,
		without_a_scheduler_it_says_so,
	};
	return run_explain("explain", tests, COUNT_OF(tests));
}
