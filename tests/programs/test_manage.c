/* test_manage.c - operations on many tasks at once, through the real programs: cancel, requeue,
 * retry, move, forget, wait. Filters: test_tasks.c. */
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

enum { TEST_TIMEOUT_S = 60, PATH_BYTES = 256, LINE_BYTES = 512 };

/* ---- cancel, forget, retry, move ---- */

START_TEST(what_never_ran_has_no_exit_code)
{
	char *failed = detached("--shell", "exit 5"), *child = detached("--after", failed, "true");
	char *before = detached("sleep", "60");
	char *late = detached("--queue-limit", "1ms", "--after", before, "true");
	free(ctl_expect(&host, 2, "wait", failed, child));
	free(ctl_expect(&host, 1, "wait", late));
	expect_cell(failed, "exit", "5");
	expect_cell(child, "exit", "null");
	expect_cell(late, "exit", "null");
	/* The time in the queue is seconds at most: a clock that is behind must not give a huge
	 * number. */
	char *row = ctl_expect(&host, 0, "tasks", "--json", "--columns", "ref,queued");
	ck_assert_msg(!strstr(row, "42949"), "%s", row);
	free(row);
	free(failed);
	free(child);
	free(before);
	free(late);
}
END_TEST

START_TEST(a_filter_cancels_what_it_finds_and_nothing_else)
{
	struct each e = one_of_each();
	check_output(
	    ctl(&host, "cancel", "--todo", "--include", "echo"), 0, "", "1 task cancelled");
	check_found(QUIET("tasks", "--state", "cancelled"), REFS(e.ready, e.cancelled));
	check_found(QUIET("tasks", "--state", "running,waiting"), REFS(e.running, e.waiting));
	check_output(ctl(&host, "cancel", "--label", "none"), 0, "", "0 tasks cancelled");
	/* Cancels both tasks; or only the first, if its failure fails the second before the cancel.
	 */
	check_output(ctl(&host, "cancel", "--all"), 0, "", "cancelled");
	free(ctl_expect(&host, 2, "wait", e.running, e.waiting));
	check_output(ctl(&host, "cancel", e.done), 0, "", "done already");
	each_free(&e);
}
END_TEST

