/* test_runs.c - made-up events become the runs, waits and counters that they mean; whatever the
 * events are, runs of a track nest strictly, every start becomes one run, and nothing breaks. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/runs/runs.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, TOLD_MAX = 4096, WILD_EVENTS = 200000 };

static struct {
	struct runs *runs;
	struct run run[TOLD_MAX];
	char name[TOLD_MAX][RUN_NAME_BYTES];
	struct run_wait wait[TOLD_MAX];
	struct run_track track[TOLD_MAX];
	struct run_mark mark[TOLD_MAX];
	unsigned runs_told, waits, tracks, marks, counts, late;
	uint64_t late_ns;
	struct run_counters counters;
} told;

static void take_run(void *context, const struct run *run)
{
	(void)context;
	ck_assert_uint_lt(told.runs_told, TOLD_MAX);
	snprintf(told.name[told.runs_told], RUN_NAME_BYTES, "%s", run->name);
	told.run[told.runs_told++] = *run;
}

static void take_late(void *context, uint64_t ran_ns)
{
	(void)context;
	told.late++;
	told.late_ns = ran_ns;
}

static void take_wait(void *context, const struct run_wait *wait)
{
	(void)context;
	told.wait[told.waits++] = *wait;
}

static void take_track(void *context, const struct run_track *track)
{
	(void)context;
	told.track[track->track] = *track;
	told.tracks = track->track + 1;
}

static void take_mark(void *context, const struct run_mark *mark)
{
	(void)context;
	told.mark[told.marks++] = *mark;
}

static void take_counters(void *context, uint64_t time_ns, const struct run_counters *counters)
{
	(void)context;
	(void)time_ns;
	told.counts++;
	told.counters = *counters;
}

static void begin(uint64_t grain_ns)
{
	static const struct runs_sink sink = { take_track, take_run, take_late, take_wait,
		take_mark, take_counters };
	const struct runs_plan plan = { .records_max = 64, .grain_ns = grain_ns };
	ck_assert_int_eq(runs_open(&told.runs, &plan, &sink, NULL), 0);
}

static void begin_exact(void)
{
	begin(0);
}

static void end(void)
{
	runs_close(&told.runs);
	ck_assert_ptr_null(told.runs);
}

static plm_ref task(unsigned number)
{
	return (plm_ref){ (uint64_t)1 << 32 | number, 1 };
}

/* An event of the process slot P, which belongs to worker P. */
static void event_with(
    int kind, uint64_t ns, unsigned number, uint32_t attempt, uint32_t process, uint64_t argument)
{
	const plm_event event = { .kind = kind,
		.time_ns = ns,
		.ref = number ? task(number) : PLM_NONE,
		.attempt = attempt,
		.process = process,
		.worker = process,
		.function = 7,
		.function_name = "m.f",
		.argument = argument };
	runs_event(told.runs, &event);
}

static void event(int kind, uint64_t ns, unsigned number, uint32_t process, uint64_t argument)
{
	event_with(kind, ns, number, 1, process, argument);
}

static const struct run *run_of(unsigned number, uint32_t attempt)
{
	const struct run *found = NULL;
	for (unsigned i = 0; i < told.runs_told; i++)
		if (told.run[i].ref.id == task(number).id && told.run[i].attempt == attempt) {
			ck_assert_msg(!found, "task %u is told twice", number);
			found = &told.run[i];
		}
	ck_assert_msg(found != NULL, "task %u is not told", number);
	return found;
}

static void expect(unsigned number, uint32_t attempt, uint64_t start, uint64_t stop,
    enum run_ending ending, uint32_t depth)
{
	const struct run *run = run_of(number, attempt);
	ck_assert_uint_eq(run->start_ns, start);
	ck_assert_uint_eq(run->end_ns, stop);
	ck_assert_int_eq(run->ending, ending);
	ck_assert_uint_eq(run->depth, depth);
}

/* ---- ordinary lives ---- */

START_TEST(a_task_is_a_run_with_the_time_of_each_step)
{
	event(PLM_EVENT_SUBMITTED, 100, 1, 9, (uint64_t)-3);
	event(PLM_EVENT_DEPENDS, 101, 1, 9, 0);
	event(PLM_EVENT_READY, 200, 1, 8, 0);
	event(PLM_EVENT_PLACED, 250, 1, 8, 0);
	event(PLM_EVENT_STARTED, 300, 1, 2, 1);
	event(PLM_EVENT_DONE, 450, 1, 2, 149);
	expect(1, 1, 300, 450, RUN_DONE, 0);
	const struct run *run = run_of(1, 1);
	ck_assert(run->submitted_ns == 100 && run->ready_ns == 200 && run->placed_ns == 250);
	ck_assert(run->counted_ns == 149 && run->priority == -3 && run->started);
	ck_assert(run->worker == 2 && run->process == 2 && run->function == 7);
	ck_assert_str_eq(told.name[0], "m.f");
	ck_assert_uint_eq(told.tracks, 1);
}
END_TEST

