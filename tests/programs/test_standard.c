/* test_standard.c - programs started without descriptor 0, 1 or 2: no socket or segment gets
 * such a number, nothing hangs, and a lost result is an error. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/plm.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"
#include "tests/support/program_runtime.h"

enum { TEST_TIMEOUT_S = 60, SCRIPT_BYTES = 512, EXIT_WRITING = 125 };

/* Runs a shell line that finds the programs in $PLM_BIN; returns the exit code. */
static int shell(const char *line)
{
	char script[SCRIPT_BYTES];
	const char *where = getenv("PLM_BIN");
	int status;
	setenv("PLM_NAME", host.name, 1);
	snprintf(script, sizeof script, "PATH=%s:$PATH; %s", where && where[0] ? where : ".", line);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		setpgid(0, 0); /* so that a kill of the group ends all that hangs */
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	bool ended = wait_for_death(pid);
	kill(-pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(ended, "%s: hangs", line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect_exit(const char *line, int code)
{
	int got = shell(line);
	ck_assert_msg(got == code, "%s: exit code %d, not %d", line, got, code);
}

START_TEST(a_result_without_a_stdout_is_an_error)
{
	expect_exit("plmctl submit -- echo hi >&-", EXIT_WRITING);
	expect_exit("plmctl call probe.echo hi >&-", EXIT_WRITING);
	expect_exit("plmctl map echo ::: x >&-", EXIT_WRITING);
	expect_exit("plmctl status >&-", EXIT_WRITING);
	expect_exit("plmctl help >&-", EXIT_WRITING);
	expect_exit("plmdump check >&-", EXIT_WRITING);
	expect_exit("plmctl submit -- true >&-", 0); /* prints nothing, so loses nothing */
	expect_exit("plmctl status >/dev/null", 0);  /* the runtime still works */
}
END_TEST

START_TEST(inputs_without_a_stdin_are_an_error)
{
	ck_assert_int_ne(shell("plmctl map echo <&-"), 0);
	ck_assert_int_ne(shell("plmctl put - <&-"), 0);
	ck_assert_int_ne(shell("plmctl load - <&-"), 0);
	expect_exit("test \"$(plmctl submit -- echo hi <&-)\" = hi", 0);
	expect_exit("test \"$(plmctl map echo ::: x <&-)\" = x", 0);
}
END_TEST

START_TEST(words_without_a_stderr_are_lost_and_nothing_else)
{
	expect_exit("plmctl call probe.nonsense 2>&-", 127);
	expect_exit("plmctl status >&- 2>&- <&-", EXIT_WRITING);
	expect_exit("test \"$(plmctl submit -- sh -c 'echo hi; echo ha >&2' 2>&-)\" = hi", 0);
}
END_TEST

/* The runtime serves as usual; only its ready line is lost. */
START_TEST(a_runtime_boots_without_any)
{
	expect_exit("export PLM_NAME=$PLM_NAME-bare; plm --workers 1 --store 4M <&- >&- 2>&- & "
		    "until plmctl status >/dev/null 2>&1; do sleep 0.01; done; "
		    "test \"$(plmctl submit -- echo hi)\" = hi && plmctl stop && wait $!",
	    0);
	expect_exit("export PLM_NAME=$PLM_NAME-bare; "
		    "plm --daemon --workers 1 --store 4M <&- 2>&- >$XDG_RUNTIME_DIR/ready && "
		    "grep -q 'plm: ready' $XDG_RUNTIME_DIR/ready && plmctl stop",
	    0);
}
END_TEST

/* If libplm used such a number, output of the user's program would go into the runtime. */
START_TEST(libplm_takes_none_of_the_numbers)
{
	plm *handle;
	setenv("PLM_NAME", host.name, 1);
	for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++)
		close(fd);
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	close(STDERR_FILENO);
	int r = plm_connect(&handle, NULL), readable = r == 0 ? plm_fd(handle) : -1;
	bool taken = false;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		taken |= fcntl(fd, F_GETFD) == 0;
	dup2(saved, STDERR_FILENO);
	ck_assert_msg(r == 0, "connect: %d, %s", r, plm_why());
	ck_assert_int_gt(readable, STDERR_FILENO);
	ck_assert_msg(!taken, "something was opened as a standard descriptor");
	plm_disconnect(&handle);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("standard");
	TCase *tcase = tcase_create("standard");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, host_boot_small, host_stop);
	tcase_add_test(tcase, a_result_without_a_stdout_is_an_error);
	tcase_add_test(tcase, inputs_without_a_stdin_are_an_error);
	tcase_add_test(tcase, words_without_a_stderr_are_lost_and_nothing_else);
	tcase_add_test(tcase, a_runtime_boots_without_any);
	tcase_add_test(tcase, libplm_takes_none_of_the_numbers);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
