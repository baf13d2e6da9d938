/* db.h - the journal's file: DIR/journal.db, SQLite in WAL mode, and the statements to write the
 *file.
 *
 * Rows are added and never changed: a task when it was accepted, an attempt when it began or ended
 * without ending the task, the end. So a truncated file has whole rows.
 *
 *	boot      a runtime that used the directory
 *	task      accepted: its function, arguments and terms
 *	attempt   of a task, in a boot: runs, or stands in the queue again
 *	ended     how, when, by which worker, and the first bytes of output
 *	forgotten nobody may claim the task any more, but it is to run
 *	resumed   a task of an earlier boot was queued again, under a new future, with the remaining
 *	          budgets
 *	moved     the place of a queued task that a person moved: the latest row counts
 *	needed    a task among the arguments of other tasks: its values are kept
 *	value     of a needed task
 *	blob      bytes shared by several tasks
 *
 * Tables are private. The views `history` and `history_ref` are for all who read: plmctl, and users
 * with SQLite (docs/durable.md).
 *
 * Where: the journal's process alone writes.
 * Blocks: on the disk.
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
	DB_ADD_MOVED,
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
	DB_PRUNE_MOVED,
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
	bool old_views;                /* of another version of plm */
	bool checked;                  /* the whole file was looked through */
	char salvaged[SALVAGED_BYTES]; /* the name set aside, and how much was read; "": none */
};

/* Would db_open() take the file? -EPROTO, with a why: the file is sound, but of another version;
 * nothing was changed. 0 also for a missing or a damaged file. The manager asks before the ready
 * line, so that a boot is refused and no task lost. */
int db_understands(const char *directory);
/* Opens or makes the file; SQLite recovers what a crash left in the WAL. A damaged file is set
 * aside and salvaged (salvage.c), with a log line; a sound file of another version is left alone
 * (-EPROTO). check: look through the whole file first. */
int db_open(struct db *db, const char *directory, bool check, bool fsync);
/* Sets the file aside for the damage in why_text(), without a look through the file. */
int db_salvage(struct db *db, const char *directory, bool fsync);
void db_close(struct db *db);
/* Whether each commit waits for the disk. Not within a group. */
int db_set_fsync(struct db *db, bool fsync);

/* ---- values: a statement is bound to as many as it has parameters ---- */

struct db_value {
	enum db_type { DB_INTEGER, DB_TEXT, DB_BLOB } type;
	int64_t integer;
	const void *at;
	size_t length;
};
struct db_values {
	const struct db_value *value;
	size_t count;
};

static inline struct db_value bind_int(int64_t n)
{
	return (struct db_value){ .type = DB_INTEGER, .integer = n };
}
static inline struct db_value bind_uint(uint64_t n)
{
	return (struct db_value){ .type = DB_INTEGER, .integer = (int64_t)n };
}
static inline struct db_value bind_text(const char *text) /* NULL: none */
{
	return (struct db_value){ .type = DB_TEXT, .at = text };
}
static inline struct db_value bind_blob(const void *at, size_t length) /* NULL: none */
{
	return (struct db_value){ .type = DB_BLOB, .at = at, .length = length };
}
#define BIND(...)                                                      \
	((struct db_values){ (const struct db_value[]){ __VA_ARGS__ }, \
	    sizeof((const struct db_value[]){ __VA_ARGS__ }) / sizeof(struct db_value) })
#define BIND_NOTHING ((struct db_values){ NULL, 0 })

/* ---- statements: a wrong number of values is a bug, and stops the process ---- */

/* Runs a statement to its end; rows are not looked at. */
int db_run(struct db *db, enum db_statement which, struct db_values values);
/* The first column of the first row: 1, 0 if there is no row, or -errno. */
int db_number(struct db *db, enum db_statement which, int64_t *ret, struct db_values values);
/* The next row, to be read by the caller: 1, 0 after the last row. Then call db_end(). */
int db_rows(struct db *db, enum db_statement which, struct db_values values);
int db_next(struct db *db, enum db_statement which);
void db_end(struct db *db, enum db_statement which);
int64_t db_int(struct db *db, enum db_statement which, int column);
const char *db_text(struct db *db, enum db_statement which, int column); /* "" for NULL */
const void *db_blob(struct db *db, enum db_statement which, int column, size_t *ret_length);

/* Is a group begun, and neither committed nor rolled back? */
bool db_in_group(struct db *db);

/* -errno for a code of SQLite, with a why. */
int db_error(struct db *db, int code, const char *doing);

#endif
