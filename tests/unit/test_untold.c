/* test_untold.c - drops of a client whose ring is full (client/untold.c): no drop is lost, no drop
 * waits for ever, and every drop is told before the client asks for a hold. The test plays a
 * scheduler that stands still, so the test alone makes room in the ring. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tests/support/run_suite.h"
#include "tests/support/world.h"

enum { DEADLINE_S = 60, ROOM = 4, RECORD = 7 };

/* The client waits for as short a time as a client may, ANSWER_LEAST_MS. */
static void boot(void)
{
	world_boot();
	world.a.answer_ms = 1;
}

static uint64_t drop_of(uint32_t record)
{
	return hint_make(HINT_DROPPED, record_ref(record, 1));
}

/* Leaves room for so many hints. */
static void fill_ring(uint32_t room)
{
	uint64_t nothing = hint_make(HINT_NONE, 0);
	struct ring up = ring_up(&world.tables, WORLD_A);
	while (ring_used(&up) + room < UP_RING_ENTRIES)
		ck_assert_uint_eq(ring_push(&up, &nothing, 1), 1);
}

/* Takes all hints off the ring; returns the drops among the hints, up to `most`. */
static uint32_t read_drops(uint64_t *ret, uint32_t most)
{
	uint64_t hint;
	uint32_t n = 0;
	struct ring up = ring_up(&world.tables, WORLD_A);
	while (ring_pop(&up, &hint, 1) == 1)
		if (hint_kind(hint) == HINT_DROPPED && n < most)
			ret[n++] = hint;
	return n;
}

static void tell_drops(uint32_t first, uint32_t n)
{
	uint64_t hint[ROOM];
	for (uint32_t i = 0; i < n; i++)
		hint[i] = drop_of(first + i);
	untold_tell(&world.a, hint, n, true);
}

static void check_told(uint32_t first, uint32_t n)
{
	uint64_t drop[2 * ROOM];
	ck_assert_uint_eq(read_drops(drop, 2 * ROOM), n);
	for (uint32_t i = 0; i < n; i++)
		ck_assert_uint_eq(drop[i], drop_of(first + i));
}

/* ---- a ring with room ---- */

START_TEST(a_drop_with_room_in_the_ring_is_told_at_once)
{
	boot();
	tell_drops(RECORD, 1);
	ck_assert(!untold_any(&world.a));
	check_told(RECORD, 1);
}
END_TEST

START_TEST(only_a_drop_worth_a_wake_sets_the_bit_that_wakes)
{
	boot();
	uint64_t drop = drop_of(RECORD), bit = (uint64_t)1 << WORLD_A;
	const struct control *c = world.tables.control;
	untold_tell(&world.a, &drop, 1, false);
	ck_assert(!(sh_load(&c->unread[0]) & bit) && sh_load(&c->unread_quiet[0]) & bit);
	untold_tell(&world.a, &drop, 1, true);
	ck_assert(sh_load(&c->unread[0]) & bit);
}
END_TEST

/* ---- a full ring ---- */

START_TEST(a_drop_without_room_is_remembered_and_told_later)
{
	boot();
	fill_ring(0);
	tell_drops(RECORD, 1);
	ck_assert(untold_any(&world.a));
	check_told(0, 0);
	ck_assert_int_eq(untold_settle(&world.a), 0);
	ck_assert(!untold_any(&world.a));
	check_told(RECORD, 1);
}
END_TEST

START_TEST(remembered_drops_are_told_first_and_in_their_order)
{
	boot();
	fill_ring(0);
	for (uint32_t i = 0; i < ROOM; i++)
		tell_drops(RECORD + i, 1);
	check_told(0, 0);
	tell_drops(RECORD + ROOM, 1);
	ck_assert(!untold_any(&world.a));
	check_told(RECORD, ROOM + 1);
}
END_TEST

START_TEST(only_the_first_drop_without_room_waits_for_room)
{
	boot();
	fill_ring(0);
	tell_drops(RECORD, 1);
	uint64_t since_ns = clock_ns();
	for (uint32_t i = 1; i < ROOM; i++)
		tell_drops(RECORD + i, 1);
	ck_assert_uint_lt(clock_ns() - since_ns, ANSWER_LEAST_MS * NS_PER_MS);
}
END_TEST

