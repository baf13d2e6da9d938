/* test_place.c - which workers get tasks, and which tasks come first. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tables/handover.h"
#include "tables/spin.h"
#include "tables/handover.h"
#include "tests/support/run_suite.h"
#include "tests/support/stage.h"

enum {
	CREW = STAGE_CORES,
	WORKERS = 32,
	TASKS = 2000,
	TINY_NS = 200,
	WHILE_NS = 200000,
	SHORT_NS = 4000000,
	LONG_NS = 5000000,
	FLOOD = 200,
	BRIEF_NS = 2000,
	FEW = 10,
	SMALL_BYTES = 1 << 12,
	LARGE_BYTES = 1 << 17,
	AGEING_MS = 60000,
	SCRIBBLE_MS = 200,
};

static const struct limits limits = {
	.processes = 64, .workers = WORKERS, .records = 4096, .nodes = 1, .store_bytes = 1 << 20
};

static struct tables *tables = &stage.tables;
static struct scheduler *scheduler = &stage.scheduler;
static uint32_t ageing_ms = AGEING_MS;

static void boot(const char *policy, uint32_t workers, uint32_t average_ns)
{
	stage_boot(&(struct stage_plan){ policy, workers, average_ns, ageing_ms, limits });
}

static void submit(uint32_t client, int priority, uint32_t n, uint64_t *ret)
{
	plm_ref refs[TASKS];
	stage_submit(&stage.client[client], priority, n, refs);
	for (uint32_t i = 0; ret && i < n; i++)
		ret[i] = refs[i].id;
}

static void submit_many(void)
{
	submit(0, 0, TASKS, NULL);
}

static uint32_t workers_with_tasks(void)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < WORKERS; i++)
		n += ready_outstanding(scheduler, stage_worker(i)) > 0;
	return n;
}

/* Looks at placed tasks are due: workers that took none meanwhile are stuck. With more workers
 * awake than cores that needs several looks. */
static void look_again(void)
{
	scheduler->room.newly_stuck = 0;
	for (int looks = 0; looks < ROOM_CROWD_LOOKS && !scheduler->room.newly_stuck; looks++)
		room_look_for_stuck(scheduler);
	stage_rest();
}

START_TEST(tiny_tasks_keep_no_more_workers_awake_than_the_cores_carry)
{
	boot("locality", WORKERS, TINY_NS);
	submit_many();
	ck_assert_uint_eq(workers_with_tasks(), CREW);
	ck_assert_uint_gt(heap_length(&tables->task_heap), 0);
}
END_TEST

START_TEST(twice_as_many_are_woken_at_each_look_that_finds_some_stuck)
{
	boot("locality", WORKERS, TINY_NS);
	submit_many();
	uint32_t expected = CREW;
	for (uint32_t crew = 2 * CREW; expected < WORKERS; crew *= 2) {
		look_again();
		expected = expected + crew < WORKERS ? expected + crew : WORKERS;
		ck_assert_uint_eq(workers_with_tasks(), expected);
	}
}
END_TEST

START_TEST(long_tasks_wake_as_many_workers_as_there_are)
{
	boot("locality", WORKERS, LONG_NS);
	submit_many();
	ck_assert_uint_eq(workers_with_tasks(), WORKERS);
}
END_TEST

START_TEST(a_policy_that_spreads_wakes_all_for_tiny_tasks_too)
{
	boot("round-robin", WORKERS, TINY_NS);
	submit_many();
	ck_assert_uint_eq(workers_with_tasks(), WORKERS);
}
END_TEST

START_TEST(a_ring_is_filled_by_time)
{
	boot("locality", WORKERS, LONG_NS);
	submit_many();
	for (uint32_t i = 0; i < WORKERS; i++)
		ck_assert_uint_eq(ready_outstanding(scheduler, stage_worker(i)), 1);
}
END_TEST

static uint32_t in_ring(void)
{
	struct ring ring = ring_down(tables, stage_worker(0));
	return ring_used(&ring);
}

static void take_until(uint32_t left)
{
	uint64_t hint;
	struct ring ring = ring_down(tables, stage_worker(0));
	while (ring_used(&ring) > left && ring_look(&ring, &hint, 1) == 1) {
		struct record *r = record_at(tables, (uint32_t)hint);
		uint64_t word = sh_load(&r->state);
		ck_assert(record_step(r, &word, RECORD_RUNNING, stage_worker(0), 1, 0));
		ring_done(&ring, 1);
	}
	room_refresh(scheduler, stage_worker(0));
	stage_rest();
}