START_TEST(a_better_name_stands_for_the_function)
{
	uint64_t piece;
	event(PLM_EVENT_SUBMITTED, 1, 1, 9, 0);
	for (int i = 0; i < 3; i++) {
		memcpy(&piece, &"a long name of 22 chrs\0"[8 * i], 8);
		event(PLM_EVENT_NAME, 2, 1, 9, piece);
	}
	event(PLM_EVENT_STARTED, 3, 1, 2, 1);
	event(PLM_EVENT_DONE, 4, 1, 2, 1);
	ck_assert_str_eq(told.name[0], "a long name of 22 chrs");
	/* A further attempt tells its name anew. */
	event(PLM_EVENT_SUBMITTED, 5, 2, 9, 0);
	memcpy(&piece, "eight888", 8);
	for (uint32_t attempt = 1; attempt < 3; attempt++) {
		event_with(PLM_EVENT_NAME, 6, 2, attempt, 9, piece);
		event_with(PLM_EVENT_STARTED, 6, 2, attempt, 2, 1);
		event_with(attempt == 1 ? PLM_EVENT_RETURNED : PLM_EVENT_DONE, 8, 2, attempt, 2, 1);
		ck_assert_str_eq(told.name[attempt], "eight888");
	}
}
END_TEST

START_TEST(attempts_are_runs_of_their_own)
{
	event(PLM_EVENT_SUBMITTED, 1, 1, 9, 0);
	event(PLM_EVENT_STARTED, 10, 1, 2, 1);
	event(PLM_EVENT_RETURNED, 20, 1, 2, PLM_RETURN_RETRY);
	event_with(PLM_EVENT_STARTED, 30, 1, 2, 3, 1);
	event_with(PLM_EVENT_FAILED, 40, 1, 2, 3, 10);
	expect(1, 1, 10, 20, RUN_RETURNED, 0);
	expect(1, 2, 30, 40, RUN_FAILED, 0);
	ck_assert_uint_eq(run_of(1, 1)->reason, PLM_RETURN_RETRY);
	ck_assert_uint_eq(run_of(1, 2)->ready_ns, 20);
	ck_assert_uint_eq(told.tracks, 2);
}
END_TEST

START_TEST(a_task_that_never_started_has_no_track)
{
	event(PLM_EVENT_SUBMITTED, 1, 1, 9, 0);
	event(PLM_EVENT_CANCELLED, 5, 1, 8, 0);
	const struct run *run = run_of(1, 1);
	ck_assert(!run->started && run->track == RUN_NO_TRACK && run->ending == RUN_CANCELLED);
	ck_assert_uint_eq(told.tracks, 0);
}
END_TEST

START_TEST(runs_in_place_of_a_waiting_task_nest)
{
	event(PLM_EVENT_STARTED, 10, 1, 2, 1);
	event(PLM_EVENT_BLOCKED, 20, 0, 2, 4711);
	event(PLM_EVENT_STARTED, 30, 2, 2, 1);
	event(PLM_EVENT_STARTED, 35, 3, 2, 1);
	event(PLM_EVENT_DONE, 40, 3, 2, 5);
	event(PLM_EVENT_UNBLOCKED, 45, 0, 2, 4711); /* while the nested task goes on */
	event(PLM_EVENT_DONE, 50, 2, 2, 20);
	event(PLM_EVENT_DONE, 70, 1, 2, 60);
	expect(3, 1, 35, 40, RUN_DONE, 2);
	expect(2, 1, 30, 50, RUN_DONE, 1);
	expect(1, 1, 10, 70, RUN_DONE, 0);
	ck_assert_uint_eq(told.waits, 1);
	ck_assert(told.wait[0].start_ns == 20 && told.wait[0].end_ns == 50);
}
END_TEST

/* ---- deaths ---- */

