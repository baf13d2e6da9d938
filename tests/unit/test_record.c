/* test_record.c - states, word fields, keys and references of a record. */
#include <errno.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/support/tables_case.h"

enum { TEST_TIMEOUT_S = 60 };

static const struct limits limits = {
	.processes = 192, .workers = 2, .records = 64, .nodes = 1, .store_bytes = 1 << 20
};

static void create(void)
{
	tables_case_create(&limits);
}

/* ---- the life of a record ---- */

/* The legal next states: one letter for each state, in the order of enum record_state. */
static const char *const record_life[RECORD_STATES] = {
	[RECORD_FREE] = ".R.......",
	[RECORD_RESERVED] = "F.Wy.D..P",
	[RECORD_WAITING] = "..Wyr..C.",
	[RECORD_READY] = "...yr..C.",
	[RECORD_RUNNING] = "...yrDXC.",
	[RECORD_DONE] = "F........",
	[RECORD_FAILED] = "F........",
	[RECORD_CANCELLED] = "F........",
	[RECORD_PART] = "F........",
};

START_TEST(a_record_takes_the_legal_steps_and_no_other)
{
	for (enum record_state from = 0; from < RECORD_STATES; from++)
		for (enum record_state to = 0; to < RECORD_STATES; to++) {
			bool legal = record_life[from][to] != '.';
			struct record r = { 0 };
			uint64_t seen = word_make(9, 5, 2, from, 0);
			sh_store(&r.state, seen);
			ck_assert_msg(record_step_legal(from, to) == legal, "%s -> %s",
			    record_state_name(from), record_state_name(to));
			ck_assert_int_eq(record_step(&r, &seen, to, 7, 3, 1), legal);
			ck_assert_uint_eq(sh_load(&r.state),
			    legal ? word_make(9, 7, 3, to, 1) : word_make(9, 5, 2, from, 0));
		}
	ck_assert(!record_step_legal(RECORD_STATES, RECORD_FREE));
	ck_assert(!record_step_legal(RECORD_FREE, RECORD_STATES));
}
END_TEST

START_TEST(a_step_from_a_word_that_moved_changes_nothing_and_tells_the_new_one)
{
	struct record r = { 0 };
	uint64_t now = word_make(2, 3, 1, RECORD_RUNNING, FLAG_CANCEL);
	uint64_t seen = word_make(2, 3, 1, RECORD_RUNNING, 0);
	sh_store(&r.state, now);
	ck_assert(!record_step(&r, &seen, RECORD_DONE, 3, 1, 0));
	ck_assert_uint_eq(seen, now);
	ck_assert_uint_eq(sh_load(&r.state), now);
}
END_TEST

START_TEST(a_word_holds_its_fields_apart_up_to_their_limits)
{
	uint64_t word = word_make(UINT32_MAX, PROCESSES_MAX - 1, RETRIES_MAX, RECORD_PART, 0xff);
	ck_assert_uint_eq(word_generation(word), UINT32_MAX);
	ck_assert_uint_eq(word_owner(word), PROCESSES_MAX - 1);
	ck_assert_uint_eq(word_attempt(word), RETRIES_MAX);
	ck_assert_int_eq(word_state(word), RECORD_PART);
	ck_assert_uint_eq(word_flags(word), 0xff);
	ck_assert_uint_eq(word_make(0, 0, 0, RECORD_FREE, 0), 0);
	ck_assert_uint_eq(
	    word_owner(word_make(0, PROCESSES_MAX - 1, 0, RECORD_FREE, 0)), PROCESSES_MAX - 1);
}
END_TEST

/* The -errno of a return in each state; 0: the task is in the queue, or was asked. */
START_TEST(only_a_task_that_runs_is_asked_to_go_back_and_only_once)
{
	static const int answer[RECORD_STATES] = { [RECORD_FREE] = -EINVAL,
		[RECORD_RESERVED] = -EINVAL,
		[RECORD_DONE] = -EALREADY,
		[RECORD_FAILED] = -EALREADY,
		[RECORD_CANCELLED] = -EALREADY,
		[RECORD_PART] = -EINVAL };
	for (enum record_state state = RECORD_FREE; state < RECORD_STATES; state++) {
		struct record r = { 0 };
		uint64_t before = word_make(9, 5, 2, state, 0), seen = before;
		sh_store(&r.state, seen);
		ck_assert_int_eq(record_return(&r, &seen), answer[state]);
		ck_assert_uint_eq(sh_load(&r.state),
		    state != RECORD_RUNNING ? before : word_make(9, 5, 2, state, FLAG_RETURN));
	}
	static const struct {
		uint32_t owner, flags;
		int answer;
	} running[] = { { 5, FLAG_RETURN, 0 }, { 5, FLAG_CANCEL, -EALREADY },
		{ 5, FLAG_LATE, -EALREADY }, { SLOT_SCHEDULER, 0, -EALREADY } };
	for (size_t i = 0; i < COUNT_OF(running); i++) {
		struct record r = { 0 };
		uint64_t seen = word_make(9, running[i].owner, 2, RECORD_RUNNING, running[i].flags);
		sh_store(&r.state, seen);
		ck_assert_int_eq(record_return(&r, &seen), running[i].answer);
		ck_assert_uint_eq(sh_load(&r.state), seen);
	}
}
END_TEST

