/* test_map_kill.c - a long map while workers and schedulers are killed: no job is lost, none
 * runs more often than the deaths allow, and outputs are whole. After the death of a map the
 * next map continues from the log. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/map_case.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 240,
	JOBS = 10000,
	LINE_BYTES = 1024,
	CHILDREN_MAX = 64,
	DEATHS_LEAST = 20,
	PAUSE_MS = 30,        /* between two deaths */
	SCHEDULER_EVERY = 25, /* deaths: the successor of a scheduler that died young comes late */
};

static bool has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid == pid;
}

static size_t children_of(pid_t pid, pid_t ret[CHILDREN_MAX])
{
	char path[64];
	size_t n = 0;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	FILE *file = fopen(path, "r");
	while (file && n < CHILDREN_MAX && fscanf(file, "%d", &ret[n]) == 1)
		n++;
	if (file)
		fclose(file);
	return n;
}

static bool is_scheduler(pid_t pid)
{
	char path[64], name[64] = "";
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	FILE *file = fopen(path, "r");
	if (file && !fgets(name, sizeof name, file))
		name[0] = 0;
	if (file)
		fclose(file);
	return strncmp(name, "plm-scheduler", 13) == 0;
}

/* Kills the scheduler, or a random worker process. */
static bool kill_one(pid_t manager, bool scheduler, uint64_t *random)
{
	pid_t child[CHILDREN_MAX];
	size_t n = children_of(manager, child), first = n ? random_next(random) % n : 0;
	for (size_t i = 0; i < n; i++) {
		pid_t pid = child[(first + i) % n];
		if (is_scheduler(pid) == scheduler)
			return kill(pid, SIGKILL) == 0;
	}
	return false;
}

static void pause_between(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * (long)NS_PER_MS }, NULL);
}

/* A runtime whose loader dies while it boots does not boot: that is no death of this test. */
static void await_first_run(pid_t map)
{
	struct stat runs;
	while (!has_ended(map) && (stat("runs", &runs) < 0 || runs.st_size == 0))
		pause_between();
}

/* Kills members until the map has ended; returns the number of deaths. */
static unsigned kill_members_of(pid_t map, uint64_t *random)
{
	pid_t manager = private_manager();
	unsigned deaths = 0;
	await_first_run(map);
	for (unsigned i = 1; !has_ended(map); i++) {
		deaths += kill_one(manager, i % SCHEDULER_EVERY == 0, random);
		pause_between();
	}
	return deaths;
}

static void expect_all(const char *path, unsigned once_more)
{
	static unsigned count[JOBS + 1];
	unsigned doubled = 0;
	char *text = file_text(path);
	count_numbers(text, JOBS, count);
	free(text);
	for (unsigned i = 1; i <= JOBS; i++) {
		ck_assert_msg(count[i] > 0, "job %u is lost in %s", i, path);
		doubled += count[i] - 1;
	}
	ck_assert_msg(doubled <= once_more, "%s: %u more runs than jobs, with %u deaths", path,
	    doubled, once_more);
}

/* Each run leaves a line in `runs`, each job one in the output and one in the log. */
static const char map[] = "exec plmctl map %s -j2 --crash-retries 50 --joblog log "
			  "'echo {} >> runs; echo {}' ::: $(seq %d) >> out";

START_TEST(no_job_is_lost_or_doubled_whoever_dies)
{
	char line[LINE_BYTES];
	uint64_t random = number_from("SEED", RANDOM_SEED);
	snprintf(line, sizeof line, map, _i ? "--keep-order" : "", JOBS);
	pid_t pid = shell_start(line);
	unsigned deaths = kill_members_of(pid, &random);
	ck_assert_int_eq(shell_end(pid), 0);
	ck_assert_uint_ge(deaths, DEATHS_LEAST);
	expect_all("runs", deaths);
	expect_all("out", 0);
	check_shell(0, NULL, "", "tail -n +2 log | cut -f 1 > logged");
	expect_all("logged", 0);
	if (_i)
		check_shell(0, NULL, "", "sort -nc out");
}
END_TEST

/* Jobs whose end the killed map had not logged run twice, and may print twice. */
START_TEST(a_killed_map_is_resumed_where_its_log_ends)
{
	enum { AHEAD = 2000 };
	char line[LINE_BYTES];
	uint64_t random = number_from("SEED", RANDOM_SEED);
	snprintf(line, sizeof line, map, "", JOBS);
	for (unsigned kills = 0;; kills++) {
		pid_t pid = shell_start(line);
		snprintf(line, sizeof line, map, "--resume", JOBS);
		if (kills == 3) {
			ck_assert_int_eq(shell_end(pid), 0);
			break;
		}
		wait_for_file("log", "Seq");
		private_manager();
		nanosleep(&(struct timespec){ .tv_nsec = (long)(random_next(&random) % 300) *
				  (long)NS_PER_MS },
		    NULL);
		kill(pid, SIGKILL);
		ck_assert_int_eq(shell_end(pid), 128 + SIGKILL);
	}
	expect_all("out", 3 * AHEAD);
	check_shell(0, NULL, "", "grep -v Seq log | cut -f 1 > logged");
	expect_all("logged", 0);
}
END_TEST

/* Also during the boot of the private runtime. map_teardown() fails if a process or file is left.
 */
START_TEST(a_map_killed_at_any_moment_leaves_nothing)
{
	enum { MOMENTS = 60 };
	for (long i = 0; i < MOMENTS; i++) {
		pid_t pid = shell_start("exec plmctl map 'echo {}' ::: $(seq 2000) > out");
		nanosleep(&(struct timespec){ .tv_nsec = i * (long)NS_PER_MS }, NULL);
		kill(pid, SIGKILL);
		ck_assert_int_eq(shell_end(pid), 128 + SIGKILL);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map with deaths");
	TCase *tcase = tcase_create("plmctl map");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, map_setup, map_teardown);
	tcase_add_loop_test(tcase, no_job_is_lost_or_doubled_whoever_dies, 0, 2);
	tcase_add_test(tcase, a_killed_map_is_resumed_where_its_log_ends);
	tcase_add_test(tcase, a_map_killed_at_any_moment_leaves_nothing);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
