/* test_soak.c - tests of the judge: a sound history passes, and each rule that a runtime can
 * break is reported when a history breaks the rule. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "verify/soak/soak_judge.h"
#include "tests/support/run_suite.h"

enum { NOTES_MAX = 64, LIFE = 1, OTHER = 2, WORKER = 500, CODE = 7, STURDY = 100 };
#define TASK task_number(LIFE, 1)
#define AFTER task_number(LIFE, 2) /* depends on the first */
#define VALUE UINT64_C(0xabc)

static struct note note[NOTES_MAX];
static size_t notes;

static void test_soak_empty(void)
{
	notes = 0;
}

/* One moment after the last, by the client of the first life. */
static struct note *test_soak_add(struct note what)
{
	note[notes] = what;
	note[notes].ns = notes + 1;
	if (what.life == 0)
		note[notes].life = LIFE;
	return &note[notes++];
}

static void test_soak_ask(uint64_t task, struct note how)
{
	how.deed = DEED_ASKED;
	how.task = task;
	how.value = VALUE;
	test_soak_add(how);
	test_soak_add((struct note){ .deed = DEED_ACCEPTED, .task = task, .ref = task });
}

static void test_soak_begin(uint64_t task)
{
	test_soak_add((struct note){ .deed = DEED_BEGUN, .task = task, .pid = WORKER });
}

static void test_soak_see(uint64_t task, enum outcome outcome, struct note more)
{
	more.deed = DEED_SEEN;
	more.task = task;
	more.outcome = (uint16_t)outcome;
	if (outcome == OUTCOME_DONE && !more.value)
		more.value = VALUE;
	test_soak_add(more);
}

static void test_soak_leave(uint32_t life)
{
	test_soak_add((struct note){ .deed = DEED_LEFT, .life = life });
}

static struct verdict test_soak_judged(void)
{
	static struct verdict verdict;
	FILE *out = tmpfile(); /* the judge's findings */
	memset(&verdict, 0, sizeof verdict);
	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(judge(&(struct history){ note, notes }, out, &verdict), 0);
	bool told = ftell(out) > 0;
	uint64_t all = 0;
	for (int i = 0; i < FINDINGS; i++)
		all += verdict.found[i];
	ck_assert(told == (all > 0));
	fclose(out);
	return verdict;
}

static void test_soak_expect(enum finding what)
{
	struct verdict v = test_soak_judged();
	for (enum finding f = 0; f < FINDINGS; f++)
		ck_assert_msg(
		    (v.found[f] > 0) == (f == what), "%s: %d", finding_name(f), (int)v.found[f]);
}

static void expect_sound(void)
{
	test_soak_expect(FINDINGS);
}

/* ---- legal histories ---- */

START_TEST(a_task_with_its_value_is_sound)
{
	test_soak_ask(TASK, (struct note){ 0 });
	test_soak_begin(TASK);
	test_soak_see(TASK, OUTCOME_DONE, (struct note){ 0 });
	test_soak_see(TASK, OUTCOME_DONE, (struct note){ .life = OTHER });
	test_soak_leave(LIFE);
	expect_sound();
}
END_TEST

START_TEST(a_task_whose_worker_was_killed_may_fail_once)
{
	test_soak_ask(TASK, (struct note){ 0 });
	test_soak_begin(TASK);
	test_soak_add((struct note){ .deed = DEED_KILLS, .pid = WORKER, .code = VICTIM_WORKER });
	test_soak_see(TASK, OUTCOME_FAILED, (struct note){ .code = EOWNERDEAD, .signal = SIGKILL });
	test_soak_leave(LIFE);
	expect_sound();
}
END_TEST

START_TEST(what_depends_on_a_failed_task_fails_with_it)
{
	test_soak_ask(TASK, (struct note){ .code = CODE });
	test_soak_begin(TASK);
	test_soak_add((struct note){ .deed = DEED_ENDED, .task = TASK, .code = CODE });
	test_soak_ask(AFTER, (struct note){ .input = { TASK } });
	test_soak_see(TASK, OUTCOME_FAILED, (struct note){ .code = CODE, .ref = TASK });
	test_soak_see(AFTER, OUTCOME_FAILED, (struct note){ .code = CODE, .ref = TASK });
	test_soak_leave(LIFE);
	expect_sound();
}
END_TEST

START_TEST(a_future_may_be_gone_with_a_killed_client)
{
	test_soak_ask(TASK, (struct note){ 0 });
	test_soak_see(TASK, OUTCOME_GONE, (struct note){ .life = OTHER });
	test_soak_leave(OTHER);
	ck_assert_uint_eq(test_soak_judged().orphaned, 1);
	expect_sound();
}
END_TEST

