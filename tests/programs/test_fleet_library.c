/* test_fleet_library.c - a fleet from C: libplm-fleet on real hosts and a real Redis. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/plm_fleet.h"
#include "tests/support/fleet_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, MANY = 3000, THREADS = 4, OF_A_THREAD = 100, PATH_BYTES = 300 };

#define OK(call) ck_assert_msg((call) == 0, "%s: %s", #call, plm_fleet_why())
#define FAILS(error, why, call)                                                                  \
	do {                                                                                     \
		ck_assert_int_eq((call), (error));                                               \
		ck_assert_msg(                                                                   \
		    strstr(plm_fleet_why(), why), "\"%s\" is not in: %s", why, plm_fleet_why()); \
	} while (0)

static plm_fleet *connected(void)
{
	plm_fleet *fleet;
	OK(plm_fleet_connect(&fleet, NULL, -1));
	return fleet;
}

static plm_ref call(plm_fleet *fleet, const char *function, const plm_arg *args, size_t n)
{
	plm_ref ref;
	OK(plm_fleet_submit(
	    fleet, &(plm_task){ .function = function, .args = args, .nargs = n }, &ref));
	return ref;
}

static plm_ref sum(plm_fleet *fleet, plm_arg first, const char *second)
{
	const plm_arg args[] = { first, PLM_BYTES(second, strlen(second)) };
	return call(fleet, "probe.sum", args, 2);
}

static void expect(plm_fleet *fleet, plm_ref ref, const char *text)
{
	plm_fleet_value value;
	OK(plm_fleet_get(fleet, ref, &value, DEADLINE_MS));
	ck_assert_uint_eq(value.len, strlen(text));
	ck_assert_int_eq(memcmp(value.data, text, value.len), 0);
	plm_fleet_release(&value);
}

static plm_ref shell(plm_fleet *fleet, const char *line, unsigned retries)
{
	const plm_command_options options = { .size = sizeof options, .no_environment = 1 };
	const char *const words[] = { "sh", "-c", line };
	plm_command *command;
	plm_task task = { .retries = retries };
	plm_arg args[16];
	plm_ref results[PLM_COMMAND_RESULTS];
	ck_assert_int_eq(plm_command_make(&command, &options, NULL), 0);
	ck_assert_uint_le(plm_command_nargs(command, 3), sizeof args / sizeof args[0]);
	ck_assert_int_eq(plm_command_task(command, words, 3, NULL, args, &task), 0);
	OK(plm_fleet_submit(fleet, &task, results));
	plm_fleet_drop(fleet, results[1]);
	plm_command_free(NULL, &command);
	return results[0];
}

static const char *tasks_left(void)
{
	return REDIS("EVAL", "return #redis.call('KEYS','plm:{test}:t:*')", "0");
}

/* A handle forgets a little later. */
static void tasks_left_until(const char *n)
{
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	while (strcmp(tasks_left(), n) != 0)
		ck_assert_msg(clock_ns() < deadline, "%s tasks are left, not %s", tasks_left(), n);
}

/* ---- values ---- */

START_TEST(tasks_give_values_to_programs_and_to_other_tasks)
{
	fleet_host_up(0, "2");
	plm_fleet *fleet = connected();
	plm_ref first = sum(fleet, PLM_BYTES("1", 1), "2");
	plm_ref second = sum(fleet, PLM_FUTURE(first), "39");
	expect(fleet, second, "42");
	expect(fleet, first, "3");
	ck_assert_int_eq(plm_fleet_outcome(fleet, second), 0);
	expect(fleet, shell(fleet, "echo $((6 * 7))", 0), "42\n");
	plm_fleet_disconnect(&fleet);
	ck_assert_ptr_null(fleet);
	fleet = connected();
	FAILS(-ESTALE, "no such task", plm_fleet_hold(fleet, second));
	plm_fleet_disconnect(&fleet);
}
END_TEST

