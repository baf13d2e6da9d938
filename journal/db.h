/* db.h - the journal's file: DIR/journal.db, SQLite in WAL mode, and the statements it is written
 * with.
 *
 * Rows are added and never changed: a task when it was accepted, an attempt when it began or ended
 * without ending the task, the end. So whatever is cut off, what is left is whole.
 *
 *	boot      a runtime that used the directory
 *	task      accepted: what it calls, with what, on which terms
 *	attempt   of a task, in a boot: it runs, or stands in the queue again
 *	ended     how, when, by whom, and the first bytes of what it wrote
 *	forgotten nobody may claim it any more, but it is to run
 *	resumed   a task of an earlier boot was queued again, as this future, with these budgets
 *	needed    a task that others have among their arguments: its values are kept
 *	value     of such a one
 *	blob      bytes that several tasks may share
 *
 * Where: the journal's process alone writes; plmctl reads (history.h).  Blocks: on the disk.
 * Errors: -errno with a why: -ENOSPC (disk full, a limit of file size), -EIO, -EUCLEAN (the file is
 * damaged), -EBUSY. */
#ifndef PLM_JOURNAL_DB_H
#define PLM_JOURNAL_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tables/journal_state.h"

#define JOURNAL_FILE "journal.db"
enum { DB_PATH_BYTES = STATE_PATH_BYTES + 32, SALVAGED_BYTES = JOURNAL_TROUBLE_BYTES };

struct sqlite3;
struct sqlite3_stmt;

enum db_statement {
	DB_BEGIN,
	DB_COMMIT,
	DB_ROLLBACK,
	DB_FIND_BOOT,
	DB_LAST_BOOT,
	DB_ADD_BOOT,
	DB_LAST_TASK,
	DB_LAST_BLOB,
	DB_ADD_TASK,
	DB_ADD_ATTEMPT,
	DB_ADD_ENDED,
	DB_ADD_FORGOTTEN,
	DB_ADD_RESUMED,
	DB_ADD_NEEDED,
	DB_IS_NEEDED,
	DB_ADD_VALUE,
	DB_FIND_VALUE,
	DB_ADD_BLOB,
	DB_FIND_BLOB,
	DB_READ_BLOB,
	DB_TASKS_OF_BOOT,
	DB_RESUMED_OF_BOOT,
	DB_COUNT_UNFINISHED,
	DB_UNFINISHED,
	DB_LAST_RESUMED,
	DB_LAST_ATTEMPT,
	DB_FIND_ENDED,
	DB_SET_MARK,
	DB_GET_MARK,
	DB_FIRST_TASK,
	DB_AGED_TASK,
	DB_FIRST_UNFINISHED,
	DB_PRUNE_TASK,
	DB_PRUNE_ATTEMPT,
	DB_PRUNE_ENDED,
	DB_PRUNE_FORGOTTEN,
	DB_PRUNE_RESUMED,
	DB_PRUNE_NEEDED,
	DB_FIRST_NEEDED,
	DB_PRUNE_VALUE,
	DB_PRUNE_BLOB,
	DB_STATEMENTS
};

struct db {
	struct sqlite3 *handle;
	struct sqlite3_stmt *statement[DB_STATEMENTS];
	char path[DB_PATH_BYTES];
	bool checked;                  /* it was looked through */
	char salvaged[SALVAGED_BYTES]; /* what was set aside, and read of it; "": nothing */
};

/* Is the file there one that we would open? -EPROTO, with a why: it is sound, and not as this
 * version makes it; nothing was changed. 0 also if there is none, or a damaged one. For the
 * manager, so that a boot is refused and not a task lost. */
int db_understands(const char *directory);
/* Opens or makes it; what a crash left in the WAL is recovered. A damaged file is set aside and
 * salvaged (salvage.c), which is said in the log; a sound one that is not ours is left alone
 * (-EPROTO). check: look through the whole file first. */
int db_open(struct db *db, const char *directory, bool check, bool fsync);
/* What why_text() says is damaged is set aside, whatever a look through it would say. */
int db_salvage(struct db *db, const char *directory, bool fsync);
void db_close(struct db *db);
/* Each commit waits for the disk, or not. Outside of a group. */
int db_set_fsync(struct db *db, bool fsync);

/* Runs one to its end; what it yields is not looked at. A letter an argument: i int64_t; t const
 * char * (NULL: none); b const void *, size_t. */
int db_run(struct db *db, enum db_statement which, const char *letters, ...);
/* The first column of the first row: 1, 0 if there is no row, or -errno. */
int db_number(struct db *db, enum db_statement which, int64_t *ret, const char *letters, ...);
/* Binds, for who reads rows itself: 1 a row is there, 0 none is left. db_end() after the last. */
int db_rows(struct db *db, enum db_statement which, const char *letters, ...);
int db_next(struct db *db, enum db_statement which);
void db_end(struct db *db, enum db_statement which);
int64_t db_int(struct db *db, enum db_statement which, int column);
const char *db_text(struct db *db, enum db_statement which, int column); /* "" of none */
const void *db_blob(struct db *db, enum db_statement which, int column, size_t *ret_length);

/* A group that is neither: is one open? */
bool db_in_group(struct db *db);

/* What SQLite's code means here, with a why about this file. */
int db_error(struct db *db, int code, const char *doing);

#endif
