/* test_roles_objects.c - objects, references, waiting and limits, with scheduler and workers as
 * threads: see test_roles.c. */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"

enum { WORKERS = 2 };

static const struct limits roomy = {
	.processes = 64, .workers = WORKERS, .records = 8192, .nodes = 1, .store_bytes = 16 << 20
};
static const struct limits tight = {
	.processes = 64, .workers = 1, .records = 64, .nodes = 1, .store_bytes = 1 << 20
};

/* ---- objects ---- */

START_TEST(an_object_of_any_size_comes_back_as_it_was)
{
	static const size_t sizes[] = { 0, 1, 24, 25, 2048, 2049, 4096, 100000, 1 << 20 };
	unsigned char *data = malloc(1 << 20);
	uint64_t random = RANDOM_SEED;
	for (size_t i = 0; i < 1 << 20; i++)
		data[i] = (unsigned char)random_next(&random);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		plm_ref ref = put(rt, data, sizes[i]);
		expect_bytes(rt, ref, data, sizes[i]);
		plm_ref echo = submit_after(rt, "probe.echo", ref);
		expect_bytes(rt, echo, data, sizes[i]);
		plm_drop_many(rt, (plm_ref[]){ ref, echo }, 2);
	}
	free(data);
}
END_TEST

START_TEST(an_object_is_written_in_place_and_sealed_once)
{
	void *data;
	plm_ref ref;
	plm_view view;
	plm *other = roles_join(&roles);
	ck_assert_int_eq(plm_create(rt, 5000, &data, &ref), 0);
	ck_assert_uint_eq((uintptr_t)data % 64, 0);
	ck_assert_int_eq(plm_get(rt, ref, &view, 0), -ETIMEDOUT);
	ck_assert_int_eq(plm_seal(other, ref), -EINVAL);
	memset(data, 'z', 5000);
	ck_assert_int_eq(plm_seal(rt, ref), 0);
	ck_assert_int_eq(plm_seal(rt, ref), -EINVAL);
	ck_assert_int_eq(plm_get(rt, ref, &view, 0), 0);
	ck_assert_uint_eq(view.len, 5000);
	plm_drop(rt, ref); /* held by the view */
	ck_assert_int_eq(((const char *)view.data)[4999], 'z');
	plm_release(rt, &view);
	roles_leave(&roles, &other);
}
END_TEST

START_TEST(a_reference_from_elsewhere_can_be_held_beyond_its_giver)
{
	plm *giver = roles_join(&roles);
	plm_ref ref = put(giver, "shared among processes and long", 31);
	ck_assert_int_eq(plm_hold(rt, ref), 0);
	plm_drop(giver, ref);
	roles_leave(&roles, &giver);
	expect_text(rt, ref, "shared among processes and long");
	plm_drop(rt, ref);
}
END_TEST

static bool is_gone(void *context)
{
	plm_ref *ref = context;
	uint64_t word;
	return record_lookup(&roles.tables, ref->id, &word) == NULL;
}

START_TEST(what_nobody_holds_is_gone_and_its_reference_stale)
{
	plm_ref ref = put(rt, "short", 5), kept = put(rt, "kept", 4);
	plm_view view;
	plm_drop(rt, ref);
	roles_until(is_gone, &ref, "a dropped object is freed");
	ck_assert_int_eq(plm_get(rt, ref, &view, 0), -ESTALE);
	ck_assert_int_eq(plm_hold(rt, ref), -ESTALE);
	ck_assert_int_eq(plm_cancel(rt, ref, PLM_GRACE_OF_TASK), -ESTALE);
	plm_drop(rt, ref); /* once too often changes nothing */
	plm_ref never = { .id = record_ref(8191, 7), .runtime = kept.runtime };
	ck_assert_int_eq(plm_get(rt, never, &view, 0), -ESTALE);
	plm_ref outside = { .id = record_ref(UINT32_MAX, 1), .runtime = kept.runtime };
	ck_assert_int_eq(plm_get(rt, outside, &view, 0), -ESTALE);
	plm_ref foreign = { .id = kept.id, .runtime = kept.runtime + 1 };
	ck_assert_int_eq(plm_get(rt, foreign, &view, 0), -EXDEV);
	ck_assert_int_eq(plm_get(rt, PLM_NONE, &view, 0), -EINVAL);
	plm_task task = { .function = "probe.echo", .args = &PLM_FUTURE(ref), .nargs = 1 };
	plm_ref none;
	ck_assert_int_eq(plm_submit(rt, &task, &none), -ESTALE);
	ck_assert_uint_eq(none.id, 0);
	expect_text(rt, kept, "kept");
	plm_drop(rt, kept);
}
END_TEST

