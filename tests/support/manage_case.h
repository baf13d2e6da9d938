/* manage_case.h - what the tests of lists and of what is done to many tasks share: a runtime of one
 * worker, a task of each state in it, and what is expected of what a filter finds. */
#ifndef PLM_TEST_MANAGE_CASE_H
#define PLM_TEST_MANAGE_CASE_H

#include "tests/support/command_case.h"

void manage_boot(void);
void manage_stop(void); /* whatever still runs */

/* Ids alone, one a line. */
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

/* These ids and no others; frees found. A single "@" stands for one of any name. */
void check_found(char *found, const char *const *refs);
/* Of the row of this task in `plmctl tasks --json`. */
void expect_cell(const char *ref, const char *key, const char *expected);
/* plmctl with these words ends with this code, and with `why` on stderr. */
void refuse(int code, const char *why, const char *const *words);

/* One task of each state: the only worker is busy with `running`, for ever. */
struct each {
	char *done, *failed, *dead, *running, *ready, *waiting, *cancelled;
};
struct each one_of_each(void);
void each_free(struct each *e);

/* Pauses the queue and submits so many tasks that their list is more than a pipe holds: whoever
 * prints it stands still until somebody reads. */
void submit_many(void);

/* plmctl in the background, with these as stdout and stderr (negative: ours). */
pid_t start_ctl(int out, int err, bool ignoring_sigpipe, const char *const *words);

#endif
