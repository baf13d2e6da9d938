/* test_shm.c - event, ring, pool and lock, with real processes where death matters. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"
#include "shm/event.h"
#include "shm/lock.h"
#include "shm/pool.h"
#include "shm/ring.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60 };

/* ---- event ---- */

enum { TURNS = 20000 };

struct table_tennis { /* the side to act next, and the sleeping places of both sides */
	struct event event[2];
	shared32 turn;
	shared32 slept_for_long; /* a wake was lost: the safety tick found out */
};

static void play(struct table_tennis *game, uint32_t side)
{
	for (uint32_t i = side; i < TURNS; i += 2) {
		while (sh_load(&game->turn) != i) {
			uint32_t seen = event_prepare(&game->event[side]);
			if (sh_load(&game->turn) == i)
				break;
			uint64_t before = clock_ns();
			event_sleep(&game->event[side], seen, DEADLINE_NEVER);
			if (clock_ns() - before >= SAFETY_TICK_MS * NS_PER_MS)
				sh_add(&game->slept_for_long, 1);
		}
		sh_store(&game->turn, i + 1);
		event_post(&game->event[!side]);
	}
}

static void play_second(void *game)
{
	play(game, 1);
}

START_TEST(no_wake_is_lost_between_two_processes)
{
	struct table_tennis *game = shared_memory(sizeof *game);
	pid_t other = child_of(play_second, game);
	play(game, 0);
	ck_assert_int_eq(exit_of(other), 0);
	ck_assert_uint_eq(sh_load(&game->turn), TURNS);
	ck_assert_uint_eq(sh_load(&game->slept_for_long), 0);
}
END_TEST

START_TEST(a_sleep_ends_with_its_deadline)
{
	struct event ev = { 0 };
	uint64_t deadline = deadline_after_ms(20);
	ck_assert_int_eq(event_sleep(&ev, event_prepare(&ev), deadline), -ETIMEDOUT);
	ck_assert_uint_ge(clock_ns(), deadline);
}
END_TEST

START_TEST(a_post_after_the_prepare_is_not_slept_through)
{
	struct event ev = { 0 };
	uint32_t seen = event_prepare(&ev);
	event_post(&ev);
	ck_assert_int_eq(event_sleep(&ev, seen, deadline_after_ms(60000)), 0);
	ck_assert(!event_sleeper(&ev));
}
END_TEST

struct bedroom {
	struct event event;
	shared32 ready, flag;
};

static void sleep_until_flag(void *context)
{
	struct bedroom *room = context;
	uint64_t began = clock_ns();
	while (!sh_load(&room->flag)) {
		uint32_t seen = event_prepare(&room->event);
		sh_add(&room->ready, 1);
		if (!sh_load(&room->flag))
			sh_futex_wait(&room->event.word, seen, began + 30 * NS_PER_S);
	}
	if (clock_ns() - began >= 30 * NS_PER_S)
		_exit(1);
}

/* All sleepers have announced their sleep. */
static void await_sleepers(struct bedroom *room, uint32_t n)
{
	while (sh_load(&room->ready) < n)
		sched_yield();
}

START_TEST(a_bump_wakes_all)
{
	enum { SLEEPERS = 4 };
	struct bedroom *room = shared_memory(sizeof *room);
	pid_t pid[SLEEPERS];
	for (int i = 0; i < SLEEPERS; i++)
		pid[i] = child_of(sleep_until_flag, room);
	await_sleepers(room, SLEEPERS);
	sh_store(&room->flag, 1);
	event_bump(&room->event);
	for (int i = 0; i < SLEEPERS; i++)
		ck_assert_int_eq(exit_of(pid[i]), 0);
}
END_TEST

/* The first half of event_post(): the word has moved, nobody was woken. */
static void post_half(void *context)
{
	struct bedroom *room = context;
	sh_store(&room->flag, 1);
	uint32_t seen = sh_load(&room->event.word);
	sh_cas(&room->event.word, &seen, seen + 1);
	kill_self();
}

