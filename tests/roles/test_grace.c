/* test_grace.c - each cancelled attempt has its own grace (grace.h): a later cancellation of
 * another task by the same process, before the scheduler reads either, changes nothing. */
#include <check.h>
#include <errno.h>

#include "tables/grace.h"
#include "tests/support/run_suite.h"
#include "tests/support/world.h"

enum { TIMEOUT_S = 20, LONG_MS = 60000, OF_TERMS_MS = 1234 };

static const plm_terms terms = { .grace_ms = OF_TERMS_MS };

static plm_ref running(const plm_terms *with)
{
	plm_ref ref;
	plm_task task = { .function = "probe.noop", .terms = with };
	ck_assert_int_eq(plm_submit(&world.b, &task, &ref), 0);
	world_settle();
	world_claim_only(ref);
	return ref;
}

/* The grace that the scheduler applies. */
static uint32_t grace_in_force(plm_ref ref)
{
	return world.scheduler.limits.stops[ref_index(ref.id)].grace_ms;
}

START_TEST(each_task_has_the_grace_it_was_given)
{
	world_boot();
	plm_ref patient = running(NULL), hurried = running(NULL);
	ck_assert_int_eq(plm_cancel(&world.a, patient, LONG_MS), 0);
	ck_assert_int_eq(plm_cancel(&world.a, hurried, 0), 0);
	world_settle(); /* the scheduler reads both requests only now */
	ck_assert_uint_eq(grace_in_force(patient), LONG_MS);
	ck_assert_uint_eq(grace_in_force(hurried), 0);
}
END_TEST

START_TEST(a_grace_outlives_the_scheduler)
{
	world_boot();
	plm_ref patient = running(NULL);
	ck_assert_int_eq(plm_requeue(&world.a, patient, LONG_MS), 0);
	world_settle();
	scheduler_close(&world.scheduler); /* the scheduler dies with its private memory */
	world_recover(SLOT_SCHEDULER);
	ck_assert_uint_eq(grace_in_force(patient), LONG_MS);
}
END_TEST

START_TEST(a_cancel_without_a_grace_leaves_it_to_the_terms_of_the_task)
{
	world_boot();
	plm_ref plain = running(NULL), with_terms = running(&terms);
	ck_assert_int_eq(plm_cancel(&world.a, plain, PLM_GRACE_OF_TASK), 0);
	ck_assert_int_eq(plm_cancel(&world.a, with_terms, PLM_GRACE_OF_TASK), 0);
	world_settle();
	ck_assert_uint_eq(grace_in_force(plain), CANCEL_GRACE_MS);
	ck_assert_uint_eq(grace_in_force(with_terms), OF_TERMS_MS);
}
END_TEST

START_TEST(a_second_cancel_overrides_the_grace)
{
	world_boot();
	plm_ref ref = running(NULL);
	ck_assert_int_eq(plm_cancel(&world.a, ref, LONG_MS), 0);
	world_settle();
	ck_assert_int_eq(plm_cancel(&world.b, ref, 0), 0);
	world_settle();
	ck_assert_uint_eq(grace_in_force(ref), 0);
	ck_assert_int_eq(plm_cancel(&world.b, ref, PLM_GRACE_OF_TASK), 0);
	world_settle();
	ck_assert_uint_eq(grace_in_force(ref), 0);
}
END_TEST

/* A process that died between the two steps has cancelled nothing. */
START_TEST(a_grace_without_a_question_is_not_taken_by_who_asks_next)
{
	world_boot();
	plm_ref ref = running(NULL);
	uint64_t word;
	ck_assert_ptr_nonnull(record_lookup(&world.tables, ref.id, &word));
	grace_name(&world.tables, ref_index(ref.id), word, LONG_MS);
	ck_assert_int_eq(plm_cancel(&world.a, ref, PLM_GRACE_OF_TASK), 0);
	world_settle();
	ck_assert_uint_eq(grace_in_force(ref), CANCEL_GRACE_MS);
}
END_TEST

START_TEST(a_grace_of_a_former_attempt_is_none_of_the_next)
{
	world_boot();
	plm_ref ref = running(NULL);
	uint64_t word;
	ck_assert_int_eq(plm_requeue(&world.a, ref, LONG_MS), 0);
	struct record *r = record_lookup(&world.tables, ref.id, &word);
	uint64_t next = word_make(word_generation(word), word_owner(word), word_attempt(word) + 1,
	    RECORD_RUNNING, FLAG_CANCEL);
	ck_assert_uint_eq(grace_of(&world.tables, record_index(&world.tables, r), word), LONG_MS);
	ck_assert_uint_eq(
	    grace_of(&world.tables, record_index(&world.tables, r), next), CANCEL_GRACE_MS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("grace");
	TCase *tests = tcase_create("grace");
	tcase_set_timeout(tests, TIMEOUT_S);
	tcase_add_test(tests, each_task_has_the_grace_it_was_given);
	tcase_add_test(tests, a_grace_outlives_the_scheduler);
	tcase_add_test(tests, a_cancel_without_a_grace_leaves_it_to_the_terms_of_the_task);
	tcase_add_test(tests, a_second_cancel_overrides_the_grace);
	tcase_add_test(tests, a_grace_without_a_question_is_not_taken_by_who_asks_next);
	tcase_add_test(tests, a_grace_of_a_former_attempt_is_none_of_the_next);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
