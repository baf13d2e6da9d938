/* salvage.c - a journal that is damaged: set aside, and what can be read of it is copied into a new
 * one.
 *
 * Each table is read from its first row to where the damage begins, then from its last one
 * backwards: rows are added and never changed, so what is read is whole. A task whose acceptance
 * was read and whose end may have stood where the damage is must not be run again on a guess: when
 * the ends could not be read in full a mark says up to which task that is so
 * (resume.c). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/why.h"
#include "journal/db_parts.h"

/* A name that none has that was set aside before. */
static void name_aside(const struct db *db, char *ret, size_t size)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm local;
	localtime_r(&now, &local);
	strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
	int n = snprintf(ret, size, "%s.damaged-%s", db->path, stamp);
	for (unsigned again = 2; access(ret, F_OK) == 0; again++)
		snprintf(ret + n, size - (size_t)n, "-%u", again);
}

static int set_aside(struct db *db, char *ret, size_t size)
{
	static const char *const parts[] = { "-wal", "-shm", "" }; /* the file itself last */
	char from[STATE_PATH_BYTES + 24], to[STATE_PATH_BYTES + 80];
	name_aside(db, ret, size);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		snprintf(from, sizeof from, "%s%s", db->path, parts[i]);
		snprintf(to, sizeof to, "%s%s", ret, parts[i]);
		if (rename(from, to) < 0 && errno != ENOENT)
			return why(-errno, "setting aside %s: %s", from, strerror(errno));
	}
	return 0;
}

/* A view of that name may have no end. */
static bool is_stored(sqlite3 *to, const char *table)
{
	sqlite3_stmt *s;
	bool stored = false;
	static const char sql[] = "SELECT 1 FROM damaged.sqlite_schema WHERE name = ?1 AND"
	    " type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'";
	if (sqlite3_prepare_v2(to, sql, -1, &s, NULL) == SQLITE_OK) {
		sqlite3_bind_text(s, 1, table, -1, SQLITE_STATIC);
		stored = sqlite3_step(s) == SQLITE_ROW;
	}
	sqlite3_finalize(s);
	return stored;
}

/* Both ends of the copy: of a damaged table as many columns as ours has. */
static bool prepare_copy(sqlite3 *to, const char *table, bool backwards, sqlite3_stmt **from,
    sqlite3_stmt **into)
{
	char sql[192];
	*from = *into = NULL;
	snprintf(sql, sizeof sql, "SELECT * FROM main.%s", table);
	if (!is_stored(to, table) || sqlite3_prepare_v2(to, sql, -1, into, NULL) != SQLITE_OK)
		return false;
	int columns = sqlite3_column_count(*into);
	sqlite3_finalize(*into);
	*into = NULL;
	snprintf(sql, sizeof sql, "SELECT * FROM damaged.%s%s", table,
	    backwards ? " ORDER BY 1 DESC" : "");
	if (sqlite3_prepare_v2(to, sql, -1, from, NULL) != SQLITE_OK ||
	    sqlite3_column_count(*from) != columns)
		return false;
	int n = snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO main.%s VALUES(?", table);
	for (int i = 1; i < columns; i++)
		n += snprintf(sql + n, sizeof sql - (size_t)n, ",?");
	snprintf(sql + n, sizeof sql - (size_t)n, ")");
	return sqlite3_prepare_v2(to, sql, -1, into, NULL) == SQLITE_OK;
}

/* The last row decides: a table is read in full when both ways meet. */
static bool copy_table(sqlite3 *to, const char *table, bool backwards)
{
	sqlite3_stmt *from, *into;
	int code = SQLITE_ERROR;
	bool whole = prepare_copy(to, table, backwards, &from, &into);
	while (into && (code = sqlite3_step(from)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(from); i++)
			sqlite3_bind_value(into, i + 1, sqlite3_column_value(from, i));
		whole &= sqlite3_step(into) == SQLITE_DONE;
		sqlite3_reset(into);
	}
	sqlite3_finalize(from);
	sqlite3_finalize(into);
	return whole && code == SQLITE_DONE;
}

static int64_t count(sqlite3 *db, const char *table)
{
	char sql[64];
	sqlite3_stmt *s;
	int64_t n = 0;
	snprintf(sql, sizeof sql, "SELECT count(*) FROM main.%s", table);
	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

/* False: some rows of a table that says how tasks ended are missing, for all we know. */
static bool copy_all(struct db *db, const char *aside)
{
	bool ends_are_whole = true;
	char *attach = sqlite3_mprintf("ATTACH %Q AS damaged", aside);
	bool attached = attach && sqlite3_exec(db->handle, attach, NULL, NULL, NULL) == SQLITE_OK;
	sqlite3_free(attach);
	if (!attached)
		return false;
	sqlite3_exec(db->handle, "BEGIN", NULL, NULL, NULL);
	for (int i = 0; db_tables[i]; i++) {
		bool whole = copy_table(db->handle, db_tables[i], false);
		if (!whole)
			copy_table(db->handle, db_tables[i], true);
		if (!whole && (strcmp(db_tables[i], "ended") == 0 ||
		    strcmp(db_tables[i], "attempt") == 0))
			ends_are_whole = false;
	}
	sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL);
	sqlite3_exec(db->handle, "DETACH damaged", NULL, NULL, NULL);
	return ends_are_whole;
}

int salvage(struct db *db, bool fsync, const char *damage)
{
	char aside[STATE_PATH_BYTES + 64];
	int r = set_aside(db, aside, sizeof aside);
	if (r == 0)
		r = db_connect(db, fsync);
	if (r < 0)
		return r;
	int code = sqlite3_exec(db->handle, db_schema, NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return db_error(db, code, "setting up");
	bool whole = copy_all(db, aside);
	int64_t last = 0;
	r = whole ? 0 : db_number(db, DB_LAST_TASK, &last, "");
	if (r >= 0 && !whole)
		r = db_run(db, DB_SET_MARK, "ti", "dubious", last);
	if (r >= 0 && !whole) /* whose ends were known may be without one now */
		r = db_run(db, DB_SET_MARK, "ti", "unfinished", INT64_C(0));
	if (r < 0)
		return r;
	log_warn("the journal was damaged (%s): it is set aside as %s; %lld tasks could be read, "
	    "%lld of them with their end%s", damage, aside, (long long)count(db->handle, "task"),
	    (long long)count(db->handle, "ended"), whole ? "" :
		"; not all ends could be read: those that have none are not run again");
	return 0;
}
