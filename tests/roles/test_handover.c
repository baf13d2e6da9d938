/* test_handover.c - a task in the hand of a worker runs, whatever lay in the hand before. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "base/clock.h"
#include "tables/handover.h"
#include "tests/support/run_suite.h"
#include "tests/support/world.h"

enum { DEADLINE_S = 20 };

static uint64_t hint_of(const char *function, const char *text)
{
	plm_arg arg = { .data = text, .len = 3 };
	return hint_make(HINT_LOOK, world_submit(&world.a, function, &arg, 1, 1, 0, 0).id);
}

static void *take_a_step(void *worker)
{
	worker_step(worker);
	return NULL;
}

static bool runs(uint64_t hint)
{
	return word_state(sh_load(&world.tables.record[(uint32_t)hint].state)) == RECORD_RUNNING;
}

START_TEST(what_is_handed_in_the_place_of_what_was_taken_back_is_not_lost)
{
	pthread_t thread;
	world_boot();
	shared64 *hand = &world.worker.rt.me->handed;
	sh_store(hand, HAND_CLOSED); /* both tasks go to the scheduler, which is not told */
	uint64_t first = hint_of("probe.sleep", "500"), second = hint_of("probe.echo", "abc");
	sh_store(hand, first);
	ck_assert_int_eq(pthread_create(&thread, NULL, take_a_step, &world.worker), 0);
	uint64_t deadline = clock_ns() + DEADLINE_S * NS_PER_S, given = first;
	while (!runs(first) && clock_ns() < deadline)
		sched_yield();
	ck_assert_msg(sh_cas(hand, &given, second), "the task ended before it was taken back");
	pthread_join(thread, NULL);
	ck_assert_uint_eq(sh_load(hand), second);
}
END_TEST

/* A worker that looks idle, and never takes a task. */
static void let_another_worker_be_stopped(uint32_t slot)
{
	struct process *p = &world.tables.process[slot];
	ck_assert(process_claim(p, KIND_WORKER, getpid(), "stopped"));
	p->worker = world.worker.rt.me->worker + 1;
	uint64_t word = sh_load(&p->state);
	ck_assert(process_step(p, &word, PROCESS_LIVE));
}

/* The scheduler hands out both again and again, because no other worker takes them. */
START_TEST(retries_that_take_turns_are_not_left_to_others_for_ever)
{
	struct worker *w = &world.worker;
	world_boot();
	let_another_worker_be_stopped(WORLD_JOINING);
	uint64_t word = word_make(1, w->rt.self, 1, RECORD_READY, 0);
	uint64_t first = record_ref(3, 1), second = record_ref(3 + COUNT_OF(w->left), 1);
	ck_assert(worker_leaves_retry(w, first, word) && worker_leaves_retry(w, second, word));
	uint64_t deadline = clock_ns() + DEADLINE_S * NS_PER_S;
	while (worker_leaves_retry(w, first, word) && worker_leaves_retry(w, second, word))
		ck_assert_msg(clock_ns() < deadline, "both are left to others without end");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handover");
	TCase *tests = tcase_create("the hand of a worker");
	tcase_set_timeout(tests, 2 * DEADLINE_S);
	tcase_add_test(tests, what_is_handed_in_the_place_of_what_was_taken_back_is_not_lost);
	tcase_add_test(tests, retries_that_take_turns_are_not_left_to_others_for_ever);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
