/* test_limits.c - time limits, retries, dead tasks and tasks that do not stop; through the real
 * programs, with tasks that note time and place of each attempt
 * (tests/support/modules/mod_stubborn.c). */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/plm.h"
#include "base/clock.h"
#include "tests/support/json.h"
#include "tests/support/run_suite.h"
#include "tests/support/stubborn_case.h"
#include "tests/support/program_runtime.h"
#include "tests/support/roles_case.h"

enum { TEST_TIMEOUT_S = 120, PATH_BYTES = 128, US_PER_MS = 1000 };

/* ---- messages ---- */

static void expect_words(const char *words, const char *const *arguments)
{
	struct output_of o = program_run(&host, "plmctl", arguments, NULL, 0);
	ck_assert_msg(o.code == 1, "exit code %d, not 1: %s", o.code, o.err);
	ck_assert_msg(strstr(o.err, words) != NULL, "\"%s\", not \"%s\"", o.err, words);
	output_free(&o);
}
#define fails_with(words, ...) \
	expect_words((words), (const char *const[]){ "call", __VA_ARGS__, NULL })
#define detach(...) ctl_expect(&host, 0, "call", "--detach", __VA_ARGS__)

static long status_field(const char *name)
{
	char *out = ctl_expect(&host, 0, "status", "--json");
	char *value = json_field(out, name);
	ck_assert_msg(value != NULL, "no %s in %s", name, out);
	long number = strtol(value, NULL, 10);
	free(value);
	free(out);
	return number;
}

/* Returns when the manager has started the next scheduler. */
static void kill_scheduler(void)
{
	static const struct timespec pause = { .tv_nsec = 2 * NS_PER_MS };
	plm_status before, now;
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	ck_assert_int_eq(plm_status_get(client, &before), 0);
	kill(before.scheduler_pid, SIGKILL);
	do {
		ck_assert_msg(clock_ns() < deadline, "no new scheduler came");
		nanosleep(&pause, NULL);
		ck_assert_int_eq(plm_status_get(client, &now), 0);
	} while (now.scheduler_pid == before.scheduler_pid || now.scheduler_pid == 0);
}

/* ---- limits ---- */

START_TEST(a_task_that_is_not_started_in_its_queue_limit_fails)
{
	stubborn_boot("1");
	char *busy = detach("stubborn.obey", notes);
	until_noted(1);
	fails_with("not started within --queue-limit 100ms of its submission: no worker has been",
	    "--queue-limit", "100ms", "probe.noop");
	free(ctl_expect(&host, 0, "cancel", busy));
	/* The queue limit of a task ends with the start of the task. */
	free(ctl_expect(&host, 0, "call", "--queue-limit", "10s", "probe.sleep", "1000"));
	free(busy);
	host_stop();
}
END_TEST

START_TEST(a_task_that_runs_longer_than_its_run_limit_fails)
{
	stubborn_boot("1");
	fails_with("killed: ran longer than --run-limit 100ms", "--run-limit", "100ms",
	    "stubborn.obey", notes);
	ck_assert_int_eq(status_field("restarts"),
	    0); /* the task stopped when asked, so its worker was not killed */
	fails_with("killed: ran longer than --run-limit 50ms", "--run-limit", "50ms", "--grace",
	    "100ms", "stubborn.ignore", notes);
	ck_assert_int_eq(status_field("restarts"), 1);
	host_stop();
}
END_TEST

START_TEST(each_attempt_has_the_run_limit_anew_and_spends_a_retry)
{
	struct note all[NOTES_MAX];
	stubborn_boot("1");
	fails_with("--run-limit 50ms", "--run-limit", "50ms", "--retries", "2", "--crash-retries",
	    "9", "stubborn.obey", notes);
	ck_assert_int_eq(read_notes(all), 6); /* three attempts, each noted "begins" and "obeys" */
	host_stop();
}
END_TEST

START_TEST(the_total_limit_holds_over_waits_retries_and_pauses)
{
	stubborn_boot("1");
	fails_with("not done within --total-limit 300ms of its submission", "--total-limit",
	    "300ms", "--retries", "200", "--backoff", "50ms", "--backoff-max", "50ms",
	    "stubborn.flaw", notes);
	char *busy = detach("stubborn.obey", notes);
	until_noted(2);
	fails_with("an argument is not settled yet", "--total-limit", "100ms", "probe.echo", busy);
	fails_with("no worker has been free for the task", "--total-limit", "100ms", "probe.noop");
	free(ctl_expect(&host, 0, "cancel", busy));
	fails_with("killed: not done within --total-limit 100ms of its submission; attempt 1",
	    "--total-limit", "100ms", "--retries", "3", "stubborn.obey", notes);
	free(busy);
	host_stop();
}
END_TEST

