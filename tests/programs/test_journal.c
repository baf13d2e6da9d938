/* test_journal.c - durable tasks, through the real programs: accepted tasks return after the
 * loss of all processes and both segments; ended tasks do not run again. A damaged journal, or a
 * full disk: test_journal_damage.c. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/plm.h"
#include "tests/support/fixture.h"
#include "tests/support/journal_case.h"
#include "tests/support/json.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 120,
	PATH_BYTES = 128,
	LINE_BYTES = 512,
	CRASHES = 3,
	TASKS = 30,
	MANY = 1500
};

/* A command that adds a line to a file, so that the test can count runs. The history shows the
 * number. */
static void leave_line(char *line, size_t size, unsigned number)
{
	char path[PATH_BYTES];
	scratch_path(&host, "runs", path, sizeof path);
	snprintf(line, size, "echo task-%u >> %s # <%u>", number, path, number);
}

static char *keep_line(unsigned number)
{
	char line[LINE_BYTES];
	leave_line(line, sizeof line, number);
	return keep("--shell", line);
}

static void each_ran_once(unsigned tasks)
{
	for (unsigned i = 1; i <= tasks; i++) {
		char task[32];
		snprintf(task, sizeof task, "task-%u", i);
		ck_assert_uint_eq(count_lines("runs", task), 1);
	}
}

/* ---- crashes ---- */

static void submit_many(void *context)
{
	unsigned first = *(unsigned *)context;
	char path[PATH_BYTES];
	scratch_path(&host, "accepted", path, sizeof path);
	for (unsigned i = first; i < first + TASKS; i++) {
		char line[LINE_BYTES];
		leave_line(line, sizeof line, i);
		struct output_of o = ctl(&host, "submit", "--detach", "--shell", line);
		FILE *f = o.code == 0 ? fopen(path, "a") : NULL;
		if (f) {
			fprintf(f, "%u\n", i);
			fclose(f);
		}
		output_free(&o);
	}
}

static void judge(unsigned number)
{
	char marker[32], task[32];
	snprintf(marker, sizeof marker, "<%u>", number);
	snprintf(task, sizeof task, "task-%u", number);
	unsigned runs = count_lines("runs", task);
	char *line = history_line(marker);
	ck_assert_msg(line != NULL, "task %u was accepted, and is lost", number);
	char *state = json_field(line, "state"), *resumed = json_field(line, "resumed");
	bool done = strcmp(state, "done") == 0, again = strcmp(resumed, "0") != 0;
	ck_assert_msg(done || strcmp(state, "failed") == 0, "task %u is %s", number, state);
	ck_assert_msg(!done || runs >= 1, "task %u is done and never ran", number);
	ck_assert_msg(
	    !done || again || runs == 1, "task %u had ended, and ran %u times", number, runs);
	ck_assert_msg(done || runs <= 1, "task %u failed, and ran %u times", number, runs);
	free(state);
	free(resumed);
	free(line);
}

START_TEST(whatever_sync_accepted_is_there_after_a_crash_at_any_moment)
{
	uint64_t random = number_from("PLM_SEED", RANDOM_SEED);
	unsigned first = 1;
	journal_boot("--durability", "sync", );
	for (int i = 0; i < CRASHES; i++, first += TASKS) {
		unsigned before = count_lines("accepted", NULL);
		pid_t child = child_of(submit_many, &first);
		await_lines(
		    "accepted", before + 1 + (unsigned)(random_next(&random) % (TASKS - 5)));
		journal_crash();
		ck_assert_int_eq(exit_of(child), 0);
		journal_reboot("--durability", "sync", );
		history_settles();
	}
	char number[16];
	for (unsigned i = 1; i < first; i++) {
		snprintf(number, sizeof number, "%u", i);
		if (count_lines("accepted", number))
			judge(i);
	}
	journal_end();
}
END_TEST

