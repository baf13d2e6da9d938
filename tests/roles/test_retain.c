/* test_retain.c - finished results that only the runtime keeps: which results leave, in which
 * order, and which stay. Scheduler and workers are threads. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"

enum { WORKERS = 2, RECORDS = 256, MANY = 2000, SOME = 10, NUMBER_BYTES = 16, LARGE = 1 << 18 };

static const struct limits small = {
	.processes = 64, .workers = WORKERS, .records = RECORDS, .nodes = 1, .store_bytes = 16 << 20
};

/* ---- kept tasks ---- */

static plm_ref kept_task(
    const char *function, const plm_arg *args, size_t n, const plm_terms *terms)
{
	plm_task task = {
		.function = function, .args = args, .nargs = n, .flags = PLM_KEEP, .terms = terms
	};
	return submit(rt, &task);
}

static plm_ref kept_text(const char *text, const plm_terms *terms)
{
	return kept_task("probe.echo", &PLM_BYTES(text, strlen(text)), 1, terms);
}

/* The task has ended, and the client has dropped it. */
static plm_ref left_to_the_runtime(plm_ref ref)
{
	expect_wait(rt, ref);
	plm_drop(rt, ref);
	ck_assert_int_eq(handle_sync(rt), 0);
	return ref;
}

static plm_ref kept_number(int number)
{
	char text[NUMBER_BYTES];
	snprintf(text, sizeof text, "%d", number);
	return left_to_the_runtime(kept_text(text, NULL));
}

static plm_ref kept_failure(void)
{
	const plm_arg args[] = { PLM_BYTES("boom", 4), PLM_BYTES("7", 1) };
	return left_to_the_runtime(kept_task("probe.fail", args, 2, NULL));
}

static bool is_there(plm_ref ref)
{
	uint64_t word;
	return record_lookup(&roles.tables, ref.id, &word) != NULL;
}

static void expect_left(plm_ref ref)
{
	ck_assert_int_eq(plm_hold(rt, ref), -ESTALE);
	ck_assert_msg(strstr(plm_why(), "has left") != NULL, "%s", plm_why());
}

/* More tasks than the table holds; unfinished tasks cannot make room. */
static void flood(uint32_t n)
{
	plm_patience(rt, LONG_MS);
	for (uint32_t i = 0; i < n; i++) {
		plm_ref ref = kept_text("flood", NULL);
		plm_drop(rt, ref);
	}
}

/* The same, each task ends before the next begins: so all others can make room. */
static void flood_in_turn(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		left_to_the_runtime(kept_text("flood", NULL));
}

static bool has_left(void *context)
{
	return sh_load(&roles.tables.control->left) >= *(uint64_t *)context;
}

static void until_left(uint64_t n)
{
	roles_until(has_left, &n, "results that leave");
}

static bool nothing_is_kept(void *context)
{
	(void)context;
	for (uint32_t i = 0; i < pool_fresh(&roles.tables.pool); i++)
		if (hold_test(&roles.tables, i, SLOT_MANAGER))
			return false;
	return true;
}

/* At the end of a test: all kept results leave. */
static void all_leave(void)
{
	roles_stop_scheduler(&roles);
	roles.tables.control->retention = (struct retention){ .age_ms = 1 };
	roles_start_scheduler(&roles);
	roles_until(nothing_is_kept, NULL, "all kept results have left");
}

/* ---- room ---- */

START_TEST(a_table_full_of_kept_results_makes_room_by_the_oldest)
{
	plm_ref first = kept_number(1), last = PLM_NONE;
	plm_patience(rt, 0); /* no submission is refused, although the caller does not wait */
	for (int i = 0; i < MANY; i++)
		last = kept_number(i);
	expect_left(first);
	ck_assert(is_there(last));
	ck_assert_uint_gt(sh_load(&roles.tables.control->left), MANY - RECORDS);
	all_leave();
}
END_TEST

START_TEST(a_store_full_of_kept_results_makes_room)
{
	static char large[LARGE];
	for (int i = 0; i < 200; i++) {
		plm_ref object = put(rt, large, sizeof large);
		left_to_the_runtime(kept_task("probe.echo", &PLM_FUTURE(object), 1, NULL));
		plm_drop(rt, object);
	}
	plm_ref object = put(rt, large, sizeof large);
	plm_drop(rt, object);
	all_leave();
}
END_TEST

