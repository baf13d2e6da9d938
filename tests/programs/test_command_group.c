/* test_command_group.c - commands where cgroups can be made, in a cgroup marked like a systemd
 * unit with Delegate=yes. Wants cgroup version 2 and permission for a cgroup in the root, as
 * root has; without both each test says so and passes. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/command_case.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"
#include "tests/support/suite_watcher.h"

enum { TEST_TIMEOUT_S = 60, PATH_BYTES = 512, LINE_BYTES = 1024 };

static const struct timespec look_again = { .tv_nsec = 2000000 };
static char own[PATH_BYTES]; /* the cgroup of the test; "": none can be made */

/* ---- the cgroup of the test ---- */

static void make_own(void)
{
	struct mntent *entry = NULL;
	char name[32];
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	while (mounts && (entry = getmntent(mounts)) != NULL)
		if (strcmp(entry->mnt_type, "cgroup2") == 0)
			break;
	if (entry) {
		test_runtime_name(name, sizeof name);
		snprintf(own, sizeof own, "%s/plm-%s", entry->mnt_dir, name);
	}
	if (mounts)
		endmntent(mounts);
	if (entry && mkdir(own, 0755) == 0)
		return;
	printf("left out: no cgroup of version 2 can be made here\n");
	own[0] = 0;
}

