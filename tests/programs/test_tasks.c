/* test_tasks.c - lists of tasks, through the real programs: filters, columns, order, long lists
 * without a reader, status, --watch. Operations on filtered tasks: test_manage.c. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/support/json.h"
#include "tests/support/manage_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60, LINE_BYTES = 512, SAID_BYTES = 1 << 16 };

/* ---- filters ---- */

START_TEST(tasks_are_found_by_state_in_our_words_and_in_common_ones)
{
	struct each e = one_of_each();
	check_found(QUIET("tasks", "--state", "done"), REFS(e.done));
	check_found(QUIET("tasks", "--state", "finished"), REFS(e.done));
	check_found(QUIET("tasks", "--finished"), REFS(e.done));
	check_found(QUIET("tasks", "--state", "failed"), REFS(e.failed, e.dead));
	check_found(QUIET("tasks", "--failed"), REFS(e.failed, e.dead));
	check_found(QUIET("tasks", "--state", "dead"), REFS(e.dead));
	check_found(QUIET("tasks", "--state", "running"), REFS(e.running));
	check_found(QUIET("tasks", "--state", "in_progress"), REFS(e.running));
	check_found(QUIET("tasks", "--in_progress"), REFS(e.running));
	check_found(QUIET("tasks", "--state", "ready"), REFS(e.ready));
	check_found(QUIET("tasks", "--state", "waiting"), REFS(e.waiting));
	check_found(QUIET("tasks", "--state", "todo"), REFS(e.ready, e.waiting));
	check_found(QUIET("tasks", "--todo"), REFS(e.ready, e.waiting));
	check_found(QUIET("tasks", "--state", "cancelled"), REFS(e.cancelled));
	check_found(QUIET("tasks", "--state", "ready,done"), REFS(e.ready, e.done));
	check_found(QUIET("tasks", "--todo", "--state", "dead"), REFS(e.ready, e.waiting, e.dead));
	check_found(QUIET("tasks"),
	    REFS(e.done, e.failed, e.dead, e.running, e.ready, e.waiting, e.cancelled));
	each_free(&e);
}
END_TEST

START_TEST(tasks_are_found_by_text_and_label)
{
	struct each e = one_of_each();
	check_found(QUIET("tasks", "--include", "echo"), REFS(e.done, e.ready));
	check_found(QUIET("tasks", "--include", "echo", "--include", "later"), REFS(e.ready));
	check_found(QUIET("tasks", "--include", "echo", "--exclude", "all is", "--exclude", "5"),
	    REFS(e.ready));
	check_found(QUIET("tasks", "--include", "probe.sum"), REFS(e.waiting));
	check_found(QUIET("tasks", "--exclude", "e", "--exclude", "r"), REFS(e.cancelled));
	check_found(QUIET("tasks", "--label", "good"), REFS(e.done, e.ready));
	check_found(
	    QUIET("tasks", "--label", "good", "--label", "bad"), REFS(e.done, e.ready, e.failed));
	check_found(QUIET("tasks", "--label", "goo"), NONE);
	check_found(QUIET("tasks", "--label", "good", "--todo"), REFS(e.ready));
	each_free(&e);
}
END_TEST

static void expect_list(const char *expected, const char *const *arguments)
{
	char *list = program_expect(&host, 0, arguments);
	ck_assert_msg(
	    strcmp(list, expected) == 0, "the list is:\n%s\nand not:\n%s", list, expected);
	free(list);
}

#define LIST(...)                          \
	(const char *const[])              \
	{                                  \
		"tasks", __VA_ARGS__, NULL \
	}