START_TEST(limits_go_on_when_the_scheduler_dies)
{
	stubborn_boot("1");
	char *runs = detach("--run-limit", "900ms", "stubborn.obey", notes);
	char *waits = detach("--queue-limit", "300ms", "probe.noop");
	char *late = detach("--total-limit", "300ms", "probe.echo", runs);
	until_noted(1);
	kill_scheduler();
	free(ctl_expect(&host, 1, "get", waits));
	free(ctl_expect(&host, 1, "get", late));
	free(ctl_expect(&host, 1, "get", runs));
	free(runs);
	free(waits);
	free(late);
	host_stop();
}
END_TEST

/* ---- retries ---- */

START_TEST(pauses_before_retries_double_up_to_the_longest)
{
	static const int64_t least_ms[] = { 100, 200, 300, 300 };
	struct note all[NOTES_MAX];
	stubborn_boot("2");
	fails_with("not yet", "--retries", "4", "--backoff", "100ms", "--backoff-max", "300ms",
	    "stubborn.flaw", notes);
	ck_assert_int_eq(read_notes(all), 5);
	for (int i = 0; i < 4; i++)
		ck_assert_int_ge(all[i + 1].us - all[i].us, least_ms[i] * US_PER_MS);
	host_stop();
}
END_TEST

START_TEST(a_pause_goes_on_when_the_scheduler_dies)
{
	struct note all[NOTES_MAX];
	stubborn_boot("2");
	char *task = detach("--retries", "1", "--backoff", "700ms", "stubborn.flaw", notes);
	until_noted(1);
	ctl_until(&host, task, "tasks", "--state", "ready", "--quiet");
	kill_scheduler();
	free(ctl_expect(&host, 1, "get", task));
	ck_assert_int_eq(read_notes(all), 2);
	ck_assert_int_ge(all[1].us - all[0].us, 700 * US_PER_MS);
	free(task);
	host_stop();
}
END_TEST

START_TEST(a_retry_is_not_for_the_worker_that_has_just_failed_it)
{
	struct note all[NOTES_MAX];
	stubborn_boot("2");
	fails_with("not yet", "--retries", "40", "stubborn.flaw", notes);
	ck_assert_int_eq(read_notes(all), 41);
	for (int i = 0; i < 40; i++)
		ck_assert_int_ne(all[i].pid, all[i + 1].pid);
	/* The other worker is busy, so the retry runs on the worker that failed the task. */
	char *busy = detach("stubborn.doze", notes);
	until_noted(42);
	fails_with("not yet", "--retries", "2", "stubborn.flaw", notes);
	free(ctl_expect(&host, 0, "cancel", busy));
	free(busy);
	host_stop();
}
END_TEST

START_TEST(a_retry_with_needs_is_not_for_the_worker_that_has_just_failed_it)
{
	struct note all[NOTES_MAX];
	stubborn_boot("cpus=1,key=1 x2");
	/* The pause lets the other worker become idle on a loaded machine, too. */
	fails_with("not yet", "--retries", "20", "--backoff", "30ms", "--backoff-max", "30ms",
	    "--needs", "key=1", "stubborn.flaw", notes);
	ck_assert_int_eq(read_notes(all), 21);
	for (int i = 0; i < 20; i++)
		ck_assert_int_ne(all[i].pid, all[i + 1].pid);
	host_stop();
}
END_TEST

/* ---- dead ---- */

static void expect_state(const char *state, const char *ref)
{
	char *out = ctl_expect(&host, 0, "tasks", "--state", state, "--quiet");
	ck_assert_msg(strstr(out, ref) != NULL, "%s is not %s, but: %s", ref, state, out);
	free(out);
}

