/* test_event_kinds.c - what happens to a runtime as a whole is in the event log: memory that runs
 * short, a lock whose holder died, groups of the journal. Each is read by plm_inspect.h, printed by
 * plmctl events, and a mark in a trace. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/handle.h"
#include "client/plm_inspect.h"
#include "tests/support/deaths.h"
#include "tests/support/journal_case.h"
#include "tests/support/json.h"
#include "tests/support/memory_case.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 120,
	ROWS = 256,
	FOUND_MOST = 64,
	PATH_BYTES = 256,
	LARGE_BYTES = 5000,
	TASKS = 20,
	TOTAL_MB = 1000,
	SHORT_MB = 60,
	ENOUGH_MB = 900,
};

/* ---- the events of a kind ---- */

static plm_event found[FOUND_MOST];
static unsigned founds;

/* Reads the log from its beginning. */
static void find(int kind)
{
	static plm_event rows[ROWS];
	plm_inspect *in;
	plm_events *events;
	int n;
	founds = 0;
	ck_assert_msg(plm_inspect_open(&in, host.name) == 0, "%s", plm_why());
	ck_assert_msg(plm_events_open(&events, in, 0) == 0, "%s", plm_why());
	while ((n = plm_events_read(events, rows, sizeof rows[0], ROWS)) > 0)
		for (int i = 0; i < n; i++)
			if (rows[i].kind == kind && founds < FOUND_MOST)
				found[founds++] = rows[i];
	plm_events_close(&events);
	plm_inspect_close(&in);
}

static bool is_found(void *kind)
{
	find(*(int *)kind);
	return founds > 0;
}

static void await_event(int kind)
{
	until(is_found, &kind, plm_event_name(kind));
	ck_assert_uint_eq(founds, 1);
	ck_assert_uint_eq(found[0].ref.id, 0);
	ck_assert_uint_eq(found[0].worker, PLM_NOBODY);
	ck_assert_uint_eq(found[0].function, PLM_NOBODY);
}

/* plmctl events prints so many lines of the kind, each with this text; a trace has the mark. */
static void expect_shown(const char *kind, unsigned lines, const char *detail, const char *mark)
{
	char path[PATH_BYTES], line[2 * PATH_BYTES];
	unsigned values = 0, details = 0;
	struct output_of o = ctl(&host, "events", "--json", "--kind", kind);
	ck_assert_ptr_null(json_lines_check(o.out, o.out_bytes, &values));
	ck_assert_uint_eq(values, lines);
	for (const char *at = o.out; (at = strstr(at, detail)); at++)
		details++;
	ck_assert_msg(details == lines, "not \"%s\" %u times: %s", detail, lines, o.out);
	output_free(&o);
	scratch_path(&host, "marks.json", path, sizeof path);
	free(ctl_expect(&host, 0, "trace", path));
	snprintf(line, sizeof line, "grep -q '\"ph\":\"i\".*\"name\":\"%s' %s", mark, path);
	ck_assert_msg(system(line) == 0, "no mark \"%s\" in the trace", mark); /* NOLINT */
}

static void stop(void)
{
	plm_disconnect(&client);
	runtime_stop(&host);
	runtime_end(&host);
}

/* ---- memory ---- */

START_TEST(memory_that_runs_short_and_comes_back_is_an_event_each)
{
	memory_case_begin(TOTAL_MB);
	runtime_boot(&host, "--workers", "1", "--tasks", "256", "--store", "4M", "--events", "on",
	    "--memory", "8G", "--accept-free", "100M", "--return-free", "50M", );
	char *runs = ctl_expect(&host, 0, "call", "--detach", "probe.sleep", "100000");
	find(PLM_EVENT_MEMORY_SHORT);
	ck_assert_uint_eq(founds, 0);
	memory_case_set(TOTAL_MB, SHORT_MB);
	await_event(PLM_EVENT_MEMORY_SHORT);
	ck_assert_uint_eq(found[0].argument, (uint64_t)SHORT_MB << 20);
	find(PLM_EVENT_MEMORY_ENOUGH);
	ck_assert_uint_eq(founds, 0);
	memory_case_set(TOTAL_MB, ENOUGH_MB);
	await_event(PLM_EVENT_MEMORY_ENOUGH);
	ck_assert_uint_eq(found[0].argument, (uint64_t)ENOUGH_MB << 20);
	expect_shown("memory-short", 1, "60.0 MiB", "memory is short: 60 MiB free");
	expect_shown("memory-enough", 1, "900.0 MiB", "memory is enough again: 900 MiB free");
	free(ctl_expect(&host, 0, "cancel", "--grace", "0ms", runs));
	free(runs);
	stop();
	memory_case_end();
}
END_TEST

/* ---- locks ---- */

static void die_inside_the_arena(void *unused)
{
	plm *other;
	(void)unused;
	if (plm_connect(&other, host.name) < 0 || lock_acquire(&other->tables.arena[0].lock) < 0)
		_exit(2);
	raise(SIGKILL);
}

static void put_large(void)
{
	static char bytes[LARGE_BYTES];
	plm_ref ref;
	ck_assert_msg(plm_put(client, bytes, sizeof bytes, &ref) == 0, "%s", plm_why());
	plm_drop(client, ref);
}

static bool is_recovered(void *kind)
{
	put_large();
	return is_found(kind);
}

START_TEST(a_lock_taken_from_a_dead_holder_is_an_event_of_the_taker)
{
	int kind = PLM_EVENT_LOCK_RECOVERED;
	char rank[32], mark[64];
	runtime_boot(
	    &host, "--workers", "1", "--tasks", "256", "--store", "4M", "--events", "on", );
	host_join();
	put_large(); /* the client has a ring */
	find(kind);
	ck_assert_uint_eq(founds, 0);
	wait_for_death(child_of(die_inside_the_arena, NULL));
	until(is_recovered, &kind, plm_event_name(kind));
	await_event(kind);
	ck_assert_uint_eq(found[0].argument, RANK_ARENA);
	snprintf(rank, sizeof rank, "\"rank %d\"", RANK_ARENA);
	snprintf(mark, sizeof mark, "a lock of a dead process is recovered: rank %d", RANK_ARENA);
	expect_shown("lock-recovered", 1, rank, mark);
	stop();
}
END_TEST

/* ---- the journal ---- */

/* Accepted and ended are counted alike. */
static bool all_are_written(void *unused)
{
	uint64_t tasks = 0;
	(void)unused;
	find(PLM_EVENT_JOURNAL);
	for (unsigned i = 0; i < founds; i++)
		tasks += found[i].argument;
	return tasks == 2 * TASKS;
}

START_TEST(groups_of_the_journal_are_events_with_the_tasks_they_hold)
{
	journal_boot("--events", "on", );
	find(PLM_EVENT_JOURNAL);
	ck_assert_uint_eq(founds, 0);
	for (unsigned i = 0; i < TASKS; i++)
		free(keep("--", "true"));
	status_reaches("journal_ended", TASKS);
	until(all_are_written, NULL, "each task is in the group of its birth and of its end");
	for (unsigned i = 0; i < founds; i++)
		ck_assert(found[i].ref.id == 0 && found[i].argument > 0);
	expect_shown("journal", founds, "\"tasks ", "journal: ");
	journal_end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		memory_that_runs_short_and_comes_back_is_an_event_each,
		a_lock_taken_from_a_dead_holder_is_an_event_of_the_taker,
		groups_of_the_journal_are_events_with_the_tasks_they_hold,
	};
	return run_tests(
	    "event_kinds", TEST_TIMEOUT_S, NULL, NULL, tests, sizeof tests / sizeof tests[0]);
}