START_TEST(a_wake_that_died_with_its_waker_is_made_good_by_a_bump)
{
	struct bedroom *room = shared_memory(sizeof *room);
	pid_t sleeper = child_of(sleep_until_flag, room);
	await_sleepers(room, 1);
	run_until_killed(post_half, room);
	event_bump(&room->event);
	ck_assert_int_eq(exit_of(sleeper), 0);
}
END_TEST

/* ---- ring ---- */

enum { RING_ENTRIES = 8 };

static struct ring new_ring(void)
{
	return ring_at(shared_memory(ring_bytes(RING_ENTRIES)), RING_ENTRIES);
}

START_TEST(a_ring_keeps_order_and_takes_no_more_than_it_has_places)
{
	struct ring ring = new_ring();
	uint64_t in[RING_ENTRIES + 2], out[RING_ENTRIES + 2];
	for (uint64_t i = 0; i < COUNT_OF(in); i++)
		in[i] = i + 1;
	ck_assert_uint_eq(ring_push(&ring, in, 3), 3);
	ck_assert_uint_eq(ring_push(&ring, in + 3, COUNT_OF(in) - 3), RING_ENTRIES - 3);
	ck_assert_uint_eq(ring_push(&ring, in, 1), 0);
	ck_assert_uint_eq(ring_used(&ring), RING_ENTRIES);
	ck_assert_uint_eq(ring_pop(&ring, out, COUNT_OF(out)), RING_ENTRIES);
	ck_assert_int_eq(memcmp(in, out, RING_ENTRIES * sizeof in[0]), 0);
	ck_assert(!ring_ready(&ring));
	ck_assert_uint_eq(ring_pop(&ring, out, 1), 0);
}
END_TEST

START_TEST(laps_and_the_wrap_of_the_counters_change_nothing)
{
	struct ring ring = new_ring();
	/* Just before the counters wrap, in a lap of the right parity: empty. */
	uint32_t start = (uint32_t)-2 * RING_ENTRIES;
	sh_store(&ring.shm->head, start);
	sh_store(&ring.shm->tail, start);
	for (uint64_t i = 1; i < 20 * RING_ENTRIES; i++) {
		uint64_t out;
		ck_assert_uint_eq(ring_push(&ring, &i, 1), 1);
		ck_assert_uint_eq(ring_pop(&ring, &out, 1), 1);
		ck_assert_uint_eq(out, i);
		ck_assert_ptr_null(ring_check(&ring));
	}
}
END_TEST

START_TEST(a_hole_stops_the_consumer_until_it_is_filled)
{
	struct ring ring = new_ring();
	uint64_t hint = 7, out[3];
	sh_add(&ring.shm->tail, 1); /* a producer took a place and died */
	ck_assert_uint_eq(ring_push(&ring, &hint, 1), 1);
	ck_assert_uint_eq(ring_pop(&ring, out, 3), 0);
	ring_fill_holes(&ring, 99);
	ck_assert_uint_eq(ring_pop(&ring, out, 3), 2);
	ck_assert(out[0] == 99 && out[1] == 7);
}
END_TEST

START_TEST(what_is_looked_at_stays_until_it_is_done)
{
	struct ring ring = new_ring();
	uint64_t in[] = { 1, 2, 3 }, out[3];
	ring_push(&ring, in, 3);
	ck_assert_uint_eq(ring_look(&ring, out, 3), 3);
	ring_done(&ring, 1);
	ck_assert_uint_eq(ring_look(&ring, out, 3), 2); /* as a successor of the consumer would */
	ck_assert_uint_eq(out[0], 2);
}
END_TEST

START_TEST(a_reset_ring_is_empty_and_works)
{
	struct ring ring = new_ring();
	uint64_t in = 5, out;
	for (int i = 0; i < RING_ENTRIES + 3; i++) {
		ring_push(&ring, &in, 1);
		if (i < RING_ENTRIES)
			ring_pop(&ring, &out, 1);
	}
	ring_reset(&ring);
	ck_assert_uint_eq(ring_used(&ring), 0);
	ck_assert_uint_eq(ring_pop(&ring, &out, 1), 0);
	ck_assert_uint_eq(ring_push(&ring, &in, 1), 1);
	ck_assert_uint_eq(ring_pop(&ring, &out, 1), 1);
}
END_TEST