START_TEST(what_is_kept_outlives_its_process_until_forgotten)
{
	plm *short_lived = roles_join(&roles);
	plm_ref object = put(short_lived, "kept object", 11);
	ck_assert_int_eq(plm_keep(short_lived, object), 0);
	plm_ref task = submit(short_lived,
	    &(plm_task){ .function = "probe.echo",
		.flags = PLM_KEEP,
		.args = &PLM_BYTES("kept task", 9),
		.nargs = 1 });
	roles_leave(&roles, &short_lived);
	expect_text(rt, object, "kept object");
	expect_text(rt, task, "kept task");
	ck_assert_int_eq(plm_forget(rt, object), 0);
	ck_assert_int_eq(plm_forget(rt, task), 0);
	roles_until(is_gone, &object, "a forgotten object is freed");
	roles_until(is_gone, &task, "a forgotten task is freed");
}
END_TEST

/* ---- threads that drop and take the same reference ---- */

enum { ROUNDS = 300, OTHERS = 2000 };

/* The drop of `ref` is delayed by the references behind it in the batch. */
static void *drop_in_batches(void *context)
{
	static plm_ref batch[1 + OTHERS];
	plm_ref other = put(rt, "y", 1);
	batch[0] = *(plm_ref *)context;
	for (int round = 0; round < ROUNDS; round++) {
		ck_assert_int_eq(plm_hold(rt, batch[0]), 0);
		for (int i = 1; i <= OTHERS; i++) {
			ck_assert_int_eq(plm_hold(rt, other), 0);
			batch[i] = other;
		}
		plm_drop_many(rt, batch, 1 + OTHERS);
	}
	plm_drop(rt, other);
	return NULL;
}

START_TEST(a_hold_is_not_ended_by_a_drop_of_another_thread_that_came_before)
{
	pthread_t thread;
	plm_ref ref = put(rt, "x", 1);
	ck_assert_int_eq(plm_keep(rt, ref), 0);
	plm_drop(rt, ref);
	ck_assert_int_eq(pthread_create(&thread, NULL, drop_in_batches, &ref), 0);
	for (int round = 0; round < 10 * ROUNDS; round++) {
		ck_assert_int_eq(plm_hold(rt, ref), 0);
		ck_assert_int_eq(handle_sync(rt), 0); /* all messages have been read */
		ck_assert_msg(hold_test(&roles.tables, ref_index(ref.id), rt->self),
		    "round %d: this thread holds it, and the runtime does not know", round);
		plm_drop(rt, ref);
		ck_assert_int_eq(
		    handle_sync(rt), 0); /* now and then the drop of the second thread is last */
	}
	pthread_join(thread, NULL);
	ck_assert_int_eq(plm_forget(rt, ref), 0);
}
END_TEST

/* ---- waiting ---- */