/* A worker that sleeps has more room, but no core. */
START_TEST(an_awake_worker_is_filled_up_while_workers_without_a_core_sleep)
{
	boot("locality", WORKERS, BRIEF_NS);
	submit_many();
	uint32_t full = process_depth(&tables->process[stage_worker(0)]);
	ck_assert_uint_eq(in_ring(), full);
	take_until(full / 2);
	ck_assert_uint_eq(in_ring(), full);
	ck_assert_uint_eq(workers_with_tasks(), CREW);
}
END_TEST

START_TEST(tasks_that_compute_for_a_while_wake_no_more_workers_than_cores)
{
	boot("locality", WORKERS, WHILE_NS);
	submit_many();
	ck_assert_uint_eq(workers_with_tasks(), CREW);
}
END_TEST

START_TEST(tasks_that_sleep_for_a_while_wake_as_many_workers_as_there_are)
{
	boot("locality", WORKERS, WHILE_NS);
	for (uint32_t i = 0; i < WORKERS; i++)
		sh_store(&tables->process[stage_worker(i)].tasks_sleep, 1);
	submit_many();
	ck_assert_uint_eq(workers_with_tasks(), WORKERS);
}
END_TEST

START_TEST(a_ring_is_deep_among_tasks_of_one_priority_alone)
{
	boot("locality", 1, BRIEF_NS);
	submit(0, 1, FLOOD, NULL);
	submit(0, 0, FLOOD, NULL);
	ck_assert_uint_eq(in_ring(), FLOOD); /* all of the higher priority, and no other */
	take_until(FLOOD / 2);
	ck_assert_uint_eq(in_ring(), FLOOD / 2);
	take_until(2);
	ck_assert_uint_gt(in_ring(), FLOOD / 2); /* 20 us of work do not count */
}
END_TEST

/* The worker had reported idle; when the scheduler read the report, the worker was looking for
 * tasks to steal. */
START_TEST(a_worker_that_seems_busy_while_tasks_are_queued_is_looked_at_again)
{
	boot("locality", 1, LONG_NS);
	struct process *p = &tables->process[stage_worker(0)];
	sh_store(&p->handed, HAND_CLOSED);
	submit_many();
	room_look_for_stuck(scheduler);
	ck_assert_uint_ne(scheduler->room.next_look_ns, DEADLINE_NEVER);
	sh_store(&p->handed, 0); /* and told nobody */
	look_again();
	struct ring ring = ring_down(scheduler->t, stage_worker(0));
	ck_assert_uint_eq(ring_used(&ring), 1);
}
END_TEST

/* A client that waited for the task may hear of the end, and drop the task, before the scheduler
 * reads the message of the worker. */
START_TEST(what_was_booked_for_a_task_is_free_when_the_task_is)
{
	boot("locality", 1, LONG_NS);
	plm_terms terms = { .needs = "cpus=1" };
	plm_task task = { .function = "probe.noop", .terms = &terms };
	plm_ref ref;
	ck_assert_msg(plm_submit(&stage.client[0], &task, &ref) == 0, "%s", plm_why());
	stage_rest();
	struct process *p = &tables->process[stage_worker(0)];
	uint64_t booked = sh_load(&p->booked), word;
	struct record *r = record_lookup(tables, booked, &word);
	ck_assert_ptr_nonnull(r);
	ck_assert(record_step(r, &word, RECORD_RUNNING, stage_worker(0), 1, 0));
	word = sh_load(&r->state);
	ck_assert(record_step(r, &word, RECORD_DONE, stage_worker(0), 1, 0));
	plm_drop(&stage.client[0], ref);
	stage_rest();
	ck_assert_int_eq(word_state(sh_load(&r->state)), RECORD_FREE);
	ck_assert_uint_eq(sh_load(&p->booked), 0);
}
END_TEST

static void take_all(uint32_t workers)
{
	for (uint32_t i = 0; i < workers; i++) {
		struct ring ring = ring_down(tables, stage_worker(i));
		ring_done(&ring, ring_used(&ring));
		room_refresh(scheduler, stage_worker(i));
	}
}

/* A stray write changes a record between two looks of the scheduler. */
struct scribble {
	struct record *r;
	uint16_t terms;
	_Atomic bool stop;
};