/* ---- illegal histories ---- */

START_TEST(a_lost_task_is_told)
{
	test_soak_ask(TASK, (struct note){ 0 });
	if (_i)
		test_soak_see(TASK, OUTCOME_GONE, (struct note){ .life = _i == 2 ? OTHER : LIFE });
	test_soak_leave(LIFE);
	test_soak_expect(FOUND_LOST);
}
END_TEST

START_TEST(a_second_attempt_is_told)
{
	test_soak_ask(TASK, (struct note){ 0 });
	test_soak_begin(TASK);
	test_soak_begin(TASK);
	test_soak_see(TASK, OUTCOME_DONE, (struct note){ 0 });
	test_soak_leave(LIFE);
	test_soak_expect(FOUND_DOUBLED);
}
END_TEST

START_TEST(an_attempt_after_the_end_is_told)
{
	test_soak_ask(TASK, (struct note){ .retries = STURDY, .crash_retries = STURDY });
	test_soak_begin(TASK);
	test_soak_see(TASK, OUTCOME_DONE, (struct note){ 0 });
	test_soak_begin(TASK);
	test_soak_leave(LIFE);
	test_soak_expect(FOUND_DOUBLED);
}
END_TEST

START_TEST(a_second_commit_is_told)
{
	test_soak_ask(TASK, (struct note){ 0 });
	test_soak_see(TASK, OUTCOME_DONE, (struct note){ 0 });
	test_soak_see(TASK, OUTCOME_FAILED, (struct note){ .code = ENOSPC, .life = OTHER });
	test_soak_leave(LIFE);
	test_soak_expect(FOUND_DOUBLED);
}
END_TEST

START_TEST(a_wrong_value_is_told)
{
	test_soak_ask(TASK, (struct note){ 0 });
	test_soak_see(TASK, OUTCOME_DONE, (struct note){ .value = VALUE + 1 });
	test_soak_leave(LIFE);
	test_soak_expect(FOUND_WRONG);
}
END_TEST

START_TEST(a_value_of_what_must_fail_is_told)
{
	test_soak_ask(TASK, (struct note){ .code = _i ? CODE : 0 });
	test_soak_ask(AFTER, (struct note){ .input = { TASK } });
	if (_i)
		test_soak_see(TASK, OUTCOME_DONE, (struct note){ 0 });
	else
		test_soak_see(TASK, OUTCOME_FAILED, (struct note){ .code = ENOSPC, .ref = TASK });
	test_soak_see(AFTER, OUTCOME_DONE, (struct note){ 0 });
	test_soak_leave(LIFE);
	test_soak_expect(FOUND_WRONG);
}
END_TEST

START_TEST(a_damaged_object_is_told)
{
	test_soak_ask(TASK, (struct note){ .work = WORK_OBJECT });
	test_soak_see(TASK, OUTCOME_DONE, (struct note){ 0 });
	test_soak_see(TASK, OUTCOME_DONE, (struct note){ .life = OTHER });
	note[2].value++;
	note[3].value++;
	test_soak_leave(LIFE);
	test_soak_expect(FOUND_DAMAGED);
}
END_TEST

/* The notes of a failed task, and the reason that would explain the failure. */
static const struct note failures[] = { { .code = EOWNERDEAD, .signal = SIGKILL }, { .code = CODE },
	{ .code = ETIMEDOUT }, { .code = ECANCELED }, { .code = EIO } };

START_TEST(a_failure_that_nothing_accounts_for_is_told)
{
	test_soak_ask(TASK, (struct note){ 0 });
	test_soak_begin(TASK);
	test_soak_add(
	    (struct note){ .deed = DEED_KILLS, .pid = WORKER + 1, .code = VICTIM_WORKER });
	test_soak_see(TASK, OUTCOME_FAILED, failures[_i]);
	test_soak_leave(LIFE);
	test_soak_expect(FOUND_UNFOUNDED);
}
END_TEST

START_TEST(a_failure_with_retries_left_is_told)
{
	test_soak_ask(TASK, (struct note){ .code = CODE, .retries = 1, .crash_retries = STURDY });
	test_soak_begin(TASK);
	if (_i) {
		test_soak_add(
		    (struct note){ .deed = DEED_KILLS, .pid = WORKER, .code = VICTIM_WORKER });
		test_soak_see(TASK, OUTCOME_FAILED, failures[0]);
	} else {
		test_soak_add((struct note){ .deed = DEED_ENDED, .task = TASK, .code = CODE });
		test_soak_see(TASK, OUTCOME_FAILED, failures[1]);
	}
	test_soak_leave(LIFE);
	test_soak_expect(FOUND_UNFOUNDED);
}
END_TEST

