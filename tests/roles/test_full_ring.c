/* test_full_ring.c - requests while the scheduler is away or cannot help: a report to a full
 * ring, a wish for room in a full store, large values to be freed. And requests in time. */
#include <check.h>
#include <pthread.h>
#include <sched.h>

#include "base/clock.h"
#include "scheduler/placing.h"
#include "tests/support/run_suite.h"
#include "tests/support/world.h"

#define SPIN_US_TEXT "100"

enum {
	DEADLINE_S = 20,
	SPINS = 16,
	SHORT_NS = 800000,         /* four wait at a worker */
	HARDLY_SHORT_NS = 2500000, /* three */
};

static void until(bool (*done)(void), const char *what)
{
	uint64_t deadline = clock_ns() + DEADLINE_S * NS_PER_S;
	while (!done()) {
		ck_assert_msg(clock_ns() < deadline, "it never came to: %s", what);
		sched_yield();
	}
}

static uint32_t fill_ring(struct ring *ring)
{
	uint64_t nothing = hint_make(HINT_NONE, 0);
	uint32_t n = 0;
	while (ring_push(ring, &nothing, 1))
		n++;
	return n;
}

static bool told(shared64 *unread)
{
	return sh_load(&unread[WORLD_WORKER / 64]) >> WORLD_WORKER % 64 & 1;
}

static void *report(void *worker)
{
	worker_report(worker);
	return NULL;
}

static bool worker_waits(void)
{
	return sh_load(&world.worker.rt.me->waiter[0].awaiting) != AWAITING_NOTHING &&
	    sh_load(&world.worker.rt.me->blocked);
}

START_TEST(a_worker_that_finds_its_ring_full_waits_and_tells_once)
{
	pthread_t thread;
	world_boot();
	struct ring up = ring_up(&world.tables, WORLD_WORKER);
	uint32_t before = ring_position(&up), filled = fill_ring(&up);
	worker_tell(&world.worker, HINT_NONE, 0, true);
	ck_assert_int_eq(pthread_create(&thread, NULL, report, &world.worker), 0);
	until(worker_waits, "the worker waits for a place");
	world_settle();
	pthread_join(thread, NULL);
	world_settle();
	ck_assert_uint_eq(ring_position(&up) - before, filled + 1);
}
END_TEST

/* The results are dropped, and each is more than the worker may keep to itself. */
static void yield_and_drop(int tasks)
{
	for (int i = 0; i < tasks; i++) {
		plm_ref ref =
		    world_submit(&world.b, "probe.fill", &PLM_BYTES("20000", 5), 1, 1, 0, 0);
		plm_drop(&world.b, ref);
		world_settle();
		ck_assert(world_state_of(ref) == RECORD_READY);
		world.worker.now_ns = clock_ns();
		ck_assert(worker_run_record(&world.worker, ref_index(ref.id)));
	}
}

START_TEST(a_worker_wakes_the_scheduler_to_free_and_waits_for_it)
{
	struct arena_usage usage;
	world_boot();
	struct ring up = ring_up(&world.tables, WORLD_WORKER);
	uint32_t before = ring_position(&up);
	yield_and_drop(1);
	ck_assert_uint_eq(world.worker.reports, 0);
	ck_assert_uint_ge(world.worker.unfreed.told, 20000);
	ck_assert_uint_eq(ring_end(&up), before + 1);
	yield_and_drop(8); /* the scheduler has read of each before the next */
	world_settle();
	store_usage(&world.tables, &usage);
	ck_assert_uint_eq(usage.used_bytes, 0);
}
END_TEST

START_TEST(the_end_of_a_task_with_a_held_value_is_told_at_once_and_wakes_nobody)
{
	static const char text[20000];
	plm_ref task[2];
	world_boot();
	struct control *control = world.tables.control;
	plm_ref value = world_put(&world.a, text, sizeof text);
	for (int i = 0; i < 2; i++)
		task[i] = world_submit(&world.a, "probe.wordcount", &PLM_FUTURE(value), 1, 1, 0, 0);
	world_settle();
	ck_assert(worker_run_record(&world.worker, ref_index(task[0].id)));
	ck_assert_uint_eq(world.worker.reports, 0);
	ck_assert(told(control->unread_quiet) && !told(control->unread));
	plm_drop(&world.a, value);
	world_settle();
	ck_assert(worker_run_record(&world.worker, ref_index(task[1].id)));
	ck_assert(told(control->unread));
	world_settle();
}
END_TEST

/* More than the store may fill, while the scheduler reads nothing: the worker goes on. */
START_TEST(a_worker_waits_a_moment_for_a_scheduler_that_stands_still)
{
	enum { TASKS = 4 };
	plm_ref refs[TASKS];
	world_boot();
	struct ring up = ring_up(&world.tables, WORLD_WORKER);
	for (int i = 0; i < TASKS; i++)
		refs[i] = world_submit(&world.b, "probe.fill", &PLM_BYTES("20000", 5), 1, 1, 0, 0);
	plm_drop_many(&world.b, refs, TASKS);
	world_settle();
	uint32_t before = ring_position(&up);
	for (int i = 0; i < TASKS; i++)
		ck_assert(worker_run_record(&world.worker, ref_index(refs[i].id)));
	ck_assert_uint_eq(ring_position(&up), before); /* nothing was read */
	ck_assert_uint_eq(ring_end(&up), before + TASKS);
	ck_assert_uint_lt(world.worker.unfreed.told, TASKS * 20000); /* and it has waited once */
	world_settle();
}
END_TEST