/* A worker may report late that a task has settled, so a single flood may come too early. */
static bool leaves_for_more(void *ref)
{
	flood(SOME);
	return !is_there(*(const plm_ref *)ref);
}

START_TEST(what_a_client_holds_a_task_needs_or_that_is_an_object_stays)
{
	plm_ref held = kept_text("held", NULL), needed = kept_text("12", NULL), unsealed, object;
	void *data;
	ck_assert_int_eq(plm_create(rt, 1, &data, &unsealed), 0);
	expect_wait(rt, held);
	const plm_arg args[] = { PLM_FUTURE(needed), PLM_FUTURE(unsealed) };
	plm_ref waits = submit_args(rt, "probe.sum", args, 2);
	left_to_the_runtime(needed);
	object = put(rt, "object", 6);
	ck_assert_int_eq(plm_keep(rt, object), 0);
	plm_drop(rt, object);
	flood(MANY);
	expect_text(rt, held, "held");
	ck_assert(is_there(object));
	memcpy(data, "3", 1);
	ck_assert_int_eq(plm_seal(rt, unsealed), 0);
	expect_text(rt, waits, "15");
	plm_drop(rt, waits);
	plm_drop(rt, unsealed);
	plm_drop(rt, held);
	flood(MANY); /* now results may leave */
	roles_until(leaves_for_more, &held, "a result that its client dropped has left");
	roles_until(leaves_for_more, &needed, "the argument of a settled task has left");
	ck_assert(is_there(object));
	ck_assert_int_eq(plm_forget(rt, object), 0);
	all_leave();
}
END_TEST

START_TEST(a_failed_task_outlives_those_that_went_well_and_is_not_kept_for_ever)
{
	plm_ref failed = kept_failure(), first = kept_number(1);
	flood_in_turn(RECORDS / 2);
	kept_number(2);
	flood_in_turn(RECORDS);
	ck_assert(!is_there(first));
	ck_assert(is_there(failed));
	for (int i = 0; i < MANY / 4; i++)
		kept_failure();
	ck_assert(!is_there(failed));
	all_leave();
}
END_TEST

START_TEST(a_result_with_a_time_of_its_own_stays_whatever_room_is_needed)
{
	const plm_terms hour = { .keep_ms = 3600000 }, moment = { .keep_ms = 1 };
	plm_ref promised = left_to_the_runtime(kept_text("promised", &hour));
	plm_ref brief = kept_text("brief", &moment);
	plm_drop(rt, brief);
	until_left(1);
	ck_assert(!is_there(brief));
	flood(MANY);
	ck_assert_int_eq(plm_hold(rt, promised), 0);
	expect_text(rt, promised, "promised");
	plm_drop(rt, promised);
	ck_assert_int_eq(plm_forget(rt, promised), 0);
	all_leave();
}
END_TEST

START_TEST(where_all_are_to_stay_a_full_table_is_told_with_the_remedy)
{
	static plm_ref refs[RECORDS + 1];
	uint32_t n = 0;
	int r = 0;
	roles.tables.control->retention.stay = 1;
	for (; n <= RECORDS && r == 0; n++) {
		plm_task task = { .function = "probe.noop", .flags = PLM_KEEP };
		r = plm_submit(rt, &task, &refs[n]);
		if (r == 0)
			left_to_the_runtime(refs[n]);
	}
	ck_assert_int_eq(r, -ENOSPC);
	ck_assert_msg(strstr(plm_why(), "plmctl forget --finished") != NULL, "%s", plm_why());
	while (n-- > 0)
		plm_forget(rt, refs[n]);
	all_leave();
}
END_TEST

/* ---- number and age ---- */

START_TEST(of_more_than_the_number_the_oldest_leave)
{
	plm_ref refs[SOME];
	for (int i = 0; i < SOME; i++)
		refs[i] = kept_number(i);
	roles.tables.control->retention.count = SOME / 2;
	ck_assert_int_eq(handle_sync(rt), 0);
	until_left(SOME / 2);
	for (int i = 0; i < SOME; i++)
		ck_assert_int_eq(is_there(refs[i]), i >= SOME / 2);
	all_leave();
}
END_TEST

START_TEST(done_failed_and_cancelled_ones_leave_when_their_time_is_over)
{
	roles.tables.control->retention.age_ms = 20;
	kept_number(1);
	kept_failure();
	plm_ref cancelled = kept_task("probe.sleep", &PLM_BYTES("60000", 5), 1, NULL);
	ck_assert_int_eq(plm_cancel(rt, cancelled, 0), 0);
	left_to_the_runtime(cancelled);
	until_left(3);
	all_leave();
}
END_TEST