/* plmctl blocks in the middle of its work, since the test does not read its output. */
START_TEST(what_began_since_the_list_was_made_is_not_cancelled_as_todo)
{
	char said[LINE_BYTES];
	int out[2], status;
	submit_many();
	char *ref = detached("--priority", "9", "--", "sleep", "1000");
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_ge(fcntl(out[0], F_SETPIPE_SZ, 1), 0);
	pid_t pid = start_ctl(out[1], -1, false, REFS("cancel", "--todo", "--quiet"));
	close(out[1]);
	ck_assert_int_eq(read(out[0], said, 1), 1);
	free(ctl_expect(&host, 0, "resume"));
	ctl_until(&host, ref, "tasks", "--state", "running", "--quiet");
	while (read(out[0], said, sizeof said) > 0)
		;
	close(out[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	check_found(QUIET("tasks", "--state", "waiting,ready,running"), REFS(ref));
	expect_cell(ref, "state", "running");
	free(ref);
}
END_TEST

START_TEST(what_is_forgotten_is_gone_and_its_memory_with_it)
{
	struct each e = one_of_each();
	check_output(ctl(&host, "forget", "--finished"), 0, "", "1 task forgotten");
	check_found(QUIET("tasks", "--finished"), NONE); /* right after the answer */
	check_output(ctl(&host, "forget", "--failed", "--exclude", "exit 4"), 0, "", "1 task forg");
	check_found(QUIET("tasks", "--failed"), REFS(e.dead));
	check_output(ctl(&host, "forget", e.dead), 0, "", NULL);
	check_found(QUIET("tasks", "--failed"), NONE);
	refuse(65, "unknown reference", REFS("forget", e.done));
	check_output(ctl(&host, "forget", "--all"), 0, "", "4 tasks forgotten");
	free(ctl_expect(
	    &host, 0, "cancel", "--in-progress")); /* no longer kept, the task still runs */
	ctl_until(&host, "\"records_used\": 0", "status", "--json");
	ctl_until(&host, "\"store_used\": 0", "status", "--json");
	each_free(&e);
}
END_TEST

static void kill_scheduler(void)
{
	char *status = ctl_expect(&host, 0, "status", "--json");
	char *scheduler = json_field(status, "scheduler_pid");
	ck_assert_int_eq(kill(atoi(scheduler), SIGKILL), 0);
	ctl_until(&host, "\"restarts\": 1", "status", "--json");
	free(status), free(scheduler);
}

/* The scheduler is stopped: the hold of the runtime is set by the submission itself. */
START_TEST(what_is_submitted_to_be_kept_is_found_at_once)
{
	char *status = ctl_expect(&host, 0, "status", "--json");
	char *scheduler = json_field(status, "scheduler_pid");
	free(ctl_expect(&host, 0, "pause"));
	ck_assert_int_eq(kill(atoi(scheduler), SIGSTOP), 0);
	char *ref = detached("--", "true");
	expect_cell(ref, "kept", "true");
	ck_assert_int_eq(kill(atoi(scheduler), SIGCONT), 0);
	free(ctl_expect(&host, 0, "resume"));
	free(ctl_expect(&host, 0, "wait", "--all-kept"));
	free(status), free(scheduler), free(ref);
}
END_TEST

/* A task that fails until the file `path` exists. */
static char *until_there(char *path)
{
	char line[PATH_BYTES + 32];
	scratch_path(&host, "there", path, PATH_BYTES);
	snprintf(line, sizeof line, "test -e %s && echo 5", path);
	return detached("--label", "gate", "--shell", line);
}

static void make_there(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

START_TEST(every_failed_task_that_is_kept_can_be_retried_and_is_let_go_then)
{
	char path[PATH_BYTES];
	char *first = until_there(path);
	char *crash = ctl_expect(&host, 0, "call", "--detach", "probe.fail");
	char *late = detached("--run-limit", "20ms", "--", "sleep", "1000");
	free(ctl_expect(&host, 3, "wait", first, crash, late));
	char *again = ctl_expect(&host, 0, "retry", first);
	refuse(65, "unknown reference", REFS("retry", first));
	free(ctl_expect(&host, 1, "wait", again));
	make_there(path);
	check_output(ctl(&host, "retry", "--failed"), 0, NULL, "3 tasks submitted anew");
	free(ctl_expect(&host, 2, "wait", "--all-kept"));
	check_found(QUIET("tasks", "--finished", "--label", "gate"), REFS("@"));
	char *good = QUIET("tasks", "--finished");
	refuse(64, "is done: only a task", REFS("retry", good));
	free(ctl_expect(&host, 0, "forget", "--all"));
	ctl_until(&host, "\"records_used\": 0", "status", "--json");
	ctl_until(&host, "\"store_used\": 0", "status", "--json");
	free(first), free(crash), free(late), free(again), free(good);
}
END_TEST

START_TEST(what_failed_with_another_is_retried_with_it)
{
	char path[PATH_BYTES], *found;
	char *root = until_there(path);
	char *child = ctl_expect(&host, 0, "call", "--detach", "probe.wordcount", root);
	char *leaf = ctl_expect(&host, 0, "call", "--detach", "probe.wordcount", child, root);
	free(ctl_expect(&host, 3, "wait", root, child, leaf));
	refuse(64, "failed too", REFS("retry", leaf));
	check_found(QUIET("tasks", "--failed"), REFS(root, child, leaf));
	make_there(path);
	kill_scheduler(); /* the next scheduler counts again which tasks use which futures */
	free(ctl_expect(&host, 0, "retry", leaf, root, child)); /* the order does not matter */
	free(ctl_expect(&host, 0, "wait", "--all-kept"));
	check_found(QUIET("tasks", "--failed"), NONE);
	found = ctl_expect(&host, 0, "tasks", "--quiet", "--finished", "--include", "wordcount");
	ck_assert_ptr_nonnull(strchr(found, '\n'));
	free(found);
	free(ctl_expect(&host, 0, "forget", "--all"));
	ctl_until(&host, "\"records_used\": 0", "status", "--json");
	ctl_until(&host, "\"store_used\": 0", "status", "--json");
	free(root), free(child), free(leaf);
}
END_TEST

/* Two tasks that fail until the file `path` exists; the child has the parent as its argument. */
static void fail_both(char *path, char **parent, char **child)
{
	*parent = until_there(path);
	*child = ctl_expect(&host, 0, "call", "--detach", "probe.wordcount", *parent);
	free(ctl_expect(&host, 2, "wait", *parent, *child));
}

START_TEST(a_child_is_retried_with_what_its_parent_was_retried_as)
{
	char path[PATH_BYTES], *parent, *child;
	fail_both(path, &parent, &child);
	make_there(path);
	char *good = ctl_expect(&host, 0, "retry", parent);
	kill_scheduler();
	free(ctl_expect(&host, 0, "wait", good));
	char *again = ctl_expect(&host, 0, "retry", child);
	check_output(ctl(&host, "get", again), 0, "1", NULL);
	free(ctl_expect(&host, 0, "forget", "--all"));
	ctl_until(&host, "\"records_used\": 0", "status", "--json");
	free(parent), free(child), free(good), free(again);
}
END_TEST

START_TEST(a_child_may_be_retried_before_its_parent_has_ended_and_after_it_failed_again)
{
	char path[PATH_BYTES], *parent, *child;
	fail_both(path, &parent, &child);
	char *second = ctl_expect(&host, 0, "retry", parent);
	free(ctl_expect(&host, 1, "wait", second));
	refuse(64, "failed too", REFS("retry", child));
	char *third = ctl_expect(&host, 0, "retry", second); /* `second` is let go */
	free(ctl_expect(&host, 1, "wait", third));
	refuse(64, third, REFS("retry", child));
	make_there(path);
	char *both = ctl_expect(&host, 0, "retry", child, third); /* the order does not matter */
	free(ctl_expect(&host, 0, "wait", "--all-kept"));
	ck_assert_ptr_nonnull(strchr(both, '\n'));
	free(ctl_expect(&host, 0, "forget", "--all"));
	ctl_until(&host, "\"records_used\": 0", "status", "--json");
	free(parent), free(child), free(second), free(third), free(both);
}
END_TEST

START_TEST(a_child_whose_retried_parent_was_forgotten_is_told_so)
{
	char path[PATH_BYTES], *parent, *child;
	fail_both(path, &parent, &child);
	make_there(path);
	char *good = ctl_expect(&host, 0, "retry", parent);
	free(ctl_expect(&host, 0, "wait", good));
	free(ctl_expect(&host, 0, "forget", good));
	refuse(65, "was retried as", REFS("retry", child));
	free(ctl_expect(&host, 0, "forget", child));
	ctl_until(&host, "\"records_used\": 0", "status", "--json");
	free(parent), free(child), free(good);
}
END_TEST

START_TEST(a_further_result_of_a_retried_parent_is_found)
{
	char path[PATH_BYTES], line[PATH_BYTES + 64];
	scratch_path(&host, "there", path, sizeof path);
	snprintf(line, sizeof line, "test -e %s && echo made > $Y", path);
	char *parent = detached("--out", "Y", "--shell", line), *made = strchr(parent, '\n');
	ck_assert_ptr_nonnull(made);
	*made++ = 0;
	char *child = ctl_expect(&host, 0, "call", "--detach", "probe.echo", made);
	free(ctl_expect(&host, 2, "wait", parent, child));
	make_there(path);
	free(ctl_expect(&host, 0, "retry", parent));
	char *again = ctl_expect(&host, 0, "retry", child);
	check_output(ctl(&host, "get", again), 0, "made\n", NULL);
	free(parent), free(child), free(again);
}
END_TEST

START_TEST(what_nobody_held_any_more_cannot_be_retried)
{
	char path[PATH_BYTES], let_go[LINE_BYTES], *root = until_there(path);
	char *lost = ctl_expect(&host, 0, "call", "--detach", "probe.wordcount", root);
	char *child = ctl_expect(&host, 0, "call", "--detach", "probe.wordcount", lost);
	free(ctl_expect(&host, 3, "wait", root, lost, child));
	free(
	    ctl_expect(&host, 0, "forget", lost)); /* the child still uses `lost` as its argument */
	snprintf(let_go, sizeof let_go, "{\"ref\": \"%s\", \"kept\": false}", lost);
	ctl_until(&host, let_go, "tasks", "--json", "--columns", "ref,kept");
	refuse(64, "does not keep them", REFS("retry", lost));
	free(ctl_expect(&host, 0, "forget", child));
	free(root), free(lost), free(child);
}
END_TEST

/* The failed task still stands in the list of tasks that wait for `slow`. */
START_TEST(what_failed_before_all_it_waited_for_was_there_is_freed_in_the_end)
{
	char path[PATH_BYTES], *root = until_there(path);
	free(ctl_expect(&host, 1, "wait", root));
	char *slow = detached("--", "sleep", "1000");
	char *leaf = ctl_expect(&host, 0, "call", "--detach", "probe.sum", slow, root);
	free(ctl_expect(&host, 1, "wait", leaf));
	kill_scheduler();
	free(ctl_expect(&host, 0, "forget", root, leaf));
	free(ctl_expect(&host, 0, "cancel", slow));
	free(ctl_expect(&host, 1, "wait", slow));
	struct output_of o = dump(&host, "check");
	ck_assert_msg(o.code == 0, "%s", o.out);
	output_free(&o);
	free(ctl_expect(&host, 0, "forget", slow));
	ctl_until(&host, "\"records_used\": 0", "status", "--json");
	ctl_until(&host, "\"store_used\": 0", "status", "--json");
	free(root), free(slow), free(leaf);
}
END_TEST

START_TEST(what_cannot_be_retried_says_why)
{
	char *ref = ctl_expect(&host, 0, "put", "Makefile");
	refuse(64, "is done: only a task", REFS("retry", ref));
	char *running = detached("--", "sleep", "1000"), *doomed;
	doomed = ctl_expect(&host, 0, "call", "--detach", "probe.sum", running);
	ctl_until(&host, running, "tasks", "--in-progress", "--quiet");
	refuse(64, "is running: only", REFS("retry", running));
	free(ctl_expect(&host, 0, "cancel", running));
	free(ctl_expect(&host, 2, "wait", running, doomed));
	refuse(64, "is cancelled: only", REFS("retry", running));
	refuse(64, "been cancelled", REFS("retry", doomed));
	free(ref), free(running), free(doomed);
}
END_TEST

START_TEST(replicas_are_not_retried)
{
	runtime_end(&host);
	runtime_boot(&host, "--workers", "2", );
	char *ref = ctl_expect(&host, 0, "call", "--detach", "--replicas", "2", "probe.fail");
	free(ctl_expect(&host, 1, "wait", ref));
	refuse(64, "replicas", REFS("retry", ref));
	free(ctl_expect(&host, 0, "forget", ref));
	ctl_until(&host, "\"records_used\": 0", "status", "--json");
	free(ref);
}
END_TEST

START_TEST(what_runs_goes_back_to_the_queue_and_runs_again)
{
	char path[PATH_BYTES], line[PATH_BYTES + 64];
	scratch_path(&host, "begun", path, sizeof path);
	snprintf(line, sizeof line, "echo $PLM_ATTEMPT >> %s; test $PLM_ATTEMPT = 3 || sleep 1000",
	    path);
	char *ref = detached("--label", "r", "--shell", line);
	ctl_until(&host, ref, "tasks", "--in-progress", "--quiet");
	check_output(ctl(&host, "requeue", ref), 0, "", NULL);
	ctl_until(&host, "\"attempt\": 2", "tasks", "--json");
	ctl_until(&host, ref, "tasks", "--state", "running", "--quiet");
	check_output(ctl(&host, "requeue", "--label", "r"), 0, "", "1 task requeued");
	free(ctl_expect(&host, 0, "wait", ref));
	expect_cell(ref, "returned", "2");
	expect_cell(ref, "failures", "0");
	check_output(ctl(&host, "requeue", ref), 0, "", "done already");
	check_output(ctl(&host, "requeue", "--all"), 0, "", "0 tasks requeued");
	free(ref);
}
END_TEST

START_TEST(what_runs_and_what_failed_is_moved_back_to_the_queue)
{
	struct each e = one_of_each();
	check_output(
	    ctl(&host, "move", "--state", "in_progress", "--to", "todo"), 0, "", "1 task requeued");
	ctl_until(&host, e.running, "tasks", "--quiet", "--state", "running");
	check_output(ctl(&host, "move", "--failed", "--to", "todo", "--label", "bad"), 0, NULL,
	    "1 task submitted anew");
	check_found(QUIET("tasks", "--failed"), REFS(e.dead));
	check_found(QUIET("tasks", "--todo", "--label", "bad"), REFS("@"));
	char *again = ctl_expect(&host, 0, "move", "--to", "todo", e.dead, e.running);
	ck_assert_ptr_nonnull(strstr(again, "@"));
	check_found(QUIET("tasks", "--failed"), NONE);
	check_output(ctl(&host, "move", "--to", "todo", e.done), 0, "", "done already");
	check_output(ctl(&host, "move", "--to", "todo", "--failed"), 0, "", "0 tasks moved");
	free(again);
	each_free(&e);
}
END_TEST

/* ---- waiting ---- */

START_TEST(wait_fails_when_a_task_did_unless_told_otherwise)
{
	char *good = detached("true"), *bad = detached("false");
	check_output(ctl(&host, "wait", good, bad), 1, NULL, NULL);
	check_output(ctl(&host, "wait", "--no-fail", good, bad), 0, NULL, NULL);
	check_output(ctl(&host, "wait", "--all-kept"), 1, NULL, NULL);
	check_output(ctl(&host, "wait", "--failed", "--no-fail"), 0, NULL, NULL);
	check_output(ctl(&host, "wait", "--finished"), 0, NULL, NULL);
	check_output(ctl(&host, "wait", "--todo"), 0, NULL, NULL);
	char *slow = detached("sleep", "1000");
	check_output(ctl(&host, "wait", "--timeout", "0.05", "--all-kept", "--no-fail"), 124, NULL,
	    "wanted futures");
	check_output(ctl(&host, "wait", "--any", "--all-kept", "--no-fail"), 0, NULL, NULL);
	free(good), free(bad), free(slow);
}
END_TEST

/* ---- a home-made queue, in commands of plm: the table in docs/shell.md ---- */

START_TEST(each_order_of_the_manager_of_a_queue_has_one_of_ours)
{
	struct each e = one_of_each();
	check_output(ctl(&host, "status"), 0, NULL, NULL); /* checkTask */
	check_found(QUIET("tasks", "--in_progress", "--include", "sleep"), REFS(e.running));
	char *workers = ctl_expect(&host, 0, "workers"); /* checkWorker */
	ck_assert_ptr_nonnull(strstr(workers, "live"));
	check_output(ctl(&host, "info", e.failed), 0, NULL, NULL);          /* failed_reason */
	check_output(ctl(&host, "logs", e.done), 0, "all is well\n", NULL); /* print_result */
	check_output(ctl(&host, "forget", "--finished"), 0, "", "1 task");  /* removeFinished */
	check_output(ctl(&host, "move", "--in-progress", "--to", "todo"), 0, "", "1 task");
	check_output(ctl(&host, "move", "--failed", "--to", "todo"), 0, NULL, "2 tasks");
	check_output(ctl(&host, "cancel", "--all"), 0, "", "tasks cancelled"); /* initRedis */
	check_output(ctl(&host, "forget", "--all"), 0, "", "tasks forgotten");
	ctl_until(&host, "\"records_used\": 0", "status", "--json");
	check_output(ctl(&host, "drain", "0"), 0, NULL, NULL); /* COMMAND_CLOSE */
	free(workers);
	each_free(&e);
}
END_TEST

/* The row "cleanup" of the table: plm does so without a command. */
START_TEST(the_task_of_a_dead_worker_is_queued_again_by_itself)
{
	char *ref = detached("--crash-retries", "3", "--", "sleep", "1000");
	ctl_until(&host, ref, "tasks", "--in-progress", "--quiet");
	char *line = ctl_expect(&host, 0, "workers", "--json"), *pid = json_field(line, "pid");
	ck_assert_int_eq(kill(atoi(pid), SIGKILL), 0);
	ctl_until(&host, "\"attempt\": 2", "tasks", "--json");
	free(ref), free(line), free(pid);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		what_never_ran_has_no_exit_code,
		a_filter_cancels_what_it_finds_and_nothing_else,
		what_began_since_the_list_was_made_is_not_cancelled_as_todo,
		what_is_forgotten_is_gone_and_its_memory_with_it,
		what_is_submitted_to_be_kept_is_found_at_once,
		every_failed_task_that_is_kept_can_be_retried_and_is_let_go_then,
		what_failed_with_another_is_retried_with_it,
		a_child_is_retried_with_what_its_parent_was_retried_as,
		a_child_may_be_retried_before_its_parent_has_ended_and_after_it_failed_again,
		a_child_whose_retried_parent_was_forgotten_is_told_so,
		a_further_result_of_a_retried_parent_is_found,
		what_nobody_held_any_more_cannot_be_retried,
		what_failed_before_all_it_waited_for_was_there_is_freed_in_the_end,
		what_cannot_be_retried_says_why,
		replicas_are_not_retried,
		what_runs_goes_back_to_the_queue_and_runs_again,
		what_runs_and_what_failed_is_moved_back_to_the_queue,
		wait_fails_when_a_task_did_unless_told_otherwise,
		each_order_of_the_manager_of_a_queue_has_one_of_ours,
		the_task_of_a_dead_worker_is_queued_again_by_itself,
	};
	return run_tests("manage", TEST_TIMEOUT_S, manage_boot, manage_stop, tests,
	    sizeof tests / sizeof tests[0]);
}
