/* test_events.c - the event log: rings, readers, overruns, the switch, the ends of the dead. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/why.h"
#include "events/eventlog_read.h"
#include "events/eventlog_switch.h"
#include "events/unended.h"
#include "tests/support/eventlog_case.h"
#include "tests/support/run_suite.h"
#include "tests/support/tables_case.h"

enum { TEST_TIMEOUT_S = 60, ENTRIES = EVENT_RING_MIN, WRITER = 5, OTHER = 6 };

/* ---- rings and readers ---- */

START_TEST(an_event_comes_out_as_it_went_in)
{
	struct tables writer;
	plm_event row;
	eventlog_case_writer(&writer, WRITER);
	eventlog_case_open(0);
	eventlog_put(&writer,
	    (struct logged_event){ .kind = EVENT_DEPENDS,
		.attempt = 255,
		.worker = 999,
		.function = EVENT_NOBODY,
		.time_ns = 17,
		.subject = record_ref(7, 9),
		.argument = record_ref(8, 2) });
	eventlog_case_expect(&row, 1);
	ck_assert_int_eq(row.kind, PLM_EVENT_DEPENDS);
	ck_assert_uint_eq(row.time_ns, 17);
	ck_assert_uint_eq(row.attempt, 255);
	ck_assert_uint_eq(row.worker, 999);
	ck_assert_uint_eq(row.function, PLM_NOBODY);
	ck_assert_uint_eq(row.process, WRITER);
	ck_assert_uint_eq(row.ref.id, record_ref(7, 9));
	ck_assert_uint_eq(row.ref.runtime, tables.control->runtime);
	ck_assert_uint_eq(row.other.id, record_ref(8, 2));
	ck_assert_str_eq(row.function_name, "");
	ck_assert_uint_eq(row.marks, 0);
}
END_TEST

START_TEST(rings_are_merged_by_time)
{
	struct tables one, two;
	plm_event rows[6];
	eventlog_case_writer(&one, WRITER);
	eventlog_case_writer(&two, OTHER);
	const uint64_t of_one[] = { 10, 30, 50 }, of_two[] = { 20, 25, 60 };
	for (int i = 0; i < 3; i++) {
		eventlog_case_put(&one, of_one[i], 0);
		eventlog_case_put(&two, of_two[i], 0);
	}
	eventlog_case_open(0);
	eventlog_case_expect(rows, 6);
	for (int i = 1; i < 6; i++)
		ck_assert_uint_lt(rows[i - 1].time_ns, rows[i].time_ns);
	ck_assert_uint_eq(rows[1].process, OTHER);
	eventlog_case_open(30);
	eventlog_case_expect(rows, 3);
	ck_assert_uint_eq(rows[0].time_ns, 30);
	eventlog_case_open(PLM_EVENTS_NOW);
	eventlog_case_expect(rows, 0);
}
END_TEST

START_TEST(a_reader_that_begins_late_finds_its_time_in_a_full_ring)
{
	struct tables writer;
	plm_event row;
	eventlog_case_writer(&writer, WRITER);
	for (uint64_t i = 1; i <= 3 * ENTRIES; i++)
		eventlog_case_put(&writer, i * 10, i);
	for (uint64_t since = 2 * ENTRIES + 1; since <= 3 * ENTRIES; since += 37) {
		eventlog_case_open(since * 10 - 5);
		ck_assert_int_eq(plm_events_read(eventlog_reader, &row, sizeof row, 1), 1);
		ck_assert_uint_eq(row.argument, since);
	}
}
END_TEST

