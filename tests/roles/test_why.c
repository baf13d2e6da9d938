/* test_why.c - every failing public call explains itself: plm_why() never repeats an older
 * failure of another call. A call without anything to work on says so and does not crash. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/why.h"
#include "tests/support/run_suite.h"
#include "tests/support/world.h"

enum { TIMEOUT_S = 20, TOO_MANY_RESULTS = RESULTS_MAX + 1, GUARDS = 4 };

#define NOBODY NULL

static plm *rt;
static plm_ref object, gone; /* of an object; of a freed object */
static plm_ref ref;
static plm_view view;
static plm_failure failure;
static plm_status status;
static plm_store store;
static plm_task task;
static void *data;

/* An older failure, which later reasons must not repeat. */
static void fail_before(void)
{
	ck_assert_int_eq(plm_ref_parse("yesterday", &ref), -EINVAL);
	ck_assert_ptr_nonnull(strstr(plm_why(), "yesterday"));
}

static void expect(const char *call, int expected, int r)
{
	ck_assert_msg(r == expected, "%s: %d, not %d: %s", call, r, expected, plm_why());
	ck_assert_msg(plm_why()[0], "%s: %d without a word", call, r);
	ck_assert_msg(!strstr(plm_why(), "yesterday"), "%s: %d tells an older failure", call, r);
}

