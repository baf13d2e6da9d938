/* test_priority.c - a task that stands in front of a worker does not start before tasks of a higher
 * priority that the scheduler knows (tables/floor.h). The roles are played here, one claim at a
 * time, in orders drawn from seeds; the rules of the heap are tried in test_place.c. */
#include <check.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tables/floor.h"
#include "tables/handover.h"
#include "tests/support/run_suite.h"
#include "tests/support/world.h"

enum {
	WORKERS = 3,
	TIMEOUT_S = 60,
	SEEDS = 100,
	LOW = 20,
	HIGH = 12,
	TINY_NS = 200,      /* rings of a hundred */
	LONG_NS = 50000000, /* one task waits at a worker */
	AGEING_MS = 60000,
	STEPS_MAX = 100000,
};

static struct worker others[WORKERS - 1];
static uint32_t pace_ns; /* of all workers, played or not */

static struct worker *worker_at(uint32_t i)
{
	return i == 0 ? &world.worker : &others[i - 1];
}

static void keep_pace(struct worker *w)
{
	w->average_ns = pace_ns;
	sh_poke(&w->rt.me->average_ns, pace_ns);
}

/* Workers with this recent duration of a task; 0: nothing ran yet. */
static void boot(uint32_t average_ns)
{
	world_boot();
	pace_ns = average_ns;
	for (uint32_t i = 1; i < WORKERS; i++)
		world_open_worker(&others[i - 1], WORLD_SLOTS + i, i, 0);
	for (uint32_t i = 0; i < WORKERS; i++)
		keep_pace(worker_at(i));
	processes_changed(&world.tables);
	world_settle();
}

static void end(void)
{
	for (uint32_t i = 1; i < WORKERS; i++)
		world_end_worker(&others[i - 1]);
}

static void submit(struct plm *from, int priority, uint32_t n, plm_ref *ret)
{
	plm_task tasks[LOW + HIGH];
	for (uint32_t i = 0; i < n; i++)
		tasks[i] = (plm_task){ .function = "probe.noop", .priority = priority };
	ck_assert_int_eq(plm_submit_many(from, tasks, n, ret), 0);
}

static bool starts(plm_ref ref)
{
	return world_state_of(ref) != RECORD_READY;
}

static uint32_t count_started(const plm_ref *refs, uint32_t n)
{
	uint32_t started = 0;
	for (uint32_t i = 0; i < n; i++)
		started += starts(refs[i]);
	return started;
}

/* The worker takes one hint, the hand first; without a hint the worker tries to steal. */
static void act(struct worker *w)
{
	struct ring ring = ring_down(&w->rt.tables, w->rt.self);
	uint64_t hint = sh_load(&w->rt.me->handed);
	w->now_ns = clock_ns();
	if (hint) {
		worker_run_hint(w, hint);
		sh_store(&w->rt.me->handed, 0);
	} else if (ring_look(&ring, &hint, 1)) {
		worker_run_hint(w, hint);
		ring_done(&ring, 1);
	} else {
		worker_steal(w);
	}
	keep_pace(w);
	w->untold = true;
	worker_report(w);
}

/* The task is long, so the task behind waits. */
static void keep_busy(struct worker *w)
{
	sh_store(&w->rt.me->handed, HAND_CLOSED);
	w->untold = true;
	worker_report(w);
	world_settle();
}

static void draw_one(unsigned *seed)
{
	uint32_t who = (uint32_t)rand_r(seed) % (WORKERS + 1);
	if (who == WORKERS)
		scheduler_step(&world.scheduler);
	else if (sh_load(&worker_at(who)->rt.me->handed) != HAND_CLOSED)
		act(worker_at(who));
}

static uint32_t count_in_rings(void)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < WORKERS; i++)
		n += ready_outstanding(&world.scheduler, worker_at(i)->rt.self);
	return n;
}

/* ---- the promise ---- */

static bool is_first_before(const struct worker *w, uint64_t ref)
{
	uint64_t hint = sh_load(&w->rt.me->handed);
	struct ring ring = ring_down(&world.tables, w->rt.self);
	return (hint || ring_look(&ring, &hint, 1)) && (uint32_t)hint == ref_index(ref);
}

/* High tasks that no worker is about to claim. */
static uint32_t count_waiting(const plm_ref *high)
{
	uint32_t waiting = 0;
	for (uint32_t i = 0; i < HIGH; i++) {
		bool waits = !starts(high[i]);
		for (uint32_t w = 0; w < WORKERS; w++)
			waits &= !is_first_before(worker_at(w), high[i].id);
		waiting += waits;
	}
	return waiting;
}

static void run_the_rest(const plm_ref *low, unsigned *seed)
{
	for (int i = 0; count_started(low, LOW) < LOW; i++) {
		ck_assert_int_lt(i, STEPS_MAX);
		draw_one(seed);
	}
}