static void *scribble_over_terms(void *context)
{
	struct scribble *s = context;
	for (uint16_t other = UINT16_MAX; !atomic_load(&s->stop); other ^= s->terms ^ UINT16_MAX)
		__atomic_store_n(&s->r->terms, other, __ATOMIC_RELAXED);
	return NULL;
}

START_TEST(terms_that_change_while_the_scheduler_looks_lead_nowhere)
{
	boot("locality", 2, LONG_NS);
	plm_terms terms = { .needs = "cpus=1" };
	plm_task task = { .function = "probe.noop", .terms = &terms };
	plm_ref ref;
	ck_assert_int_eq(plm_submit(&stage.client[0], &task, &ref), 0);
	uint32_t index = ref_index(ref.id);
	struct scribble scribble = { .r = record_at(tables, index),
		.terms = record_at(tables, index)->terms };
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, scribble_over_terms, &scribble), 0);
	uint64_t end = clock_ns() + SCRIBBLE_MS * NS_PER_MS;
	while (clock_ns() < end) {
		ready_add(scheduler, index);
		place_flush(scheduler);
		place_tasks(scheduler);
		take_all(2); /* room for the next task */
	}
	atomic_store(&scribble.stop, true);
	pthread_join(thread, NULL);
}
END_TEST

/* ---- near the bytes ---- */

/* As if made by a task that ran at this worker. */
static plm_ref made_by(uint32_t worker, size_t bytes)
{
	plm_ref ref;
	void *data = calloc(1, bytes);
	ck_assert_int_eq(plm_put(&stage.client[0], data, bytes, &ref), 0);
	free(data);
	struct record *r = record_at(tables, ref_index(ref.id));
	uint64_t word = sh_load(&r->state);
	sh_store(&r->state,
	    word_make(word_generation(word), stage_worker(worker), word_attempt(word),
		word_state(word), word_flags(word)));
	return ref;
}

/* How many tasks with this argument go to the worker. */
static uint32_t given_to(uint32_t worker, plm_ref argument)
{
	plm_arg arg = { .future = argument };
	plm_task tasks[FEW];
	plm_ref refs[FEW];
	for (uint32_t i = 0; i < FEW; i++)
		tasks[i] = (plm_task){ .function = "probe.noop", .args = &arg, .nargs = 1 };
	uint32_t before = ready_outstanding(scheduler, stage_worker(worker));
	ck_assert_int_eq(plm_submit_many(&stage.client[0], tasks, FEW, refs), 0);
	stage_rest();
	return ready_outstanding(scheduler, stage_worker(worker)) - before;
}

/* The same for tasks with arguments of that size, made by each worker in turn. */
static uint32_t given_to_the_maker(size_t bytes)
{
	uint32_t sum = 0;
	for (uint32_t worker = 0; worker < 4; worker++)
		sum += given_to(worker, made_by(worker, bytes));
	return sum;
}

START_TEST(a_task_goes_where_its_large_arguments_were_made)
{
	boot("locality", 4, TINY_NS);
	ck_assert_uint_eq(given_to_the_maker(LARGE_BYTES), 4 * FEW);
}
END_TEST

START_TEST(small_arguments_and_other_policies_do_not_pull_a_task)
{
	boot("locality", 4, TINY_NS);
	ck_assert_uint_lt(given_to_the_maker(SMALL_BYTES), 4 * FEW);
	stage_follow("round-robin");
	ck_assert_uint_lt(given_to_the_maker(LARGE_BYTES), 4 * FEW);
}
END_TEST

START_TEST(nobody_spins_for_what_can_only_come_when_a_long_task_ends)
{
	boot("locality", 2, LONG_NS);
	ck_assert(spin_may_help(tables)); /* all workers sleep: the next is unknown */
	process_set_awake(tables, stage_worker(0), true);
	process_set_awake(tables, stage_worker(1), true);
	ck_assert(!spin_may_help(tables));
	sh_poke(&tables->process[stage_worker(1)].average_ns, TINY_NS);
	ck_assert(spin_may_help(tables));
	process_set_awake(tables, stage_worker(1), false);
	ck_assert(!spin_may_help(tables));
	process_set_awake(tables, stage.client[0].self, true);
	ck_assert(spin_may_help(tables));
}
END_TEST

/* ---- order: one worker, which runs something; its ring holds one task ---- */