START_TEST(what_overtakes_a_reader_is_counted_as_lost)
{
	struct tables writer;
	plm_event rows[8];
	plm_events_state state;
	eventlog_case_writer(&writer, WRITER);
	eventlog_case_open(0);
	for (uint64_t i = 0; i < 5 * ENTRIES; i++)
		eventlog_case_put(&writer, i + 1, i);
	uint64_t next = 0, seen = 0;
	int n;
	while ((n = plm_events_read(eventlog_reader, rows, sizeof rows[0], 8)) > 0)
		for (int i = 0; i < n; i++, seen++) {
			ck_assert_uint_ge(rows[i].argument, next);
			next = rows[i].argument + 1;
		}
	ck_assert_int_eq(plm_events_state_get(eventlog_reader, &state, sizeof state), 0);
	ck_assert_uint_eq(next, 5 * ENTRIES);
	ck_assert_uint_eq(state.written, 5 * ENTRIES);
	ck_assert_uint_eq(state.lost + seen, 5 * ENTRIES);
	ck_assert_uint_ge(seen, ENTRIES / 2);
	ck_assert_uint_eq(state.ring_events, ENTRIES);
	ck_assert_uint_eq(state.rings, 1);
}
END_TEST

START_TEST(a_sampling_reader_leaves_out_all_but_the_newest)
{
	struct tables one, two;
	plm_event rows[7];
	eventlog_case_writer(&one, WRITER);
	eventlog_case_writer(&two, OTHER);
	eventlog_case_open(0);
	for (uint64_t i = 0; i < 20; i++)
		eventlog_case_put(&one, i + 1, i);
	eventlog_case_put(&two, 5, 100);
	eventlog_case_put(&two, 6, 101);
	ck_assert_int_eq(plm_events_read(eventlog_reader, rows, sizeof rows[0], 1), 1);
	ck_assert_int_eq(plm_events_skip(eventlog_reader, 5), 14);
	eventlog_case_expect(rows, 7);
	ck_assert_uint_eq(rows[0].argument, 100);
	ck_assert_uint_eq(rows[2].argument, 15);
	ck_assert_int_eq(plm_events_skip(eventlog_reader, 5), 0);
}
END_TEST

static void put_turn(struct tables *writer, unsigned kind_and_shape, uint64_t time_ns,
    uint32_t index, uint64_t argument)
{
	ck_assert(eventlog_ready(writer));
	eventlog_fill(&writer->event_writer, eventlog_take(&writer->event_writer, 1),
	    eventlog_stamp(kind_and_shape, 1, 1, 4), time_ns, record_ref(index, 1), argument);
}

static void expect_turn(const plm_event *row, int kind, uint32_t index, uint64_t argument)
{
	ck_assert_int_eq(row->kind, kind);
	ck_assert_uint_eq(row->ref.id, record_ref(index, 1));
	ck_assert_uint_eq(row->argument, argument);
	ck_assert_uint_eq(row->attempt, 1);
}

/* A position without an event, as a writer leaves it that dies before the stamp. */
static void leave_hole(struct tables *writer)
{
	ck_assert(eventlog_ready(writer));
	eventlog_take(&writer->event_writer, 1);
}

START_TEST(a_hole_of_a_dead_writer_is_skipped)
{
	struct tables writer;
	plm_event rows[2];
	plm_events_state state;
	eventlog_case_writer(&writer, WRITER);
	eventlog_case_open(0);
	eventlog_case_put(&writer, 1, 1);
	leave_hole(&writer);
	eventlog_case_put(&writer, 2, 2);
	eventlog_case_expect(rows, 2); /* of files nothing is waited for */
	ck_assert_uint_eq(rows[1].argument, 2);
	ck_assert_int_eq(plm_events_state_get(eventlog_reader, &state, sizeof state), 0);
	ck_assert_uint_eq(state.lost, 0); /* an event that never was */
}
END_TEST