static void *schedule(void *scheduler)
{
	scheduler_run(scheduler);
	return NULL;
}

static bool scheduler_sleeps(void)
{
	return sh_load(&world.tables.control->room_wanted) != ROOM_ASKED &&
	    !process_awake(&world.tables, SLOT_SCHEDULER);
}

START_TEST(a_scheduler_sleeps_while_somebody_waits_for_room_that_is_not_there)
{
	pthread_t thread;
	world_boot();
	sh_store(&world.tables.control->room_wanted, ROOM_ASKED);
	ck_assert_int_eq(pthread_create(&thread, NULL, schedule, &world.scheduler), 0);
	until(scheduler_sleeps, "the scheduler sleeps");
	atomic_store(&world.scheduler.stop, true);
	event_bump(&world.scheduler.me->event);
	pthread_join(thread, NULL);
}
END_TEST

/* ---- in time ---- */

static void submit_spins(void)
{
	plm_ref refs[SPINS];
	plm_task tasks[SPINS];
	plm_arg time = PLM_BYTES(SPIN_US_TEXT, sizeof SPIN_US_TEXT - 1);
	for (int i = 0; i < SPINS; i++)
		tasks[i] = (plm_task){ .function = "probe.spin", .args = &time, .nargs = 1 };
	ck_assert_int_eq(plm_submit_many(&world.a, tasks, SPINS, refs), 0);
	world_settle();
}

/* The average of short tasks, not of the machine that the test runs on. */
static void keep_pace(uint32_t average_ns)
{
	world.worker.average_ns = average_ns;
	sh_poke(&world.worker.rt.me->average_ns, average_ns);
}

/* The tasks left at hand when the worker asks for more. */
static uint32_t left_when_asked(uint32_t average_ns)
{
	uint64_t hint;
	world_boot();
	keep_pace(average_ns);
	room_refresh(&world.scheduler, WORLD_WORKER);
	submit_spins();
	struct ring down = ring_down(&world.tables, WORLD_WORKER);
	struct ring up = ring_up(&world.tables, WORLD_WORKER);
	uint32_t before = ring_end(&up);
	ck_assert_uint_eq(ring_used(&down), process_depth(world.worker.rt.me));
	while (ring_end(&up) == before && ring_look(&down, &hint, 1) == 1) {
		keep_pace(average_ns);
		world.worker.now_ns = clock_ns();
		ck_assert(worker_run_hint(&world.worker, hint));
		ring_done(&down, 1);
	}
	ck_assert_uint_gt(ring_end(&up), before);
	return ring_used(&down);
}

START_TEST(a_worker_asks_for_more_short_tasks_while_some_are_left)
{
	ck_assert_uint_ge(left_when_asked(SHORT_NS), 1);
}
END_TEST

START_TEST(a_batch_of_reports_wakes_nobody_while_more_than_half_of_the_ring_is_left)
{
	enum { TEN_AT_HAND_NS = 100000 };
	struct control *control;
	uint64_t hint;
	world_boot();
	control = world.tables.control;
	keep_pace(TEN_AT_HAND_NS);
	room_refresh(&world.scheduler, WORLD_WORKER);
	submit_spins();
	struct ring down = ring_down(&world.tables, WORLD_WORKER);
	ck_assert_uint_eq(ring_used(&down), 10);
	ck_assert_uint_gt(heap_length(&world.tables.task_heap), 0);
	for (int i = 0; i < WORKER_BATCH; i++)
		worker_tell(&world.worker, HINT_NONE, 0, false);
	ck_assert(told(control->unread_quiet) && !told(control->unread));
	for (int i = 0; i < 5 && ring_look(&down, &hint, 1) == 1; i++)
		ring_done(&down, 1);
	for (int i = 0; i < WORKER_BATCH; i++)
		worker_tell(&world.worker, HINT_NONE, 0, false);
	ck_assert(told(control->unread));
	world_settle();
}
END_TEST

START_TEST(a_worker_asks_for_more_while_the_last_of_three_is_left)
{
	ck_assert_uint_ge(left_when_asked(HARDLY_SHORT_NS), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("full ring");
	TCase *tests = tcase_create("waiting for the scheduler");
	tcase_set_timeout(tests, 2 * DEADLINE_S);
	tcase_add_test(tests, a_worker_wakes_the_scheduler_to_free_and_waits_for_it);
	tcase_add_test(tests, the_end_of_a_task_with_a_held_value_is_told_at_once_and_wakes_nobody);
	tcase_add_test(tests, a_worker_waits_a_moment_for_a_scheduler_that_stands_still);
	tcase_add_test(tests, a_worker_that_finds_its_ring_full_waits_and_tells_once);
	tcase_add_test(tests, a_scheduler_sleeps_while_somebody_waits_for_room_that_is_not_there);
	tcase_add_test(tests, a_worker_asks_for_more_short_tasks_while_some_are_left);
	tcase_add_test(
	    tests, a_batch_of_reports_wakes_nobody_while_more_than_half_of_the_ring_is_left);
	tcase_add_test(tests, a_worker_asks_for_more_while_the_last_of_three_is_left);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
