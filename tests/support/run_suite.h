/* run_suite.h - what every test program does the same way: build one suite, then
 * `return run_suite(suite);`. */
#ifndef PLM_RUN_SUITE_H
#define PLM_RUN_SUITE_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Runs it, each test in a process of its own; the exit status for main(). */
int run_suite(Suite *suite);

/* Zeroed memory that forked children share; gone with the process. */
void *shared_memory(size_t bytes);

/* The same for programs the test starts: they open it by the path in this variable of their
 * environment, as long as the test lives. */
void *shared_file(size_t bytes, const char *variable);

/* A child that calls act(context) and exits with 0, and the exit code it ended with. */
pid_t child_of(void (*act)(void *context), void *context);
int exit_of(pid_t pid);

/* A child that calls act(context), which never returns: it kills itself. Waits until it is dead. */
void run_until_killed(void (*act)(void *context), void *context);
_Noreturn void kill_self(void);

/* The same numbers every run, so that a failure can be run again (xorshift64). */
uint64_t random_next(uint64_t *state);

/* What this variable of the environment says, a seed or a size of a run. */
uint64_t number_from(const char *variable, uint64_t otherwise);

#define RANDOM_SEED UINT64_C(88172645463325252)

#endif