START_TEST(a_wait_ends_with_as_many_as_are_wanted_or_with_its_deadline)
{
	plm_ref refs[] = { submit_text(rt, "probe.sleep", "600000"),
		submit_text(rt, "probe.echo", "fast"),
		submit_text(rt, "probe.fail", "also settled") };
	uint8_t ready[3];
	ck_assert_int_eq(plm_wait(rt, refs, 3, 2, LONG_MS, ready), 0);
	ck_assert(!ready[0] && ready[1] && ready[2]);
	uint64_t before = clock_ns();
	ck_assert_int_eq(plm_wait(rt, refs, 3, 3, SHORT_MS, ready), -ETIMEDOUT);
	ck_assert_uint_ge(clock_ns() - before, SHORT_MS * NS_PER_MS);
	ck_assert(!ready[0] && ready[1] && ready[2]);
	ck_assert_int_eq(plm_wait(rt, refs, 3, 4, 0, NULL), -EINVAL);
	ck_assert_int_eq(plm_wait(rt, refs, 0, 0, 0, NULL), 0);
	ck_assert_int_eq(plm_cancel(rt, refs[0], PLM_GRACE_OF_TASK), 0);
	ck_assert_int_eq(plm_wait(rt, refs, 3, 3, LONG_MS, ready), 0);
	plm_drop_many(rt, refs, 3);
}
END_TEST

static void *wait_for_one(void *context)
{
	expect_wait(rt, *(plm_ref *)context);
	return NULL;
}

START_TEST(threads_of_one_handle_wait_each_for_its_own)
{
	enum { THREADS = 3 };
	pthread_t thread[THREADS];
	plm_ref refs[THREADS];
	void *data;
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(plm_create(rt, 8, &data, &refs[i]), 0);
		ck_assert_int_eq(pthread_create(&thread[i], NULL, wait_for_one, &refs[i]), 0);
	}
	for (int i = THREADS; i-- > 0;) {
		ck_assert_int_eq(plm_seal(rt, refs[i]), 0);
		pthread_join(thread[i], NULL);
	}
	plm_drop_many(rt, refs, THREADS);
}
END_TEST

START_TEST(the_descriptor_is_readable_after_something_settled)
{
	int fd = plm_fd(rt);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(plm_fd(rt), fd);
	for (int i = 0; i < 20; i++) {
		plm_ref ref = submit_text(rt, "probe.echo", "ring");
		uint64_t deadline = clock_ns() + LONG_MS * NS_PER_MS;
		while (plm_wait(rt, &ref, 1, 1, 0, NULL) == -ETIMEDOUT) {
			struct pollfd readable = { .fd = fd, .events = POLLIN };
			uint64_t rings;
			ck_assert_uint_lt(clock_ns(), deadline);
			ck_assert_int_eq(poll(&readable, 1, LONG_MS), 1);
			ck_assert_int_eq(read(fd, &rings, sizeof rings), sizeof rings);
		}
		plm_drop(rt, ref);
	}
}
END_TEST

