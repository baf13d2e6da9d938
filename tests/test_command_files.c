/* test_command_files.c - the files that commands read values from and write values to, through the
 * real programs: who may have their directory, and that nothing is left of them, whoever dies. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/json.h"
#include "tests/objects_case.h"
#include "tests/roles_case.h"
#include "tests/run_suite.h"

enum { TEST_TIMEOUT_S = 60 };

/* Anybody may make a name in /dev/shm. */
START_TEST(a_directory_that_others_may_enter_is_refused)
{
	char path[PATH_BYTES];
	files_path(path);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	struct results r = results_of("--out", "O", "--shell", "echo > $O");
	check_output(ctl(&host, "get", r.ref[1]), 1, "", "is refused: it is no directory of this "
	    "user alone\n");
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(symlink("/tmp", path), 0);
	free(r.all);
	r = results_of("--out", "O", "--shell", "echo > $O");
	check_output(ctl(&host, "get", r.ref[1]), 1, "", "is refused");
	ck_assert_int_eq(unlink(path), 0);
	free(r.all);
}
END_TEST

/* ---- ends ---- */

static void expect_no_files_soon(void)
{
	char path[PATH_BYTES];
	uint64_t deadline_ns = deadline_after_ms(DEADLINE_MS);
	files_path(path);
	while (entries(path) > 0 && clock_ns() < deadline_ns)
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	expect_no_files();
}

static bool is_there(const char *name)
{
	char path[PATH_BYTES];
	scratch_path(&host, name, path, sizeof path);
	return access(path, F_OK) == 0;
}

static void await_file(const char *name)
{
	uint64_t deadline_ns = deadline_after_ms(DEADLINE_MS);
	while (!is_there(name) && clock_ns() < deadline_ns)
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	ck_assert_msg(is_there(name), "nobody has made %s", name);
}

/* It has read and written, says so by a file, and goes on until another one is there. */
static struct results busy(const char *value, const char *ready, const char *until)
{
	char line[LINE_BYTES];
	snprintf(line, sizeof line, "echo $O > $O; d=$(dirname $O); mkdir -p $d/a/b; "
	    "touch $d/a/b/c; chmod 0 $d/a; cat $X > $O; mv %s.part %s; until [ -e %s ]; do "
	    "sleep 0.01; done",
	    ready, ready, until);
	char path[PATH_BYTES], part[PATH_BYTES];
	snprintf(part, sizeof part, "%s.part", ready);
	scratch_write(&host, part, "", 0, path, sizeof path);
	return results_of("--dir", host.directory, "--in", in_variable("X", value), "--out", "O",
	    "--shell", line);
}

static pid_t worker_of(const char *ref)
{
	char *task = ctl_expect(&host, 0, "info", "--json", ref);
	char *number = json_field(task, "worker");
	char *lines = ctl_expect(&host, 0, "workers", "--json"), wanted[LINE_BYTES];
	snprintf(wanted, sizeof wanted, "\"worker\": %s,", number);
	const char *line = strstr(lines, wanted);
	ck_assert_msg(line != NULL, "no worker %s in %s", number, lines);
	while (line > lines && line[-1] != '\n')
		line--;
	char *pid = json_field(line, "pid");
	pid_t ret = (pid_t)atol(pid);
	free(pid);
	free(lines);
	free(number);
	free(task);
	return ret;
}

START_TEST(nothing_is_left_of_a_killed_worker_and_nothing_is_taken_from_others)
{
	char path[PATH_BYTES];
	char *value = put_bytes(LARGE_BYTES / 16, path);
	struct results lives = busy(value, "one", "go"), dies = busy(value, "two", "never");
	await_file("one");
	await_file("two");
	files_path(path);
	ck_assert_uint_eq(entries(path), 2);
	kill(worker_of(dies.ref[0]), SIGKILL);
	check_output(ctl(&host, "get", dies.ref[1]), 128 + SIGKILL, "", "its worker was killed");
	uint64_t deadline_ns = deadline_after_ms(DEADLINE_MS);
	while (entries(path) > 1 && clock_ns() < deadline_ns)
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	ck_assert_uint_eq(entries(path), 1);
	scratch_write(&host, "go", "", 0, path, sizeof path);
	scratch_path(&host, "data", path, sizeof path);
	check_output(ctl(&host, "wait", lives.ref[0]), 0, NULL, NULL);
	check_output(order("--stdin", lives.ref[1], "cmp", "-", path), 0, "", NULL);
	expect_no_files_soon();
	free(ctl_expect(&host, 0, "drop", lives.ref[0], dies.ref[0], value));
	ctl_until(&host, "\"store_used\": 0", "status", "--json");
	free(lives.all);
	free(dies.all);
	free(value);
}
END_TEST