START_TEST(a_task_whose_retries_are_spent_is_dead_and_can_be_retried)
{
	char enough[PATH_BYTES + 16];
	stubborn_boot("2");
	char *value = detach("probe.echo", "a value that is too long to stand in the record");
	char *task = detach("--retries", "1", "stubborn.flaw", notes, value);
	free(ctl_expect(&host, 1, "get", task));
	free(ctl_expect(&host, 0, "drop", value)); /* the dead task holds its argument */
	expect_state("dead", task);
	kill_scheduler();
	char *again = ctl_expect(&host, 0, "retry", task);
	free(ctl_expect(&host, 1, "get", again));
	expect_state("dead", again);
	char *dead = ctl_expect(&host, 0, "tasks", "--state", "dead", "--quiet");
	ck_assert_str_eq(dead, again); /* the retried task is no longer in the list */
	snprintf(enough, sizeof enough, "%s.enough", notes);
	scratch_write(&host, "notes.enough", "", 0, enough, sizeof enough);
	char *good = ctl_expect(&host, 0, "retry", again);
	char *result = ctl_expect(&host, 0, "get", good);
	ck_assert_str_eq(result, "a value that is too long to stand in the record");
	free(ctl_expect(&host, 64, "retry", good));
	free(ctl_expect(&host, 0, "drop", good));
	ctl_until(&host, "\"records_used\": 0", "status", "--json");
	ctl_until(&host, "\"store_used\": 0", "status", "--json");
	free(value), free(task), free(again), free(dead), free(good), free(result);
	host_stop();
}
END_TEST

static const struct limits roomy = {
	.processes = 64, .workers = 1, .records = 1024, .nodes = 1, .store_bytes = 1 << 24
};

static bool store_is_empty(void *context)
{
	(void)context;
	return roles_store_used(&roles) == 0;
}

/* The roles are threads: no process dies, so no burial frees the dead task. The dependent is in the
 * table before a worker joins, so only the scheduler can fail the dependent. */
START_TEST(a_dead_task_that_nobody_holds_lets_go_of_its_arguments)
{
	static const char large[100] = "it is broken";
	roles_case_start(&roomy, 0);
	plm_ref object = put(rt, large, sizeof large);
	plm_task task = {
		.function = "probe.fail", .args = &PLM_FUTURE(object), .nargs = 1, .retries = 1
	};
	plm_ref dead = submit(rt, &task);
	plm_ref after = submit_after(rt, "probe.echo", dead);
	plm_drop(rt, object);
	roles_add_worker(&roles);
	expect_failure(
	    rt, after, 1); /* failed by the scheduler, which has seen the dead task settle */
	plm_drop_many(rt, (plm_ref[]){ after, dead }, 2);
	plm_ref last =
	    submit_text(rt, "probe.echo", "x"); /* wakes the scheduler; small drops do not */
	expect_text(rt, last, "x");
	roles_until(store_is_empty, NULL, "the dead task's argument is freed");
	plm_drop(rt, last);
	roles_case_stop();
}
END_TEST

START_TEST(deaths_of_workers_have_a_budget_of_their_own_and_end_dead)
{
	struct note all[NOTES_MAX];
	stubborn_boot("2");
	char *task = detach("--crash-retries", "2", "--retries", "9", "stubborn.die", notes);
	free(ctl_expect(&host, 128 + SIGKILL, "get", task));
	ck_assert_int_eq(read_notes(all), 3);
	expect_state("dead", task);
	/* A task without retries is failed, not dead. */
	char *once = detach("stubborn.flaw", notes);
	free(ctl_expect(&host, 1, "get", once));
	expect_state("failed", once);
	free(task);
	free(once);
	host_stop();
}
END_TEST

/* ---- tasks that do not stop ---- */

/* Cancels a running task; returns the last note of the task. */
static void cancel_running(const char *function, const char *grace, char ret_last[16])
{
	struct note all[NOTES_MAX];
	char *task = detach(function, notes);
	until_noted(1);
	free(ctl_expect(&host, 0, "cancel", "--grace", grace, task));
	free(ctl_expect(&host, 130, "get", task));
	ctl_until(&host, task, "tasks", "--state", "cancelled", "--quiet");
	int n = read_notes(all);
	snprintf(ret_last, sizeof all[0].what, "%s", all[n - 1].what);
	free(task);
}

START_TEST(a_cancelled_task_is_asked_first)
{
	char last[16];
	stubborn_boot("1");
	cancel_running("stubborn.obey", "60s", last);
	ck_assert_str_eq(last, "obeys");
	ck_assert_int_eq(status_field("restarts"), 0);
	host_stop();
}
END_TEST

