/* manage_case.h - for the tests of task lists and of operations on many tasks: a runtime with one
 * worker, a task of each state, and checks of the tasks that a filter finds. */
#ifndef PLM_TEST_MANAGE_CASE_H
#define PLM_TEST_MANAGE_CASE_H

#include "tests/support/command_case.h"

void manage_boot(void);
void manage_stop(void); /* cancels all tasks first */

/* References alone, one a line. */
#define QUIET(...) ctl_expect(&host, 0, __VA_ARGS__, "--quiet")
#define REFS(...)                 \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}
#define NONE                  \
	(const char *const[]) \
	{                     \
		NULL          \
	}

/* Expects exactly these references; frees found. A single "@" stands for any reference. */
void check_found(char *found, const char *const *refs);
/* Checks a value in the row of the task in `plmctl tasks --json`. */
void expect_cell(const char *ref, const char *key, const char *expected);
/* Expects this exit code of plmctl, and `why` on stderr. */
void refuse(int code, const char *why, const char *const *words);

/* One task of each state; `running` keeps the only worker busy for ever. */
struct each {
	char *done, *failed, *dead, *running, *ready, *waiting, *cancelled;
};
struct each one_of_each(void);
void each_free(struct each *e);

/* Pauses the queue and submits more tasks than a pipe can list, so that plmctl blocks in the middle
 * of its list until a reader comes. */
void submit_many(void);

/* Starts plmctl in the background with this stdout and stderr (negative: the same as ours). */
pid_t start_ctl(int out, int err, bool ignoring_sigpipe, const char *const *words);

#endif