START_TEST(the_next_scheduler_keeps_the_order)
{
	plm_ref refs[SOME];
	for (int i = 0; i < SOME; i++)
		refs[SOME - 1 - i] = kept_text("late", NULL); /* not the order of their records */
	for (int i = 0; i < SOME; i++) {
		left_to_the_runtime(refs[i]);
		plm_drop(rt, refs[i]);
	}
	roles_stop_scheduler(&roles);
	roles.tables.control->boot_ns -= 3600 * NS_PER_S; /* as if all was long ago */
	for (int i = 0; i < SOME; i++) {
		struct record *r = record_at(&roles.tables, ref_index(refs[i].id));
		r->end_ms = r->submit_ms + (uint32_t)i * 7;
	}
	roles.tables.control->retention.count = SOME / 2;
	roles_start_scheduler(&roles);
	until_left(SOME / 2);
	for (int i = 0; i < SOME; i++)
		ck_assert_msg(is_there(refs[i]) == (i >= SOME / 2), "the %d. to end", i + 1);
	all_leave();
}
END_TEST

/* ---- without a worker ---- */

START_TEST(a_task_that_never_began_leaves_as_late_as_it_was_cancelled)
{
	plm_ref first = kept_task("probe.noop", NULL, 0, NULL);
	ck_assert_int_eq(plm_cancel(rt, first, 0), 0);
	left_to_the_runtime(first);
	const struct record *r = record_at(&roles.tables, ref_index(first.id));
	ck_assert_int_ge((int32_t)(r->end_ms - r->submit_ms), 0);
	ck_assert_int_ge((int32_t)(tables_ms(&roles.tables) - r->end_ms), 0);
	all_leave();
}
END_TEST

/* ---- what people write ---- */

START_TEST(rules_are_read_and_printed)
{
	static const struct {
		const char *text;
		struct retention rules;
	} good[] = {
		{ "all", { .stay = 1 } },
		{ "1000", { .count = 1000 } },
		{ "7d", { .age_ms = UINT64_C(7) * 86400000 } },
		{ "90m", { .age_ms = 5400000 } },
		{ "250ms", { .age_ms = 250 } },
		{ "1000,12h", { .count = 1000, .age_ms = 43200000 } },
	};
	static const char *const bad[] = { "", "0", "0s", "41d", "3,4", "3d,4d", "3,", ",3", "x",
		"-1", "1.5", "all,3", "999999999999", "1,2,3" };
	struct retention rules;
	char text[RETENTION_TEXT_BYTES];
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		ck_assert_int_eq(retention_parse("--keep-finished", good[i].text, &rules), 0);
		ck_assert_mem_eq(&rules, &good[i].rules, sizeof rules);
		retention_print(&rules, text, sizeof text);
		ck_assert_str_eq(text, good[i].text);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(retention_parse("--keep-finished", bad[i], &rules) == -EINVAL,
		    "\"%s\" is taken", bad[i]);
}
END_TEST

static void start(void)
{
	roles_case_start(&small, WORKERS);
}

static void start_without_workers(void)
{
	roles_case_start(&small, 0);
}

int main(void)
{
	const TTest *const tests[] = {
		a_table_full_of_kept_results_makes_room_by_the_oldest,
		a_store_full_of_kept_results_makes_room,
		what_a_client_holds_a_task_needs_or_that_is_an_object_stays,
		a_failed_task_outlives_those_that_went_well_and_is_not_kept_for_ever,
		a_result_with_a_time_of_its_own_stays_whatever_room_is_needed,
		where_all_are_to_stay_a_full_table_is_told_with_the_remedy,
		of_more_than_the_number_the_oldest_leave,
		done_failed_and_cancelled_ones_leave_when_their_time_is_over,
		the_next_scheduler_keeps_the_order,
	};
	Suite *suite = suite_create("retain");
	TCase *tcase = roles_case_add(suite, "kept results", start);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(tcase, tests[i]);
	tcase = roles_case_add(suite, "without a worker", start_without_workers);
	tcase_add_test(tcase, a_task_that_never_began_leaves_as_late_as_it_was_cancelled);
	tcase = tcase_create("rules");
	tcase_add_test(tcase, rules_are_read_and_printed);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