START_TEST(a_ring_with_more_entries_than_places_is_reported)
{
	struct ring ring = new_ring();
	sh_store(&ring.shm->tail, RING_ENTRIES + 1);
	ck_assert_ptr_nonnull(ring_check(&ring));
}
END_TEST

enum { PRODUCERS = 4, PER_PRODUCER = 20000 };

struct producer {
	struct ring *ring;
	uint64_t number;
};

static void *produce(void *context)
{
	const struct producer *p = context;
	for (uint64_t i = 0; i < PER_PRODUCER;) {
		uint64_t hint = p->number << 32 | i;
		if (ring_push(p->ring, &hint, 1))
			i++;
		else
			sched_yield();
	}
	return NULL;
}

START_TEST(many_producers_lose_and_double_nothing_and_each_keeps_its_order)
{
	struct ring ring = ring_at(shared_memory(ring_bytes(64)), 64);
	struct producer producer[PRODUCERS];
	pthread_t thread[PRODUCERS];
	uint32_t next[PRODUCERS] = { 0 };
	for (uint64_t i = 0; i < PRODUCERS; i++) {
		producer[i] = (struct producer){ &ring, i };
		ck_assert_int_eq(pthread_create(&thread[i], NULL, produce, &producer[i]), 0);
	}
	for (uint32_t got = 0; got < PRODUCERS * PER_PRODUCER;) {
		uint64_t hint[16];
		uint32_t n = ring_pop(&ring, hint, 16);
		for (uint32_t i = 0; i < n; i++)
			ck_assert_uint_eq(next[hint[i] >> 32]++, (uint32_t)hint[i]);
		got += n;
	}
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(thread[i], NULL);
	ck_assert(!ring_ready(&ring));
}
END_TEST

/* ---- pool ---- */

enum { SLOTS = 16 };

struct table { /* the truth: 1 taken */
	shared32 taken[SLOTS];
};

static bool slot_is_free(void *context, uint32_t index)
{
	return sh_load(&((struct table *)context)->taken[index]) == 0;
}

static void slot_claim(void *context, uint32_t index)
{
	sh_store(&((struct table *)context)->taken[index], 1);
}

static struct pool new_pool(struct table **ret)
{
	struct pool pool;
	void *memory = shared_memory(pool_bytes(SLOTS));
	*ret = shared_memory(sizeof **ret);
	pool_create(memory);
	pool_attach(&pool, memory, SLOTS, (struct pool_table){ slot_is_free, slot_claim, *ret });
	return pool;
}

static void give(struct pool *pool, struct table *table, uint32_t index)
{
	sh_store(&table->taken[index], 0);
	ck_assert_int_eq(pool_give(pool, &index, 1), 0);
}

START_TEST(a_pool_gives_each_slot_once_and_the_last_freed_first)
{
	struct table *table;
	struct pool pool = new_pool(&table);
	uint32_t slot[SLOTS + 1], n;
	ck_assert_int_eq(pool_take(&pool, slot, SLOTS + 1, &n), 0);
	ck_assert_uint_eq(n, SLOTS);
	for (uint32_t i = 0; i < n; i++)
		ck_assert_uint_eq(slot[i], i);
	ck_assert_int_eq(pool_take(&pool, slot, 1, &n), 0);
	ck_assert_uint_eq(n, 0);
	give(&pool, table, 3);
	give(&pool, table, 9);
	ck_assert_int_eq(pool_take(&pool, slot, 2, &n), 0);
	ck_assert(n == 2 && slot[0] == 9 && slot[1] == 3);
	ck_assert_ptr_null(pool_check(&pool));
}
END_TEST

