#include "tests/support/run_suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/suite_watcher.h"

/* Hides the make that runs the tests: runtimes below a make borrow its tokens, and makes say so. */
static void leave_make(void)
{
	if (getenv("PLM_TEST_OUTER"))
		return; /* a test of runtimes below a make */
	unsetenv("MAKEFLAGS");
	unsetenv("MFLAGS");
	unsetenv("MAKELEVEL");
}

/* Check ends a long test, by default after 4 s. The deadlines of the tests give better messages
 * and must come first, even on a busy machine. Check reads these variables when a test case is
 * created, so set them before main(). */
__attribute__((constructor)) static void run_suite_be_patient(void)
{
	setenv("CK_DEFAULT_TIMEOUT", "60", 0);
	setenv("CK_TIMEOUT_MULTIPLIER", "4", 0);
}

static int run_suite_here(void *suite)
{
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

int run_suite(Suite *suite)
{
	const char *forks = getenv("CK_FORK");
	leave_make();
	if (forks && strcmp(forks, "no") == 0)
		return run_suite_here(suite); /* for a debugger: one process */
	int r = watch_suite(run_suite_here, suite);
	srunner_free(srunner_create(suite)); /* the watcher's copy, for LeakSanitizer */
	return r;
}

int run_tests(const char *name, int timeout_s, void (*setup)(void), void (*teardown)(void),
    const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, timeout_s);
	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}

void *shared_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(memory, MAP_FAILED);
	return memory;
}

void *shared_file(size_t bytes, const char *variable)
{
	char path[64];
	int fd = memfd_create(variable, MFD_CLOEXEC);
	ck_assert(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(memory, MAP_FAILED);
	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
	setenv(variable, path, 1);
	return memory;
}

_Noreturn void kill_self(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

pid_t child_of(void (*act)(void *context), void *context)
{
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		act(context);
		_exit(0);
	}
	return pid;
}

int exit_of(pid_t pid)
{
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "a child ended with wait status %#x", (unsigned)status);
	return WEXITSTATUS(status);
}

void run_until_killed(void (*act)(void *context), void *context)
{
	int status;
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		act(context);
		_exit(1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);
	return text && text[0] ? strtoull(text, NULL, 10) : otherwise;
}