START_TEST(a_dead_worker_ends_its_runs_and_the_next_process_gets_a_track)
{
	event(PLM_EVENT_BORN, 1, 0, 2, 4711);
	event(PLM_EVENT_STARTED, 10, 1, 2, 1);
	event(PLM_EVENT_STARTED, 15, 2, 2, 1);
	event(PLM_EVENT_DEAD, 20, 0, 2, 4711);
	event(PLM_EVENT_BORN, 22, 0, 2, 4712);
	event(PLM_EVENT_STARTED, 24, 3, 2, 1);
	event(PLM_EVENT_FAILED, 26, 2, 2, 11); /* the scheduler's, in the ring of the dead */
	event(PLM_EVENT_RETURNED, 27, 1, 2, PLM_RETURN_DEAD);
	event(PLM_EVENT_DONE, 30, 3, 2, 6);
	expect(1, 1, 10, 20, RUN_RETURNED, 0);
	expect(2, 1, 15, 20, RUN_FAILED, 1);
	expect(3, 1, 24, 30, RUN_DONE, 0);
	ck_assert_uint_eq(told.tracks, 2);
	ck_assert(run_of(1, 1)->track == 0 && run_of(3, 1)->track == 1);
	ck_assert(told.track[0].pid == 4711 && told.track[1].pid == 4712);
	ck_assert_uint_eq(told.marks, 3);
}
END_TEST

START_TEST(a_process_may_start_a_task_before_its_birth_is_written)
{
	event(PLM_EVENT_BORN, 10, 0, 2, 76);
	event(PLM_EVENT_DEAD, 20, 0, 2, 76);
	event(PLM_EVENT_STARTED, 30, 1, 2, 1);
	event(PLM_EVENT_BORN, 31, 0, 2, 77);
	event(PLM_EVENT_DONE, 50, 1, 2, 20);
	expect(1, 1, 30, 50, RUN_DONE, 0);
	ck_assert_uint_eq(told.tracks, 2);
	ck_assert_uint_eq(told.track[1].pid, 77);
	event(PLM_EVENT_STARTED, 60, 2, 3, 1); /* of a process whose death was lost */
	runs_lost(told.runs, 70, 5);
	event(PLM_EVENT_BORN, 80, 0, 3, 78);
	runs_finish(told.runs, 100);
	expect(2, 1, 60, 80, RUN_LOST, 0);
}
END_TEST

START_TEST(a_dead_worker_without_a_verdict_leaves_a_run_of_unknown_end)
{
	event(PLM_EVENT_STARTED, 10, 1, 2, 1);
	event(PLM_EVENT_DEAD, 20, 0, 2, 1);
	runs_finish(told.runs, 50);
	expect(1, 1, 10, 20, RUN_LOST, 0);
}
END_TEST

/* ---- what is missing ---- */

START_TEST(an_end_without_a_start_tells_the_start)
{
	event(PLM_EVENT_DONE, 1000, 1, 2, 300);
	expect(1, 1, 700, 1000, RUN_DONE, 0);
	ck_assert(run_of(1, 1)->start_unknown);
	/* Not into the run before. */
	event(PLM_EVENT_DONE, 1100, 2, 2, 500);
	expect(2, 1, 1000, 1100, RUN_DONE, 0);
}
END_TEST

START_TEST(a_look_at_a_process_shows_what_ran_before)
{
	struct runs_process look = { .time_ns = 500,
		.process = 2,
		.worker = 2,
		.pid = 4711,
		.running = task(1),
		.run_ns = 400,
		.function = "m.before" };
	runs_process(told.runs, &look);
	look.process = look.worker = 3;
	look.running = task(2);
	runs_process(told.runs, &look);
	event_with(PLM_EVENT_STARTED, 110, 2, 5, 3, 1); /* read after the look */
	event_with(PLM_EVENT_DONE, 600, 1, 3, 2, 490);
	event_with(PLM_EVENT_DONE, 610, 2, 5, 3, 500);
	expect(1, 3, 110, 600, RUN_DONE, 0);
	expect(2, 5, 110, 610, RUN_DONE, 0);
	ck_assert_uint_eq(told.track[0].pid, 4711);
}
END_TEST

START_TEST(a_look_does_not_start_a_task_that_the_events_have_ended)
{
	struct runs_process look = { .time_ns = 500, .process = 2, .worker = 2, .pid = 4711 };
	event(PLM_EVENT_STARTED, 10, 1, 2, 1);
	event(PLM_EVENT_DONE, 20, 1, 2, 10);
	look.running = task(1);
	look.run_ns = 490;
	runs_process(told.runs, &look);
	look.running = task(5); /* no event knows the task, and the process begins another */
	runs_process(told.runs, &look);
	event(PLM_EVENT_STARTED, 510, 6, 2, 1);
	event(PLM_EVENT_DONE, 520, 6, 2, 10);
	runs_finish(told.runs, 600);
	ck_assert_uint_eq(told.runs_told, 2);
	expect(6, 1, 510, 520, RUN_DONE, 0);
}
END_TEST