START_TEST(a_cancelled_task_that_sleeps_is_interrupted_then)
{
	char last[16];
	stubborn_boot("1");
	cancel_running("stubborn.doze", "2s", last);
	ck_assert_str_eq(last, "wakes");
	ck_assert_int_eq(status_field("restarts"), 0);
	host_stop();
}
END_TEST

START_TEST(a_cancelled_task_that_does_not_stop_is_killed_at_last)
{
	char last[16];
	stubborn_boot("1");
	cancel_running("stubborn.ignore", "100ms", last);
	ck_assert_str_eq(last, "begins");
	ctl_until(&host, "\"restarts\": 1", "status", "--json");
	host_stop();
}
END_TEST

START_TEST(a_wait_for_a_cancelled_task_returns_before_the_task_stops)
{
	plm_ref ref;
	plm_view view;
	stubborn_boot("1");
	plm_arg file = PLM_BYTES(notes, strlen(notes));
	plm_task task = { .function = "stubborn.ignore", .args = &file, .nargs = 1 };
	ck_assert_int_eq(plm_submit(client, &task, &ref), 0);
	until_noted(1);
	ck_assert_int_eq(plm_cancel(client, ref, 3600 * 1000), 0);
	ck_assert_int_eq(plm_get(client, ref, &view, 0), -PLM_ECANCELLED);
	ck_assert_int_eq(plm_wait(client, &ref, 1, 1, 0, NULL), 0);
	/* The worker is not free while the cancelled task still runs. */
	fails_with("--queue-limit 200ms", "--queue-limit", "200ms", "probe.noop");
	ck_assert_int_eq(plm_cancel(client, ref, 0), 0);
	free(ctl_expect(&host, 0, "call", "probe.noop"));
	ck_assert_int_eq(status_field("restarts"), 1);
	host_stop();
}
END_TEST

/* ---- a task that waits for itself ---- */

/* A task waits for the reference of itself, and fails with a reason. */
static void await_itself(bool below)
{
	char text[PLM_REF_TEXT_BYTES];
	void *word;
	plm_ref object, ref;
	plm_failure failure;
	stubborn_boot("2");
	ck_assert_int_eq(plm_create(client, PLM_REF_TEXT_BYTES - 1, &word, &object), 0);
	plm_arg args[2] = { PLM_FUTURE(object), PLM_BYTES("below", 5) };
	plm_task task = { .function = "stubborn.await", .args = args, .nargs = below ? 2 : 1 };
	ck_assert_int_eq(plm_submit(client, &task, &ref), 0);
	memset(text, 0, sizeof text);
	plm_ref_print(ref, text);
	memcpy(word, text, PLM_REF_TEXT_BYTES - 1);
	ck_assert_int_eq(plm_seal(client, object), 0);
	ck_assert_int_eq(plm_wait(client, &ref, 1, 1, DEADLINE_MS, NULL), 0);
	ck_assert_int_eq(plm_error(client, ref, &failure), 0);
	ck_assert_int_eq(failure.code, EDEADLK);
	ck_assert_msg(strstr(failure.message, "waits for itself"), "%s", failure.message);
	host_stop();
}

START_TEST(a_task_that_waits_for_itself_is_told_so)
{
	await_itself(false);
}
END_TEST

START_TEST(a_task_that_waits_for_what_has_it_as_an_argument_is_told_so)
{
	await_itself(true);
}
END_TEST

/* A client can guess the record of its next task, and so the reference, before the submission. */
static plm_ref next_reference(const plm *from)
{
	for (int i = 0; i < RESERVED_CACHES; i++) {
		const struct reserved_cache *cache = &from->cache[i];
		if (cache->count == 0)
			continue;
		uint32_t index = cache->index[cache->count - 1];
		uint64_t word = sh_load(&from->tables.record[index].state);
		return ref_public(from, record_ref(index, word_generation(word)));
	}
	ck_abort_msg("no record is cached");
	return PLM_NONE;
}

START_TEST(a_reference_cannot_be_an_argument_before_it_is_given_out)
{
	roles_case_start(&roomy, 1);
	plm_ref ref;
	for (int i = 0; i < 4; i++) { /* the cache of records grows with each submission */
		ref = submit_text(rt, "probe.echo", "x");
		expect_text(rt, ref, "x");
		plm_drop(rt, ref);
	}
	plm_ref guess = next_reference(rt);
	plm_task task = { .function = "probe.echo", .args = &PLM_FUTURE(guess), .nargs = 1 };
	ck_assert_int_eq(plm_submit(rt, &task, &ref), -ESTALE);
	roles_case_stop();
}
END_TEST