START_TEST(of_several_drops_those_with_room_are_told)
{
	boot();
	fill_ring(ROOM - 1);
	tell_drops(RECORD, ROOM);
	ck_assert(untold_any(&world.a));
	check_told(RECORD, ROOM - 1);
	ck_assert_int_eq(untold_settle(&world.a), 0);
	check_told(RECORD + ROOM - 1, 1);
}
END_TEST

START_TEST(settling_without_room_ends_at_a_deadline_and_forgets_nothing)
{
	boot();
	fill_ring(0);
	tell_drops(RECORD, 1);
	ck_assert_int_eq(untold_settle(&world.a), -ETIMEDOUT);
	ck_assert(untold_any(&world.a));
	check_told(0, 0);
	ck_assert_int_eq(untold_settle(&world.a), 0);
	check_told(RECORD, 1);
}
END_TEST

/* ---- the holds ---- */

static void *schedule(void *scheduler)
{
	scheduler_run(scheduler);
	return NULL;
}

/* A holds B's object, and drops the object while the ring is full. */
static plm_ref drop_without_room(void)
{
	boot();
	plm_ref object = world_put(&world.b, "object", 6);
	world_share(&world.a, object);
	ck_assert_int_eq(plm_hold(&world.a, object), 0);
	world_settle();
	fill_ring(0);
	plm_drop(&world.a, object);
	plm_drop(&world.a, object);
	ck_assert(untold_any(&world.a));
	return object;
}

START_TEST(a_drop_is_told_before_the_client_asks_for_the_hold_again)
{
	pthread_t thread;
	plm_ref object = drop_without_room();
	ck_assert_int_eq(pthread_create(&thread, NULL, schedule, &world.scheduler), 0);
	ck_assert_int_eq(plm_hold(&world.a, object), 0);
	ck_assert_int_eq(untold_settle(&world.a), 0);
	atomic_store(&world.scheduler.stop, true);
	event_bump(&world.scheduler.me->event);
	pthread_join(thread, NULL);
	world_settle();
	ck_assert(hold_test(&world.tables, ref_index(object.id), WORLD_A));
}
END_TEST

START_TEST(a_client_that_ends_before_all_is_told_ends_unclean)
{
	plm_ref object = drop_without_room();
	handle_close(&world.a);
	ck_assert(sh_load(&world.tables.process[WORLD_A].unclean));
	world_declare_dead(WORLD_A);
	world_settle();
	ck_assert(!hold_test(&world.tables, ref_index(object.id), WORLD_A));
}
END_TEST

/* ---- no memory ---- */

static bool memory_is_short;

void *__real_realloc(void *old, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes)
{
	return memory_is_short ? NULL : __real_realloc(old, bytes);
}

START_TEST(a_drop_that_cannot_be_remembered_counts_as_a_hold)
{
	boot();
	int64_t held = atomic_load(&world.a.held);
	fill_ring(0);
	memory_is_short = true;
	tell_drops(RECORD, 1);
	memory_is_short = false;
	ck_assert(!untold_any(&world.a));
	ck_assert_int_eq(atomic_load(&world.a.held), held + 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("untold");
	TCase *tests = tcase_create("drops without room in the ring");
	tcase_set_timeout(tests, DEADLINE_S);
	tcase_add_test(tests, a_drop_with_room_in_the_ring_is_told_at_once);
	tcase_add_test(tests, only_a_drop_worth_a_wake_sets_the_bit_that_wakes);
	tcase_add_test(tests, a_drop_without_room_is_remembered_and_told_later);
	tcase_add_test(tests, remembered_drops_are_told_first_and_in_their_order);
	tcase_add_test(tests, only_the_first_drop_without_room_waits_for_room);
	tcase_add_test(tests, of_several_drops_those_with_room_are_told);
	tcase_add_test(tests, settling_without_room_ends_at_a_deadline_and_forgets_nothing);
	tcase_add_test(tests, a_drop_is_told_before_the_client_asks_for_the_hold_again);
	tcase_add_test(tests, a_client_that_ends_before_all_is_told_ends_unclean);
	tcase_add_test(tests, a_drop_that_cannot_be_remembered_counts_as_a_hold);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