START_TEST(what_runs_at_the_end_is_open)
{
	event(PLM_EVENT_STARTED, 10, 1, 2, 1);
	event(PLM_EVENT_BLOCKED, 15, 0, 2, 1);
	runs_finish(told.runs, 99);
	expect(1, 1, 10, 99, RUN_OPEN, 0);
	ck_assert_uint_eq(told.waits, 1);
}
END_TEST

START_TEST(after_a_loss_an_open_run_ends_when_its_process_goes_on)
{
	event(PLM_EVENT_STARTED, 10, 1, 2, 1);
	event(PLM_EVENT_STARTED, 10, 2, 3, 1);
	event(PLM_EVENT_STARTED, 10, 3, 4, 1);
	event(PLM_EVENT_STARTED, 10, 4, 5, 1);
	runs_lost(told.runs, 20, 17);
	event(PLM_EVENT_STARTED, 30, 5, 2, 1);
	event(PLM_EVENT_IDLE, 35, 0, 3, 1);
	const struct runs_process idle = { .time_ns = 36, .process = 4, .worker = 4, .pid = 1 };
	runs_process(told.runs, &idle);
	event(PLM_EVENT_DONE, 40, 4, 5, 30); /* this end was not lost */
	event(PLM_EVENT_DONE, 41, 5, 2, 11);
	expect(1, 1, 10, 30, RUN_LOST, 0);
	expect(2, 1, 10, 35, RUN_LOST, 0);
	expect(3, 1, 10, 36, RUN_LOST, 0);
	expect(4, 1, 10, 40, RUN_DONE, 0);
	expect(5, 1, 30, 41, RUN_DONE, 0);
	ck_assert(
	    told.marks == 1 && told.mark[0].kind == PLM_EVENT_NONE && told.mark[0].argument == 17);
}
END_TEST

START_TEST(a_start_read_before_its_submission_is_one_task)
{
	event(PLM_EVENT_STARTED, 10, 1, 2, 1);
	event(PLM_EVENT_SUBMITTED, 11, 1, 9, 5);
	event(PLM_EVENT_DONE, 20, 1, 2, 10);
	expect(1, 1, 10, 20, RUN_DONE, 0);
	ck_assert(run_of(1, 1)->submitted_ns == 10 && run_of(1, 1)->priority == 5);
}
END_TEST

START_TEST(a_record_with_a_new_task_forgets_the_old_one)
{
	event(PLM_EVENT_SUBMITTED, 1, 1, 9, 0);
	plm_event later = { .kind = PLM_EVENT_SUBMITTED,
		.time_ns = 5,
		.ref = { (uint64_t)2 << 32 | 1, 1 },
		.process = 9,
		.worker = PLM_NOBODY,
		.function = 7 };
	runs_event(told.runs, &later);
	event(PLM_EVENT_READY, 6, 1, 9, 0); /* late, of the old task */
	later.kind = PLM_EVENT_STARTED;
	later.time_ns = 8;
	later.worker = 2;
	runs_event(told.runs, &later);
	later.kind = PLM_EVENT_DONE;
	later.time_ns = 9;
	runs_event(told.runs, &later);
	ck_assert_uint_eq(told.runs_told, 1);
	ck_assert_uint_eq(told.run[0].submitted_ns, 5);
}
END_TEST

/* ---- counters ---- */

static void counts(uint64_t waiting, uint64_t queued, uint64_t running, uint64_t store)
{
	struct run_counters c;
	runs_counters(told.runs, &c);
	ck_assert_msg(c.waiting == waiting && c.queued == queued && c.running == running &&
		c.store_bytes == store,
	    "%llu waiting, %llu queued, %llu running, %llu bytes", (unsigned long long)c.waiting,
	    (unsigned long long)c.queued, (unsigned long long)c.running,
	    (unsigned long long)c.store_bytes);
}