#define FAILS(error, call)                     \
	do {                                   \
		fail_before();                 \
		expect(#call, -(error), call); \
	} while (0)

static void boot(void)
{
	world_boot();
	rt = &world.a;
	task = (plm_task){ .function = "probe.noop" };
	object = world_put(rt, "x", 1);
	gone = world_put(rt, "y", 1);
	plm_drop(rt, gone);
	world_settle();
}

static int put_until_full(void)
{
	int r;
	do
		r = plm_put(rt, "x", 1, &ref);
	while (r == 0);
	return r;
}

START_TEST(a_call_that_fails_says_why_itself)
{
	boot();
	plm_task wrong = { .function = "no.such" };
	FAILS(EINVAL, plm_connect(&rt, "no/name"));
	rt = &world.a;
	FAILS(E2BIG, plm_create(rt, (size_t)1 << 40, &data, &ref));
	FAILS(E2BIG, plm_put(rt, "", (size_t)1 << 40, &ref));
	FAILS(ENOSPC, put_until_full());
	FAILS(EINVAL, plm_seal(rt, object));
	FAILS(ESTALE, plm_get(rt, gone, &view, 0));
	FAILS(ENOENT, plm_submit(rt, &wrong, &ref));
	FAILS(ENOENT, plm_submit_many(rt, &wrong, 1, &ref));
	FAILS(EINVAL, plm_wait(rt, &object, 1, 2, 0, NULL));
	FAILS(EINVAL, plm_store_get_sized(rt, NULL, 0));
	FAILS(ESTALE, plm_wait(rt, &gone, 1, 1, 0, NULL));
#ifndef __SANITIZE_ADDRESS__ /* AddressSanitizer ends a process that asks for so much */
	FAILS(ENOMEM, plm_wait(rt, &object, SIZE_MAX / 2 + 1, 0, 0, NULL));
#endif
	FAILS(EALREADY, plm_cancel(rt, object, PLM_GRACE_OF_TASK));
	FAILS(EINVAL, plm_cancel(rt, object, -2));
	FAILS(EALREADY, plm_requeue(rt, object, PLM_GRACE_OF_TASK));
	FAILS(EINVAL, plm_error(rt, object, &failure));
	FAILS(EINVAL, plm_retry(rt, object, 0, &ref));
	FAILS(EINVAL, plm_retry_many(rt, &object, 1, NULL, NULL));
	FAILS(ESTALE, plm_hold(rt, gone));
	FAILS(ESTALE, plm_keep(rt, gone));
	FAILS(ESTALE, plm_forget(rt, gone));
	FAILS(EINVAL, plm_ref_parse("x", &ref));
	FAILS(ENOENT, plm_module_load(rt, "/no/such/file"));
}
END_TEST

/* The same calls for the handle of a parent in a child, and for no handle. */
static void fail_all(plm *handle, int error)
{
	FAILS(error, plm_patience(handle, 0));
	FAILS(error, plm_create(handle, 1, &data, &ref));
	FAILS(error, plm_put(handle, "x", 1, &ref));
	FAILS(error, plm_seal(handle, object));
	FAILS(error, plm_get(handle, object, &view, 0));
	FAILS(error, plm_submit(handle, &task, &ref));
	FAILS(error, plm_submit_many(handle, &task, 1, &ref));
	FAILS(error, plm_wait(handle, &object, 1, 1, 0, NULL));
	FAILS(error, plm_cancel(handle, object, 0));
	FAILS(error, plm_requeue(handle, object, 0));
	FAILS(error, plm_error(handle, object, &failure));
	FAILS(error, plm_retry(handle, object, 0, &ref));
	FAILS(error, plm_hold(handle, object));
	FAILS(error, plm_keep(handle, object));
	FAILS(error, plm_forget(handle, object));
	FAILS(error, plm_fd(handle));
	FAILS(error, plm_module_load(handle, "/"));
	FAILS(error, plm_status_get(handle, &status));
	FAILS(error, plm_store_get(handle, &store));
	FAILS(error, plm_wait_all(handle, 0));
	FAILS(error, plm_set_workers(handle, 1));
	FAILS(error, plm_pause(handle));
	FAILS(error, plm_drain(handle));
	FAILS(error, plm_resume(handle));
	FAILS(error, plm_drain_worker(handle, 0));
	FAILS(error, plm_resume_worker(handle, 0));
	FAILS(error, plm_stop(handle, 0));
}

START_TEST(without_a_handle_every_call_is_refused)
{
	boot();
	fail_all(NOBODY, EINVAL);
	plm_drop(NOBODY, object);
	plm_drop_many(NOBODY, &object, 1);
	plm_release(NOBODY, NULL);
	plm_disconnect(NULL);
}
END_TEST

START_TEST(calls_with_the_handle_of_a_parent_say_why)
{
	boot();
	*rt->alive = 0; /* as after fork() in the child */
	fail_all(rt, ECHILD);
}
END_TEST

START_TEST(without_a_place_for_what_it_gives_a_call_is_refused)
{
	boot();
	FAILS(EINVAL, plm_connect(NULL, NULL));
	FAILS(EINVAL, plm_create(rt, 1, NULL, &ref));
	FAILS(EINVAL, plm_create(rt, 1, &data, NULL));
	FAILS(EINVAL, plm_put(rt, "x", 1, NULL));
	FAILS(EINVAL, plm_put(rt, NULL, 1, &ref));
	FAILS(EINVAL, plm_get(rt, object, NULL, 0));
	FAILS(EINVAL, plm_submit(rt, NULL, &ref));
	FAILS(EINVAL, plm_submit(rt, &task, NULL));
	FAILS(EINVAL, plm_wait(rt, NULL, 1, 1, 0, NULL));
	FAILS(EINVAL, plm_error(rt, object, NULL));
	FAILS(EINVAL, plm_retry(rt, object, 0, NULL));
	FAILS(EINVAL, plm_ref_print(object, NULL));
	FAILS(EINVAL, plm_ref_parse(NULL, &ref));
	FAILS(EINVAL, plm_ref_parse("@1.1.1", NULL));
	FAILS(EINVAL, plm_module_load(rt, NULL));
	FAILS(EINVAL, plm_status_get(rt, NULL));
	plm_drop_many(rt, NULL, 1);
}
END_TEST

/* The last text may be part of the new text. */
START_TEST(a_sentence_may_quote_the_last_one)
{
	fail_before();
	char first[WHY_TEXT_BYTES];
	ck_assert_int_lt(snprintf(first, sizeof first, "line 7: %s", why_text()), WHY_TEXT_BYTES);
	why(-EINVAL, "line %d: %s", 7, why_text());
	ck_assert_str_eq(why_text(), first);
}
END_TEST

/* ---- too many results ---- */

static plm_ref places[GUARDS]; /* the first references belong to the caller, the rest do not */

static bool untouched(int from)
{
	for (int i = from; i < GUARDS; i++)
		if (places[i].id != 1)
			return false;
	return true;
}

START_TEST(too_many_results_are_refused_before_a_reference_is_written_for_each)
{
	plm_task many[] = { task, { .function = "probe.noop", .results = TOO_MANY_RESULTS } };
	boot();
	many[0] = task;
	for (int i = 0; i < GUARDS; i++)
		places[i].id = 1;
	FAILS(E2BIG, plm_submit(rt, &many[1], places));
	ck_assert(places[0].id == 0 && untouched(1));
	FAILS(E2BIG, plm_submit_many(rt, many, 2, places));
	ck_assert(places[0].id == 0 && places[1].id == 0 && untouched(2));
	many[1].results = UINT32_MAX;
	FAILS(E2BIG, plm_submit_many(rt, many, 2, places));
	ck_assert(untouched(2));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("why");
	TCase *tests = tcase_create("why");
	tcase_set_timeout(tests, TIMEOUT_S);
	tcase_add_test(tests, a_call_that_fails_says_why_itself);
	tcase_add_test(tests, without_a_handle_every_call_is_refused);
	tcase_add_test(tests, calls_with_the_handle_of_a_parent_say_why);
	tcase_add_test(tests, without_a_place_for_what_it_gives_a_call_is_refused);
	tcase_add_test(tests, a_sentence_may_quote_the_last_one);
	tcase_add_test(tests, too_many_results_are_refused_before_a_reference_is_written_for_each);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