static bool write_to(const char *file, const char *text)
{
	char path[PATH_BYTES + 64];
	snprintf(path, sizeof path, "%s/%s", own, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return written;
}

/* How many cgroups the runtime has made. */
static unsigned cgroups(void)
{
	char prefix[64];
	DIR *all = opendir(own);
	const struct dirent *entry;
	unsigned n = 0;
	snprintf(prefix, sizeof prefix, "plm-%s.", host.name);
	while (all && (entry = readdir(all)) != NULL)
		n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	if (all)
		closedir(all);
	return n;
}

/* Removes cgroups that failed tests left. */
static void remove_cgroups(void)
{
	char path[PATH_BYTES + 256];
	DIR *all = opendir(own);
	const struct dirent *entry;
	while (all && (entry = readdir(all)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", own, entry->d_name);
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			rmdir(path);
	}
	if (all)
		closedir(all);
}

static void remove_own(void)
{
	uint64_t deadline_ns = deadline_after_ms(DEADLINE_MS);
	write_to("cgroup.kill", "1");
	while (own[0] && rmdir(own) < 0 && clock_ns() < deadline_ns) {
		remove_cgroups();
		nanosleep(&look_again, NULL);
	}
}

/* Moves this process into the cgroup of the test, so the runtime is born there. */
static void boot_in_own(bool delegated)
{
	ck_assert(write_to("cgroup.procs", "0"));
	if (delegated)
		ck_assert_int_eq(setxattr(own, "user.delegate", "1", 1, 0), 0);
	else
		removexattr(own, "user.delegate");
	host_boot("2");
}

/* ---- the rules ---- */

START_TEST(commands_run_in_a_cgroup_of_their_slot_and_nothing_else_does)
{
	char wanted[PATH_BYTES];
	if (!own[0])
		return;
	boot_in_own(true);
	snprintf(wanted, sizeof wanted, "%s/plm-%s.", strrchr(own, '/'), host.name);
	struct output_of o = order("grep", "0::", "/proc/self/cgroup");
	ck_assert_msg(strstr(o.out, wanted) != NULL, "it runs in %s, not in %s", o.out, wanted);
	output_free(&o);
	o = order("--shell", "grep 0:: /proc/$PPID/cgroup");
	ck_assert_msg(strstr(o.out, "plm-test-") && !strstr(o.out, host.name),
	    "its worker runs in %s", o.out);
	output_free(&o);
	check_output(order("--shell", "setsid sleep 1000 & exit 3"), 3, "", "left behind");
	host_stop();
	ck_assert_uint_eq(cgroups(), 0);
}
END_TEST

START_TEST(without_leave_there_are_none)
{
	if (!own[0])
		return;
	boot_in_own(false);
	struct output_of o = order("grep", "0::", "/proc/self/cgroup");
	ck_assert_msg(!strstr(o.out, host.name), "it runs in %s", o.out);
	output_free(&o);
	ck_assert_uint_eq(cgroups(), 0);
	host_stop();
}
END_TEST

/* The stranger is no child of the worker, so the search for the command's children misses it. */
START_TEST(whatever_is_in_the_cgroup_is_killed_with_what_a_command_left)
{
	char file[PATH_BYTES], number[32], line[LINE_BYTES];
	if (!own[0])
		return;
	boot_in_own(true);
	pid_t stranger = fork();
	if (stranger == 0)
		for (;;)
			pause();
	snprintf(line, sizeof line,
	    "trap '' TERM; sleep 1000 & sed -n 's/^0::.*[.]//p' "
	    "/proc/self/cgroup > %s/slot; until [ -e %s/go ]; do sleep 0.01; done",
	    host.directory, host.directory);
	char *ref = detached("--shell", line);
	snprintf(file, sizeof file, "plm-%s.%d/cgroup.procs", host.name,
	    (int)scratch_number(&host, "slot"));
	snprintf(number, sizeof number, "%d", (int)stranger);
	ck_assert(write_to(file, number));
	scratch_write(&host, "go", "", 0, line, sizeof line);
	check_output(ctl(&host, "get", ref), 0, "", NULL);
	int status;
	ck_assert(wait_for_death(stranger));
	ck_assert_int_eq(waitpid(stranger, &status, 0), stranger);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	free(ref);
	host_stop();
}
END_TEST

START_TEST(the_next_boot_in_it_ends_what_had_cleared_its_environment)
{
	char line[LINE_BYTES];
	if (!own[0])
		return;
	boot_in_own(true);
	snprintf(line, sizeof line,
	    "setsid env -i /bin/sh -c 'echo $$ > %s/bare; while :; do "
	    "/bin/sleep 1; done' & sleep 1000",
	    host.directory);
	free(detached("--shell", line));
	pid_t bare = (pid_t)scratch_number(&host, "bare");
	runtime_kill(&host);
	ck_assert_int_eq(kill(bare, 0), 0);
	runtime_reboot(&host, );
	ck_assert(wait_for_death(bare));
	check_output(order("echo", "goes on"), 0, "goes on\n", NULL);
	host_stop();
	ck_assert_uint_eq(cgroups(), 0);
}
END_TEST

START_TEST(a_command_that_outlives_the_manager_is_left_alone_until_its_worker_dies)
{
	char line[LINE_BYTES];
	if (!own[0])
		return;
	boot_in_own(true);
	runtime_end(&host);
	runtime_boot_loose(&host, "--workers", "1", );
	snprintf(line, sizeof line,
	    "setsid env -i /bin/sh -c 'echo $$ > %s/bare; while :; do "
	    "/bin/sleep 1; done' & echo $PPID > %s/worker; echo $$ > %s/self; sleep 1000",
	    host.directory, host.directory, host.directory);
	char *ref = detached("--shell", line);
	pid_t bare = (pid_t)scratch_number(&host, "bare"),
	      worker = (pid_t)scratch_number(&host, "worker"),
	      self = (pid_t)scratch_number(&host, "self");
	runtime_kill(&host);
	runtime_reboot(&host, );
	ctl_until(&host, "running", "info", ref);
	ck_assert_int_eq(kill(bare, 0), 0);
	ck_assert_int_eq(kill(self, 0), 0);
	kill(worker, SIGKILL);
	ck_assert(wait_for_death(bare));
	check_output(ctl(&host, "wait", ref), 1, NULL, NULL);
	check_output(order("echo", "goes on"), 0, "goes on\n", NULL);
	free(ref);
	host_stop();
	ck_assert_uint_eq(cgroups(), 0);
}
END_TEST

START_TEST(a_worker_that_takes_the_place_of_a_killed_one_has_a_cgroup)
{
	if (!own[0])
		return;
	boot_in_own(true);
	for (int i = 0; i < 3; i++) {
		check_output(
		    order("--shell", "kill -9 $PPID; sleep 1000"), 128 + SIGKILL, NULL, NULL);
		struct output_of o = order("grep", "0::", "/proc/self/cgroup");
		ck_assert_msg(strstr(o.out, host.name) != NULL, "it runs in %s", o.out);
		output_free(&o);
	}
	host_stop();
	ck_assert_uint_eq(cgroups(), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		commands_run_in_a_cgroup_of_their_slot_and_nothing_else_does,
		without_leave_there_are_none,
		whatever_is_in_the_cgroup_is_killed_with_what_a_command_left,
		the_next_boot_in_it_ends_what_had_cleared_its_environment,
		a_command_that_outlives_the_manager_is_left_alone_until_its_worker_dies,
		a_worker_that_takes_the_place_of_a_killed_one_has_a_cgroup,
	};
	Suite *suite = suite_create("command group");
	TCase *tcase = tcase_create("delegated");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, make_own, remove_own);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
