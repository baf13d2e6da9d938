/* journal_case.h - what the tests of the journal share: a runtime with a state directory, its end
 * as a power failure ends it, and what the history says. One runtime a test's process. */
#ifndef PLM_TEST_JOURNAL_CASE_H
#define PLM_TEST_JOURNAL_CASE_H

#include "tests/support/fixture.h"

enum { STATE_BYTES = 128 };
extern char state_directory[STATE_BYTES]; /* beside the runtime, gone with it */

/* Sets state_directory; each journal_boot() does it as well. */
void journal_state(void);
#define journal_boot(...) journal_boot_with((const char *const[]){ __VA_ARGS__ NULL })
void journal_boot_with(const char *const *more); /* with 2 workers, and --state */
void journal_boot_loose(void);                   /* the same; it outlives its manager */
#define journal_reboot(...) journal_reboot_with((const char *const[]){ __VA_ARGS__ NULL })
void journal_reboot_with(const char *const *more);
/* All processes are killed, and both segments are gone. */
void journal_crash(void);
void journal_end(void); /* plmctl stop, and nothing is left */

#define keep(...) ctl_expect(&host, 0, "submit", "--detach", __VA_ARGS__)

/* The line of plmctl history --json whose command has this text; NULL: there is none. The caller
 * frees. */
char *history_line(const char *text);
/* This field of it is that; "null" of none. */
void expect_history(const char *text, const char *key, const char *expected);
void until_history(const char *text, const char *key, const char *expected);
/* So many tasks does the history have in this state. */
unsigned history_count(const char *state);
/* Until there are so many. */
void history_reaches(const char *state, unsigned number);
/* Until it has none that is queued or runs. */
void history_settles(void);
/* Until this field of plmctl status is that number. */
void status_reaches(const char *key, unsigned number);

/* The journal's process; it is a child of the manager. */
pid_t journal_pid(void);
void kill_journal(void); /* if there is one just now */

/* How often the text stands as a line in a scratch file; NULL: all lines. 0 without a file. */
unsigned count_lines(const char *scratch, const char *text);
/* Until there are so many lines in it. */
void await_lines(const char *scratch, unsigned lines);

#endif