/* ---- the arithmetic of pauses ---- */

START_TEST(pauses_are_scattered_by_a_quarter_and_no_more)
{
	static struct tables t;
	struct terms terms = { .backoff_ms = 1000, .backoff_max_ms = 4000 };
	uint32_t number, distinct = 0;
	uint64_t before = 0;
	ck_assert_int_eq(tables_create("limits-pauses", &roomy, &t), 0);
	tables_unlink("limits-pauses");
	ck_assert_int_eq(terms_number(t.terms, &t.registry.lock, &terms, &number), 0);
	struct record *r = record_at(&t, 0);
	r->terms = (uint16_t)number;
	for (uint32_t attempt = 1; attempt < 200; attempt++) {
		uint64_t word = word_make(1, 5, attempt, RECORD_READY, 0);
		uint64_t base = attempt > 3 ? 4000 : 1000 << (attempt - 1);
		r->end_ms = due_ms(&t, r);
		uint64_t due_ns = due_backoff(&t, r, word) - t.control->boot_ns;
		uint64_t ms = due_ns / NS_PER_MS - r->end_ms;
		ck_assert_uint_ge(ms, base);
		ck_assert_uint_le(ms, base + base / 4 + 1);
		distinct += ms != before;
		before = ms;
	}
	ck_assert_uint_gt(distinct, 100);
	ck_assert_uint_eq(due_backoff(&t, r, word_make(1, 5, 0, RECORD_READY, 0)), 0);
	tables_detach(&t);
}
END_TEST

START_TEST(times_are_checked)
{
	plm_ref ref;
	plm_terms terms = { .run_ms = UINT32_MAX };
	plm_task task = { .function = "probe.noop", .terms = &terms };
	stubborn_boot("1");
	ck_assert_int_eq(plm_submit(client, &task, &ref), -EINVAL);
	ck_assert_msg(strstr(plm_why(), "run_ms"), "%s", plm_why());
	ck_assert_int_eq(plm_cancel(client, PLM_NONE, -2), -EINVAL);
	free(ctl_expect(&host, 64, "call", "--run-limit", "5", "probe.noop"));
	free(ctl_expect(&host, 64, "call", "--backoff", "-1s", "probe.noop"));
	host_stop();
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *const *tests, size_t n)
{
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	const TTest *const limited[] = { a_task_that_is_not_started_in_its_queue_limit_fails,
		a_task_that_runs_longer_than_its_run_limit_fails,
		each_attempt_has_the_run_limit_anew_and_spends_a_retry,
		the_total_limit_holds_over_waits_retries_and_pauses,
		limits_go_on_when_the_scheduler_dies, times_are_checked };
	const TTest *const retried[] = { pauses_before_retries_double_up_to_the_longest,
		pauses_are_scattered_by_a_quarter_and_no_more,
		a_pause_goes_on_when_the_scheduler_dies,
		a_retry_is_not_for_the_worker_that_has_just_failed_it,
		a_retry_with_needs_is_not_for_the_worker_that_has_just_failed_it,
		a_task_whose_retries_are_spent_is_dead_and_can_be_retried,
		a_dead_task_that_nobody_holds_lets_go_of_its_arguments,
		deaths_of_workers_have_a_budget_of_their_own_and_end_dead };
	const TTest *const stopped[] = { a_cancelled_task_is_asked_first,
		a_cancelled_task_that_sleeps_is_interrupted_then,
		a_cancelled_task_that_does_not_stop_is_killed_at_last,
		a_wait_for_a_cancelled_task_returns_before_the_task_stops,
		a_task_that_waits_for_itself_is_told_so,
		a_task_that_waits_for_what_has_it_as_an_argument_is_told_so,
		a_reference_cannot_be_an_argument_before_it_is_given_out };
	Suite *suite = suite_create("limits");
	add(suite, "limits", limited, COUNT_OF(limited));
	add(suite, "retries", retried, COUNT_OF(retried));
	add(suite, "stopping", stopped, COUNT_OF(stopped));
	return run_suite(suite);
}
