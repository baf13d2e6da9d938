/* test_detail.c - the detail of a failure (plm_fail_detail); and holds that outlive their task, as
 * objects of Python in a worker need (handle.h, adopts). At the end of each test the ledger must be
 * empty (roles_stop). */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"

enum { WORKERS = 1 };

static const struct limits small = {
	.processes = 64, .workers = WORKERS, .records = 1024, .nodes = 1, .store_bytes = 4 << 20
};

static char detail[PLM_DETAIL_BYTES + 1];

static plm_ref fail_with_detail(size_t bytes)
{
	const plm_arg args[] = { PLM_BYTES("broken", 6), PLM_BYTES("42", 2),
		PLM_BYTES(detail, bytes) };
	return submit_args(rt, "probe.fail", args, 3);
}

static void expect_detail(plm_ref ref, size_t bytes)
{
	plm_view view;
	ck_assert_str_eq(expect_failure(rt, ref, 42).message, "broken");
	ck_assert_int_eq(plm_failure_detail(rt, ref, &view), 0);
	ck_assert_uint_eq(view.len, bytes);
	ck_assert(bytes == 0 || memcmp(view.data, detail, bytes) == 0);
	plm_release(rt, &view);
}

START_TEST(a_detail_of_any_length_stands_behind_the_message)
{
	static const size_t lengths[] = { 0, 1, 5, 17, 24, 25, 4096, PLM_DETAIL_BYTES };
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		plm_ref bad = fail_with_detail(lengths[i]);
		expect_detail(bad, lengths[i]);
		plm_drop(rt, bad);
	}
}
END_TEST

START_TEST(a_detail_of_zero_bytes_does_not_cut_the_next_reader_short)
{
	memset(detail, 0, 100);
	plm_ref bad = fail_with_detail(100);
	expect_detail(bad, 100);
	plm_drop(rt, bad);
}
END_TEST

START_TEST(a_detail_travels_with_the_failure)
{
	plm_ref bad = fail_with_detail(1000), next = submit_after(rt, "probe.echo", bad);
	plm_ref end = submit_after(rt, "probe.echo", next);
	expect_detail(end, 1000);
	plm_ref late = submit_after(rt, "probe.echo", end);
	expect_detail(late, 1000);
	plm_drop_many(rt, (plm_ref[]){ bad, next, end, late }, 4);
}
END_TEST

START_TEST(too_long_a_detail_is_refused)
{
	plm_ref bad = fail_with_detail(PLM_DETAIL_BYTES + 1);
	ck_assert_ptr_nonnull(strstr(expect_failure(rt, bad, EINVAL).message, "65536"));
	plm_drop(rt, bad);
}
END_TEST

START_TEST(only_a_failed_task_has_a_detail)
{
	plm_view view;
	plm_ref good = submit_text(rt, "probe.echo", "well");
	expect_text(rt, good, "well");
	ck_assert_int_eq(plm_failure_detail(rt, good, &view), -EINVAL);
	void *data;
	plm_ref object;
	ck_assert_int_eq(plm_create(rt, 1, &data, &object), 0);
	ck_assert_int_eq(plm_failure_detail(rt, object, &view), -EAGAIN);
	ck_assert_int_eq(plm_failure_detail(rt, object, NULL), -EINVAL);
	plm_drop(rt, object);
	plm_drop(rt, good);
	ck_assert_int_eq(plm_failure_detail(rt, PLM_NONE, &view), -EINVAL);
	ck_assert_int_eq(
	    plm_failure_detail(rt, (plm_ref){ good.id, good.runtime + 1 }, &view), -EXDEV);
}
END_TEST

/* Results of tasks fill the store until not even `bytes` more find room. */
static size_t fill_store(plm_ref *ret, const char *bytes)
{
	size_t n = 0;
	plm_view view;
	for (;; n++) {
		ret[n] = submit_text(rt, "probe.fill", bytes);
		if (plm_get(rt, ret[n], &view, LONG_MS) < 0)
			break;
		plm_release(rt, &view);
	}
	plm_drop(rt, ret[n]);
	return n;
}

START_TEST(in_a_full_store_the_message_stays)
{
	plm_ref room[256];
	plm_ref object = put(rt, detail, PLM_DETAIL_BYTES);
	const plm_arg args[] = { PLM_BYTES("broken", 6), PLM_BYTES("42", 2), PLM_FUTURE(object) };
	roles.worker[0]->worker.rt.patience_ms = 0;
	size_t n = fill_store(room, "262144");
	n += fill_store(room + n, "32768");
	plm_ref bad = submit_args(rt, "probe.fail", args, 3);
	expect_detail(bad, 0);
	plm_drop_many(rt, room, n);
	plm_drop(rt, bad);
	plm_drop(rt, object);
}
END_TEST

/* ---- holds of tasks ---- */

static bool ends_itself(void)
{
	return false;
}

static bool object_is_gone(void *context)
{
	const plm_ref *ref = context;
	uint64_t word;
	return !record_lookup(&roles.tables, ref->id, &word);
}

static plm_ref hold_in_a_task(void)
{
	char text[PLM_REF_TEXT_BYTES];
	plm_ref object = put(rt, detail, 1000);
	plm_ref_print(object, text);
	plm_ref task = submit_text(rt, "test.hold", text);
	expect_bytes(rt, task, "", 0);
	plm_drop(rt, task);
	return object;
}

START_TEST(a_hold_of_a_function_ends_with_its_task)
{
	plm_ref object = hold_in_a_task();
	plm_drop(rt, object);
	roles_until(object_is_gone, &object, "the hold of the function stays");
}
END_TEST

START_TEST(a_hold_of_code_that_ends_its_holds_outlives_the_task)
{
	struct plm *worker = &roles.worker[0]->worker.rt;
	worker->adopts = ends_itself;
	plm_ref object = hold_in_a_task();
	plm_drop(rt, object);
	plm_ref next = submit_text(rt, "probe.echo", "another task ends");
	expect_text(rt, next, "another task ends");
	plm_drop(rt, next);
	ck_assert_int_eq(plm_sync(rt), 0);
	ck_assert(!object_is_gone(&object));
	plm_drop(worker, object);
	roles_until(object_is_gone, &object, "the hold of the worker stays");
}
END_TEST

static void start_small(void)
{
	for (size_t i = 0; i < sizeof detail; i++)
		detail[i] = (char)(i % 255 + 1);
	roles_case_start(&small, WORKERS);
}

int main(void)
{
	Suite *suite = suite_create("roles: the detail of a failure");
	TCase *tests = roles_case_add(suite, "detail", start_small);
	tcase_add_test(tests, a_detail_of_any_length_stands_behind_the_message);
	tcase_add_test(tests, a_detail_of_zero_bytes_does_not_cut_the_next_reader_short);
	tcase_add_test(tests, a_detail_travels_with_the_failure);
	tcase_add_test(tests, too_long_a_detail_is_refused);
	tcase_add_test(tests, only_a_failed_task_has_a_detail);
	tcase_add_test(tests, in_a_full_store_the_message_stays);
	tcase_add_test(tests, a_hold_of_a_function_ends_with_its_task);
	tcase_add_test(tests, a_hold_of_code_that_ends_its_holds_outlives_the_task);
	return run_suite(suite);
}