START_TEST(what_has_ended_is_not_run_again_and_its_record_stays)
{
	journal_boot();
	for (unsigned i = 1; i <= 10; i++)
		free(keep_line(i));
	char *failed = keep("--shell", "echo no luck >&2; exit 7");
	status_reaches("journal_ended", 11);
	journal_crash();
	journal_reboot();
	expect_history("exit 7", "state", "failed");
	expect_history("exit 7", "exit_code", "7");
	expect_history("exit 7", "stderr", "no luck\n");
	expect_history("exit 7", "resumed", "0");
	char *one = ctl_expect(&host, 0, "history", "--json", failed);
	ck_assert_ptr_nonnull(strstr(one, "\"exit_code\": 7"));
	struct output_of stale = ctl(&host, "wait", failed);
	ck_assert_msg(strstr(stale.err, "plmctl history"), "%s", stale.err);
	output_free(&stale);
	char *last = keep_line(11);
	free(ctl_expect(&host, 0, "wait", last));
	each_ran_once(11);
	journal_end();
	free(last);
	free(one);
	free(failed);
}
END_TEST

/* ---- tasks that depend on tasks ---- */

static char *ref_now(const char *text)
{
	char *line = history_line(text);
	ck_assert_ptr_nonnull(line);
	char *ref = json_field(line, "ref");
	free(line);
	return ref;
}

START_TEST(tasks_that_wait_for_tasks_do_so_after_a_boot)
{
	char value[64];
	journal_boot();
	free(ctl_expect(&host, 0, "pause"));
	char *a = ctl_expect(&host, 0, "call", "--detach", "probe.sum", "1", "2");
	char *b = ctl_expect(&host, 0, "call", "--detach", "probe.sum", a, "10");
	free(ctl_expect(&host, 0, "call", "--detach", "probe.sum", b, "777"));
	status_reaches("journal_accepted", 3);
	journal_crash();
	journal_reboot();
	history_settles();
	char *now = ref_now("777"), *sum = ctl_expect(&host, 0, "get", now);
	snprintf(value, sizeof value, "%s", sum);
	ck_assert_str_eq(value, "790");
	journal_end();
	free(a);
	free(b);
	free(now);
	free(sum);
}
END_TEST

/* Of tasks that come after any end, or after a failure. */
START_TEST(orders_after_an_end_or_a_failure_hold_after_a_boot)
{
	journal_boot();
	free(ctl_expect(&host, 0, "pause"));
	char *bad = keep("false"), *good = keep("true");
	free(keep("--after-any", bad, "echo any1"));
	free(keep("--after-failed", bad, "echo failed1"));
	free(keep("--after-any", good, "echo any2"));
	free(keep("--after-failed", good, "echo never1"));
	status_reaches("journal_accepted", 6);
	journal_crash();
	journal_reboot();
	history_settles();
	expect_history("echo any1", "state", "done");
	expect_history("echo failed1", "state", "done");
	expect_history("echo any2", "state", "done");
	expect_history("echo never1", "state", "cancelled");
	journal_end();
	free(bad);
	free(good);
}
END_TEST

/* The first tasks have ended before the crash: nothing but their rows is left. */
START_TEST(an_end_before_the_crash_counts_for_those_that_come_after)
{
	char line[LINE_BYTES];
	journal_boot();
	wait_line(line, sizeof line, "printf 4");
	char *gate = keep("--crash-retries", "2", "--shell", line);
	char *bad = keep("sleep 0.2; exit 3"), *good = keep("sleep 0.2");
	free(keep("--after-any", good, "--after", gate, "echo any1"));
	free(keep("--after-failed", bad, "--after", gate, "echo failed1"));
	status_reaches("journal_accepted", 5);
	status_reaches("journal_ended", 2);
	await_lines("begun", 1);
	journal_crash();
	open_gate();
	journal_reboot();
	history_settles();
	expect_history("echo any1", "state", "done");
	expect_history("echo failed1", "state", "done");
	journal_end();
	free(gate);
	free(bad);
	free(good);
}
END_TEST