START_TEST(two_events_of_an_entry_are_read_apart)
{
	struct tables writer;
	plm_event rows[8];
	struct eventlog_batch batch;
	eventlog_case_writer(&writer, WRITER);
	eventlog_case_open(0);
	batch.n = 0;
	for (uint32_t i = 0; i < 3; i++)
		ck_assert(eventlog_batch_pair(
		    &batch, eventlog_stamp(EVENT_SUBMITTED, 0, (uint32_t)-7, 4), record_ref(i, 1)));
	ck_assert_uint_eq(batch.n, 2);
	eventlog_batch_write(&writer, &batch, 10);
	put_turn(&writer, EVENT_STARTED, 20, 1, 1);
	put_turn(&writer, EVENT_DONE | EVENT_TURN, 25, 1, record_ref(2, 1));
	put_turn(&writer, EVENT_DONE | EVENT_TURN, 31, 2, record_ref(3, 1));
	ck_assert_int_eq(plm_events_read(eventlog_reader, rows, sizeof rows[0], 1), 1);
	ck_assert_int_eq(plm_events_skip(eventlog_reader, 100), 0); /* in the midst of an entry */
	eventlog_case_expect(rows + 1, 7);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_int_eq(rows[i].kind, PLM_EVENT_SUBMITTED);
		ck_assert_uint_eq(rows[i].ref.id, record_ref(i, 1));
		ck_assert_int_eq((int64_t)rows[i].argument, -7);
		ck_assert_uint_eq(rows[i].worker, PLM_NOBODY);
	}
	expect_turn(&rows[4], PLM_EVENT_DONE, 1, 5);
	expect_turn(&rows[5], PLM_EVENT_STARTED, 2, 1);
	expect_turn(&rows[6], PLM_EVENT_DONE, 2, 6);
	expect_turn(&rows[7], PLM_EVENT_STARTED, 3, 1);
}
END_TEST

START_TEST(a_task_handed_over_is_submitted_and_placed_in_one_entry)
{
	struct tables writer;
	plm_event rows[4];
	eventlog_case_writer(&writer, WRITER);
	eventlog_case_open(0);
	ck_assert(eventlog_ready(&writer));
	for (uint32_t i = 0; i < 2; i++)
		eventlog_fill(&writer.event_writer, eventlog_take(&writer.event_writer, 1),
		    eventlog_stamp(EVENT_SUBMITTED | EVENT_TURN, 0, (uint32_t)-7, 4), 10 + i,
		    record_ref(i, 1), i ? EVENT_NOBODY : 3);
	eventlog_case_expect(rows, 4);
	for (uint32_t i = 0; i < 4; i++) {
		bool placed = i % 2;
		ck_assert_int_eq(rows[i].kind, placed ? PLM_EVENT_PLACED : PLM_EVENT_SUBMITTED);
		ck_assert_uint_eq(rows[i].ref.id, record_ref(i / 2, 1));
		ck_assert_uint_eq(rows[i].time_ns, 10 + i / 2);
		ck_assert_int_eq((int64_t)rows[i].argument, placed ? 0 : -7);
		ck_assert_uint_eq(rows[i].worker, placed && i < 2 ? 3 : PLM_NOBODY);
		ck_assert_uint_eq(rows[i].attempt, 0);
	}
}
END_TEST

START_TEST(a_hole_of_a_living_writer_is_waited_for)
{
	struct tables writer;
	plm_event row;
	eventlog_in.moving = true;
	eventlog_case_writer(&writer, WRITER);
	eventlog_case_open(0);
	ck_assert(eventlog_ready(&writer));
	uint64_t late = eventlog_take(&writer.event_writer, 1);
	eventlog_case_put(&writer, 2, 2);
	ck_assert_int_eq(plm_events_read(eventlog_reader, &row, sizeof row, 1), 0);
	eventlog_write(
	    &writer.event_writer, late, &(struct logged_event){ .kind = EVENT_DONE, .time_ns = 1 });
	ck_assert_int_eq(plm_events_read(eventlog_reader, &row, sizeof row, 1), 1);
	ck_assert_int_eq(row.kind, PLM_EVENT_DONE);
	leave_hole(&writer);
	eventlog_case_put(&writer, 3, 3);
	uint64_t begin_ns = clock_ns();
	for (int i = 0; i < 2; i++) /* the event before the hole, and the event behind */
		while (plm_events_read(eventlog_reader, &row, sizeof row, 1) == 0)
			usleep(1000);
	ck_assert_uint_eq(row.argument, 3);
	ck_assert_uint_gt(clock_ns() - begin_ns, 50 * NS_PER_MS);
}
END_TEST