START_TEST(the_child_of_a_fork_is_told_to_connect_anew)
{
	plm_ref ref = put(rt, "of the parent", 13);
	pid_t child = fork();
	if (child == 0) {
		plm_view view;
		bool told = plm_get(rt, ref, &view, 0) == -ECHILD &&
		    plm_submit(rt, &(plm_task){ .function = "probe.noop" }, &ref) == -ECHILD &&
		    plm_fd(rt) == -ECHILD;
		_exit(told ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	expect_text(rt, ref, "of the parent");
	plm_drop(rt, ref);
}
END_TEST

/* ---- limits ---- */

/* Puts objects of this size until the first refusal; returns how many fitted. */
static size_t fill(size_t length, plm_ref *refs, size_t max)
{
	static const char zeroes[1 << 16];
	size_t n = 0;
	int r = 0;
	while (n < max && (r = plm_put(rt, zeroes, length, &refs[n])) == 0)
		n++;
	ck_assert_int_eq(r, -ENOSPC);
	return n;
}

static void *drop_all(void *context)
{
	plm_drop_many(rt, context, tight.records);
	return NULL;
}

/* Without patience at once; with patience as soon as room is made. */
static void expect_full_then_room(size_t length, const char *remedy)
{
	static const char zeroes[1 << 16];
	plm_ref refs[64] = { { 0 } }, more;
	pthread_t thread;
	size_t n = fill(length, refs, COUNT_OF(refs) + 1);
	ck_assert_uint_gt(n, 4);
	ck_assert_msg(
	    strstr(plm_why(), remedy) != NULL, "\"%s\" does not name %s", plm_why(), remedy);
	plm_patience(rt, SHORT_MS);
	ck_assert_int_eq(plm_put(rt, zeroes, length, &more), -ENOSPC);
	plm_patience(rt, LONG_MS);
	ck_assert_int_eq(pthread_create(&thread, NULL, drop_all, refs), 0);
	ck_assert_int_eq(plm_put(rt, zeroes, length, &more), 0);
	pthread_join(thread, NULL);
	plm_drop(rt, more);
}

START_TEST(a_full_table_is_an_error_or_a_wait_as_asked)
{
	expect_full_then_room(8, "--tasks");
}
END_TEST

START_TEST(a_full_store_is_an_error_or_a_wait_as_asked)
{
	expect_full_then_room(1 << 16, "--store");
}
END_TEST

/* Results of tasks may fill the part of the store that objects leave free. */
static size_t fill_by_tasks(size_t length, plm_ref *refs, size_t max)
{
	char text[32];
	size_t n = 0;
	snprintf(text, sizeof text, "%zu", length);
	for (int done = 0; n < max && done == 0; n += done == 0) {
		refs[n] = submit_text(rt, "probe.fill", text);
		expect_wait(rt, refs[n]);
		done = plm_outcome(rt, refs[n]);
		if (done != 0)
			plm_drop(rt, refs[n]);
	}
	return n;
}

/* The error message has no room either. A task that fails for this reason has the same text. */
START_TEST(a_result_without_room_in_a_full_store_fails_with_words)
{
	static const size_t sizes[] = { 1 << 16, 4096, 1024, 256, 64 };
	static plm_ref refs[8192];
	plm_failure failure;
	size_t n = 0;
	for (unsigned i = 0; i < roles.workers; i++)
		plm_patience(&roles.worker[i]->worker.rt, 0);
	n += fill(sizes[0], refs + n, COUNT_OF(refs) - n);
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		n += fill_by_tasks(sizes[i], refs + n, COUNT_OF(refs) - n);
	plm_arg bytes = PLM_BYTES("50000", 5);
	plm_task task = { .function = "probe.fill", .args = &bytes, .nargs = 1 };
	plm_ref cause = submit(rt, &task), effect;
	expect_wait(rt, cause);
	plm_drop(rt, refs[--n]); /* room for the arguments of another task */
	plm_patience(rt, LONG_MS);
	effect = submit_after(rt, "probe.echo", cause);
	expect_wait(rt, effect);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(plm_error(rt, i ? effect : cause, &failure), 0);
		ck_assert_int_eq(failure.code, ENOSPC);
		ck_assert_msg(strstr(failure.message, "--store") != NULL, "task %d: \"%s\"", i,
		    failure.message);
	}
	plm_drop_many(rt, refs, n);
	plm_drop_many(rt, (plm_ref[]){ cause, effect }, 2);
}
END_TEST

START_TEST(a_failure_without_a_message_says_what_its_code_means)
{
	plm_failure failure = expect_failure(rt, submit_text(rt, "probe.fail", ""), 1);
	ck_assert_msg(strstr(failure.message, "no message: ") != NULL, "\"%s\"", failure.message);
}
END_TEST

/* Room comes from the end of tasks of the same call. */
START_TEST(a_batch_larger_than_the_store_has_its_room_from_its_own_tasks)
{
	enum { TASKS = 48 };
	static const char zeroes[1 << 16];
	plm_arg arg = PLM_BYTES(zeroes, sizeof zeroes);
	plm_task task[TASKS];
	plm_ref refs[TASKS];
	for (int i = 0; i < TASKS; i++)
		task[i] = (plm_task){ .function = "probe.noop", .args = &arg, .nargs = 1 };
	plm_patience(rt, LONG_MS);
	ck_assert_msg(plm_submit_many(rt, task, TASKS, refs) >= 0, "%s", plm_why());
	ck_assert_int_eq(plm_wait(rt, refs, TASKS, TASKS, LONG_MS, NULL), 0);
	plm_drop_many(rt, refs, TASKS);
}
END_TEST

START_TEST(what_can_never_be_is_refused_with_its_reason)
{
	static plm_ref refs[RESULTS_MAX + 1];
	plm_ref ref;
	void *data;
	ck_assert_int_eq(plm_create(rt, 2 << 20, &data, &ref), -E2BIG);
	ck_assert_int_eq(plm_submit(rt, &(plm_task){ .function = "probe.nothing" }, &ref), -ENOENT);
	ck_assert_ptr_nonnull(strstr(plm_why(), "probe.nothing"));
	ck_assert_int_eq(
	    plm_submit(rt, &(plm_task){ .function = "probe.noop", .priority = 40000 }, &ref),
	    -EINVAL);
	ck_assert_int_eq(
	    plm_submit(rt, &(plm_task){ .function = "probe.noop", .nargs = 70000 }, &ref), -E2BIG);
	ck_assert_int_eq(
	    plm_submit(rt, &(plm_task){ .function = "probe.noop", .retries = 255 }, &ref), -EINVAL);
	ck_assert_int_eq(
	    plm_submit(
		rt, &(plm_task){ .function = "probe.noop", .results = RESULTS_MAX + 1 }, refs),
	    -E2BIG);
	ck_assert_int_eq(
	    plm_submit(rt, &(plm_task){ .function = "probe.noop", .flags = 4 }, &ref), -EINVAL);
}
END_TEST

/* ---- the suite ---- */

static void start_roomy(void)
{
	roles_case_start(&roomy, WORKERS);
}

static void start_tight(void)
{
	roles_case_start(&tight, 1);
}

int main(void)
{
	Suite *suite = suite_create("roles: objects");
	TCase *objects = roles_case_add(suite, "objects", start_roomy);
	tcase_add_test(objects, an_object_of_any_size_comes_back_as_it_was);
	tcase_add_test(objects, an_object_is_written_in_place_and_sealed_once);
	tcase_add_test(objects, a_reference_from_elsewhere_can_be_held_beyond_its_giver);
	tcase_add_test(objects, what_nobody_holds_is_gone_and_its_reference_stale);
	tcase_add_test(objects, what_is_kept_outlives_its_process_until_forgotten);
	tcase_add_test(objects, a_hold_is_not_ended_by_a_drop_of_another_thread_that_came_before);
	TCase *waiting = roles_case_add(suite, "waiting", start_roomy);
	tcase_add_test(waiting, a_wait_ends_with_as_many_as_are_wanted_or_with_its_deadline);
	tcase_add_test(waiting, threads_of_one_handle_wait_each_for_its_own);
	tcase_add_test(waiting, the_descriptor_is_readable_after_something_settled);
	tcase_add_test(waiting, the_child_of_a_fork_is_told_to_connect_anew);
	TCase *words = roles_case_add(suite, "words", start_roomy);
	tcase_add_test(words, a_result_without_room_in_a_full_store_fails_with_words);
	tcase_add_test(words, a_failure_without_a_message_says_what_its_code_means);
	TCase *limits = roles_case_add(suite, "limits", start_tight);
	tcase_add_test(limits, a_full_table_is_an_error_or_a_wait_as_asked);
	tcase_add_test(limits, a_full_store_is_an_error_or_a_wait_as_asked);
	tcase_add_test(limits, a_batch_larger_than_the_store_has_its_room_from_its_own_tasks);
	tcase_add_test(limits, what_can_never_be_is_refused_with_its_reason);
	return run_suite(suite);
}