START_TEST(nothing_is_left_of_one_that_is_cancelled)
{
	char *value = detached("echo", "value");
	struct results r = busy(value, "one", "never");
	await_file("one");
	free(ctl_expect(&host, 0, "cancel", r.ref[1]));
	check_output(ctl(&host, "get", r.ref[1]), 130, "", "cancelled");
	expect_no_files_soon();
	free(ctl_expect(&host, 0, "drop", r.ref[0], value));
	ctl_until(&host, "\"store_used\": 0", "status", "--json");
	free(r.all);
	free(value);
}
END_TEST

START_TEST(what_a_killed_runtime_leaves_goes_with_the_next_of_its_name)
{
	char *value = detached("echo", "value"), path[PATH_BYTES];
	struct results r = busy(value, "one", "never");
	await_file("one");
	runtime_kill(&host);
	files_path(path);
	ck_assert_uint_eq(entries(path), 1);
	runtime_reboot(&host,);
	check_output(ctl(&host, "get", r.ref[1]), 1, "", "its worker");
	expect_no_files_soon();
	runtime_kill(&host);
	runtime_reboot(&host, "--fresh",);
	ck_assert_int_ne(access(path, F_OK), 0);
	free(r.all);
	free(value);
}
END_TEST

START_TEST(what_a_command_reads_and_writes_outlives_the_manager)
{
	runtime_end(&host);
	runtime_boot_loose(&host, "--workers", "2",);
	char *value = detached("echo", "value"), path[PATH_BYTES];
	struct results r = busy(value, "one", "go");
	await_file("one");
	runtime_kill(&host);
	runtime_reboot(&host,);
	scratch_write(&host, "go", "", 0, path, sizeof path);
	check_output(ctl(&host, "get", r.ref[1]), 0, "value\n", NULL);
	expect_no_files_soon();
	free(r.all);
	free(value);
}
END_TEST

START_TEST(files_leave_no_descriptor_open_in_their_worker)
{
	char *value = ctl_expect(&host, 0, "put", "Makefile");
	const char *in = in_variable("X", value);
	unsigned before = 0;
	for (int i = 0; i < 24; i++) {
		check_output(order("--in", in, "--stdin", value, "--shell", "cat $X > /dev/null"),
		    0, NULL, NULL);
		check_output(order("--in", in, "--stdin", value, "no-such-command"), 127, NULL,
		    NULL);
		check_output(order("--in", in, "--shell", "exit 1"), 1, NULL, NULL);
		struct results r = results_of("--out", "O", "--shell",
		    i % 2 ? "echo > $O" : "true");
		check_output(ctl(&host, "get", r.ref[1]), i % 2 ? 0 : 1, NULL, NULL);
		free(r.all);
		if (i == 3) /* what a worker opens once is open */
			before = descriptors_of_workers();
	}
	ck_assert_uint_le(descriptors_of_workers(), before);
	free(value);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    a_directory_that_others_may_enter_is_refused,
	    nothing_is_left_of_a_killed_worker_and_nothing_is_taken_from_others,
	    nothing_is_left_of_one_that_is_cancelled,
	    what_a_killed_runtime_leaves_goes_with_the_next_of_its_name,
	    what_a_command_reads_and_writes_outlives_the_manager,
	    files_leave_no_descriptor_open_in_their_worker,
	};
	Suite *suite = suite_create("command files");
	TCase *tcase = tcase_create("plmctl submit");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, objects_boot, command_stop);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