START_TEST(a_failure_by_a_stranger_is_told)
{
	test_soak_ask(TASK, (struct note){ 0 });
	test_soak_see(TASK, OUTCOME_FAILED, (struct note){ .code = ENOSPC, .ref = TASK });
	test_soak_ask(AFTER, (struct note){ 0 });
	test_soak_see(AFTER, OUTCOME_FAILED, (struct note){ .code = ENOSPC, .ref = TASK });
	test_soak_leave(LIFE);
	test_soak_expect(FOUND_UNFOUNDED);
}
END_TEST

START_TEST(a_cancellation_nobody_asked_for_is_told)
{
	test_soak_ask(TASK, (struct note){ 0 });
	test_soak_see(TASK, OUTCOME_CANCELLED, (struct note){ 0 });
	test_soak_leave(LIFE);
	test_soak_expect(FOUND_UNFOUNDED);
}
END_TEST

START_TEST(a_refusal_that_was_none_is_told)
{
	test_soak_add((struct note){ .deed = DEED_ASKED, .task = TASK });
	test_soak_add(
	    (struct note){ .deed = DEED_REFUSED, .task = TASK, .code = _i ? EIO : ENOSPC });
	if (_i == 0)
		test_soak_begin(TASK);
	test_soak_leave(LIFE);
	test_soak_expect(FOUND_UNFOUNDED);
}
END_TEST

START_TEST(what_hangs_is_told)
{
	test_soak_ask(TASK, (struct note){ 0 });
	test_soak_add((struct note){ .deed = DEED_HUNG, .task = TASK });
	test_soak_add((struct note){ .deed = DEED_DROPS, .task = TASK });
	test_soak_leave(LIFE);
	test_soak_expect(FOUND_HUNG);
}
END_TEST

/* ---- history files ---- */

START_TEST(what_a_killed_process_wrote_is_read_in_the_order_of_time)
{
	char place[] = "/tmp/plm-test-XXXXXX", path[HISTORY_PATH];
	struct history h;
	ck_assert_ptr_nonnull(mkdtemp(place));
	int one = history_open(place, "one"), two = history_open(place, "two");
	for (uint64_t i = 1; i <= 10; i++)
		ck_assert_int_eq(history_write(i % 3 ? one : two,
				     (struct note){ .deed = DEED_BEGUN, .task = i }),
		    0);
	for (int again = 0; again < 2; again++) {
		ck_assert_int_eq(history_read(place, 1, &h), 0);
		ck_assert_uint_eq(h.n, again ? 0 : 10);
		for (size_t i = 0; i < h.n; i++)
			ck_assert_uint_eq(h.note[i].task, i + 1);
		free(h.note);
	}
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s-%d", place, i ? "one" : "two", (int)getpid());
		ck_assert_int_eq(unlink(path), 0);
	}
	ck_assert_int_eq(rmdir(place), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("soak");
	TCase *may = tcase_create("may be"), *not = tcase_create("may not be");
	tcase_add_checked_fixture(may, test_soak_empty, NULL);
	tcase_add_test(may, a_task_with_its_value_is_sound);
	tcase_add_test(may, a_task_whose_worker_was_killed_may_fail_once);
	tcase_add_test(may, what_depends_on_a_failed_task_fails_with_it);
	tcase_add_test(may, a_future_may_be_gone_with_a_killed_client);
	tcase_add_test(may, what_a_killed_process_wrote_is_read_in_the_order_of_time);
	tcase_add_checked_fixture(not, test_soak_empty, NULL);
	tcase_add_loop_test(not, a_lost_task_is_told, 0, 3);
	tcase_add_test(not, a_second_attempt_is_told);
	tcase_add_test(not, an_attempt_after_the_end_is_told);
	tcase_add_test(not, a_second_commit_is_told);
	tcase_add_test(not, a_wrong_value_is_told);
	tcase_add_loop_test(not, a_value_of_what_must_fail_is_told, 0, 2);
	tcase_add_test(not, a_damaged_object_is_told);
	tcase_add_loop_test(not, a_failure_that_nothing_accounts_for_is_told, 0,
	    sizeof failures / sizeof failures[0]);
	tcase_add_loop_test(not, a_failure_with_retries_left_is_told, 0, 2);
	tcase_add_test(not, a_failure_by_a_stranger_is_told);
	tcase_add_test(not, a_cancellation_nobody_asked_for_is_told);
	tcase_add_loop_test(not, a_refusal_that_was_none_is_told, 0, 2);
	tcase_add_test(not, what_hangs_is_told);
	suite_add_tcase(suite, may);
	suite_add_tcase(suite, not );
	return run_suite(suite);
}
