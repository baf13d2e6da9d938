/* run_suite.h - the common part of all test programs: list the tests for `return run_tests(...);`,
 * or build one suite, then `return run_suite(suite);`. */
#ifndef PLM_RUN_SUITE_H
#define PLM_RUN_SUITE_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Runs the suite, each test in a process of its own. Returns the exit status for main(). */
int run_suite(Suite *suite);

/* A suite with a single case: n tests, each with this fixture (NULL: none). */
int run_tests(const char *name, int timeout_s, void (*setup)(void), void (*teardown)(void),
    const TTest *const *tests, size_t n);

/* Zeroed memory shared with forked children; gone with the process. */
void *shared_memory(size_t bytes);

/* The same for programs that the test starts: a program opens the path in this environment variable
 * while the test lives. */
void *shared_file(size_t bytes, const char *variable);

/* A child that calls act(context) and exits with 0; the exit code of a child. */
pid_t child_of(void (*act)(void *context), void *context);
int exit_of(pid_t pid);

/* A child calls act(context), which kills the child. Returns after the death. */
void run_until_killed(void (*act)(void *context), void *context);
_Noreturn void kill_self(void);

/* The same numbers in every run, so that a failure can be repeated (xorshift64). */
uint64_t random_next(uint64_t *state);

/* The number in an environment variable, such as a seed or the size of a run. */
uint64_t number_from(const char *variable, uint64_t otherwise);

#define RANDOM_SEED UINT64_C(88172645463325252)

#endif
