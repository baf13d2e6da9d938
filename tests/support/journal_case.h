/* journal_case.h - for the tests of the journal: a host with a state directory, an end as of a
 * power failure, and checks of the history. */
#ifndef PLM_TEST_JOURNAL_CASE_H
#define PLM_TEST_JOURNAL_CASE_H

#include "tests/support/fixture.h"

enum { STATE_BYTES = 128 };
extern char state_directory[STATE_BYTES]; /* removed by journal_end() */

/* Sets state_directory, as does each journal_boot(). */
void journal_state(void);
#define journal_boot(...) journal_boot_with((const char *const[]){ __VA_ARGS__ NULL })
void journal_boot_with(const char *const *more); /* two workers and --state */
void journal_boot_loose(void);                   /* the same; members outlive the manager */
#define journal_reboot(...) journal_reboot_with((const char *const[]){ __VA_ARGS__ NULL })
void journal_reboot_with(const char *const *more);
/* Kills all processes and removes both segments. */
void journal_crash(void);
void journal_end(void); /* plmctl stop, then removes all files */

#define keep(...) ctl_expect(&host, 0, "submit", "--detach", __VA_ARGS__)

/* The line of plmctl history --json for a command with this text; NULL: none. The caller frees. */
char *history_line(const char *text);
/* Checks a field of that line; a missing value is "null". */
void expect_history(const char *text, const char *key, const char *expected);
void until_history(const char *text, const char *key, const char *expected);
/* The number of tasks in this state. */
unsigned history_count(const char *state);
/* Waits for this number. */
void history_reaches(const char *state, unsigned number);
/* Waits until no task is queued or runs. */
void history_settles(void);
/* Waits until a field of plmctl status has this value. */
void status_reaches(const char *key, unsigned number);

/* A command that runs until open_gate(), and first adds a line to the scratch file `begun`. */
void wait_line(char *line, size_t size, const char *then);
void open_gate(void);

/* The pid of the journal, a child of the manager. */
pid_t journal_pid(void);
void kill_journal(void); /* no error if no journal lives */

/* Counts the lines of a scratch file that equal text; NULL: all lines. 0 without the file. */
unsigned count_lines(const char *scratch, const char *text);
/* Waits for so many lines. */
void await_lines(const char *scratch, unsigned lines);

#endif