START_TEST(returns_leave_numbers_of_attempts_for_all_the_retries)
{
	struct record r = { .retries = 100, .crash_retries = 50 };
	unsigned returns = 0;
	uint64_t seen;
	do {
		seen = word_make(1, 5, ++returns, RECORD_RUNNING, 0);
		sh_store(&r.state, seen);
		record_count_return(&r, returns);
		record_count_return(
		    &r, returns); /* by the process that completes the work of the dead */
		ck_assert_uint_eq(record_returns(&r), returns);
		ck_assert_uint_eq(record_tries(&r, seen), 0);
	} while (record_return(&r, &seen) == 0);
	ck_assert_uint_eq(returns + 1 + r.retries + r.crash_retries, RETRIES_MAX);
}
END_TEST

START_TEST(a_demand_is_kept_rounded_up_by_an_eighth_at_most)
{
	ck_assert_uint_eq(demand_bytes(0), 0);
	ck_assert_uint_eq(demand_code(0), 0);
	for (uint64_t bytes = 1; bytes < (uint64_t)1 << 50; bytes += bytes / 3 + 1) {
		uint64_t kept = demand_bytes(demand_code(bytes));
		ck_assert_uint_ge(kept, bytes);
		ck_assert_uint_le(kept - bytes, bytes / 8 + (1 << 20));
	}
	ck_assert_uint_eq(demand_code(UINT64_MAX), 0xff);
}
END_TEST

START_TEST(keys_order_by_priority_then_by_submission)
{
	static const int priority[] = { PRIORITY_MIN, -1, 0, 1, PRIORITY_MAX };
	for (size_t i = 0; i < COUNT_OF(priority); i++) {
		ck_assert_int_eq(key_priority(key_make(priority[i], 77)), priority[i]);
		ck_assert_uint_gt(key_make(priority[i], 1), key_make(priority[i], 2));
		if (i > 0) /* the last key of a level sorts before the first key of the next lower
			      level */
			ck_assert_uint_gt(key_make(priority[i], ((uint64_t)1 << 48) - 1),
			    key_make(priority[i - 1], 0));
	}
}
END_TEST

START_TEST(only_a_living_generation_is_found_by_its_reference)
{
	uint64_t word;
	sh_store(&tables.record[5].state, word_make(3, 0, 0, RECORD_DONE, 0));
	ck_assert_ptr_eq(record_lookup(&tables, record_ref(5, 3), &word), &tables.record[5]);
	ck_assert_int_eq(word_state(word), RECORD_DONE);
	ck_assert_ptr_null(record_lookup(&tables, record_ref(5, 2), &word));
	ck_assert_ptr_null(record_lookup(&tables, record_ref(6, 0), &word));
	ck_assert_ptr_null(record_lookup(&tables, record_ref(limits.records, 3), &word));
	ck_assert_ptr_null(record_lookup(&tables, record_ref(UINT32_MAX, 3), &word));
	sh_store(&tables.record[5].state, word_make(3, 0, 0, RECORD_STATES, 0));
	ck_assert_ptr_null(record_lookup(&tables, record_ref(5, 3), &word));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("record");
	TCase *record = tcase_create("record");
	tcase_set_timeout(record, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(record, create, tables_case_detach);
	tcase_add_test(record, a_record_takes_the_legal_steps_and_no_other);
	tcase_add_test(record, a_step_from_a_word_that_moved_changes_nothing_and_tells_the_new_one);
	tcase_add_test(record, a_word_holds_its_fields_apart_up_to_their_limits);
	tcase_add_test(record, only_a_task_that_runs_is_asked_to_go_back_and_only_once);
	tcase_add_test(record, returns_leave_numbers_of_attempts_for_all_the_retries);
	tcase_add_test(record, a_demand_is_kept_rounded_up_by_an_eighth_at_most);
	tcase_add_test(record, keys_order_by_priority_then_by_submission);
	tcase_add_test(record, only_a_living_generation_is_found_by_its_reference);
	suite_add_tcase(suite, record);
	return run_suite(suite);
}
