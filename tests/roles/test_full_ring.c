/* test_full_ring.c - requests while the scheduler is away or cannot help: a report to a full
 * ring, a wish for room in a full store. */
#include <check.h>
#include <pthread.h>
#include <sched.h>

#include "base/clock.h"
#include "tests/support/run_suite.h"
#include "tests/support/world.h"

enum { DEADLINE_S = 20 };

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

int main(void)
{
	Suite *suite = suite_create("full ring");
	TCase *tests = tcase_create("waiting for the scheduler");
	tcase_set_timeout(tests, 2 * DEADLINE_S);
	tcase_add_test(tests, a_worker_that_finds_its_ring_full_waits_and_tells_once);
	tcase_add_test(tests, a_scheduler_sleeps_while_somebody_waits_for_room_that_is_not_there);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
