/* test_command_files.c - the files through which commands read and write values, through the
 * real programs: ownership of the directory, and nothing left after any death. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/json.h"
#include "tests/support/objects_case.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60, NOBODY = 65534 };

/* Any user can make this directory in /dev/shm first. */
START_TEST(a_directory_that_others_may_enter_is_refused)
{
	char path[PATH_BYTES];
	files_path(path);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	struct results r = results_of("--out", "O", "--shell", "echo > $O");
	check_output(ctl(&host, "get", r.ref[1]), 1, "",
	    "is open to others (mode 755): chmod "
	    "700 it, or choose another --name\n");
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(symlink("/tmp", path), 0);
	free(r.all);
	r = results_of("--out", "O", "--shell", "echo > $O");
	check_output(ctl(&host, "get", r.ref[1]), 1, "", "a symbolic link");
	ck_assert_int_eq(unlink(path), 0);
	free(r.all);
}
END_TEST

/* A new worker removes the files of dead workers before it takes a task. */
static void renew_the_workers(void)
{
	char *lines = ctl_expect(&host, 0, "workers", "--json");
	for (char *at = lines; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		char *pid = json_field(at, "pid");
		kill((pid_t)atol(pid), SIGKILL);
		free(pid);
	}
	free(lines);
	check_output(order("echo", "new"), 0, "new\n", NULL);
}

/* A directory that looks like the directory of an attempt, with a directory inside. */
static void make_course(char ret[PATH_BYTES])
{
	char path[PATH_BYTES + 16];
	scratch_path(&host, "course", ret, PATH_BYTES);
	snprintf(path, sizeof path, "%s/9-9", ret);
	ck_assert(mkdir(ret, 0700) == 0 && mkdir(path, 0700) == 0);
	snprintf(path, sizeof path, "%s/9-9/essay", ret);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void expect_course(const char *course)
{
	char path[PATH_BYTES + 16];
	snprintf(path, sizeof path, "%s/9-9/essay", course);
	ck_assert_msg(access(path, F_OK) == 0, "what a link leads to was removed");
}

/* The link belongs to our user, so the kernel follows it also where fs.protected_symlinks is 1. */
START_TEST(nothing_is_removed_where_a_link_in_the_place_of_the_directory_leads)
{
	char files[PATH_BYTES], course[PATH_BYTES];
	files_path(files);
	make_course(course);
	ck_assert_int_eq(symlink(course, files), 0);
	renew_the_workers();
	expect_course(course);
	runtime_kill(&host);
	runtime_reboot(&host, );
	renew_the_workers();
	expect_course(course);
	runtime_kill(&host);
	runtime_reboot(&host, "--fresh", );
	expect_course(course);
	struct results r = results_of("--out", "O", "--shell", "echo > $O");
	check_output(ctl(&host, "get", r.ref[1]), 1, "", "a symbolic link");
	expect_course(course);
	ck_assert_int_eq(unlink(files), 0);
	free(r.all);
}
END_TEST

static void squat_as_nobody(void *files)
{
	char path[PATH_BYTES + 16];
	snprintf(path, sizeof path, "%s/9-9", (char *)files);
	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0 || mkdir(files, 0700) < 0 ||
	    mkdir(path, 0700) < 0)
		_exit(2);
}

START_TEST(the_directory_of_another_user_is_never_used)
{
	char files[PATH_BYTES], path[PATH_BYTES + 16];
	if (geteuid() != 0) {
		printf("left out, only root can become somebody else: %s\n", __func__);
		return;
	}
	files_path(files);
	ck_assert_int_eq(exit_of(child_of(squat_as_nobody, files)), 0);
	snprintf(path, sizeof path, "%s/9-9", files);
	renew_the_workers();
	runtime_kill(&host);
	runtime_reboot(&host, "--fresh", );
	ck_assert_int_eq(access(path, F_OK), 0);
	struct results r = results_of("--out", "O", "--shell", "echo > $O");
	check_output(ctl(&host, "get", r.ref[1]), 1, "", "belongs to user 65534, not to you");
	check_output(order("echo", "all the rest works"), 0, "all the rest works\n", NULL);
	ck_assert(rmdir(path) == 0 && rmdir(files) == 0);
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

/* A command that has read its value and written files, announces that by the file `ready`, and runs
 * until the file `until` exists. */
static struct results busy(const char *value, const char *ready, const char *until)
{
	char line[LINE_BYTES];
	snprintf(line, sizeof line,
	    "echo $O > $O; d=$(dirname $O); mkdir -p $d/a/b; "
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
	runtime_reboot(&host, );
	check_output(ctl(&host, "get", r.ref[1]), 1, "", "its worker");
	expect_no_files_soon();
	runtime_kill(&host);
	runtime_reboot(&host, "--fresh", );
	ck_assert_int_ne(access(path, F_OK), 0);
	free(r.all);
	free(value);
}
END_TEST

START_TEST(what_a_command_reads_and_writes_outlives_the_manager)
{
	runtime_end(&host);
	runtime_boot_loose(&host, "--workers", "2", );
	char *value = detached("echo", "value"), path[PATH_BYTES];
	struct results r = busy(value, "one", "go");
	await_file("one");
	runtime_kill(&host);
	runtime_reboot(&host, );
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
		check_output(
		    order("--in", in, "--stdin", value, "no-such-command"), 127, NULL, NULL);
		check_output(order("--in", in, "--shell", "exit 1"), 1, NULL, NULL);
		struct results r =
		    results_of("--out", "O", "--shell", i % 2 ? "echo > $O" : "true");
		check_output(ctl(&host, "get", r.ref[1]), i % 2 ? 0 : 1, NULL, NULL);
		free(r.all);
		if (i == 3) /* the descriptors that a worker opens once and keeps are open now */
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
		nothing_is_removed_where_a_link_in_the_place_of_the_directory_leads,
		the_directory_of_another_user_is_never_used,
		nothing_is_left_of_a_killed_worker_and_nothing_is_taken_from_others,
		nothing_is_left_of_one_that_is_cancelled,
		what_a_killed_runtime_leaves_goes_with_the_next_of_its_name,
		what_a_command_reads_and_writes_outlives_the_manager,
		files_leave_no_descriptor_open_in_their_worker,
	};
	return run_tests("command files", TEST_TIMEOUT_S, objects_boot, host_stop, tests,
	    sizeof tests / sizeof tests[0]);
}