START_TEST(slots_never_used_stay_fresh)
{
	struct table *table;
	struct pool pool = new_pool(&table);
	uint32_t slot[3], n;
	pool_take(&pool, slot, 3, &n);
	give(&pool, table, 1);
	ck_assert_uint_eq(pool_fresh(&pool), 3);
	ck_assert_uint_eq(pool_free_count(&pool), SLOTS - 2);
}
END_TEST

START_TEST(a_slot_that_a_rebuild_found_free_is_not_given_back_twice)
{
	struct table *table;
	struct pool pool = new_pool(&table);
	uint32_t slot[2], n;
	pool_take(&pool, slot, 2, &n);
	sh_store(&table->taken[0], 0);
	ck_assert_int_eq(pool_rebuild(&pool), 0);
	give(&pool, table, 0);
	ck_assert_ptr_null(pool_check(&pool));
	ck_assert_uint_eq(pool_free_count(&pool), SLOTS - 1);
}
END_TEST

START_TEST(a_stack_that_lies_is_reported_and_rebuilt)
{
	struct table *table;
	struct pool pool = new_pool(&table);
	uint32_t slot[4], n;
	pool_take(&pool, slot, 4, &n);
	sh_store(
	    &table->taken[2], 0); /* freed, but the process died before giving the place back */
	ck_assert_ptr_nonnull(pool_check(&pool));
	ck_assert_int_eq(pool_rebuild(&pool), 0);
	ck_assert_ptr_null(pool_check(&pool));
	pool_take(&pool, slot, 1, &n);
	ck_assert_uint_eq(slot[0], 2);
}
END_TEST

/* ---- lock ---- */

struct safe {
	struct lock_shm lock_shm;
	shared32 recoveries, inside;
	shared32 hopeless;
};

static const char *recover_safe(void *context)
{
	struct safe *safe = context;
	sh_add(&safe->recoveries, 1);
	return sh_load(&safe->hopeless) ? "it is in ruins" : NULL;
}

static struct lock lock_of(struct safe *safe, enum lock_rank rank)
{
	return (struct lock){
		.shm = &safe->lock_shm, .rank = rank, .recover = recover_safe, .context = safe
	};
}

static struct safe *new_safe(void)
{
	struct safe *safe = shared_memory(sizeof *safe);
	lock_init(&safe->lock_shm);
	return safe;
}

static void die_inside(void *context)
{
	struct lock lock = lock_of(context, RANK_POOL);
	if (lock_acquire(&lock) == 0)
		kill_self();
}

START_TEST(a_dead_holders_mess_is_recovered_once_and_the_caller_never_knows)
{
	struct safe *safe = new_safe();
	struct lock lock = lock_of(safe, RANK_POOL);
	run_until_killed(die_inside, safe);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(lock_acquire(&lock), 0);
		ck_assert(lock_held(&lock));
		lock_release(&lock);
		ck_assert(!lock_held(&lock));
	}
	ck_assert_uint_eq(sh_load(&safe->recoveries), 1);
}
END_TEST

START_TEST(a_recovery_that_fails_refuses_everybody_for_ever)
{
	struct safe *safe = new_safe();
	struct lock lock = lock_of(safe, RANK_POOL);
	char words[64];
	sh_store(&safe->hopeless, 1);
	run_until_killed(die_inside, safe);
	ck_assert_int_eq(lock_acquire(&lock), -ENOTRECOVERABLE);
	ck_assert_msg(strstr(why_text(), "it is in ruins") != NULL, "%s", why_text());
	ck_assert_int_eq(lock_acquire(&lock), -ENOTRECOVERABLE);
	ck_assert(!lock_held(&lock));
	ck_assert_uint_eq(sh_load(&safe->recoveries), 1);
	ck_assert_str_eq(lock_describe(&safe->lock_shm, words, sizeof words), "beyond recovery");
}
END_TEST

static void go_in_and_out(void *context)
{
	struct safe *safe = context;
	struct lock lock = lock_of(safe, RANK_POOL);
	for (int i = 0; i < 2000; i++) {
		if (lock_acquire(&lock) < 0 || sh_add(&safe->inside, 1) != 0)
			_exit(1);
		sh_store(&safe->inside, 0);
		lock_release(&lock);
	}
}