START_TEST(fresh_events_wait_for_late_writers)
{
	struct tables writer;
	plm_event row;
	eventlog_in.moving = true;
	eventlog_case_writer(&writer, WRITER);
	eventlog_case_open(0);
	uint64_t time_ns = clock_ns() + NS_PER_S / 2;
	eventlog_case_put(&writer, time_ns, 1);
	ck_assert_int_eq(plm_events_read(eventlog_reader, &row, sizeof row, 1), 0);
	while (plm_events_read(eventlog_reader, &row, sizeof row, 1) == 0)
		usleep(1000);
	ck_assert_uint_gt(clock_ns(), time_ns);
	eventlog_case_put(&writer, clock_ns() + 3600 * NS_PER_S, 2); /* no clock is so far ahead */
	ck_assert_int_eq(plm_events_read(eventlog_reader, &row, sizeof row, 1), 1);
	ck_assert(row.marks & PLM_MARK_DAMAGED);
}
END_TEST

/* ---- many writers and a reader at once ---- */

enum { THREADS = 4, WRITES = 200000 };

static struct tables shared_writer;

static uint64_t scramble(uint64_t x)
{
	return (x + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static void *write_many(void *context)
{
	uint64_t base = (uint64_t)(uintptr_t)context << 32;
	for (uint64_t i = 0; i < WRITES; i++)
		eventlog_put(&shared_writer,
		    (struct logged_event){ .kind = EVENT_STARTED,
			.attempt = (uint32_t)(i & 0xff),
			.worker = 3,
			.function = EVENT_NOBODY,
			.time_ns = base + i + 1,
			.subject = scramble(base + i),
			.argument = ~scramble(base + i) });
	return NULL;
}

static void check_whole(const plm_event *row, uint64_t *last)
{
	uint64_t i = row->time_ns - 1, thread = i >> 32;
	ck_assert_uint_lt(thread, THREADS);
	ck_assert_uint_eq(row->ref.id, scramble(i));
	ck_assert_uint_eq(row->argument, ~scramble(i));
	ck_assert_uint_eq(row->attempt, i & 0xff);
	ck_assert_uint_ge(row->time_ns, last[thread]);
	last[thread] = row->time_ns;
}

START_TEST(a_reader_sees_whole_events_or_none)
{
	pthread_t thread[THREADS];
	uint64_t last[THREADS] = { 0 }, seen = 0;
	plm_event row;
	plm_events_state state = { .written = 0 };
	eventlog_in.moving = true;
	eventlog_case_writer(&shared_writer, WRITER);
	ck_assert(eventlog_ready(&shared_writer));
	eventlog_case_open(0);
	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, write_many, (void *)i), 0);
	do {
		while (plm_events_read(eventlog_reader, &row, sizeof row, 1) == 1) {
			check_whole(&row, last);
			seen++;
		}
		plm_events_state_get(eventlog_reader, &state, sizeof state);
	} while (seen + state.lost < (uint64_t)THREADS * WRITES);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	ck_assert_uint_eq(state.written, (uint64_t)THREADS * WRITES);
	ck_assert_uint_eq(seen + state.lost, (uint64_t)THREADS * WRITES);
	ck_assert_uint_gt(seen, 0);
}
END_TEST

/* ---- the switch ---- */

static void live(uint32_t process, enum process_kind kind)
{
	uint64_t word;
	ck_assert(process_claim(&tables.process[process], kind, getpid(), "test"));
	word = sh_load(&tables.process[process].state);
	ck_assert(process_step(&tables.process[process], &word, PROCESS_LIVE));
}

static void die(uint32_t process)
{
	uint64_t word = sh_load(&tables.process[process].state);
	ck_assert(process_step(&tables.process[process], &word, PROCESS_DEAD));
}

