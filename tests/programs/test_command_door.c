/* test_command_door.c - command lines as tasks by plm.h alone: options that are refused, a command
 * made once for many tasks, files and futures, outlets, outcomes, checks before a submission. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/plm.h"
#include "tests/support/program_runtime.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60, WAIT_MS = 20000, TASKS = 3, ARGS = 8 };

static struct runtime host;
static plm *rt;

static void boot(void)
{
	runtime_boot(&host, "--workers", "2", "--tasks", "1024", "--store", "16M", );
	ck_assert_msg(plm_connect(&rt, host.name) == 0, "%s", plm_why());
}

static void stop(void)
{
	plm_disconnect(&rt);
	runtime_stop(&host);
	runtime_end(&host);
}

static void expect_value(plm_ref ref, const char *expected)
{
	plm_view view;
	int r = plm_get(rt, ref, &view, WAIT_MS);
	ck_assert_msg(r == 0, "%s", plm_why());
	ck_assert_msg(view.len == strlen(expected) && memcmp(view.data, expected, view.len) == 0,
	    "%.*s instead of %s", (int)view.len, (const char *)view.data, expected);
	plm_release(rt, &view);
}

START_TEST(options_that_make_no_sense_are_refused)
{
	static const char *const variable[] = { "A=1" };
	const plm_command_future in = { PLM_COMMAND_IN, "A", { 1, 1 } },
				 out[] = { { PLM_COMMAND_OUT, "X=f", PLM_NONE },
					 { PLM_COMMAND_OUT, "Y=f", PLM_NONE } },
				 odd = { 'q', "X", PLM_NONE };
	const plm_command_options refused[] = {
		{ .size = 1 },
		{ .size = sizeof refused[0], .label = "" },
		{ .size = sizeof refused[0], .futures = &odd, .future_count = 1 },
		{ .size = sizeof refused[0], .futures = out, .future_count = 2 },
		{ .size = sizeof refused[0],
		    .futures = &in,
		    .future_count = 1,
		    .variables = variable,
		    .variable_count = 1 },
	};
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		plm_command *command = NULL;
		ck_assert_int_eq(plm_command_check(&refused[i]), -EINVAL);
		ck_assert_int_eq(plm_command_make(&command, &refused[i], NULL), -EINVAL);
		ck_assert_msg(plm_why()[0] != 0, "row %zu", i);
	}
}
END_TEST

START_TEST(a_single_command_is_submitted_in_one_call)
{
	static const char *const words[] = { "/bin/sh", "-c", "cat $A; echo $B; pwd; echo c > $C" },
				 *const variable[] = { "B=b" };
	plm_ref ref[PLM_COMMAND_RESULTS + 1], a;
	ck_assert_int_eq(plm_put(rt, "a\n", 2, &a), 0);
	const plm_command_future futures[] = { { PLM_COMMAND_IN, "A", a },
		{ PLM_COMMAND_OUT, "C", PLM_NONE } };
	const plm_command_options options = { .size = sizeof options,
		.directory = "/",
		.label = "door",
		.variables = variable,
		.variable_count = 1,
		.futures = futures,
		.future_count = 2 };
	ck_assert_msg(plm_submit_command(rt, &options, words, 3, NULL, ref) == 0, "%s", plm_why());
	expect_value(ref[0], "a\nb\n/\n");
	expect_value(ref[PLM_COMMAND_RESULTS], "c\n");
	ck_assert_int_eq(plm_outcome(rt, ref[0]), 0);
}
END_TEST

START_TEST(many_tasks_share_one_command)
{
	const plm_command_options options = { .size = sizeof options, .directory = "/" };
	plm_command *command, *other;
	plm_arg args[TASKS][ARGS];
	plm_task task[TASKS] = { { .function = NULL } };
	plm_ref ref[TASKS * PLM_COMMAND_RESULTS];
	ck_assert_int_eq(plm_command_make(&command, &options, NULL), 0);
	ck_assert_int_eq(plm_command_share(rt, command), 0);
	const plm_command_options in_tmp = { .size = sizeof in_tmp, .directory = "/tmp" };
	ck_assert_int_eq(plm_command_make(&other, &in_tmp, command), 0);
	const char *const line[] = { "/bin/sh", "-c", "pwd" }, *const word[] = { "pwd" };
	ck_assert_uint_le(plm_command_nargs(command, 3), ARGS);
	ck_assert_int_eq(plm_command_task(command, line, 3, NULL, args[0], &task[0]), 0);
	ck_assert_int_eq(plm_command_task(command, word, 1, NULL, args[1], &task[1]), 0);
	ck_assert_int_eq(plm_command_task(other, word, 1, NULL, args[2], &task[2]), 0);
	ck_assert(task[1].identity[0] != task[2].identity[0]);
	ck_assert_int_eq(plm_command_task(command, word, 0, NULL, args[2], &task[2]), -EINVAL);
	ck_assert_msg(plm_submit_many(rt, task, TASKS, ref) == 0, "%s", plm_why());
	expect_value(ref[0], "/\n");
	expect_value(ref[PLM_COMMAND_RESULTS], "/\n");
	expect_value(ref[2 * PLM_COMMAND_RESULTS], "/tmp\n");
	plm_command_free(rt, &other);
	plm_command_free(rt, &command);
	ck_assert_ptr_null(command);
}
END_TEST

START_TEST(an_outlet_receives_the_output_while_it_is_written)
{
	const plm_command_options options = { .size = sizeof options, .outlet = 1 };
	const char *const words[] = { "echo", "out" };
	plm_command *command;
	plm_command_outlet outlet;
	plm_arg args[ARGS];
	plm_task task = { .function = NULL };
	plm_ref ref[PLM_COMMAND_RESULTS];
	char text[8] = "";
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(plm_command_outlet_of(ends[1], ends[1], 1, &outlet), 0);
	ck_assert_int_eq(plm_command_make(&command, &options, NULL), 0);
	ck_assert_int_eq(plm_command_task(command, words, 2, NULL, args, &task), -EINVAL);
	ck_assert_int_eq(plm_command_task(command, words, 2, &outlet, args, &task), 0);
	ck_assert_msg(plm_submit(rt, &task, ref) == 0, "%s", plm_why());
	ck_assert_int_eq(read(ends[0], text, sizeof text - 1), 4);
	ck_assert_str_eq(text, "out\n");
	plm_command_free(rt, &command);
	close(ends[0]);
	close(ends[1]);
	ck_assert_int_eq(plm_command_outlet_of(-1, -1, 1, &outlet), -EBADF);
}
END_TEST

START_TEST(questions_change_nothing)
{
	const plm_terms never = { .needs = "cpus=1000" }, fine = { .needs = "cpus=1" };
	const char *const words[] = { "/bin/sh", "-c", "exit 3" };
	const plm_command_options options = { .size = sizeof options };
	plm_ref ref[PLM_COMMAND_RESULTS];
	plm_failure failure;
	ck_assert_int_eq(plm_check_function(rt, "probe.echo"), 0);
	ck_assert_int_eq(plm_check_function(rt, "probe.nothing"), -ENOENT);
	ck_assert_int_eq(plm_check_terms(rt, &fine), 0);
	ck_assert_int_eq(plm_check_terms(rt, &never), -EINVAL);
	ck_assert_int_eq(plm_note_terms(rt, &fine), 0);
	ck_assert_int_eq(plm_check_ref(rt, (plm_ref){ 1, 1 }), -EXDEV);
	ck_assert_int_eq(plm_submit_command(rt, &options, words, 3, NULL, ref), 0);
	ck_assert_int_eq(plm_check_ref(rt, ref[0]), 0);
	ck_assert_int_eq(plm_wait(rt, ref, 1, 1, WAIT_MS, NULL), 0);
	ck_assert_int_eq(plm_outcome(rt, ref[0]), -PLM_EFAILED);
	ck_assert_int_eq(plm_error(rt, ref[0], &failure), 0);
	ck_assert_int_eq(failure.code, 3);
	ck_assert_int_eq(strncmp(failure.message, PLM_COMMAND_SAYS_EXIT, 10), 0);
	ck_assert_int_eq(plm_sync(rt), 0);
}
END_TEST

START_TEST(an_interrupt_ends_a_wait)
{
	plm_ref ref;
	const plm_arg ms = PLM_BYTES("5000", 4);
	const plm_task task = { .function = "probe.sleep", .args = &ms, .nargs = 1 };
	ck_assert_int_eq(plm_submit(rt, &task, &ref), 0);
	plm_interrupt(rt);
	ck_assert_int_eq(plm_wait(rt, &ref, 1, 1, WAIT_MS, NULL), -EINTR);
	plm_interrupt_end(rt);
	ck_assert_int_eq(plm_outcome(rt, ref), -EAGAIN);
	ck_assert_int_eq(plm_cancel(rt, ref, 0), 0);
	ck_assert_int_eq(plm_wait(rt, &ref, 1, 1, WAIT_MS, NULL), 0);
	ck_assert_int_eq(plm_outcome(rt, ref), -PLM_ECANCELLED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("command door");
	TCase *tcase = tcase_create("plm.h");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, boot, stop);
	tcase_add_test(tcase, options_that_make_no_sense_are_refused);
	tcase_add_test(tcase, a_single_command_is_submitted_in_one_call);
	tcase_add_test(tcase, many_tasks_share_one_command);
	tcase_add_test(tcase, an_outlet_receives_the_output_while_it_is_written);
	tcase_add_test(tcase, questions_change_nothing);
	tcase_add_test(tcase, an_interrupt_ends_a_wait);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