START_TEST(rows_are_sorted_numbered_and_limited)
{
	free(detached("--", "sleep", "1000"));
	free(detached("--priority", "3", "--", "echo", "b"));
	free(detached("--priority", "-7", "--", "echo", "c"));
	free(detached("--priority", "20", "--", "echo", "a"));
	ctl_until(&host, "@", "tasks", "--in-progress", "--quiet");
	expect_list("COMMAND                 PRIO\n"
		    "echo c                    -7\n"
		    "echo b                     3\n"
		    "echo a                    20",
	    LIST("--todo", "--sort", "priority", "--columns", "command,priority"));
	expect_list("COMMAND\necho a\necho b\necho c",
	    LIST("--todo", "--sort", "-priority", "--columns", "command"));
	expect_list("COMMAND\necho a\necho b",
	    LIST("--todo", "--sort", "command", "--limit", "2", "--columns", "command"));
	expect_list("COMMAND\necho b\necho c",
	    LIST("--todo", "--sort", "command", "--rows", "2-3", "--columns", "command"));
	expect_list("COMMAND\necho c",
	    LIST("--todo", "--sort", "command", "--rows", "3-", "--columns", "command"));
	expect_list("COMMAND\nsleep 1000",
	    LIST("--sort", "-command", "--rows", "1", "--columns", "command"));
	expect_list("COMMAND", LIST("--rows", "5-6", "--columns", "command"));
	expect_list("COMMAND", LIST("--limit", "0", "--columns", "command"));
	free(ctl_expect(&host, 0, "cancel", "--todo", "--rows", "1"));
	char *left = QUIET("tasks", "--todo");
	ck_assert_ptr_nonnull(strchr(left, '\n'));
	ck_assert_ptr_eq(strchr(left, '\n'), strrchr(left, '\n'));
	free(left);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused_and_nothing_is_done)
{
	char *ref = detached("--", "sleep", "1000");
	static const struct {
		int code;
		const char *why;
		const char *words[6];
	} odd[] = {
		{ 64, "odd", { "tasks", "--state", "odd" } },
		{ 64, "--state is", { "tasks", "--state", "done,,ready" } },
		{ 64, "--state is", { "tasks", "--state", "" } },
		{ 64, "wants a text", { "tasks", "--include", "" } },
		{ 64, "option --include needs a value", { "tasks", "--include" } },
		{ 64, "0-3", { "tasks", "--rows", "0-3" } },
		{ 64, "3-1", { "tasks", "--rows", "3-1" } },
		{ 64, "x", { "tasks", "--rows", "x" } },
		{ 64, "-3", { "tasks", "--rows", "-3" } },
		{ 64, "1-2-3", { "tasks", "--rows", "1-2-3" } },
		{ 64, "99999999999999999999", { "tasks", "--rows", "99999999999999999999" } },
		{ 64, "unknown column odd", { "tasks", "--columns", "ref,odd" } },
		{ 64, "unknown column", { "tasks", "--columns", "" } },
		{ 64, "twice", { "tasks", "--columns", "ref,age,ref" } },
		{ 64, "unknown column -age", { "tasks", "--sort", "--age" } },
		{ 64, "too many", { "tasks", "extra" } },
		{ 64, "--watch", { "tasks", "--watch=soon" } },
		{ 64, "--watch", { "status", "--watch", "0" } },
		{ 64, "too many", { "status", "--watch", "soon" } },
		{ 64, "which tasks", { "cancel" } },
		{ 64, "which tasks", { "forget", "--quiet" } },
		{ 64, "which tasks", { "retry" } },
		{ 64, "which tasks", { "requeue", "--grace", "1s" } },
		{ 64, "which tasks", { "wait", "--no-fail" } },
		{ 64, "works on tasks that are", { "cancel", "--finished" } },
		{ 64, "works on tasks that are", { "requeue", "--todo" } },
		{ 64, "works on tasks that are", { "retry", "--state", "done,ready" } },
		{ 64, "works on tasks that are", { "move", "--to", "todo", "--finished" } },
		{ 64, "--to todo, front or parked", { "move", "--failed" } },
		{ 64, "finished", { "move", "--failed", "--to", "finished" } },
		{ 64, "which tasks", { "move", "--to", "todo" } },
		{ 65, "not a reference", { "forget", "x1" } },
		{ 65, "not a reference", { "requeue", "@1g" } },
		{ 65, "there is no task @1f", { "requeue", "@1f" } },
		{ 65, "another runtime", { "retry", "@1.1.1" } },
		{ 65, "another runtime", { "move", "--to", "todo", "@1.1.1" } },
	};
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		refuse(odd[i].code, odd[i].why, odd[i].words);
	refuse(64, "not both", REFS("cancel", "--todo", ref));
	refuse(64, "not both", REFS("wait", "--all-kept", ref));
	check_found(QUIET("tasks", "--state", "waiting,ready,running"), REFS(ref));
	free(ref);
}
END_TEST

/* ---- lists ---- */