START_TEST(events_are_on_while_a_living_process_watches)
{
	sh_store(&tables.control->events, 0);
	live(WRITER, KIND_CLIENT);
	live(OTHER, KIND_CLIENT);
	ck_assert(!eventlog_on(&tables));
	eventlog_watch(&tables, WRITER);
	ck_assert(eventlog_on(&tables));
	uint64_t word = sh_load(&tables.control->events);
	eventlog_watch(&tables, OTHER);
	ck_assert(eventlog_on(&tables));
	ck_assert_uint_ne(sh_load(&tables.control->events), word);
	eventlog_unwatch(&tables, WRITER);
	ck_assert(eventlog_on(&tables));
	die(OTHER);
	ck_assert(eventlog_on(&tables)); /* until the manager looks */
	eventlog_recompute(&tables);
	ck_assert(!eventlog_on(&tables));
}
END_TEST

START_TEST(a_boot_may_ask_for_events_for_ever)
{
	live(WRITER, KIND_CLIENT);
	tables.control->events_always = 1;
	eventlog_watch(&tables, WRITER);
	eventlog_unwatch(&tables, WRITER);
	ck_assert(eventlog_on(&tables));
	eventlog_recompute(&tables);
	ck_assert(eventlog_on(&tables));
}
END_TEST

START_TEST(a_new_process_of_a_slot_does_not_watch)
{
	live(WRITER, KIND_CLIENT);
	eventlog_watch(&tables, WRITER);
	die(WRITER);
	uint64_t word = sh_load(&tables.process[WRITER].state);
	ck_assert(process_step(&tables.process[WRITER], &word, PROCESS_FREE));
	live(WRITER, KIND_CLIENT);
	eventlog_recompute(&tables);
	ck_assert(!eventlog_on(&tables));
}
END_TEST

/* ---- the ends of a dead worker ---- */

static void put_task(struct tables *writer, enum event_kind kind, uint32_t index, uint32_t attempt)
{
	eventlog_put(writer,
	    (struct logged_event){ .kind = kind,
		.attempt = attempt,
		.worker = 1,
		.function = 2,
		.time_ns = clock_ns(),
		.subject = record_ref(index, 1) });
}

START_TEST(attempts_that_a_dead_worker_left_open_are_found)
{
	struct tables worker;
	struct eventlog_start start[EVENT_STARTS_MAX];
	live(OTHER, KIND_WORKER);
	eventlog_case_writer(&worker, OTHER);
	put_task(&worker, EVENT_STARTED, 1, 1);
	put_task(&worker, EVENT_DONE, 1, 1);
	put_task(&worker, EVENT_STARTED, 2, 1); /* waits */
	put_task(&worker, EVENT_STARTED, 3, 1); /* in its place */
	put_task(&worker, EVENT_RETURNED, 3, 1);
	leave_hole(&worker);
	put_task(&worker, EVENT_STARTED, 3, 2);
	tables.self = SLOT_SCHEDULER;
	ck_assert_uint_eq(eventlog_unended(&tables, OTHER, start, EVENT_STARTS_MAX), 2);
	ck_assert_uint_eq(start[0].ref, record_ref(3, 1));
	ck_assert_uint_eq(start[0].attempt, 2);
	ck_assert(start[0].innermost && !start[1].innermost);
	ck_assert_uint_eq(start[1].ref, record_ref(2, 1));
	eventlog_end_unended(&tables, &start[0], EVENT_RETURNED, clock_ns(), 1);
	ck_assert_uint_eq(eventlog_unended(&tables, OTHER, start, EVENT_STARTS_MAX), 1);
	ck_assert(start[0].innermost); /* though an attempt was started and ended in its place */
	eventlog_end_unended(&tables, &start[0], EVENT_FAILED, clock_ns(), 1);
	ck_assert_uint_eq(eventlog_unended(&tables, OTHER, start, EVENT_STARTS_MAX), 0);
	put_task(&worker, EVENT_STARTED, 4, 1);
	die(OTHER);
	uint64_t word = sh_load(&tables.process[OTHER].state);
	ck_assert(process_step(&tables.process[OTHER], &word, PROCESS_FREE));
	live(OTHER, KIND_WORKER); /* the next process of the slot has begun nothing */
	ck_assert_uint_eq(eventlog_unended(&tables, OTHER, start, EVENT_STARTS_MAX), 0);
}
END_TEST

