/* explain_case.h - what the tests of `plmctl explain` share: a runtime, tasks that somebody waits
 * for, and what is said about them. One runtime a test's process. */
#ifndef PLM_TEST_EXPLAIN_CASE_H
#define PLM_TEST_EXPLAIN_CASE_H

#include <check.h>

#include "tests/support/fixture.h"

#define LONG "600000" /* milliseconds: no test waits for the end of this one */

/* No slot of a dead process is free again before the scheduler goes on. */
#define MANY_SLOTS "--processes", "1024"

#define boot(...) runtime_boot(&host, __VA_ARGS__, )
/* What runs is of no interest any more. */
void end(void);

/* What programs said: freed by nobody, found by the checkers of leaks. */
char *keep(char *text);
#define detach(...) keep(ctl_expect(&host, 0, "call", "--detach", __VA_ARGS__))

/* Until the first reason of ref has this code: others may hold for a moment on the way there. */
void until_code(const char *ref, const char *code);
void until_running(const char *ref);
/* Until plmctl explain says each of these about ref; then it must say all of them. */
#define until_says(ref, ...) until_all((ref), (const char *const[]){ __VA_ARGS__, NULL })
void until_all(const char *ref, const char *const *words);

/* Pid of the first of this kind that lives; 0: none. */
int member_pid(const char *kind);

/* The tests as one suite; the exit status for main(). */
int run_explain(const char *name, const TTest *const *tests, size_t n);

#endif
