/* test_claim.c - one manager for each name, whatever runtime directory the manager and the
 * clients use: the lock lies beside the segments and names the door. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/door.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 90, EXIT_IS_UP = 75 };

static char elsewhere[PATH_MAX];

static void claim_boot(void)
{
	runtime_boot_loose(&host, "--workers", "2", "--tasks", "256", "--store", "4M", );
	scratch_path(&host, "elsewhere", elsewhere, sizeof elsewhere);
	ck_assert_int_eq(mkdir(elsewhere, 0700), 0);
}

static void expect_that_it_is_up(const char *words)
{
	struct output_of o =
	    program_run(&host, "plm", (const char *const[]){ "--workers", "1", NULL }, NULL, 0);
	ck_assert_msg(o.code == EXIT_IS_UP && strstr(o.err, words), "%d: %s", o.code, o.err);
	output_free(&o);
}

START_TEST(a_name_is_one_under_all_runtime_directories)
{
	char pid[32];
	snprintf(pid, sizeof pid, "(pid %d)", (int)host.pid);
	setenv("XDG_RUNTIME_DIR", elsewhere, 1);
	expect_that_it_is_up(pid);
	host_expect_work();
	free(ctl_expect(&host, 0, "status"));
	setenv("XDG_RUNTIME_DIR", "/nowhere", 1);
	host_expect_work();
	host_stop();
}
END_TEST

/* Living members ring the bell of the first manager. */
START_TEST(the_next_manager_uses_the_directory_of_the_former)
{
	char bell[PATH_MAX];
	runtime_kill(&host);
	setenv("XDG_RUNTIME_DIR", elsewhere, 1);
	runtime_reboot(&host, "--workers", "2", );
	host_expect_work();
	snprintf(bell, sizeof bell, "%.100s/plm/%s.bell", elsewhere, host.name);
	ck_assert_int_ne(access(bell, F_OK), 0);
	setenv("XDG_RUNTIME_DIR", host.directory, 1);
	host_expect_work();
	host_stop();
}
END_TEST

START_TEST(the_next_manager_does_without_a_directory_that_is_gone)
{
	char path[PATH_MAX];
	runtime_kill(&host);
	snprintf(path, sizeof path, "rm -r %s/plm", host.directory);
	ck_assert_int_eq(system(path), 0);
	setenv("XDG_RUNTIME_DIR", elsewhere, 1);
	runtime_reboot(&host, "--workers", "2", );
	setenv("XDG_RUNTIME_DIR", host.directory, 1);
	host_expect_work();
	host_stop();
}
END_TEST

/* This process holds the lock of such a manager. */
START_TEST(a_manager_with_its_lock_in_the_runtime_directory_is_up)
{
	char path[PATH_MAX], pid[32];
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	free(ctl_expect(&host, 0, "stop"));
	ck_assert(wait_for_death(host.pid));
	snprintf(path, sizeof path, "%s/plm/%s.lock", host.directory, host.name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert(fd >= 0 && fcntl(fd, F_SETLK, &whole) == 0);
	snprintf(pid, sizeof pid, "(pid %d)", (int)getpid());
	expect_that_it_is_up(pid);
	door_lock_path(host.name, path);
	ck_assert_int_ne(access(path, F_OK), 0);
	close(fd);
	runtime_end(&host);
}
END_TEST

START_TEST(a_lock_that_others_may_open_or_that_has_two_names_is_refused)
{
	char path[PATH_MAX], second[PATH_MAX];
	free(ctl_expect(&host, 0, "stop"));
	ck_assert(wait_for_death(host.pid));
	door_lock_path(host.name, path);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ck_assert(fd >= 0 && write(fd, "/x\n", 3) == 3 && fchmod(fd, 0666) == 0);
	struct output_of o =
	    program_run(&host, "plm", (const char *const[]){ "--workers", "1", NULL }, NULL, 0);
	ck_assert_msg(o.code == 73 && strstr(o.err, path) && strstr(o.err, "is open to others"),
	    "%d: %s", o.code, o.err);
	output_free(&o);
	snprintf(second, sizeof second, "%.100s.second", path);
	ck_assert(fchmod(fd, 0600) == 0 && link(path, second) == 0);
	o = program_run(&host, "plm", (const char *const[]){ "--workers", "1", NULL }, NULL, 0);
	unlink(second);
	ck_assert_msg(o.code == 73 && strstr(o.err, "a second name"), "%d: %s", o.code, o.err);
	output_free(&o);
	close(fd);
	runtime_end(&host);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("claim");
	TCase *tcase = tcase_create("claim");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, claim_boot, NULL);
	tcase_add_test(tcase, a_name_is_one_under_all_runtime_directories);
	tcase_add_test(tcase, the_next_manager_uses_the_directory_of_the_former);
	tcase_add_test(tcase, the_next_manager_does_without_a_directory_that_is_gone);
	tcase_add_test(tcase, a_manager_with_its_lock_in_the_runtime_directory_is_up);
	tcase_add_test(tcase, a_lock_that_others_may_open_or_that_has_two_names_is_refused);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