static void no_low_one_starts_first(unsigned seed, uint32_t average_ns)
{
	plm_ref low[LOW], high[HIGH];
	boot(average_ns);
	submit(&world.a, -10, LOW, low);
	world_settle();
	for (unsigned i = (unsigned)rand_r(&seed) % LOW; i > 0; i--)
		draw_one(&seed);
	submit(&world.b, 10, HIGH, high);
	world_settle(); /* the scheduler knows the tasks from now on */
	for (int i = 0; count_started(high, HIGH) < HIGH; i++) {
		uint32_t waiting = count_waiting(high), before = count_started(low, LOW);
		draw_one(&seed);
		if (waiting)
			ck_assert_msg(count_started(low, LOW) == before,
			    "a low one started before %u high ones", waiting);
		ck_assert_int_lt(i, STEPS_MAX);
	}
	run_the_rest(low, &seed);
	end();
}

START_TEST(no_task_that_stands_in_front_of_a_worker_starts_before_a_higher_one)
{
	no_low_one_starts_first((unsigned)_i + 1, 0);
}
END_TEST

START_TEST(no_task_in_front_of_a_worker_with_long_tasks_starts_before_a_higher_one)
{
	no_low_one_starts_first((unsigned)_i + 1, LONG_NS);
}
END_TEST

static uint32_t high_before(const struct worker *w)
{
	uint64_t hints[LOW + HIGH];
	struct ring ring = ring_down(&world.tables, w->rt.self);
	uint32_t n = ring_look(&ring, hints, LOW + HIGH), high = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct record *r = record_at(&world.tables, (uint32_t)hints[i]);
		high += key_priority(r->key) > 0 && word_state(sh_load(&r->state)) == RECORD_READY;
	}
	return high;
}

/* Then a worker may be ahead by the duration of quick tasks. */
START_TEST(a_long_ring_is_left_for_what_comes_with_a_higher_priority)
{
	unsigned seed = (unsigned)_i + 1;
	plm_ref low[LOW], high[HIGH];
	boot(TINY_NS);
	submit(&world.a, -10, LOW, low);
	world_settle();
	ck_assert_uint_eq(count_in_rings(), LOW);
	submit(&world.b, 10, HIGH, high);
	world_settle();
	for (int i = 0; count_started(high, HIGH) < HIGH; i++) {
		struct worker *w = worker_at((uint32_t)rand_r(&seed) % WORKERS);
		uint32_t given = high_before(w) + heap_length(&world.tables.task_heap);
		uint32_t before = count_started(low, LOW);
		act(w);
		ck_assert(count_started(low, LOW) == before || given == 0);
		scheduler_step(&world.scheduler);
		ck_assert_int_lt(i, STEPS_MAX);
	}
	run_the_rest(low, &seed);
	end();
}
END_TEST

/* Two workers are busy for long, each with a high task behind. The third worker must not go on
 * with low tasks. */
START_TEST(what_is_free_takes_a_high_task_from_behind_a_long_one_before_low_ones)
{
	plm_ref high[4], low[LOW];
	boot(0);
	keep_busy(&others[0]);
	keep_busy(&others[1]);
	submit(&world.b, 10, 4, high); /* one task behind each worker, two before the first */
	submit(&world.a, -10, LOW, low);
	world_settle();
	for (int i = 0; count_started(low, LOW) == 0; i++) {
		act(&world.worker);
		if (count_started(low, LOW))
			ck_assert_uint_eq(count_started(high, 4), 4);
		world_settle();
		ck_assert_int_lt(i, STEPS_MAX);
	}
	end();
}
END_TEST

/* The scheduler expects a quick task, but the task is long. */
START_TEST(a_high_task_behind_one_that_turned_out_long_is_queued_again)
{
	plm_ref high[4], low[LOW];
	boot(TINY_NS);
	for (uint32_t i = 0; i < WORKERS; i++)
		keep_busy(worker_at(i));
	submit(&world.b, 10, 4, high);
	world_settle();
	submit(&world.a, -10, LOW, low);
	world_settle();
	ck_assert_uint_eq(heap_length(&world.tables.task_heap), 0);
	for (int looks = 0; looks <= ROOM_CROWD_LOOKS; looks++)
		room_look_for_stuck(&world.scheduler); /* each has taken nothing meanwhile */
	place_flush(&world.scheduler);
	struct heap_entry first = heap_entry_at(&world.tables.task_heap, 0);
	ck_assert_uint_gt(heap_length(&world.tables.task_heap), 0);
	ck_assert_int_eq(key_priority(first.key), 10);
	for (uint32_t i = 0; i < WORKERS; i++)
		sh_store(&worker_at(i)->rt.me->handed, 0);
	end();
}
END_TEST

/* ---- past the scheduler ---- */

START_TEST(a_task_below_the_floor_is_handed_to_nobody)
{
	plm_ref high, low;
	plm_task one = { .function = "probe.noop", .priority = -10 };
	boot(0);
	for (uint32_t i = 0; i < WORKERS; i++)
		keep_busy(worker_at(i));
	submit(
	    &world.b, 10, 1, &high); /* no worker takes the task at once: the scheduler queues it */
	world_settle();
	for (uint32_t i = 0; i < WORKERS; i++)
		sh_store(&worker_at(i)->rt.me->handed, 0);
	ck_assert_uint_eq(heap_length(&world.tables.task_heap), 0);
	ck_assert_int_eq(plm_submit(&world.a, &one, &low), 0);
	for (uint32_t i = 0; i < WORKERS; i++)
		ck_assert_uint_eq(sh_load(&worker_at(i)->rt.me->handed), 0);
	end();
}
END_TEST