START_TEST(the_value_of_one_that_has_ended_is_kept_for_those_that_wait)
{
	char line[LINE_BYTES];
	journal_boot();
	free(ctl_expect(&host, 0, "pause"));
	wait_line(line, sizeof line, "printf 4");
	char *gate = keep("--crash-retries", "2", "--shell", line);
	char *a = ctl_expect(&host, 0, "call", "--detach", "probe.sum", "1", "2");
	char *b = ctl_expect(&host, 0, "call", "--detach", "probe.sum", a, gate, "777");
	status_reaches("journal_accepted", 3);
	free(ctl_expect(&host, 0, "resume"));
	status_reaches("journal_ended", 1);
	await_lines("begun", 1);
	journal_crash();
	open_gate();
	journal_reboot();
	history_settles();
	char *now = ref_now("777"), *sum = ctl_expect(&host, 0, "get", now);
	ck_assert_str_eq(sum, "784");
	expect_history("probe.sum 1 2", "resumed", "0");
	journal_end();
	free(gate);
	free(a);
	free(b);
	free(now);
	free(sum);
}
END_TEST

START_TEST(what_cannot_be_kept_is_said_and_fails_after_a_boot_with_that_reason)
{
	static char large[(1 << 20) + 1];
	char path[PATH_BYTES];
	memset(large, 'x', sizeof large);
	journal_boot();
	scratch_write(&host, "large", large, sizeof large, path, sizeof path);
	char *object = ctl_expect(&host, 0, "put", path);
	free(ctl_expect(&host, 0, "pause"));
	free(ctl_expect(&host, 0, "call", "--detach", "probe.wordcount", object));
	status_reaches("journal_accepted", 1);
	expect_history("wordcount", "not_durable",
	    "argument 1 is a value of more than 1 MiB, too large to be kept");
	journal_crash();
	journal_reboot();
	history_settles();
	expect_history("wordcount", "state", "failed");
	expect_history("wordcount", "message",
	    "the task was not durable: argument 1 is a value of more "
	    "than 1 MiB, too large to be kept");
	journal_end();
	free(object);
}
END_TEST

/* ---- tasks that have run ---- */

static unsigned long number_of(const char *text, const char *key)
{
	char *line = history_line(text), *value = line ? json_field(line, key) : NULL;
	ck_assert_ptr_nonnull(value);
	unsigned long n = strtoul(value, NULL, 10);
	free(value);
	free(line);
	return n;
}

START_TEST(an_attempt_that_was_running_counts_as_a_crash)
{
	char once[LINE_BYTES], twice[LINE_BYTES];
	journal_boot();
	wait_line(once, sizeof once, "true once");
	wait_line(twice, sizeof twice, "true twice");
	free(keep("--shell", once));
	free(keep("--crash-retries", "1", "--shell", twice));
	until_history("true once", "state", "running");
	until_history("true twice", "state", "running");
	journal_crash();
	journal_reboot();
	until_history("true once", "state", "failed");
	until_history("true twice", "resumed", "1");
	until_history("true twice", "state", "running");
	ck_assert_uint_eq(number_of("true once", "resumed"), 0);
	journal_crash();
	journal_reboot();
	until_history("true twice", "state", "failed");
	ck_assert_uint_eq(count_lines("begun", "begun"), 3);
	journal_end();
}
END_TEST

START_TEST(a_task_that_is_to_be_tried_again_is_in_the_queue)
{
	journal_boot();
	free(keep("--retries", "3", "--backoff", "1h", "--shell", "false # again"));
	until_history("# again", "state", "queued");
	until_history("# again", "attempts", "1");
	journal_crash();
	journal_reboot();
	until_history("# again", "resumed", "1");
	until_history("# again", "attempts", "1");
	expect_history("# again", "state", "queued");
	free(ctl_expect(&host, 0, "stop", "--now"));
	ck_assert(wait_for_death(host.pid));
	journal_crash();
	journal_end();
}
END_TEST

START_TEST(a_file_that_was_loaded_is_known_after_a_boot)
{
	char path[PATH_BYTES];
	const char lines[] = "true one\ntrue two\ntrue three\n";
	journal_boot();
	scratch_write(&host, "file", lines, sizeof lines - 1, path, sizeof path);
	free(ctl_expect(&host, 0, "pause"));
	free(ctl_expect(&host, 0, "load", "--unique", path));
	status_reaches("journal_accepted", 3);
	journal_crash();
	journal_reboot();
	history_reaches("done", 3);
	free(ctl_expect(&host, 0, "load", "--unique", "--wait", path));
	ck_assert_uint_eq(history_count("queued") + history_count("done"), 3);
	journal_end();
}
END_TEST