/* The value in Redis is another one meanwhile, which tells who was asked. */
START_TEST(a_value_comes_with_the_end_and_from_the_engine_after_that)
{
	char key[64];
	fleet_host_up(0, "1");
	plm_fleet *fleet = connected();
	plm_ref ref = sum(fleet, (plm_arg)PLM_BYTES("20", 2), "22");
	OK(plm_fleet_wait(fleet, &ref, 1, 1, DEADLINE_MS, NULL));
	snprintf(key, sizeof key, "plm:{test}:t:%u", (unsigned)(uint32_t)ref.id);
	ck_assert_str_eq(REDIS("hget", key, "val"), "42");
	REDIS("hset", key, "val", "43");
	expect(fleet, ref, "42");
	expect(fleet, ref, "43");
	plm_fleet_drop(fleet, ref);
	plm_fleet_disconnect(&fleet);
}
END_TEST

START_TEST(a_value_that_was_put_is_an_argument_of_tasks)
{
	plm_ref value;
	fleet_host_up(0, "1");
	plm_fleet *fleet = connected();
	OK(plm_fleet_put(fleet, "40", 2, &value));
	expect(fleet, value, "40");
	expect(fleet, sum(fleet, PLM_FUTURE(value), "2"), "42");
	char *large = calloc(9, 1 << 20);
	ck_assert_ptr_nonnull(large);
	FAILS(-E2BIG, "8 MiB", plm_fleet_put(fleet, large, 9 << 20, &value));
	free(large);
	plm_fleet_disconnect(&fleet);
	ck_assert_str_eq(tasks_left(), "0");
}
END_TEST