/* ---- and its exceptions ---- */

static plm_ref low_below_a_floor(void)
{
	plm_ref low;
	boot(0);
	submit(&world.a, -10, 1, &low);
	world_settle();
	sh_store(&world.tables.control->floor, key_rank(key_make(10, TURNS_FIRST)));
	return low;
}

static void act_all(void)
{
	for (uint32_t i = 0; i < WORKERS; i++)
		act(worker_at(i));
}

START_TEST(a_floor_that_nothing_is_above_costs_one_turn_through_the_scheduler)
{
	plm_ref low = low_below_a_floor();
	act_all();
	ck_assert(!starts(low));
	ck_assert_uint_eq(count_in_rings(), 0); /* the hint went back */
	world_settle();
	act_all();
	ck_assert(starts(low));
	end();
}
END_TEST

START_TEST(whatever_stands_in_its_word_the_floor_is_no_barrier)
{
	plm_ref low = low_below_a_floor();
	sh_store(&world.tables.control->floor, UINT32_MAX);
	act_all();
	world_settle();
	act_all();
	ck_assert(starts(low));
	end();
}
END_TEST

START_TEST(without_a_scheduler_rings_drain)
{
	plm_ref low = low_below_a_floor();
	world_declare_dead(SLOT_SCHEDULER);
	act_all();
	ck_assert(starts(low));
	end();
}
END_TEST

START_TEST(the_next_scheduler_begins_with_the_floor_of_what_is_queued)
{
	plm_ref low = low_below_a_floor(), high;
	for (uint32_t i = 0; i < WORKERS; i++)
		keep_busy(worker_at(i));
	submit(&world.b, 3, 1, &high);
	scheduler_close(&world.scheduler); /* the scheduler dies with its private memory */
	world_recover(SLOT_SCHEDULER);
	ck_assert_uint_eq(
	    sh_load(&world.tables.control->floor), key_rank(key_make(3, TURNS_FIRST)));
	for (uint32_t i = 0; i < WORKERS; i++)
		sh_store(&worker_at(i)->rt.me->handed, 0);
	ck_assert(!starts(low));
	end();
}
END_TEST

START_TEST(what_a_running_task_waits_for_runs_in_its_place_whatever_its_priority)
{
	plm_ref low = low_below_a_floor();
	struct plm_call outer = { 0 };
	world.worker.call = &outer;
	ck_assert(worker_help(&world.worker, ref_index(low.id)));
	world.worker.call = NULL;
	ck_assert(starts(low));
	end();
}
END_TEST

START_TEST(a_task_that_has_waited_for_long_is_kept_back_no_more)
{
	plm_ref low = low_below_a_floor();
	world.tables.control->ageing_ms = AGEING_MS;
	act_all();
	ck_assert(!starts(low));
	world_settle();
	sh_store(&world.tables.control->floor, key_rank(key_make(10, TURNS_FIRST)));
	world.tables.control->boot_ns -= AGEING_MS * NS_PER_MS;
	act_all();
	ck_assert(starts(low));
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("priority");
	TCase *promise = tcase_create("the promise");
	tcase_set_timeout(promise, TIMEOUT_S);
	tcase_add_loop_test(
	    promise, no_task_that_stands_in_front_of_a_worker_starts_before_a_higher_one, 0, SEEDS);
	tcase_add_loop_test(promise,
	    no_task_in_front_of_a_worker_with_long_tasks_starts_before_a_higher_one, 0, SEEDS);
	tcase_add_loop_test(
	    promise, a_long_ring_is_left_for_what_comes_with_a_higher_priority, 0, SEEDS);
	tcase_add_test(
	    promise, what_is_free_takes_a_high_task_from_behind_a_long_one_before_low_ones);
	tcase_add_test(promise, a_high_task_behind_one_that_turned_out_long_is_queued_again);
	tcase_add_test(promise, a_task_below_the_floor_is_handed_to_nobody);
	suite_add_tcase(suite, promise);
	TCase *exceptions = tcase_create("its exceptions");
	tcase_set_timeout(exceptions, TIMEOUT_S);
	tcase_add_test(
	    exceptions, a_floor_that_nothing_is_above_costs_one_turn_through_the_scheduler);
	tcase_add_test(exceptions, whatever_stands_in_its_word_the_floor_is_no_barrier);
	tcase_add_test(exceptions, without_a_scheduler_rings_drain);
	tcase_add_test(exceptions, the_next_scheduler_begins_with_the_floor_of_what_is_queued);
	tcase_add_test(
	    exceptions, what_a_running_task_waits_for_runs_in_its_place_whatever_its_priority);
	tcase_add_test(exceptions, a_task_that_has_waited_for_long_is_kept_back_no_more);
	suite_add_tcase(suite, exceptions);
	return run_suite(suite);
}
