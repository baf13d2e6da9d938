/* explain_case.h - for the tests of `plmctl explain`: waiting tasks and the reasons that plmctl
 * gives. */
#ifndef PLM_TEST_EXPLAIN_CASE_H
#define PLM_TEST_EXPLAIN_CASE_H

#include <check.h>

#include "tests/support/fixture.h"

#define LONG "600000" /* milliseconds; no test waits for the end of such a task */

/* Enough process slots while a stopped scheduler frees none. */
#define MANY_SLOTS "--processes", "1024"

#define boot(...) runtime_boot(&host, __VA_ARGS__, )
/* Kills the runtime whatever still runs. */
void end(void);

/* Keeps a text reachable until the end, for leak checkers. */
char *keep(char *text);
#define detach(...) keep(ctl_expect(&host, 0, "call", "--detach", __VA_ARGS__))

/* Waits until the first reason of ref has this code; earlier reasons may pass by. */
void until_code(const char *ref, const char *code);
void until_running(const char *ref);
/* Waits until plmctl explain has said each text about ref; then one output must have all. */
#define until_says(ref, ...) until_all((ref), (const char *const[]){ __VA_ARGS__, NULL })
void until_all(const char *ref, const char *const *words);

/* Pid of the first living process of this kind; 0: none. */
int member_pid(const char *kind);

/* Runs the tests as one suite; returns the exit status for main(). */
int run_explain(const char *name, const TTest *const *tests, size_t n);

#endif