START_TEST(counters_follow_the_events_from_a_sample_on)
{
	const struct runs_sample sample = { 1,
		{ COUNTER_TASKS | COUNTER_STORE, 2, 3, 1, 1000, 0 } };
	runs_sample(told.runs, &sample);
	event(PLM_EVENT_SUBMITTED, 10, 1, 9, 0);
	counts(2, 4, 1, 1000);
	event(PLM_EVENT_SUBMITTED, 11, 2, 9, 0);
	event(PLM_EVENT_DEPENDS, 11, 2, 9, 0);
	event(PLM_EVENT_DEPENDS, 11, 2, 9, 0);
	counts(3, 4, 1, 1000);
	event(PLM_EVENT_STARTED, 12, 1, 2, 1);
	counts(3, 3, 2, 1000);
	event(PLM_EVENT_SEALED, 13, 1, 2, 500);
	event(PLM_EVENT_DONE, 13, 1, 2, 1);
	event(PLM_EVENT_READY, 14, 2, 2, 0);
	counts(2, 4, 1, 1500);
	event(PLM_EVENT_CANCELLED, 15, 2, 8, 0);
	event(PLM_EVENT_FREED, 16, 1, 8, 500);
	counts(2, 3, 1, 1000);
	event(PLM_EVENT_DONE, 17, 33, 3, 5);    /* ran when the sample was taken */
	event(PLM_EVENT_STARTED, 18, 34, 3, 5); /* was queued then */
	counts(2, 2, 1, 1000);
	event(PLM_EVENT_RETURNED, 19, 34, 3, PLM_RETURN_ASKED);
	counts(2, 3, 0, 1000);
	runs_finish(told.runs, 20);
	ck_assert(
	    told.counters.queued == 3 && told.counters.known == (COUNTER_TASKS | COUNTER_STORE));
}
END_TEST

START_TEST(a_submission_after_the_end_is_told_with_the_length_of_the_run)
{
	event(PLM_EVENT_STARTED, 10, 1, 2, 1);
	event(PLM_EVENT_DONE, 17, 1, 2, 7);
	event(PLM_EVENT_SUBMITTED, 18, 1, 9, 5);
	ck_assert(told.late == 1 && told.late_ns == 7);
	event(PLM_EVENT_SUBMITTED, 20, 2, 9, 5); /* in time */
	event(PLM_EVENT_STARTED, 21, 2, 2, 1);
	event(PLM_EVENT_DONE, 22, 2, 2, 1);
	event(PLM_EVENT_STARTED, 30, 3, 2, 1); /* of a failed run no length is told */
	event(PLM_EVENT_FAILED, 32, 3, 2, 2);
	event(PLM_EVENT_SUBMITTED, 33, 3, 9, 5);
	ck_assert_uint_eq(told.late, 1);
}
END_TEST

START_TEST(a_late_submission_counts_once)
{
	const struct runs_sample sample = { 1, { COUNTER_TASKS, 0, 0, 0, 0, 0 } };
	runs_sample(told.runs, &sample);
	event(PLM_EVENT_STARTED, 10, 1, 2, 1);
	event(PLM_EVENT_SUBMITTED, 11, 1, 9, 5);
	counts(0, 0, 1, 0);
	event(PLM_EVENT_STARTED, 12, 2, 3, 1);
	event(PLM_EVENT_DONE, 13, 2, 3, 1);
	event(PLM_EVENT_SUBMITTED, 13, 2, 9, 5);
	counts(0, 0, 1, 0);
}
END_TEST

START_TEST(counters_are_told_once_in_a_grain_and_at_the_end)
{
	const struct runs_sample sample = { 1, { COUNTER_TASKS, 0, 0, 0, 0, 0 } };
	end();
	begin(1000);
	told.counts = 0;
	runs_sample(told.runs, &sample);
	for (unsigned i = 1; i <= 50; i++)
		event(PLM_EVENT_SUBMITTED, 100 * i, i, 9, 0);
	ck_assert_uint_le(told.counts, 6);
	ck_assert_uint_ge(told.counts, 4);
	runs_finish(told.runs, 6000);
	ck_assert_uint_eq(told.counters.queued, 50);
}
END_TEST

/* ---- anything ---- */

static struct {
	struct run *kept;
	size_t n, room;
} wild;

static void keep_wild_run(void *context, const struct run *run)
{
	(void)context;
	ck_assert(run->name && run->function_name && run->ending < RUN_ENDINGS);
	ck_assert_uint_le(run->start_ns, run->end_ns);
	if (run->track == RUN_NO_TRACK)
		return;
	if (wild.n == wild.room) {
		wild.room = wild.room ? 2 * wild.room : 1024;
		wild.kept = realloc(wild.kept, wild.room * sizeof *wild.kept);
		ck_assert_ptr_nonnull(wild.kept);
	}
	wild.kept[wild.n++] = *run;
}

