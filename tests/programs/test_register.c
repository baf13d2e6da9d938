/* test_register.c - lists of members, hung and replaced workers, and the speed of a replacement. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/handle.h"
#include "tests/support/fixture.h"
#include "tests/support/json.h"
#include "tests/support/pool_case.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"
#include "tests/support/suite_watcher.h"

enum {
	TEST_TIMEOUT_S = 120,
	DEATHS = 24,
	RECYCLED = 5,
	MANY = 40,
	MIB = 1 << 20,
	STOPPED_MS = 2000
};

#define REASSIGNED_NS_MAX (5 * NS_PER_MS)

/* ---- lists ---- */

/* The first line with this value in the field `key`; without such a line the test fails. The caller
 * frees. */
static char *line_with(const char *command, const char *key, const char *value)
{
	char *save, *found = NULL, *out = ctl_expect(&host, 0, command, "--json");
	for (char *line = strtok_r(out, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *is = json_field(line, key);
		if (!found && is && strcmp(is, value) == 0)
			found = strdup(line);
		free(is);
	}
	ck_assert_msg(found != NULL, "plmctl %s lists none with %s %s", command, key, value);
	free(out);
	return found;
}

static void expect_field(const char *line, const char *key, const char *value)
{
	char *is = json_field(line, key);
	ck_assert_msg(is && strcmp(is, value) == 0, "%s is %s, not %s: %s", key, is ? is : "none",
	    value, line);
	free(is);
}

static uint64_t number_of(const char *line, const char *key)
{
	char *text = json_field(line, key);
	ck_assert_msg(text != NULL, "no %s: %s", key, line);
	uint64_t n = strtoull(text, NULL, 10);
	free(text);
	return n;
}

START_TEST(each_worker_is_listed_with_what_it_is_runs_and_has_done)
{
	plm_ref busy, failed = PLM_NONE;
	char pid[16];
	runtime_boot(&host, "--workers", "gen=3,cpus=2 x1; gen=1 x1", );
	host_join();
	ck_assert_uint_eq(host.workers, 2); /* workers, with three worker processes */
	failed = pool_submit("probe.fail", "x", 0);
	ck_assert_int_eq(plm_wait(client, &failed, 1, 1, DEADLINE_MS, NULL), 0);
	ctl_until(&host, "\"failed\": 1,", "workers", "--json");
	pool_sleepers("600000", 0, &busy, 1);
	char *running = line_with("workers", "function", "probe.sleep");
	uint64_t worker = number_of(running, "worker");
	expect_field(running, "generation", worker == 0 ? "3" : "1");
	expect_field(running, "cpus", worker == 0 ? "2" : "1");
	expect_field(running, "cpus_used", "1");
	expect_field(running, "state", "live");
	char *other = line_with("workers", "worker", worker == 0 ? "1" : "0");
	expect_field(other, "cpus_used", "0");
	snprintf(pid, sizeof pid, "%d", pool_worker_process(0, PROCESS_LIVE)->pid);
	char *by_pid = line_with("workers", "pid", pid);
	expect_field(by_pid, "worker", "0");
	ck_assert_uint_lt(number_of(by_pid, "age_ms"), DEADLINE_MS);
	ck_assert_uint_lt(number_of(by_pid, "beat_ms"), DEADLINE_MS);
	plm_cancel(client, busy, PLM_GRACE_OF_TASK);
	free(running);
	free(other);
	free(by_pid);
	host_stop();
}
END_TEST

START_TEST(each_client_is_listed)
{
	char pid[16];
	plm_ref busy;
	pool_boot();
	pool_sleepers("600000", 0, &busy, 1);
	ck_assert_int_eq(plm_wait(client, &busy, 1, 1, 400, NULL), -ETIMEDOUT);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	char *us = line_with("clients", "pid", pid), *it = line_with("clients", "name", "plmctl");
	expect_field(us, "state", "live");
	/* The client slept in a call, and beat meanwhile. */
	ck_assert_uint_gt(number_of(us, "age_ms"), number_of(us, "beat_ms") + 300);
	plm_cancel(client, busy, PLM_GRACE_OF_TASK);
	char *all = ctl_expect(&host, 0, "clients", "--json");
	ck_assert_ptr_null(strstr(all, "worker"));
	free(all);
	free(us);
	free(it);
	host_stop();
}
END_TEST

/* ---- hung workers ---- */

static void boot_with(const char *option, const char *value)
{
	runtime_boot(&host, "--workers", "2", "--module", test_module("mod_pool"), option, value, );
	host_join();
}

static const struct process *runner_of(plm_ref ref)
{
	const struct process *p = NULL;
	for (uint32_t worker = 0; worker < 2; worker++) {
		const struct process *candidate = pool_worker_process(worker, PROCESS_LIVE);
		if (candidate && sh_load(&candidate->running) == ref.id)
			p = candidate;
	}
	ck_assert_ptr_nonnull(p);
	return p;
}

static bool restarts_are(uint64_t wanted)
{
	return pool_status().restarts == wanted;
}

START_TEST(a_stopped_worker_is_a_suspect_not_dead_and_goes_on_when_it_may)
{
	plm_ref busy;
	boot_with("--hang-after", "10m");
	pool_sleepers("100", 0, &busy, 1);
	pid_t pid = runner_of(busy)->pid;
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	ctl_until(&host, "stopped", "workers");
	char *line = line_with("workers", "state", "stopped");
	ck_assert_uint_eq(number_of(line, "pid"), (uint64_t)pid);
	ck_assert_int_eq(plm_wait(client, &busy, 1, 1, 200, NULL), -ETIMEDOUT);
	ck_assert_uint_eq(pool_status().restarts, 0);
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	pool_expect_done_once(&busy, 1);
	free(line);
	host_stop();
}
END_TEST

START_TEST(a_worker_that_hangs_is_replaced_and_its_task_runs_again_if_it_may)
{
	plm_ref ref[2];
	uint32_t attempt;
	boot_with("--hang-after", "300ms");
	pool_sleepers("50", 1, &ref[0], 1);
	ck_assert_int_eq(kill(runner_of(ref[0])->pid, SIGSTOP), 0);
	ck_assert_int_eq(plm_wait(client, ref, 1, 1, DEADLINE_MS, NULL), 0);
	ck_assert_int_eq(pool_state_of(ref[0], &attempt), RECORD_DONE);
	ck_assert_uint_eq(attempt, 2);
	pool_until(pool_workers_are, 2, "workers");
	pool_sleepers("50", 0, &ref[1], 1);
	ck_assert_int_eq(kill(runner_of(ref[1])->pid, SIGSTOP), 0);
	ck_assert_int_eq(plm_wait(client, &ref[1], 1, 1, DEADLINE_MS, NULL), 0);
	plm_failure failure;
	ck_assert_int_eq(plm_error(client, ref[1], &failure), 0);
	ck_assert_int_eq(failure.signal, SIGKILL);
	ck_assert_msg(strstr(failure.message, "no sign of life") != NULL, "%s", failure.message);
	pool_until(pool_workers_are, 2, "workers");
	ck_assert_uint_eq(pool_status().restarts, 2);
	host_stop();
}
END_TEST

/* The other worker is idle as long, but beats. */
START_TEST(an_idle_worker_that_misses_its_beats_is_a_suspect_and_is_replaced)
{
	boot_with("--hang-after", "300ms");
	ck_assert_int_eq(kill(pool_worker_process(0, PROCESS_LIVE)->pid, SIGSTOP), 0);
	pid_t other = pool_worker_process(1, PROCESS_LIVE)->pid;
	pool_until(restarts_are, 1, "restarts");
	pool_until(pool_workers_are, 2, "workers");
	ck_assert_int_eq(pool_worker_process(1, PROCESS_LIVE)->pid, other);
	host_stop();
}
END_TEST

/* ---- all processes stopped and continued, as by a suspended machine or a shell's job control ----
 */

static const struct process *process_of(uint32_t slot)
{
	return &plm_tables(client)->process[slot];
}

/* To scheduler and workers, but not to the manager. */
static void signal_members(int signal)
{
	for (uint32_t slot = SLOT_SCHEDULER; slot < plm_tables(client)->limits.processes; slot++) {
		enum process_kind kind = process_kind(sh_load(&process_of(slot)->state));
		if (kind == KIND_SCHEDULER || kind == KIND_WORKER)
			ck_assert_int_eq(kill(process_of(slot)->pid, signal), 0);
	}
}

static bool manager_has_stepped(uint64_t since_ns)
{
	return sh_peek(&process_of(SLOT_MANAGER)->beat_ns) > since_ns;
}

/* The manager continues first, so it looks at members that could not beat yet. */
START_TEST(a_worker_stopped_together_with_the_manager_does_not_hang)
{
	boot_with("--hang-after", "1500ms");
	pid_t manager = process_of(SLOT_MANAGER)->pid;
	plm_ref busy;
	pool_sleepers("4000", 0, &busy, 1);
	signal_members(SIGSTOP);
	ck_assert_int_eq(kill(manager, SIGSTOP), 0);
	usleep(STOPPED_MS * 1000); /* the time that must not count as a hang */
	uint64_t now = clock_coarse_ns();
	ck_assert_int_eq(kill(manager, SIGCONT), 0);
	pool_until(manager_has_stepped, now, "a step of the manager");
	signal_members(SIGCONT);
	pool_expect_done_once(&busy, 1);
	ck_assert_uint_eq(pool_status().restarts, 0);
	host_stop();
}
END_TEST

START_TEST(a_long_task_that_looks_whether_it_is_cancelled_does_not_hang)
{
	plm_ref busy;
	boot_with("--hang-after", "200ms");
	busy = pool_submit("probe.sleep", "1200", 0);
	pool_expect_done_once(&busy, 1);
	ck_assert_uint_eq(pool_status().restarts, 0);
	host_stop();
}
END_TEST

START_TEST(a_task_that_waits_for_another_does_not_hang)
{
	plm_ref waits;
	boot_with("--hang-after", "200ms");
	waits = pool_submit("pool.await", "4000", 0);
	pool_expect_done_once(&waits, 1);
	ck_assert_uint_eq(pool_status().restarts, 0);
	host_stop();
}
END_TEST

/* ---- the speed of a replacement ---- */

static bool reassigned_are(uint64_t wanted)
{
	return pool_status().reassigned == wanted;
}

START_TEST(the_task_of_a_dead_worker_is_queued_again_within_milliseconds_and_that_is_measured)
{
	plm_ref busy;
	pool_boot();
	ck_assert_uint_eq(pool_status().reassigned, 0);
	busy = pool_submit("probe.sleep", "600000", DEATHS);
	for (unsigned i = 1; i <= DEATHS; i++) {
		uint64_t word = 0;
		while (pool_state_of(busy, NULL) != RECORD_RUNNING)
			;
		record_lookup(plm_tables(client), busy.id, &word);
		const struct process *p = &plm_tables(client)->process[word_owner(word)];
		ck_assert_int_eq(kill(p->pid, SIGKILL), 0);
		pool_until(reassigned_are, i, "tasks queued again");
	}
	plm_status s = pool_status();
	ck_assert_uint_gt(s.reassign_median_ns, 0);
	ck_assert_uint_ge(s.reassign_max_ns, s.reassign_median_ns);
	ck_assert_uint_ge(s.reassign_max_ns, s.reassign_last_ns);
	ck_assert_msg(s.reassign_median_ns < REASSIGNED_NS_MAX, "the median is %llu us",
	    (unsigned long long)s.reassign_median_ns / 1000);
	char *status = ctl_expect(&host, 0, "status", "--json");
	ck_assert_uint_eq(number_of(status, "reassigned"), DEATHS);
	ck_assert_uint_eq(number_of(status, "reassign_median_us"), s.reassign_median_ns / 1000);
	free(status);
	plm_cancel(client, busy, PLM_GRACE_OF_TASK);
	host_stop();
}
END_TEST

/* ---- recycling ---- */

static pid_t pid_of_worker(void)
{
	pool_until(pool_workers_are, 1, "workers");
	return pool_worker_process(0, PROCESS_LIVE)->pid;
}

static void boot_one(const char *option, const char *value)
{
	runtime_boot(&host, "--workers", "1", "--store", "256M", "--module",
	    test_module("mod_pool"), option, value, );
	host_join();
}

static void run_one(const char *function, const char *text)
{
	plm_ref ref = pool_submit(function, text, 0);
	pool_expect_done_once(&ref, 1);
	plm_drop(client, ref);
}

START_TEST(a_worker_is_recycled_after_so_many_tasks_and_not_before)
{
	plm_ref ref[MANY];
	boot_one("--recycle-tasks", "5");
	pid_t first = pid_of_worker();
	for (int i = 1; i < RECYCLED; i++)
		run_one("probe.echo", "x");
	ck_assert_int_eq(pid_of_worker(), first);
	run_one("probe.echo", "x");
	ck_assert(wait_for_death(first));
	ck_assert_int_ne(pid_of_worker(), first);
	for (int i = 0; i < MANY; i++) /* tasks in the ring of a leaving worker are not lost */
		ref[i] = pool_submit("probe.echo", "x", 0);
	pool_expect_done_once(ref, MANY);
	pool_until(pool_workers_are, 1, "workers");
	ck_assert_uint_eq(pool_status().restarts, 0);
	host_stop();
}
END_TEST

START_TEST(a_worker_is_recycled_when_its_own_memory_has_grown)
{
	char bytes[16];
	boot_one("--recycle-growth", "32M");
	pid_t first = pid_of_worker();
	uint64_t end =
	    clock_ns() + 400 * NS_PER_MS; /* the worker measures its growth each 100 ms */
	snprintf(bytes, sizeof bytes, "%d", 64 * MIB);
	while (clock_ns() < end)
		run_one("probe.fill", bytes); /* pages of the store are not memory of the worker */
	ck_assert_int_eq(pid_of_worker(), first);
	snprintf(bytes, sizeof bytes, "%d", 8 * MIB);
	for (int leaks = 0; pid_of_worker() == first; leaks++) {
		ck_assert_int_lt(leaks, 1000);
		run_one("pool.leak", bytes);
		run_one("probe.sleep", "20");
	}
	ck_assert_uint_eq(pool_status().restarts, 0);
	host_stop();
}
END_TEST

/* ---- options of the boot ---- */

START_TEST(workers_are_read_from_a_file_and_an_error_names_file_and_line)
{
	static const char good[] = "# two kinds\ngen=2,cpus=2 x2\ngen=1 x1\n";
	static const char bad[] = "# two kinds\ngen=2,cpus=2 x2\ngen=1,cpus=none x1\n";
	char path[128], at[130], place[140];
	test_path("workers-XXXXXX", path, sizeof path);
	FILE *file = fdopen(mkstemp(path), "w");
	snprintf(at, sizeof at, "@%s", path);
	ck_assert(file && fputs(good, file) >= 0 && fclose(file) == 0);
	runtime_boot(&host, "--workers", at, );
	unlink(path);
	host_join();
	ck_assert_uint_eq(host.workers, 3);
	ck_assert(pool_workers_are(5));
	scratch_write(&host, "workers", bad, strlen(bad), path, sizeof path);
	snprintf(at, sizeof at, "@%s", path);
	snprintf(place, sizeof place, "%s:3", path);
	struct output_of o = program_run(&host, "plm",
	    (const char *const[]){ "--name", "never", "--workers", at, NULL }, NULL, 0);
	ck_assert_int_eq(o.code, 64);
	ck_assert_msg(strstr(o.err, place) != NULL, "%s", o.err);
	output_free(&o);
	host_stop();
}
END_TEST

START_TEST(limits_of_workers_that_make_no_sense_are_refused)
{
	static const struct {
		const char *option, *value;
	} rows[] = { { "--hang-after", "5" }, { "--hang-after", "soon" }, { "--hang-after", "-1s" },
		{ "--recycle-tasks", "few" }, { "--recycle-growth", "much" },
		{ "--workers", "@/no" } };
	pool_boot();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct output_of o = program_run(&host, "plm",
		    (const char *const[]){ "--name", "never", rows[i].option, rows[i].value, NULL },
		    NULL, 0);
		const char *about = rows[i].value[0] == '@' ? "/no" : rows[i].option + 2;
		ck_assert_int_eq(o.code, 64);
		ck_assert_msg(strstr(o.err, about) != NULL, "%s: %s", rows[i].option, o.err);
		output_free(&o);
	}
	host_stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("register");
	TCase *all = tcase_create("register");
	tcase_set_timeout(all, TEST_TIMEOUT_S);
	tcase_add_test(all, each_worker_is_listed_with_what_it_is_runs_and_has_done);
	tcase_add_test(all, each_client_is_listed);
	tcase_add_test(all, a_stopped_worker_is_a_suspect_not_dead_and_goes_on_when_it_may);
	tcase_add_test(all, a_worker_that_hangs_is_replaced_and_its_task_runs_again_if_it_may);
	tcase_add_test(all, an_idle_worker_that_misses_its_beats_is_a_suspect_and_is_replaced);
	tcase_add_test(all, a_worker_stopped_together_with_the_manager_does_not_hang);
	tcase_add_test(all, a_long_task_that_looks_whether_it_is_cancelled_does_not_hang);
	tcase_add_test(all, a_task_that_waits_for_another_does_not_hang);
	tcase_add_test(all,
	    the_task_of_a_dead_worker_is_queued_again_within_milliseconds_and_that_is_measured);
	tcase_add_test(all, a_worker_is_recycled_after_so_many_tasks_and_not_before);
	tcase_add_test(all, a_worker_is_recycled_when_its_own_memory_has_grown);
	tcase_add_test(all, workers_are_read_from_a_file_and_an_error_names_file_and_line);
	tcase_add_test(all, limits_of_workers_that_make_no_sense_are_refused);
	suite_add_tcase(suite, all);
	return run_suite(suite);
}