START_TEST(a_command_is_called_by_its_words_before_and_after_its_run)
{
	char words[2 * LINE_BYTES], *running = detached("--", "sleep", "1000");
	memset(words, 'x', sizeof words - 1);
	words[sizeof words - 1] = 0;
	char *long_one = detached("--", "echo", words);
	char *ready = detached("--", "true", "a b", "é");
	char *binary = detached("--", "printf", "\x01\xff\n");
	ctl_until(&host, running, "tasks", "--in-progress", "--quiet");
	expect_cell(ready, "command", "true a b é");
	expect_cell(running, "command", "sleep 1000");
	expect_cell(binary, "function", "command.run");
	char *table = ctl_expect(&host, 0, "tasks");
	ck_assert_ptr_nonnull(strstr(table, "printf ???"));
	ck_assert_ptr_eq(strchr(table, '\x01'), NULL);
	check_found(QUIET("tasks", "--include", words + 100), REFS(long_one));
	free(ctl_expect(&host, 0, "cancel", running));
	free(ctl_expect(&host, 0, "wait", long_one, ready, binary));
	expect_cell(ready, "command", "true a b é");
	expect_cell(running, "command", "sleep 1000");
	check_found(QUIET("tasks", "--include", "echo xxx"), REFS(long_one));
	free(table), free(running), free(long_one), free(ready), free(binary);
}
END_TEST

START_TEST(a_row_says_how_a_task_ended)
{
	struct each e = one_of_each();
	char *crashed = ctl_expect(&host, 0, "call", "--detach", "probe.crash", "9");
	char *missing = detached("--", "no-such-command");
	char *killed = detached("--shell", "kill -9 $$");
	free(ctl_expect(&host, 0, "cancel", e.running));
	free(ctl_expect(&host, 3, "wait", crashed, missing, killed));
	expect_cell(e.done, "exit", "0");
	expect_cell(e.done, "output_bytes", "12");
	expect_cell(e.done, "label", "good");
	expect_cell(e.failed, "exit", "3");
	expect_cell(e.failed, "state", "failed");
	expect_cell(e.dead, "exit", "4");
	expect_cell(e.dead, "state", "dead");
	expect_cell(e.dead, "attempt", "2");
	expect_cell(e.cancelled, "exit", "null");
	expect_cell(e.cancelled, "run_ms", "null");
	expect_cell(missing, "exit", "127");
	expect_cell(killed, "exit", "137");
	expect_cell(crashed, "exit", "137");
	each_free(&e);
	free(crashed), free(missing), free(killed);
}
END_TEST

START_TEST(everything_that_lists_prints_json_lines_when_asked)
{
	struct each e = one_of_each();
	const char *const commands[][5] = {
		{ "tasks" },
		{ "tasks", "--sort", "age", "--columns", "ref,label" },
		{ "status" },
		{ "wait", "--finished", "--failed" },
		{ "requeue", "--in-progress" },
		{ "retry", "--failed", "--include", "exit 3" },
		{ "cancel", "--todo" },
		{ "move", "--failed", "--to", "todo" },
		{ "forget", "--all" },
	};
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		const char *const arguments[] = { "--json", commands[i][0], commands[i][1],
			commands[i][2], commands[i][3], commands[i][4], NULL };
		struct output_of o = program_run(&host, "plmctl", arguments, NULL, 0);
		unsigned values = 0;
		const char *why = json_lines_check(o.out, o.out_bytes, &values);
		ck_assert_msg(why == NULL, "plmctl --json %s: %s", commands[i][0], why);
		ck_assert_msg(values > 0, "plmctl --json %s: nothing; %s", commands[i][0], o.err);
		output_free(&o);
	}
	each_free(&e);
}
END_TEST