START_TEST(a_dropped_task_is_forgotten_when_it_has_ended_and_a_kept_one_stays)
{
	fleet_host_up(0, "1");
	plm_fleet *fleet = connected(), *other = connected();
	plm_ref done = call(fleet, "probe.noop", NULL, 0), kept;
	OK(plm_fleet_wait(fleet, &done, 1, 1, DEADLINE_MS, NULL));
	plm_fleet_drop(fleet, done);
	tasks_left_until("0");
	char line[PATH_BYTES];
	snprintf(line, sizeof line, "until [ -e %s ]; do sleep 0.01; done", fleet_ledger());
	plm_ref runs = shell(fleet, line, 0);
	plm_fleet_drop(fleet, runs);
	OK(plm_fleet_hold(other, runs));
	ck_assert_int_eq(plm_fleet_outcome(other, runs), -EAGAIN);
	ck_assert_int_eq(close(open(fleet_ledger(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	OK(plm_fleet_wait_all(fleet, DEADLINE_MS));
	OK(plm_fleet_wait(other, &runs, 1, 1, DEADLINE_MS, NULL));
	const plm_task task = { .function = "probe.noop", .flags = PLM_KEEP };
	OK(plm_fleet_submit(fleet, &task, &kept));
	OK(plm_fleet_wait(fleet, &kept, 1, 1, DEADLINE_MS, NULL));
	plm_fleet_drop(fleet, kept);
	plm_fleet_disconnect(&fleet);
	plm_fleet_disconnect(&other);
	ck_assert_str_eq(tasks_left(), "1");
}
END_TEST

START_TEST(a_failure_brings_its_words_and_what_the_function_attached)
{
	fleet_host_up(0, "1");
	plm_fleet *fleet = connected();
	const plm_arg args[] = { PLM_BYTES("no luck", 7), PLM_BYTES("42", 2),
		PLM_BYTES("a trace", 7) };
	plm_ref failed = call(fleet, "probe.fail", args, 3);
	plm_fleet_value value;
	plm_failure failure;
	FAILS(-PLM_EFAILED, "no luck", plm_fleet_get(fleet, failed, &value, DEADLINE_MS));
	OK(plm_fleet_error(fleet, failed, &failure, &value));
	ck_assert_int_eq(failure.code, 42);
	ck_assert_str_eq(failure.message, "no luck");
	ck_assert_uint_eq(value.len, 7);
	ck_assert_int_eq(memcmp(value.data, "a trace", 7), 0);
	plm_fleet_release(&value);
	ck_assert_int_eq(plm_fleet_outcome(fleet, failed), -PLM_EFAILED);
	plm_ref after = sum(fleet, PLM_FUTURE(failed), "1");
	FAILS(-PLM_EFAILED, "which it waits for", plm_fleet_get(fleet, after, &value, DEADLINE_MS));
	plm_fleet_disconnect(&fleet);
}
END_TEST

/* The first attempt writes and fails, the second writes nothing. */
START_TEST(the_output_of_a_failed_attempt_is_not_the_result_of_the_next)
{
	char line[PATH_BYTES];
	fleet_host_up(0, "1");
	plm_fleet *fleet = connected();
	snprintf(line, sizeof line, "[ -e %s/once ] || { echo half; touch %s/once; exit 1; }",
	    fleet_directory, fleet_directory);
	plm_ref ref = shell(fleet, line, 1);
	expect(fleet, ref, "");
	plm_fleet_disconnect(&fleet);
}
END_TEST

START_TEST(waiting_and_running_tasks_are_cancelled)
{
	fleet_host_up(0, "1");
	plm_fleet *fleet = connected();
	plm_ref runs = shell(fleet, "exec sleep 100", 0);
	plm_fleet_value value;
	plm_failure failure;
	plm_fleet_cancel(fleet, runs);
	FAILS(-PLM_ECANCELLED, "cancelled", plm_fleet_get(fleet, runs, &value, DEADLINE_MS));
	OK(plm_fleet_error(fleet, runs, &failure, NULL));
	ck_assert_int_eq(failure.code, PLM_ECANCELLED);
	FAILS(-EALREADY, "has ended", plm_fleet_cancel(fleet, runs));
	plm_ref long_one = shell(fleet, "exec sleep 100", 0);
	while (plm_fleet_running(fleet, long_one) != 1)
		ck_assert_int_eq(plm_fleet_outcome(fleet, long_one), -EAGAIN);
	OK(plm_fleet_cancel(fleet, long_one));
	FAILS(-PLM_ECANCELLED, "cancelled", plm_fleet_get(fleet, long_one, &value, DEADLINE_MS));
	plm_fleet_disconnect(&fleet);
}
END_TEST

START_TEST(a_task_that_has_not_begun_gets_another_place)
{
	fleet_host_up(0, "1");
	plm_fleet *fleet = connected();
	plm_fleet_status status;
	plm_ref runs = shell(fleet, "exec sleep 100", 0);
	while (plm_fleet_running(fleet, runs) != 1)
		ck_assert_int_eq(plm_fleet_outcome(fleet, runs), -EAGAIN);
	plm_ref first = shell(fleet, "echo first", 0), second = shell(fleet, "echo second", 0);
	FAILS(-EINVAL, "no place", plm_fleet_move(fleet, first, 0, 0));
	FAILS(-EINVAL, "priority 99999", plm_fleet_move(fleet, first, PLM_TO_PRIORITY, 99999));
	FAILS(-EALREADY, "a host has", plm_fleet_move(fleet, runs, PLM_TO_FRONT, 0));
	OK(plm_fleet_move(fleet, first, PLM_ASIDE, 0));
	OK(plm_fleet_move(fleet, second, PLM_TO_PRIORITY, 5));
	OK(plm_fleet_status_get(fleet, &status));
	ck_assert_uint_eq(status.parked, 1);
	OK(plm_fleet_move(fleet, runs, PLM_BACK, 0)); /* ended, and queued again behind */
	expect(fleet, second, "second\n");
	OK(plm_fleet_cancel(fleet, runs));
	OK(plm_fleet_move(fleet, first, PLM_BACK, 0));
	expect(fleet, first, "first\n");
	FAILS(-EALREADY, "a host has", plm_fleet_move(fleet, first, PLM_TO_FRONT, 0));
	plm_fleet_disconnect(&fleet);
}
END_TEST

/* ---- waiting ---- */

START_TEST(many_tasks_are_submitted_and_awaited_at_once)
{
	static plm_task tasks[MANY];
	static plm_ref refs[MANY];
	static uint8_t ready[MANY];
	plm_fleet *fleet = connected();
	for (size_t i = 0; i < MANY; i++)
		tasks[i] = (plm_task){ .function = "probe.noop" };
	OK(plm_fleet_submit_many(fleet, tasks, MANY, refs));
	FAILS(-ETIMEDOUT, "time", plm_fleet_wait(fleet, refs, MANY, 1, 0, ready));
	fleet_host_up(0, "2");
	struct pollfd p = { .fd = plm_fleet_fd(fleet), .events = POLLIN };
	ck_assert_int_eq(poll(&p, 1, DEADLINE_MS), 1);
	OK(plm_fleet_wait(fleet, refs, MANY, MANY / 2, DEADLINE_MS, ready));
	OK(plm_fleet_wait(fleet, refs, MANY, MANY, DEADLINE_MS, ready));
	for (size_t i = 0; i < MANY; i++) {
		ck_assert_int_eq(ready[i], 1);
		ck_assert_int_eq(plm_fleet_outcome(fleet, refs[i]), 0);
	}
	plm_fleet_status status;
	OK(plm_fleet_status_get(fleet, &status));
	ck_assert_uint_eq(status.done, MANY);
	ck_assert_uint_eq(status.hosts, 1);
	plm_fleet_disconnect(&fleet);
	ck_assert_str_eq(tasks_left(), "0");
}
END_TEST

static void *thread_of_tasks(void *argument)
{
	for (int i = 0; i < OF_A_THREAD; i++) {
		char number[16], result[16];
		snprintf(number, sizeof number, "%d", i);
		snprintf(result, sizeof result, "%d", i + 1);
		plm_ref ref = sum(argument, PLM_BYTES("1", 1), number);
		expect(argument, ref, result);
		plm_fleet_drop(argument, ref);
	}
	return NULL;
}

START_TEST(threads_share_a_handle)
{
	pthread_t threads[THREADS];
	fleet_host_up(0, "2");
	plm_fleet *fleet = connected();
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_of_tasks, fleet), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	tasks_left_until("0");
	plm_fleet_disconnect(&fleet);
}
END_TEST

/* ---- what goes wrong ---- */

START_TEST(a_wait_goes_on_when_redis_comes_back)
{
	plm_fleet *fleet = connected();
	plm_ref ref = sum(fleet, PLM_BYTES("1", 1), "2");
	fleet_redis_kill();
	FAILS(-ETIMEDOUT, "time", plm_fleet_wait(fleet, &ref, 1, 1, 100, NULL));
	FAILS(-ENOTCONN, "", plm_fleet_running(fleet, ref));
	fleet_redis_start(NULL, NULL);
	fleet_host_up(0, "1");
	expect(fleet, ref, "3");
	plm_fleet_disconnect(&fleet);
}
END_TEST

/* The first word on a dead connection would bring SIGPIPE. */
START_TEST(a_closed_connection_ends_no_program)
{
	plm_fleet_status status;
	signal(SIGPIPE, SIG_DFL);
	plm_fleet *fleet = connected();
	REDIS("client", "kill", "type", "normal");
	OK(plm_fleet_status_get(fleet, &status));
	REDIS("client", "kill", "type", "normal");
	plm_ref ref;
	FAILS(
	    -ENOTCONN, "", plm_fleet_submit(fleet, &(plm_task){ .function = "probe.noop" }, &ref));
	OK(plm_fleet_submit(fleet, &(plm_task){ .function = "probe.noop" }, &ref));
	plm_fleet_disconnect(&fleet);
}
END_TEST

START_TEST(a_queue_that_was_replaced_ends_waits)
{
	plm_fleet *fleet = connected();
	plm_ref ref = sum(fleet, PLM_BYTES("1", 1), "2");
	REDIS("flushall");
	FAILS(-EXDEV, "queue", plm_fleet_wait(fleet, &ref, 1, 1, DEADLINE_MS, NULL));
	FAILS(-EXDEV, "queue", plm_fleet_wait_all(fleet, DEADLINE_MS));
	for (int i = 0; i < 3; i++) /* no task goes to the queue that is there now */
		FAILS(-EXDEV, "queue",
		    plm_fleet_submit(fleet, &(plm_task){ .function = "probe.noop" }, &ref));
	plm_fleet_disconnect(&fleet);
}
END_TEST

START_TEST(each_result_has_a_reference)
{
	plm_fleet *fleet = connected();
	const plm_arg text = PLM_BYTES("all", 3);
	const plm_task tasks[] = {
		{ .function = "probe.echo", .args = &text, .nargs = 1, .results = 3 },
		{ .function = "probe.echo", .args = &text, .nargs = 1 }
	};
	plm_fleet_value value;
	plm_ref refs[4];
	fleet_host_up(0, "1");
	ck_assert_int_eq(plm_fleet_submit_many(fleet, tasks, 2, refs), 0);
	static const size_t bytes[4] = { 3, 0, 0, 3 };
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(plm_fleet_get(fleet, refs[i], &value, DEADLINE_MS), 0);
		ck_assert_uint_eq(value.len, bytes[i]);
		plm_fleet_release(&value);
		plm_fleet_drop(fleet, refs[i]);
	}
	plm_fleet *other = connected();
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	while (plm_fleet_hold(other, refs[1]) == 0) { /* a handle forgets a little later */
		plm_fleet_drop(other, refs[1]);
		ck_assert_msg(clock_ns() < deadline, "the task is not forgotten");
	}
	FAILS(-ESTALE, "no such task", plm_fleet_hold(fleet, refs[1]));
	plm_fleet_disconnect(&other);
	plm_fleet_disconnect(&fleet);
}
END_TEST

START_TEST(what_a_fleet_cannot_do_is_refused_in_words)
{
	plm_fleet *fleet = connected(), *none = NULL;
	plm *runtime;
	plm_ref refs[2];
	const plm_terms replicas = { .replicas = 5 };
	FAILS(-EINVAL, "PLM_TIED",
	    plm_fleet_submit(
		fleet, &(plm_task){ .function = "probe.noop", .flags = PLM_TIED }, refs));
	FAILS(-EINVAL, "replicas",
	    plm_fleet_submit(
		fleet, &(plm_task){ .function = "probe.noop", .terms = &replicas }, refs));
	FAILS(-EXDEV, "of another fleet", plm_fleet_hold(fleet, (plm_ref){ 1UL << 32 | 1, 7 }));
	FAILS(-EINVAL, "wants redis://", plm_fleet_connect(&none, "http://x", -1));
	FAILS(-ENOTCONN, "cannot be reached", plm_fleet_connect(&none, fleet_nowhere(), -1));
	unsetenv("PLM_FLEET");
	FAILS(-EINVAL, "PLM_FLEET is not set", plm_fleet_connect(&none, NULL, -1));
	ck_assert_ptr_null(none);
	ck_assert_int_eq(plm_connect(&runtime, "redis://127.0.0.1"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(plm_why(), "plm_fleet_connect"));
	pid_t child = fork();
	if (child == 0) {
		plm_ref ref;
		int r = plm_fleet_submit(fleet, &(plm_task){ .function = "probe.noop" }, &ref);
		plm_fleet_disconnect(&fleet);
		_exit(r == -ECHILD && !fleet ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	setenv("PLM_FLEET", fleet_url, 1);
	fleet_host_up(0, "1");
	expect(fleet, sum(fleet, PLM_BYTES("1", 1), "2"), "3"); /* the parent's works on */
	plm_fleet_disconnect(&fleet);
}
END_TEST

START_TEST(the_example_runs)
{
	char program[PATH_BYTES];
	fleet_host_up(0, "2");
	snprintf(program, sizeof program, "build/release/examples/fleet /etc/hostname");
	FILE *out = popen(program, "r");
	char line[PATH_BYTES];
	ck_assert_ptr_nonnull(fgets(line, sizeof line, out));
	ck_assert_str_eq(line, "24 is 20 + 2 + 2\n");
	ck_assert_ptr_nonnull(fgets(line, sizeof line, out));
	ck_assert_str_eq(line, "1 /etc/hostname\n");
	ck_assert_int_eq(pclose(out), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		tasks_give_values_to_programs_and_to_other_tasks,
		a_value_comes_with_the_end_and_from_the_engine_after_that,
		a_value_that_was_put_is_an_argument_of_tasks,
		a_dropped_task_is_forgotten_when_it_has_ended_and_a_kept_one_stays,
		a_failure_brings_its_words_and_what_the_function_attached,
		the_output_of_a_failed_attempt_is_not_the_result_of_the_next,
		waiting_and_running_tasks_are_cancelled,
		a_task_that_has_not_begun_gets_another_place,
		many_tasks_are_submitted_and_awaited_at_once,
		threads_share_a_handle,
		a_wait_goes_on_when_redis_comes_back,
		a_closed_connection_ends_no_program,
		a_queue_that_was_replaced_ends_waits,
		each_result_has_a_reference,
		what_a_fleet_cannot_do_is_refused_in_words,
		the_example_runs,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests("fleet_library", TEST_TIMEOUT_S, fleet_begin, fleet_end, tests,
	    sizeof tests / sizeof tests[0]);
}
