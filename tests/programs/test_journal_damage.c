/* test_journal_damage.c - a journal that is torn, damaged, of another format, or out of room:
 * whole parts are used, durable tasks return, and each case is reported. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/fixture.h"
#include "tests/support/journal_case.h"
#include "tests/support/json.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 120,
	PATH_BYTES = 256,
	LINE_BYTES = 512,
	TASKS = 12,
	CUTS = 12,
	PAGE_BYTES = 4096,
	LITTLE = 24 << 10 /* bytes: enough for a log, too little for a journal */
};

static void state_path(char ret[PATH_BYTES], const char *name)
{
	snprintf(ret, PATH_BYTES, "%s/%s", state_directory, name);
}

static off_t size_of(const char *name)
{
	char path[PATH_BYTES];
	struct stat st = { 0 };
	state_path(path, name);
	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_size;
}

static void shell(const char *words, const char *a, const char *b)
{
	char line[LINE_BYTES];
	snprintf(line, sizeof line, "%s '%s' '%s'", words, a, b);
	ck_assert_msg(system(line) == 0, "%s", line);
}

static char *log_text(void)
{
	char path[PATH_BYTES];
	scratch_path(&host, "plm.log", path, sizeof path);
	FILE *f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	char *text = calloc(1, 1 << 16);
	ck_assert_uint_gt(fread(text, 1, (1 << 16) - 1, f), 0);
	fclose(f);
	return text;
}

static void log_says(const char *expected)
{
	char *text = log_text();
	ck_assert_msg(strstr(text, expected), "the log does not say \"%s\": %s", expected, text);
	free(text);
}

static bool has_set_aside(void)
{
	bool found = false;
	DIR *all = opendir(state_directory);
	ck_assert_ptr_nonnull(all);
	for (const struct dirent *entry; (entry = readdir(all)) != NULL;)
		found |= strncmp(entry->d_name, "journal.db.damaged-", 19) == 0;
	closedir(all);
	return found;
}

static void keep_counted(unsigned number)
{
	char line[LINE_BYTES], path[128];
	scratch_path(&host, "runs", path, sizeof path);
	snprintf(line, sizeof line, "echo task-%u >> %s # <%u>", number, path, number);
	free(keep("--shell", line));
}

static void no_task_ran_twice(unsigned tasks)
{
	for (unsigned i = 1; i <= tasks; i++) {
		char task[32];
		snprintf(task, sizeof task, "task-%u", i);
		ck_assert_msg(count_lines("runs", task) <= 1, "%s ran %u times", task,
		    count_lines("runs", task));
	}
}

/* ---- torn files ---- */

/* Returns n: the journal has the first n tasks, and no other task. */
static unsigned prefix_length(void)
{
	char *all = ctl_expect(
	    &host, 0, "history", "--json", "--limit", "0", "--state-dir", state_directory);
	unsigned n = 0;
	for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n")) {
		char expected[32];
		snprintf(expected, sizeof expected, "{\"id\": %u,", ++n);
		ck_assert_msg(
		    strncmp(line, expected, strlen(expected)) == 0, "the %u. task is %s", n, line);
	}
	free(all);
	return n;
}

static void restore(const char *copy)
{
	shell("rm -rf", state_directory, "/nonexistent");
	shell("cp -a", copy, state_directory);
}

START_TEST(a_torn_journal_is_cut_at_its_last_whole_group)
{
	char copy[128], wal[PATH_BYTES];
	journal_boot("--durability", "sync", );
	free(ctl_expect(&host, 0, "pause"));
	for (unsigned i = 0; i < TASKS; i++)
		free(ctl_expect(&host, 0, "call", "--detach", "probe.noop"));
	journal_crash();
	scratch_path(&host, "copy", copy, sizeof copy);
	state_path(wal, "journal.db-wal");
	shell("cp -a", state_directory, copy);
	off_t whole = size_of("journal.db-wal");
	unsigned last = 0;
	for (int cut = 0; cut <= CUTS; cut++) {
		restore(copy);
		ck_assert_int_eq(truncate(wal, whole * cut / CUTS), 0);
		journal_reboot();
		unsigned n = prefix_length();
		ck_assert_msg(n >= last, "%u tasks are there, %u were of a shorter file", n, last);
		history_settles();
		last = n;
		journal_crash();
	}
	ck_assert_uint_eq(last, TASKS);
	journal_end();
}
END_TEST

/* ---- damaged files ---- */

static void overwrite_page(off_t page)
{
	char path[PATH_BYTES], junk[PAGE_BYTES];
	memset(junk, 0xa5, sizeof junk);
	state_path(path, "journal.db");
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, junk, sizeof junk, page * PAGE_BYTES), sizeof junk);
	close(fd);
}

