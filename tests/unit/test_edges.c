/* test_edges.c - edges from a future to waiting tasks: counted, bound to one life of a record,
 * and derived again after the death of the lock holder. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/why.h"
#include "tables/edges.h"
#include "tests/support/run_suite.h"
#include "tests/support/tables_case.h"

enum { TASK = 10, FIRST = 1, SECOND = 2, GENERATION = 7, SOME = 8 };

static const struct limits limits = {
	.processes = 64, .workers = 1, .records = 64, .nodes = 1, .store_bytes = 1 << 20
};

static void set_state(uint32_t index, uint32_t generation, enum record_state state)
{
	sh_store(
	    &tables.record[index].state, word_make(generation, SLOT_FIRST_SHARED, 0, state, 0));
}

static uint64_t ref_of(uint32_t index)
{
	return record_ref(index, GENERATION);
}

/* TASK waits for FIRST and SECOND, linked as by the scheduler. */
static void create(void)
{
	struct record *task;
	struct args_writer writer;
	tables_case_create(&limits);
	/* The owner that the words below name. */
	ck_assert(
	    process_claim(&tables.process[SLOT_FIRST_SHARED], KIND_WORKER, getpid(), "worker"));
	uint32_t slots[TASK + 1], n; /* claimed: a rebuild skips free records */
	ck_assert_int_eq(pool_take(&tables.pool, slots, TASK + 1, &n), 0);
	set_state(FIRST, GENERATION, RECORD_READY);
	set_state(SECOND, GENERATION, RECORD_RUNNING);
	set_state(TASK, GENERATION, RECORD_WAITING);
	task = record_at(&tables, TASK);
	task->nargs = 2;
	task->args_bytes = (uint32_t)(args_header_bytes(2) + 2 * sizeof(struct arg_future));
	ck_assert_int_eq(
	    store_alloc(&tables, 0, task->args_bytes, ARENA_ARGUMENTS, &task->args), 0);
	args_begin(&writer, store_writable(&tables, sh_load(&task->args)), 2);
	args_add_future(&writer, ref_of(FIRST), ARG_VALUE);
	args_add_future(&writer, ref_of(SECOND), ARG_VALUE);
	sh_poke(&task->uses, USES_COUNTED);
	edges_rebuild(&tables);
}

static uint32_t take(uint64_t ref, struct edge_taken *ret)
{
	uint32_t n;
	ck_assert_int_eq(edges_take(&tables, ref, true, ret, SOME, &n), 0);
	return n;
}

START_TEST(only_the_last_argument_to_settle_is_the_last)
{
	struct edge_taken edges[SOME];
	set_state(FIRST, GENERATION, RECORD_DONE);
	ck_assert_uint_eq(take(ref_of(FIRST), edges), 1);
	ck_assert(edges[0].task == TASK && !edges[0].last && !edges[0].doomed);
	ck_assert_uint_eq(take(ref_of(FIRST), edges), 0);
	set_state(SECOND, GENERATION, RECORD_DONE);
	ck_assert_uint_eq(take(ref_of(SECOND), edges), 1);
	ck_assert(edges[0].task == TASK && edges[0].last && !edges[0].doomed);
}
END_TEST

START_TEST(a_failed_argument_dooms_the_task_for_whoever_takes_the_last_edge)
{
	struct edge_taken edges[SOME];
	set_state(FIRST, GENERATION, RECORD_FAILED);
	ck_assert_uint_eq(take(ref_of(FIRST), edges), 1);
	set_state(SECOND, GENERATION, RECORD_DONE);
	ck_assert_uint_eq(take(ref_of(SECOND), edges), 1);
	ck_assert(edges[0].last && edges[0].doomed);
}
END_TEST

/* A worker commits. The value is dropped and freed, and the record begins another life with a
 * waiting task. Only then does the worker tell the waiters of the first life. */
START_TEST(edges_of_a_new_life_are_not_taken_for_the_old_one)
{
	struct edge_taken edges[SOME];
	uint32_t pending = sh_load(&tables.record[TASK].pending);
	ck_assert_uint_eq(take(record_ref(FIRST, GENERATION - 1), edges), 0);
	ck_assert_uint_eq(sh_load(&tables.record[TASK].pending), pending);
	ck_assert_uint_eq(take(ref_of(FIRST), edges), 0); /* this life is not settled yet */
	ck_assert_uint_eq(sh_load(&tables.record[TASK].pending), pending);
}
END_TEST

/* Another process made the task of a taken edge ready; the task ended, and its record waits in
 * another life. */
START_TEST(a_taken_edge_makes_only_the_life_ready_it_was_taken_of)
{
	struct edge_taken edges[SOME];
	struct record *task = record_at(&tables, TASK);
	set_state(FIRST, GENERATION, RECORD_DONE);
	take(ref_of(FIRST), edges);
	set_state(SECOND, GENERATION, RECORD_DONE);
	ck_assert_uint_eq(take(ref_of(SECOND), edges), 1);
	uint64_t word = edges[0].word;
	ck_assert_uint_eq(word, sh_load(&task->state));
	set_state(TASK, GENERATION + 1, RECORD_WAITING);
	ck_assert(!record_step(task, &word, RECORD_READY, SLOT_FIRST_SHARED, 0, 0));
	word = edges[0].word;
	set_state(TASK, GENERATION, RECORD_WAITING);
	ck_assert(record_step(task, &word, RECORD_READY, SLOT_FIRST_SHARED, 0, 0));
}
END_TEST

START_TEST(the_graph_is_derived_again_after_the_death_of_the_lock_holder)
{
	struct edge_taken edges[SOME];
	pid_t child = fork();
	if (child == 0) {
		if (lock_acquire(&tables.graph_lock) == 0) {
			sh_poke(&tables.record[FIRST].dependents, UINT64_MAX);
			sh_poke(&tables.record[TASK].pending, 99);
		}
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	set_state(SECOND, GENERATION, RECORD_DONE);
	ck_assert_uint_eq(take(ref_of(SECOND), edges), 0); /* derived: settled, and not missed */
	set_state(FIRST, GENERATION, RECORD_DONE);
	ck_assert_uint_eq(take(ref_of(FIRST), edges), 1);
	ck_assert(edges[0].task == TASK && edges[0].last);
}
END_TEST

START_TEST(a_task_that_waits_for_nothing_is_found_by_the_checker)
{
	ck_assert_ptr_null(tables_check(&tables));
	sh_poke(&tables.record[TASK].pending, PENDING_DOOMED);
	ck_assert_str_eq(tables_check(&tables), "records: a task waits without a missing argument");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("edges");
	TCase *tcase = tcase_create("edges");
	tcase_add_checked_fixture(tcase, create, tables_case_detach);
	tcase_add_test(tcase, only_the_last_argument_to_settle_is_the_last);
	tcase_add_test(tcase, a_failed_argument_dooms_the_task_for_whoever_takes_the_last_edge);
	tcase_add_test(tcase, edges_of_a_new_life_are_not_taken_for_the_old_one);
	tcase_add_test(tcase, a_taken_edge_makes_only_the_life_ready_it_was_taken_of);
	tcase_add_test(tcase, the_graph_is_derived_again_after_the_death_of_the_lock_holder);
	tcase_add_test(tcase, a_task_that_waits_for_nothing_is_found_by_the_checker);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