/* Reads only the first line of `plmctl tasks`; returns how the program ended. */
static int list_to_one_line(bool ignoring, char line[LINE_BYTES], char *ret_err)
{
	int out[2], err[2], status;
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
	pid_t pid = start_ctl(out[1], err[1], ignoring, REFS("tasks", "--todo"));
	close(out[1]);
	close(err[1]);
	size_t n = 0;
	while (n < LINE_BYTES - 1 && read(out[0], line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = 0;
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0); /* plmctl waits to write more */
	close(out[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ssize_t said = read(err[0], ret_err, LINE_BYTES - 1);
	ret_err[said > 0 ? said : 0] = 0;
	close(err[0]);
	return status;
}

START_TEST(a_reader_that_has_seen_enough_ends_a_long_list_without_a_word)
{
	char line[LINE_BYTES], err[LINE_BYTES];
	submit_many();
	int status = list_to_one_line(false, line, err);
	ck_assert_ptr_nonnull(strstr(line, "COMMAND"));
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE, "status %#x", status);
	ck_assert_str_eq(err, "");
	status = list_to_one_line(true, line, err);
	ck_assert_msg(
	    WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGPIPE, "status %#x", status);
	ck_assert_str_eq(err, "");
}
END_TEST

/* ---- status ---- */

START_TEST(status_counts_tasks_and_shows_the_workers)
{
	struct each e = one_of_each();
	char *object = ctl_expect(
	    &host, 0, "put", "Makefile"); /* an object does not count as a finished task */
	char *text = ctl_expect(&host, 0, "status");
	char *json = ctl_expect(&host, 0, "status", "--json");
	ck_assert_ptr_nonnull(strstr(text, "2 todo, 1 in progress, 1 finished, 2 failed"));
	ck_assert_ptr_nonnull(strstr(strstr(text, "WORKER"), e.running));
	static const char *const fields[][2] = { { "todo", "2" }, { "in_progress", "1" },
		{ "finished", "1" }, { "failed", "2" }, { "cancelled", "1" }, { "done", "2" } };
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		char *value = json_field(json, fields[i][0]);
		ck_assert_msg(value && strcmp(value, fields[i][1]) == 0, "%s is %s, not %s",
		    fields[i][0], value ? value : "missing", fields[i][1]);
		free(value);
	}
	free(object), free(text), free(json);
	each_free(&e);
}
END_TEST

/* Runs plmctl until it has printed `last` three times, then sends the signal; `ret` is the output.
 */
static void watch(
    int from, int to, int ends, const char *const *words, const char *last, char ret[SAID_BYTES])
{
	int status, times = 0;
	pid_t pid = start_ctl(to, -1, false, words);
	close(to);
	for (size_t n = 0; times < 3; n++) {
		ck_assert_msg(n + 1 < SAID_BYTES && read(from, ret + n, 1) == 1,
		    "never thrice \"%s\" in: %.*s", last, (int)n, ret);
		ret[n + 1] = 0;
		size_t length = strlen(last);
		times += n + 1 >= length && strcmp(ret + n + 1 - length, last) == 0;
	}
	ck_assert_int_eq(kill(pid, ends), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
	close(from);
}

START_TEST(watch_shows_again_and_again_until_it_is_interrupted)
{
	static char said[SAID_BYTES];
	static const struct {
		const char *words[5];
		const char *last;
		int ends;
	} all[] = {
		{ { "tasks", "--watch", "0.01", "--todo" }, "COMMAND\n", SIGINT },
		{ { "workers", "--watch=0.01", "--all" }, "scheduler", SIGTERM },
		{ { "status", "--json", "--watch", "0.01" }, "}\n", SIGINT },
	};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		int ends[2];
		ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
		watch(ends[0], ends[1], all[i].ends, all[i].words, all[i].last, said);
		ck_assert_ptr_eq(strchr(said, '\033'), NULL);
	}
}
END_TEST

START_TEST(watch_draws_over_itself_on_a_terminal)
{
	static char said[SAID_BYTES];
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(terminal, 0);
	ck_assert_int_eq(grantpt(terminal) | unlockpt(terminal), 0);
	int program = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(program, 0);
	char *ref = detached("--", "sleep", "1000");
	watch(
	    terminal, program, SIGINT, REFS("tasks", "--watch", "0.01"), "sleep 1000\033[K", said);
	ck_assert_ptr_nonnull(strstr(said, "\033[H"));
	ck_assert_ptr_nonnull(strstr(said, "\033[J"));
	free(ref);
}
END_TEST

START_TEST(watch_ends_with_the_runtime)
{
	char line[LINE_BYTES];
	int ends[2], status;
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = start_ctl(ends[1], ends[1], false, REFS("tasks", "--watch", "0.01"));
	close(ends[1]);
	ck_assert_int_gt(read(ends[0], line, sizeof line), 0);
	runtime_kill(&host);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 69, "status %#x", status);
	close(ends[0]);
	runtime_end(&host);
	host_boot("1"); /* the teardown stops a runtime */
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		tasks_are_found_by_state_in_our_words_and_in_common_ones,
		tasks_are_found_by_text_and_label,
		rows_are_sorted_numbered_and_limited,
		what_makes_no_sense_is_refused_and_nothing_is_done,
		a_command_is_called_by_its_words_before_and_after_its_run,
		a_row_says_how_a_task_ended,
		everything_that_lists_prints_json_lines_when_asked,
		a_reader_that_has_seen_enough_ends_a_long_list_without_a_word,
		status_counts_tasks_and_shows_the_workers,
		watch_shows_again_and_again_until_it_is_interrupted,
		watch_draws_over_itself_on_a_terminal,
		watch_ends_with_the_runtime,
	};
	return run_tests("tasks", TEST_TIMEOUT_S, manage_boot, manage_stop, tests,
	    sizeof tests / sizeof tests[0]);
}