START_TEST(a_damaged_journal_is_set_aside_and_what_can_be_read_is_salvaged)
{
	enum { MANY = 40 };
	journal_boot();
	for (unsigned i = 1; i <= MANY; i++)
		keep_counted(i);
	history_reaches("done", MANY);
	runtime_stop(&host);
	off_t pages = size_of("journal.db") / PAGE_BYTES;
	for (off_t page = pages / 4; page < pages; page += pages / 4) {
		journal_reboot();
		journal_crash(); /* the next boot checks a file only if the journal was killed */
		overwrite_page(page);
		journal_reboot();
		ctl_until(&host, "\"journal_trouble\": null", "status", "--json");
		runtime_stop(&host);
	}
	journal_reboot();
	log_says("it is set aside as");
	ck_assert(has_set_aside());
	keep_counted(MANY + 1);
	await_lines("runs", MANY + 1);
	status_reaches("journal_ended", 1);
	no_task_ran_twice(MANY + 1);
	expect_history("<41>", "state", "done");
	journal_end();
}
END_TEST

START_TEST(a_file_that_is_no_journal_is_set_aside)
{
	char path[PATH_BYTES], junk[3 * PAGE_BYTES];
	uint64_t random = number_from("PLM_SEED", RANDOM_SEED);
	for (size_t i = 0; i < sizeof junk; i++)
		junk[i] = (char)random_next(&random);
	journal_boot();
	runtime_stop(&host);
	state_path(path, "journal.db");
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(junk, 1, sizeof junk, f), sizeof junk);
	fclose(f);
	struct output_of o = ctl(&host, "history", "--state-dir", state_directory);
	ck_assert_int_eq(o.code, 125);
	ck_assert_msg(strstr(o.err, "is damaged"), "%s", o.err);
	output_free(&o);
	journal_reboot();
	log_says("0 tasks could be read");
	ck_assert(has_set_aside());
	keep_counted(1);
	history_reaches("done", 1);
	journal_end();
}
END_TEST

/* ---- no room ---- */

static void limit_file_size(rlim_t bytes)
{
	pid_t pid = journal_pid();
	ck_assert_int_gt(pid, 0);
	struct rlimit limit = { bytes, RLIM_INFINITY };
	ck_assert_int_eq(prlimit(pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

START_TEST(without_room_tasks_run_and_are_written_when_there_is_some)
{
	journal_boot();
	keep_counted(1);
	history_reaches("done", 1);
	limit_file_size(LITTLE);
	for (unsigned i = 2; i <= TASKS; i++)
		keep_counted(i);
	await_lines("runs", TASKS);
	ctl_until(&host, "\"journal_trouble\": \"", "status", "--json");
	log_says("are not durable until the journal can write again");
	ck_assert_uint_eq(history_count("done"), 1);
	limit_file_size(RLIM_INFINITY);
	history_reaches("done", TASKS);
	ctl_until(&host, "\"journal_trouble\": null", "status", "--json");
	journal_crash();
	journal_reboot();
	ck_assert_uint_eq(history_count("done"), TASKS);
	no_task_ran_twice(TASKS);
	journal_end();
}
END_TEST

START_TEST(without_room_sync_refuses_and_says_why)
{
	char line[LINE_BYTES];
	journal_boot("--durability", "sync", );
	free(ctl_expect(&host, 0, "pause"));
	keep_counted(1);
	limit_file_size(LITTLE);
	struct output_of o = ctl(&host, "submit", "--detach", "--", "true", "never");
	ck_assert_msg(
	    o.code == 75 && strstr(o.err, "cannot be written"), "exit code %d: %s", o.code, o.err);
	output_free(&o);
	limit_file_size(RLIM_INFINITY);
	keep_counted(2);
	snprintf(line, sizeof line, "true never");
	expect_history(line, "state", "cancelled");
	journal_crash();
	journal_reboot("--durability", "sync", );
	await_lines("runs", 2);
	history_settles();
	expect_history(line, "state", "cancelled");
	no_task_ran_twice(2);
	journal_end();
}
END_TEST

/* A full file system, where the test may mount one. */
START_TEST(a_full_disk_that_gets_room_again_loses_nothing)
{
	journal_state();
	ck_assert_int_eq(mkdir(state_directory, 0700), 0);
	if (mount("plm-test", state_directory, "tmpfs", 0, "size=256k,mode=700") < 0) {
		rmdir(state_directory);
		return;
	}
	journal_boot();
	unsigned n = 0;
	while (n < 200) {
		keep_counted(++n);
		struct output_of o = ctl(&host, "status", "--json");
		bool full = strstr(o.out, "\"journal_trouble\": \"") != NULL;
		output_free(&o);
		if (full)
			break;
	}
	ck_assert_uint_lt(n, 200);
	ck_assert_int_eq(mount("plm-test", state_directory, "tmpfs", MS_REMOUNT, "size=16m"), 0);
	history_reaches("done", n);
	runtime_stop(&host);
	ck_assert_int_eq(umount(state_directory), 0);
	journal_end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_torn_journal_is_cut_at_its_last_whole_group,
		a_damaged_journal_is_set_aside_and_what_can_be_read_is_salvaged,
		a_file_that_is_no_journal_is_set_aside,
		without_room_tasks_run_and_are_written_when_there_is_some,
		without_room_sync_refuses_and_says_why,
		a_full_disk_that_gets_room_again_loses_nothing,
	};
	return run_tests(
	    "journal, damaged", TEST_TIMEOUT_S, NULL, NULL, tests, sizeof tests / sizeof tests[0]);
}