START_TEST(what_was_forgotten_runs_and_is_kept_by_nobody)
{
	journal_boot();
	free(ctl_expect(&host, 0, "pause"));
	char *ref = keep_line(1);
	status_reaches("journal_accepted", 1);
	free(ctl_expect(&host, 0, "drop", ref));
	char *other = keep_line(2); /* the journal writes this task after the drop */
	status_reaches("journal_accepted", 2);
	journal_crash();
	journal_reboot();
	history_settles();
	ck_assert_uint_eq(count_lines("runs", "task-1"), 1);
	/* the other task and its log */
	ctl_until(&host, "\"records_used\": 2,", "status", "--json");
	journal_end();
	free(ref);
	free(other);
}
END_TEST

/* ---- the death of the journal ---- */

START_TEST(the_death_of_the_journal_alone_loses_nothing)
{
	journal_boot();
	for (unsigned i = 1; i <= TASKS; i++) {
		free(keep_line(i));
		if (i % 6 == 0)
			kill_journal();
	}
	await_lines("runs", TASKS);
	history_reaches("done", TASKS);
	journal_crash();
	journal_reboot();
	ck_assert_uint_eq(history_count("done"), TASKS);
	ck_assert_uint_eq(count_lines("runs", "task-1"), 1);
	journal_end();
}
END_TEST

/* Enough tasks that queueing takes a while. */
static void keep_many(unsigned n)
{
	char line[LINE_BYTES];
	plm *rt;
	plm_ref refs[2];
	leave_line(line, sizeof line, 1);
	const plm_arg args[] = { PLM_BYTES("", 0), PLM_BYTES("", 0), PLM_BYTES("/bin/sh", 7),
		PLM_BYTES("-c", 2), PLM_BYTES(line, strlen(line)) };
	const plm_task task = {
		.function = "command.run", .args = args, .nargs = 5, .results = 2, .flags = PLM_KEEP
	};
	ck_assert_int_eq(plm_connect(&rt, host.name), 0);
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(plm_submit(rt, &task, refs), 0);
	plm_disconnect(&rt);
}

START_TEST(a_journal_that_dies_while_it_queues_again_doubles_nothing)
{
	journal_boot();
	free(ctl_expect(&host, 0, "pause"));
	keep_many(MANY);
	status_reaches("journal_accepted", MANY);
	journal_crash();
	journal_reboot();
	for (int i = 0; i < 6; i++)
		kill_journal();
	history_reaches("done", MANY);
	ck_assert_uint_eq(count_lines("runs", NULL), MANY);
	journal_end();
}
END_TEST

START_TEST(stopping_writes_the_last_ends_and_stopping_at_once_loses_none)
{
	char line[LINE_BYTES];
	journal_boot();
	for (unsigned i = 1; i <= TASKS; i++)
		free(keep_line(i));
	runtime_stop(&host);
	ck_assert_uint_eq(history_count("done"), TASKS);
	journal_reboot();
	wait_line(line, sizeof line, "true");
	free(keep("--shell", line));
	free(keep("--shell", line));
	await_lines("begun", 2);
	free(keep_line(77));
	free(ctl_expect(&host, 0, "stop", "--now"));
	ck_assert(wait_for_death(host.pid));
	journal_crash();
	journal_reboot();
	history_settles();
	ck_assert_uint_eq(count_lines("runs", "task-77"), 1);
	journal_end();
}
END_TEST

/* ---- the manager's death ---- */

static void refused(int code, const char *says, const char *const *arguments)
{
	struct output_of o = program_run(&host, "plm", arguments, NULL, 0);
	ck_assert_msg(
	    o.code == code && strstr(o.err, says), "exit code %d, not %d: %s", o.code, code, o.err);
	output_free(&o);
}