static int by_track_and_start(const void *one, const void *two)
{
	const struct run *a = one, *b = two;
	if (a->track != b->track)
		return a->track < b->track ? -1 : 1;
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	return (a->end_ns < b->end_ns) - (a->end_ns > b->end_ns);
}

static void expect_nesting(void)
{
	uint64_t end[256];
	unsigned depth = 0;
	qsort(wild.kept, wild.n, sizeof *wild.kept, by_track_and_start);
	for (size_t i = 0; i < wild.n; i++) {
		const struct run *run = &wild.kept[i];
		if (i > 0 && run->track != run[-1].track)
			depth = 0;
		while (depth > 0 && end[depth - 1] <= run->start_ns)
			depth--;
		ck_assert_msg(depth == 0 || run->end_ns <= end[depth - 1],
		    "runs of track %u overlap", run->track);
		ck_assert_uint_lt(depth, 256);
		end[depth++] = run->end_ns;
	}
}

static void play_wild_events(uint64_t *seed, bool mad)
{
	static const struct runs_sink sink = { .run = keep_wild_run };
	const struct runs_plan plan = { .records_max = 256 };
	uint64_t now = 1000000;
	wild.n = 0;
	ck_assert_int_eq(runs_open(&told.runs, &plan, &sink, NULL), 0);
	for (unsigned i = 0; i < WILD_EVENTS; i++) {
		plm_event e = { .kind = (int)(random_next(seed) % (PLM_EVENTS + 2)),
			.attempt = (uint32_t)random_next(seed) % 3,
			.process = (uint32_t)random_next(seed) % 5,
			.function = (uint32_t)random_next(seed) % 9,
			.ref = { (random_next(seed) % 3) << 32 | random_next(seed) % 40, 1 },
			.argument = random_next(seed) % 100 };
		now += random_next(seed) % 50;
		e.time_ns = now - random_next(seed) % 30;
		e.worker = random_next(seed) % 20 ? e.process : (uint32_t)random_next(seed) % 5;
		if (mad && i % 3 == 0) {
			e.time_ns = random_next(seed);
			e.argument = random_next(seed);
			e.process = (uint32_t)random_next(seed);
			e.function = (uint32_t)random_next(seed);
			e.ref.id = random_next(seed);
		}
		runs_event(told.runs, &e);
		if (i % 1000 == 999)
			runs_lost(told.runs, now, 1);
	}
	runs_finish(told.runs, now);
	runs_close(&told.runs);
	expect_nesting();
	ck_assert_uint_gt(wild.n, 1000);
}

START_TEST(runs_of_a_track_nest_whatever_the_events_are)
{
	uint64_t seed = number_from("PLM_RUNS_SEED", RANDOM_SEED);
	end();
	for (int i = 0; i < 6; i++) {
		printf("PLM_RUNS_SEED=%llu\n", (unsigned long long)seed);
		play_wild_events(&seed, i % 2);
	}
	begin(0);
}
END_TEST

int main(void)
{
	const TTest *const all[] = {
		a_task_is_a_run_with_the_time_of_each_step,
		a_better_name_stands_for_the_function,
		attempts_are_runs_of_their_own,
		a_task_that_never_started_has_no_track,
		runs_in_place_of_a_waiting_task_nest,
		a_dead_worker_ends_its_runs_and_the_next_process_gets_a_track,
		a_process_may_start_a_task_before_its_birth_is_written,
		a_dead_worker_without_a_verdict_leaves_a_run_of_unknown_end,
		an_end_without_a_start_tells_the_start,
		a_look_at_a_process_shows_what_ran_before,
		a_look_does_not_start_a_task_that_the_events_have_ended,
		what_runs_at_the_end_is_open,
		after_a_loss_an_open_run_ends_when_its_process_goes_on,
		a_start_read_before_its_submission_is_one_task,
		a_record_with_a_new_task_forgets_the_old_one,
		counters_follow_the_events_from_a_sample_on,
		a_submission_after_the_end_is_told_with_the_length_of_the_run,
		a_late_submission_counts_once,
		counters_are_told_once_in_a_grain_and_at_the_end,
		runs_of_a_track_nest_whatever_the_events_are,
	};
	return run_tests("runs", TEST_TIMEOUT_S, begin_exact, end, all, sizeof all / sizeof all[0]);
}