static void boot_busy(void)
{
	boot("locality", 1, SHORT_NS);
	sh_store(&tables->process[stage_worker(0)].handed, HAND_CLOSED);
	room_refresh(scheduler, stage_worker(0));
}

static uint64_t take_from_ring(void)
{
	uint64_t hint = 0;
	struct ring ring = ring_down(tables, stage_worker(0));
	ck_assert_uint_eq(ring_look(&ring, &hint, 1), 1);
	ring_done(&ring, 1);
	room_refresh(scheduler, stage_worker(0));
	stage_rest();
	return hint;
}

/* The worker takes the waiting task, and the scheduler places the next. */
static uint64_t next_given(void)
{
	for (;;) {
		uint32_t index = (uint32_t)take_from_ring();
		uint64_t word = sh_load(&record_at(tables, index)->state);
		uint64_t ref = record_ref(index, word_generation(word));
		if (word_state(word) != RECORD_READY)
			continue;
		ck_assert(record_step(
		    record_at(tables, index), &word, RECORD_RUNNING, stage_worker(0), 1, 0));
		return ref;
	}
}

/* At which turn the task is given. */
static uint32_t turns_until(uint64_t task)
{
	for (uint32_t turn = 1;; turn++)
		if (next_given() == task)
			return turn;
}

START_TEST(a_higher_priority_goes_first_and_equals_in_the_order_of_submission)
{
	uint64_t first, low[3], high[3];
	boot_busy();
	submit(0, 0, 1, &first);
	submit(0, 0, 3, low);
	submit(1, 1, 3, high);
	ck_assert_uint_eq(next_given(), first); /* placed at the worker before */
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(next_given(), high[i]);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(next_given(), low[i]);
}
END_TEST

START_TEST(a_client_that_floods_takes_turns_with_those_that_come_later)
{
	uint64_t flood[FLOOD], later[FEW];
	uint32_t sum = 0;
	boot_busy();
	submit(0, 0, FLOOD, flood);
	for (int i = 0; i < FLOOD / 4; i++)
		next_given();
	submit(1, 0, FEW, later);
	for (int i = 0; i < FEW; i++) {
		uint32_t turns = turns_until(later[i]);
		sum += turns;
		ck_assert_uint_le(turns, 3);
	}
	ck_assert_uint_ge(sum, 2 * FEW - 2); /* and later tasks are not all first */
}
END_TEST

START_TEST(a_client_that_floods_task_by_task_takes_turns_too)
{
	uint64_t flood[FLOOD], later[FEW];
	boot_busy();
	for (int i = 0; i < FLOOD; i++)
		submit(0, 0, 1, &flood[i]);
	submit(1, 0, FEW, later);
	for (int i = 0; i < FEW; i++)
		ck_assert_uint_le(turns_until(later[i]), 3);
}
END_TEST

START_TEST(single_tasks_of_many_clients_go_in_the_order_of_submission)
{
	uint64_t flood[FLOOD], single[STAGE_CLIENTS];
	boot_busy();
	submit(0, 0, FLOOD, flood);
	for (uint32_t i = 1; i < STAGE_CLIENTS; i++)
		submit(i, 0, 1, &single[i]);
	for (uint32_t i = 1; i < STAGE_CLIENTS; i++)
		turns_until(single[i]); /* for ever, if one earlier task was lost */
}
END_TEST

/* By a worker that did not get the task from the heap. */
static void run_unseen(uint64_t task)
{
	struct record *r = record_at(tables, ref_index(task));
	struct ring up = ring_up(tables, stage_worker(0));
	uint64_t word = sh_load(&r->state), hint = hint_make(HINT_SETTLED, task);
	ck_assert(record_step(r, &word, RECORD_RUNNING, stage_worker(0), 1, 0));
	word = sh_load(&r->state);
	ck_assert(record_step(r, &word, RECORD_DONE, stage_worker(0), 1, 0));
	ck_assert_uint_eq(ring_push(&up, &hint, 1), 1);
	hints_read_one(scheduler, stage_worker(0));
}

/* A task run at once, or as a successor, never enters the heap, so no flood is seen. */
START_TEST(a_client_with_many_finished_tasks_is_not_behind_a_later_client)
{
	uint64_t flood[FLOOD], first, mine, later[FEW];
	boot_busy();
	submit(0, 0, FLOOD, flood);
	for (int i = 0; i < FLOOD; i++)
		run_unseen(flood[i]);
	submit(1, 0, 1, &first);
	submit(0, 0, 1, &mine);
	submit(1, 0, FEW, later);
	ck_assert_uint_le(turns_until(mine), 3);
}
END_TEST

