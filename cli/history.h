/* history.h - rows of the views `history` and `history_ref` in the file of a journal, which
 * docs/durable.md describes for anybody with SQLite.
 *
 * Where: plmctl and plmweb, beside a writing journal or without.  Blocks: on the disk.
 * Errors: -errno with a why: -ENOENT (no journal there), -EPROTO (an earlier plm wrote the journal,
 * without the views), -EUCLEAN (damaged, or not understood), -EIO. */
#ifndef PLM_CLI_HISTORY_H
#define PLM_CLI_HISTORY_H

#include "cli/output.h"

struct history_filter {             /* all zero: every task */
	int64_t since_ms, until_ms; /* of the submission, wall clock; until 0: now */
	const char *include;        /* in the text of the command, any case */
	const char *label, *state;
	bool has_exit_code;
	int exit_code;
	int64_t id;                   /* a task by number ... */
	char ref[PLM_REF_TEXT_BYTES]; /* ... or by a present or former future; "": none */
	uint64_t most;                /* only so many of the latest; 0: all */
};

enum history_key { HISTORY_BY_USER, HISTORY_BY_LABEL, HISTORY_BY_DAY, HISTORY_KEYS };

struct history;

int history_open(const char *directory, struct history **ret);
/* An empty one, for a caller that makes the two views itself. */
int history_in_memory(struct history **ret);
void history_close(struct history **hp);

/* The open database, for other queries of the two views, and -errno with a why for their errors. */
struct sqlite3 *history_database(struct history *h);
int history_failure(struct history *h, int code);

/* Prints a row for each task, in the order of submission; or, of a key, a row of sums for each
 * value of the key. The columns of table_begin() choose the columns of the view by their keys. A
 * row is a struct sqlite3_stmt *, whose column number `out->at` belongs to the cell. */
int history_print(struct history *h, const struct history_filter *filter, enum history_key key,
    struct output *out, uint64_t *ret_rows);

#endif