/* ---- the segment ---- */

static void expect_refused(const char *word)
{
	struct segment segment = { .fd = -1 };
	int fd = dup(tables.event_segment.fd);
	ck_assert_int_lt(eventlog_segment_attach(&tables, fd, false, &segment), 0);
	ck_assert_msg(strstr(why_text(), word), "%s", why_text());
}

START_TEST(a_segment_that_does_not_fit_is_refused_with_a_reason)
{
	char *base = (char *)tables.event_segment.header;
	struct eventlog_limits *limits = (void *)(base + SEGMENT_HEADER_BYTES);
	struct eventlog_limits good = *limits;
	limits->entries = 700;
	expect_refused("make no sense");
	limits->entries = EVENT_RING_MIN * 2;
	expect_refused("does not fit");
	*limits = good;
	limits->rings = 128;
	expect_refused("make no sense");
	*limits = good;
	tables.event_segment.header->runtime++;
	expect_refused("another boot");
	tables.event_segment.header->runtime--;
	memcpy(tables.event_segment.header->purpose, "store", 6);
	expect_refused("another purpose");
}
END_TEST

START_TEST(a_ring_is_a_power_of_two)
{
	ck_assert_int_eq(eventlog_check_entries(EVENT_RING_DEFAULT), 0);
	ck_assert_int_eq(eventlog_check_entries(EVENT_RING_MIN), 0);
	ck_assert_int_eq(eventlog_check_entries(EVENT_RING_MIN / 2), -EINVAL);
	ck_assert_int_eq(eventlog_check_entries(EVENT_RING_DEFAULT + 1), -EINVAL);
	ck_assert_int_eq(eventlog_check_entries(UINT64_MAX), -EINVAL);
	ck_assert(strstr(why_text(), "power of two"));
}
END_TEST

START_TEST(each_kind_has_a_name)
{
	for (int kind = 0; kind < PLM_EVENTS; kind++)
		ck_assert_str_ne(plm_event_name(kind), "?");
	ck_assert_str_eq(plm_event_name(PLM_EVENT_STARTED), "started");
	ck_assert_str_eq(plm_event_name(PLM_EVENT_JOURNAL), "journal");
	ck_assert_str_eq(plm_event_name(PLM_EVENTS), "?");
	ck_assert_str_eq(plm_event_name(-1), "?");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_event_comes_out_as_it_went_in,
		rings_are_merged_by_time,
		a_reader_that_begins_late_finds_its_time_in_a_full_ring,
		what_overtakes_a_reader_is_counted_as_lost,
		a_sampling_reader_leaves_out_all_but_the_newest,
		a_hole_of_a_dead_writer_is_skipped,
		two_events_of_an_entry_are_read_apart,
		a_task_handed_over_is_submitted_and_placed_in_one_entry,
		a_hole_of_a_living_writer_is_waited_for,
		fresh_events_wait_for_late_writers,
		a_reader_sees_whole_events_or_none,
		events_are_on_while_a_living_process_watches,
		a_boot_may_ask_for_events_for_ever,
		a_new_process_of_a_slot_does_not_watch,
		attempts_that_a_dead_worker_left_open_are_found,
		a_segment_that_does_not_fit_is_refused_with_a_reason,
		a_ring_is_a_power_of_two,
		each_kind_has_a_name,
	};
	return run_tests("events", TEST_TIMEOUT_S, eventlog_case_create, eventlog_case_detach,
	    tests, sizeof tests / sizeof tests[0]);
}