/* ---- ageing ---- */

/* Tasks of low priority wait, time passes, many tasks of high priority come; then the scheduler
 * looks. */
static void submit_low_and_high(uint64_t low[FEW], uint32_t pass_ms)
{
	uint64_t high[FLOOD];
	submit(0, -5, FEW, low);
	tables->control->boot_ns -= pass_ms * NS_PER_MS;
	submit(1, 5, FLOOD, high);
	if (scheduler->ageing.next_ns != DEADLINE_NEVER)
		scheduler->ageing.next_ns = 0;
	stage_rest();
}

START_TEST(one_task_of_eight_is_of_those_that_have_waited_for_long)
{
	uint64_t low[FEW];
	boot_busy();
	submit_low_and_high(low, AGEING_MS);
	ck_assert_uint_eq(next_given(), low[0]); /* placed at the worker before */
	for (int i = 1; i < FEW; i++)
		ck_assert_uint_eq(turns_until(low[i]), 8);
}
END_TEST

START_TEST(a_task_that_has_not_waited_for_long_comes_behind_all_of_a_higher_priority)
{
	uint64_t low[FEW];
	boot_busy();
	submit_low_and_high(low, AGEING_MS / 2);
	next_given();
	ck_assert_uint_eq(turns_until(low[1]), FLOOD + 1);
}
END_TEST

START_TEST(nothing_ages_when_ageing_is_off)
{
	uint64_t low[FEW];
	ageing_ms = 0;
	boot_busy();
	submit_low_and_high(low, 100 * AGEING_MS);
	next_given();
	ck_assert_uint_eq(turns_until(low[1]), FLOOD + 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("place");
	TCase *place = tcase_create("place");
	tcase_add_test(place, tiny_tasks_keep_no_more_workers_awake_than_the_cores_carry);
	tcase_add_test(place, twice_as_many_are_woken_at_each_look_that_finds_some_stuck);
	tcase_add_test(place, long_tasks_wake_as_many_workers_as_there_are);
	tcase_add_test(place, a_policy_that_spreads_wakes_all_for_tiny_tasks_too);
	tcase_add_test(place, a_ring_is_filled_by_time);
	tcase_add_test(place, an_awake_worker_is_filled_up_while_workers_without_a_core_sleep);
	tcase_add_test(place, tasks_that_compute_for_a_while_wake_no_more_workers_than_cores);
	tcase_add_test(place, tasks_that_sleep_for_a_while_wake_as_many_workers_as_there_are);
	tcase_add_test(place, a_ring_is_deep_among_tasks_of_one_priority_alone);
	tcase_add_test(place, a_worker_that_seems_busy_while_tasks_are_queued_is_looked_at_again);
	tcase_add_test(place, what_was_booked_for_a_task_is_free_when_the_task_is);
	tcase_add_test(place, terms_that_change_while_the_scheduler_looks_lead_nowhere);
	tcase_add_test(place, a_task_goes_where_its_large_arguments_were_made);
	tcase_add_test(place, small_arguments_and_other_policies_do_not_pull_a_task);
	tcase_add_test(place, nobody_spins_for_what_can_only_come_when_a_long_task_ends);
	TCase *order = tcase_create("order");
	tcase_add_test(order, a_higher_priority_goes_first_and_equals_in_the_order_of_submission);
	tcase_add_test(order, a_client_that_floods_takes_turns_with_those_that_come_later);
	tcase_add_test(order, a_client_that_floods_task_by_task_takes_turns_too);
	tcase_add_test(order, single_tasks_of_many_clients_go_in_the_order_of_submission);
	tcase_add_test(order, a_client_with_many_finished_tasks_is_not_behind_a_later_client);
	tcase_add_test(order, one_task_of_eight_is_of_those_that_have_waited_for_long);
	tcase_add_test(
	    order, a_task_that_has_not_waited_for_long_comes_behind_all_of_a_higher_priority);
	tcase_add_test(order, nothing_ages_when_ageing_is_off);
	suite_add_tcase(suite, order);
	suite_add_tcase(suite, place);
	return run_suite(suite);
}