START_TEST(one_at_a_time_among_processes)
{
	struct safe *safe = new_safe();
	pid_t pid[3];
	for (int i = 0; i < 3; i++)
		pid[i] = child_of(go_in_and_out, safe);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(exit_of(pid[i]), 0);
}
END_TEST

START_TEST(a_lock_says_who_holds_it)
{
	struct safe *safe = new_safe();
	struct lock lock = lock_of(safe, RANK_POOL);
	char words[64];
	ck_assert_str_eq(lock_describe(&safe->lock_shm, words, sizeof words), "free");
	ck_assert_int_eq(lock_acquire(&lock), 0);
	lock_describe(&safe->lock_shm, words, sizeof words);
	ck_assert_ptr_nonnull(strstr(words, "held by"));
	lock_release(&lock);
	run_until_killed(die_inside, safe);
	ck_assert_ptr_nonnull(strstr(lock_describe(&safe->lock_shm, words, sizeof words), "died"));
}
END_TEST

START_TEST(a_lock_of_lower_rank_is_refused_by_abort)
{
	struct lock high = lock_of(new_safe(), RANK_ARENA), low = lock_of(new_safe(), RANK_POOL);
	ck_assert_int_eq(lock_acquire(&high), 0);
	lock_acquire(&low);
}
END_TEST

START_TEST(releasing_what_is_not_held_is_refused_by_abort)
{
	struct lock lock = lock_of(new_safe(), RANK_POOL);
	lock_release(&lock);
}
END_TEST

/* ---- the suite ---- */

static TCase *add_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void add_event_and_ring(Suite *suite)
{
	TCase *event = add_case(suite, "event");
	tcase_add_test(event, no_wake_is_lost_between_two_processes);
	tcase_add_test(event, a_sleep_ends_with_its_deadline);
	tcase_add_test(event, a_post_after_the_prepare_is_not_slept_through);
	tcase_add_test(event, a_bump_wakes_all);
	tcase_add_test(event, a_wake_that_died_with_its_waker_is_made_good_by_a_bump);
	TCase *ring = add_case(suite, "ring");
	tcase_add_test(ring, a_ring_keeps_order_and_takes_no_more_than_it_has_places);
	tcase_add_test(ring, laps_and_the_wrap_of_the_counters_change_nothing);
	tcase_add_test(ring, a_hole_stops_the_consumer_until_it_is_filled);
	tcase_add_test(ring, what_is_looked_at_stays_until_it_is_done);
	tcase_add_test(ring, a_reset_ring_is_empty_and_works);
	tcase_add_test(ring, a_ring_with_more_entries_than_places_is_reported);
	tcase_add_test(ring, many_producers_lose_and_double_nothing_and_each_keeps_its_order);
}

static void add_pool_and_lock(Suite *suite)
{
	TCase *pool = add_case(suite, "pool");
	tcase_add_test(pool, a_pool_gives_each_slot_once_and_the_last_freed_first);
	tcase_add_test(pool, slots_never_used_stay_fresh);
	tcase_add_test(pool, a_slot_that_a_rebuild_found_free_is_not_given_back_twice);
	tcase_add_test(pool, a_stack_that_lies_is_reported_and_rebuilt);
	TCase *lock = add_case(suite, "lock");
	tcase_add_test(lock, a_dead_holders_mess_is_recovered_once_and_the_caller_never_knows);
	tcase_add_test(lock, a_recovery_that_fails_refuses_everybody_for_ever);
	tcase_add_test(lock, one_at_a_time_among_processes);
	tcase_add_test(lock, a_lock_says_who_holds_it);
	tcase_add_test_raise_signal(lock, a_lock_of_lower_rank_is_refused_by_abort, SIGABRT);
	tcase_add_test_raise_signal(lock, releasing_what_is_not_held_is_refused_by_abort, SIGABRT);
}

int main(void)
{
	Suite *suite = suite_create("shm");
	add_event_and_ring(suite);
	add_pool_and_lock(suite);
	return run_suite(suite);
}
