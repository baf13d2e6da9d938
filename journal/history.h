/* history.h - reads the journal's file: accepted tasks, and the end of each.
 *
 * Where: plmctl, beside a writing journal or without.  Blocks: on the disk.
 * Errors: -errno with a why: -ENOENT (no journal there), -EUCLEAN (damaged), -EIO. */
#ifndef PLM_JOURNAL_HISTORY_H
#define PLM_JOURNAL_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum history_state { /* as named by plmctl */
	HISTORY_ANY,
	HISTORY_QUEUED,
	HISTORY_RUNNING,
	HISTORY_DONE,
	HISTORY_FAILED,
	HISTORY_DEAD,
	HISTORY_CANCELLED,
	HISTORY_STATES
};
const char *history_state_name(enum history_state state);
enum history_state history_state_of(const char *name); /* HISTORY_STATES: no such name */

struct history_filter {             /* all zero: every task */
	int64_t since_ms, until_ms; /* of the submission, wall clock; until 0: now */
	const char *include;        /* in the text of the command, any case */
	const char *label;
	bool has_exit_code;
	int exit_code;
	enum history_state state;
	int64_t id;            /* a task by number ... */
	uint64_t ref, runtime; /* ... or by a present or former future */
	uint64_t most;         /* only so many of the latest; 0: all */
};

struct history_row {
	int64_t id;
	uint64_t ref, runtime;             /* the present or last future */
	uint64_t first_ref, first_runtime; /* the first future */
	unsigned boots;                    /* number of boots that queued the task again */
	enum history_state state;
	const char *function, *text, *label, *user; /* "" for none */
	int priority;
	int64_t submitted_ms, began_ms, ended_ms; /* 0: not yet, or not known */
	int attempts;
	int worker, exit_code; /* negative: none */
	int code, signal;
	const char *message, *undurable; /* "" for none */
	int64_t user_us, system_us, resident_kb, out_bytes, err_bytes, value_bytes;
	const void *out, *err; /* the first bytes of stdout and stderr */
	size_t out_length, err_length;
};

struct history_total {
	const char *key;
	int64_t tasks, done, failed, cancelled, unfinished; /* dead tasks count as failed */
	int64_t run_ms, cpu_ms;
};

enum history_key { HISTORY_BY_USER, HISTORY_BY_LABEL, HISTORY_BY_DAY, HISTORY_KEYS };

struct history;

int history_open(const char *directory, struct history **ret);
void history_close(struct history **hp);
/* Calls visit for each task, in the order of submission. Pointers in a row are valid there only. */
int history_each(struct history *h, const struct history_filter *filter,
    void (*visit)(void *context, const struct history_row *row), void *context);
int history_totals(struct history *h, const struct history_filter *filter, enum history_key key,
    void (*visit)(void *context, const struct history_total *total), void *context);

#endif