START_TEST(the_journal_goes_on_when_its_manager_is_dead_and_under_the_next_one)
{
	char other[64], elsewhere[PATH_BYTES];
	journal_boot_loose();
	free(keep_line(1));
	history_reaches("done", 1);
	runtime_kill(&host);
	/* The journal still lives, so no other runtime can have the directory. */
	snprintf(other, sizeof other, "%s-2", host.name);
	refused(75, "in use by another runtime",
	    (const char *const[]){ "--name", other, "--state", state_directory, NULL });
	scratch_path(&host, "elsewhere", elsewhere, sizeof elsewhere);
	ck_assert_int_eq(mkdir(elsewhere, 0700), 0);
	refused(73, "keeps its journal in",
	    (const char *const[]){ "--name", host.name, "--state", elsewhere, NULL });
	journal_reboot();
	free(keep_line(2));
	history_reaches("done", 2);
	kill_journal();
	free(keep_line(3));
	history_reaches("done", 3);
	each_ran_once(3);
	journal_end();
}
END_TEST

START_TEST(without_its_journal_a_runtime_does_not_boot)
{
	char path[PATH_BYTES + STATE_BYTES], other[64];
	journal_boot();
	snprintf(other, sizeof other, "%s-2", host.name);
	runtime_stop(&host);
	snprintf(path, sizeof path, "%s/journal.db", state_directory);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	refused(73, "journal.db",
	    (const char *const[]){
		"--name", other, "--workers", "1", "--state", state_directory, NULL });
	ck_assert_int_eq(rmdir(path), 0);
	journal_end();
}
END_TEST

/* ---- the options of durability ---- */

START_TEST(with_none_there_is_a_history_and_nothing_is_queued_again)
{
	journal_boot("--durability", "none", );
	char *done = keep_line(1);
	free(ctl_expect(&host, 0, "wait", done));
	status_reaches("journal_ended", 1);
	free(ctl_expect(&host, 0, "pause"));
	free(keep_line(2));
	journal_crash();
	journal_reboot("--durability", "none", );
	expect_history("<1>", "state", "done");
	ck_assert_ptr_null(history_line("<2>"));
	journal_end();
	free(done);
}
END_TEST

START_TEST(one_runtime_a_directory_that_is_ones_own)
{
	char open[PATH_BYTES], other[64];
	journal_boot();
	snprintf(other, sizeof other, "%s-2", host.name);
	refused(75, "in use by another runtime",
	    (const char *const[]){ "--name", other, "--state", state_directory, NULL });
	scratch_path(&host, "open", open, sizeof open);
	ck_assert_int_eq(mkdir(open, 0755), 0);
	ck_assert_int_eq(chmod(open, 0755), 0);
	refused(73, "chmod 700", (const char *const[]){ "--name", other, "--state", open, NULL });
	refused(64, "--state DIR", (const char *const[]){ "--durability", "sync", NULL });
	refused(64, "none, batch or sync",
	    (const char *const[]){ "--state", open, "--durability", "always", NULL });
	journal_end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		whatever_sync_accepted_is_there_after_a_crash_at_any_moment,
		what_has_ended_is_not_run_again_and_its_record_stays,
		tasks_that_wait_for_tasks_do_so_after_a_boot,
		orders_after_an_end_or_a_failure_hold_after_a_boot,
		an_end_before_the_crash_counts_for_those_that_come_after,
		the_value_of_one_that_has_ended_is_kept_for_those_that_wait,
		what_cannot_be_kept_is_said_and_fails_after_a_boot_with_that_reason,
		an_attempt_that_was_running_counts_as_a_crash,
		a_task_that_is_to_be_tried_again_is_in_the_queue,
		a_file_that_was_loaded_is_known_after_a_boot,
		what_was_forgotten_runs_and_is_kept_by_nobody,
		the_death_of_the_journal_alone_loses_nothing,
		a_journal_that_dies_while_it_queues_again_doubles_nothing,
		stopping_writes_the_last_ends_and_stopping_at_once_loses_none,
		the_journal_goes_on_when_its_manager_is_dead_and_under_the_next_one,
		without_its_journal_a_runtime_does_not_boot,
		with_none_there_is_a_history_and_nothing_is_queued_again,
		one_runtime_a_directory_that_is_ones_own,
	};
	return run_tests(
	    "journal", TEST_TIMEOUT_S, NULL, NULL, tests, sizeof tests / sizeof tests[0]);
}
