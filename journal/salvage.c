/* salvage.c - sets a damaged journal aside, and copies readable rows into a new file.
 *
 * Each table is read from the first row up to the damage, then from the last row backwards. Rows
 * are added and never changed, so each row read is whole. A task must not run again when the damage
 * may hide the end of the task: if not all ends could be read, a mark names the last such task
 * (resume.c). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/why.h"
#include "journal/db_parts.h"

enum { ASIDE_BYTES = DB_PATH_BYTES + 64, COLUMNS_BYTES = 1024 };

/* Two names beside the file: a link to the name aside, from before the first part is moved until
 * the new file is in place; and the new file while it is filled. */
#define MARKER ".salvage"
#define FRESH ".new"

static void salvage_name_part(const char *path, const char *suffix, char ret[ASIDE_BYTES])
{
	snprintf(ret, ASIDE_BYTES, "%s%s", path, suffix);
}

/* A name not used by a former salvage. */
static void salvage_name_aside(const struct db *db, char ret[ASIDE_BYTES])
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm local;
	localtime_r(&now, &local);
	strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
	int n = snprintf(ret, ASIDE_BYTES, "%s.damaged-%s", db->path, stamp);
	for (unsigned again = 2; access(ret, F_OK) == 0; again++)
		snprintf(ret + n, ASIDE_BYTES - (size_t)n, "-%u", again);
}

int salvage_is_due(const struct db *db)
{
	char marker[ASIDE_BYTES], aside[ASIDE_BYTES];
	salvage_name_part(db->path, MARKER, marker);
	if (readlink(marker, aside, sizeof aside) >= 0)
		return 1;
	return errno == ENOENT ? 0 : why(-errno, "%s: %s", marker, strerror(errno));
}

/* The name chosen by an interrupted salvage, or a new name. */
static int salvage_mark(const struct db *db, char ret_aside[ASIDE_BYTES])
{
	char marker[ASIDE_BYTES];
	salvage_name_part(db->path, MARKER, marker);
	ssize_t n = readlink(marker, ret_aside, ASIDE_BYTES - 1);
	if (n > 0) {
		ret_aside[n] = 0;
		return 0;
	}
	salvage_name_aside(db, ret_aside);
	return symlink(ret_aside, marker) == 0
	    ? 0
	    : why(-errno, "setting aside %s: %s", db->path, strerror(errno));
}

/* The main file is moved last: once the main file is aside, so are the parts. */
static int salvage_set_aside(const struct db *db, const char *aside)
{
	static const char *const parts[] = { "-wal", "-shm", "" };
	char from[ASIDE_BYTES], to[ASIDE_BYTES + 8];
	if (access(aside, F_OK) == 0)
		return 0;
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		salvage_name_part(db->path, parts[i], from);
		snprintf(to, sizeof to, "%s%s", aside, parts[i]);
		if (rename(from, to) < 0 && errno != ENOENT)
			return why(-errno, "setting aside %s: %s", from, strerror(errno));
	}
	return 0;
}

static void salvage_remove_file(const char *path)
{
	static const char *const parts[] = { "-wal", "-shm", "" };
	char name[ASIDE_BYTES];
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		salvage_name_part(path, parts[i], name);
		unlink(name);
	}
}

/* A view is refused: reading a view may have no end. */
static bool salvage_is_stored(sqlite3 *to, const char *table)
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

static bool salvage_has_column(sqlite3_stmt *table, const char *name)
{
	for (int i = 0; i < sqlite3_column_count(table); i++)
		if (strcmp(sqlite3_column_name(table, i), name) == 0)
			return true;
	return false;
}

/* Our columns; NULL for each missing in the damaged table. Additional or missing columns lose no
 * row. */
static void salvage_name_columns(sqlite3_stmt *ours, sqlite3_stmt *theirs, char *ret, size_t size)
{
	size_t n = 0;
	for (int i = 0; i < sqlite3_column_count(ours) && n < size; i++) {
		const char *name = sqlite3_column_name(ours, i);
		n += (size_t)snprintf(ret + n, size - n, "%s%s%s", i ? ", " : "",
		    salvage_has_column(theirs, name) ? "" : "NULL AS ", name);
	}
}

static sqlite3_stmt *salvage_select_all(sqlite3 *to, const char *schema, const char *table)
{
	char sql[COLUMNS_BYTES];
	sqlite3_stmt *s = NULL;
	snprintf(sql, sizeof sql, "SELECT * FROM %s.%s", schema, table);
	return sqlite3_prepare_v2(to, sql, -1, &s, NULL) == SQLITE_OK ? s : NULL;
}

/* Prepares the statements to read and write a table. */
static bool salvage_prepare_copy(
    sqlite3 *to, const char *table, bool backwards, sqlite3_stmt **from, sqlite3_stmt **into)
{
	char sql[COLUMNS_BYTES], columns[COLUMNS_BYTES];
	*from = *into = NULL;
	sqlite3_stmt *ours =
	    salvage_is_stored(to, table) ? salvage_select_all(to, "main", table) : NULL;
	sqlite3_stmt *theirs = ours ? salvage_select_all(to, "damaged", table) : NULL;
	int count = ours ? sqlite3_column_count(ours) : 0;
	if (theirs)
		salvage_name_columns(ours, theirs, columns, sizeof columns);
	sqlite3_finalize(ours);
	sqlite3_finalize(theirs);
	if (!theirs)
		return false;
	snprintf(sql, sizeof sql, "SELECT %.*s FROM damaged.%s%s", COLUMNS_BYTES / 2, columns,
	    table, backwards ? " ORDER BY 1 DESC" : "");
	if (sqlite3_prepare_v2(to, sql, -1, from, NULL) != SQLITE_OK)
		return false;
	int n = snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO main.%s VALUES(?", table);
	for (int i = 1; i < count; i++)
		n += snprintf(sql + n, sizeof sql - (size_t)n, ",?");
	snprintf(sql + n, sizeof sql - (size_t)n, ")");
	return sqlite3_prepare_v2(to, sql, -1, into, NULL) == SQLITE_OK;
}

/* True: every row was read and written. */
static bool salvage_copy_table(sqlite3 *to, const char *table, bool backwards)
{
	sqlite3_stmt *from, *into;
	int code = SQLITE_ERROR;
	bool whole = salvage_prepare_copy(to, table, backwards, &from, &into);
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

static int64_t salvage_count(sqlite3 *db, const char *table)
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

/* False: rows of a table of ends may be missing. */
static bool salvage_copy_all(struct db *db, const char *aside)
{
	bool ends_are_whole = true;
	char *attach = sqlite3_mprintf("ATTACH %Q AS damaged", aside);
	bool attached = attach && sqlite3_exec(db->handle, attach, NULL, NULL, NULL) == SQLITE_OK;
	sqlite3_free(attach);
	if (!attached)
		return false;
	sqlite3_exec(db->handle, "BEGIN", NULL, NULL, NULL);
	for (int i = 0; db_tables[i]; i++) {
		bool whole = salvage_copy_table(db->handle, db_tables[i], false);
		if (!whole)
			salvage_copy_table(db->handle, db_tables[i], true);
		if (!whole &&
		    (strcmp(db_tables[i], "ended") == 0 || strcmp(db_tables[i], "attempt") == 0))
			ends_are_whole = false;
	}
	sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL);
	sqlite3_exec(db->handle, "DETACH damaged", NULL, NULL, NULL);
	return ends_are_whole;
}

/* Fills db from the file set aside. *ret_whole: as far as known, no end is missing. */
static int salvage_fill(struct db *db, const char *aside, bool *ret_whole)
{
	int code = sqlite3_exec(db->handle, db_schema, NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return db_error(db, code, "setting up");
	bool whole = salvage_copy_all(db, aside);
	int64_t last = 0;
	int r = whole ? 0 : db_number(db, DB_LAST_TASK, &last, BIND_NOTHING);
	if (r >= 0 && !whole)
		r = db_run(db, DB_SET_MARK, BIND(bind_text("dubious"), bind_int(last)));
	if (r >= 0 && !whole) /* tasks once known as ended may lack an end now */
		r = db_run(db, DB_SET_MARK, BIND(bind_text("unfinished"), bind_int(0)));
	*ret_whole = whole;
	return r < 0 ? r : db_check_version(db);
}

/* The new file has another name until complete: a journal half copied is a queue half empty. */
static int salvage_make_fresh(
    const struct db *db, bool fsync, const char *aside, char *ret_what, size_t size)
{
	struct db fresh = { .handle = NULL };
	bool whole = false;
	snprintf(fresh.path, sizeof fresh.path, "%.*s%s", STATE_PATH_BYTES + 16, db->path, FRESH);
	salvage_remove_file(fresh.path);
	int r = db_connect(&fresh, fsync);
	if (r == 0)
		r = salvage_fill(&fresh, aside, &whole);
	if (r == 0)
		snprintf(ret_what, size, "%lld tasks could be read, %lld with their end%s",
		    (long long)salvage_count(fresh.handle, "task"),
		    (long long)salvage_count(fresh.handle, "ended"),
		    whole ? "" : "; tasks without a known end are not run again");
	db_close(&fresh); /* the close removes the WAL: the file is complete alone */
	if (r == 0 && rename(fresh.path, db->path) < 0)
		r = why(-errno, "renaming %s: %s", fresh.path, strerror(errno));
	return r;
}

/* A damaged file of a newer version is left to the newer version, which can read more rows. */
static int salvage_respect_version(const struct db *db, const char *damage)
{
	struct db theirs = { .handle = NULL };
	int64_t version = JOURNAL_VERSION;
	snprintf(theirs.path, sizeof theirs.path, "%s", db->path);
	if (salvage_is_due(db) == 0 &&
	    sqlite3_open_v2(theirs.path, &theirs.handle,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
	    db_number(&theirs, DB_GET_MARK, &version, BIND(bind_text("version"))) != 1)
		version = JOURNAL_VERSION;
	db_close(&theirs);
	return version == JOURNAL_VERSION
	    ? 0
	    : why(-EPROTO,
		  "%s is damaged (%s), and was written "
		  "by another version of plm (format %lld, not %d): start that plm, or give "
		  "another --state DIR",
		  db->path, damage, (long long)version, JOURNAL_VERSION);
}

int salvage(struct db *db, bool fsync, const char *damage)
{
	char aside[ASIDE_BYTES], marker[ASIDE_BYTES], what[SALVAGED_BYTES];
	int r = salvage_respect_version(db, damage);
	if (r == 0)
		r = salvage_mark(db, aside);
	if (r == 0)
		r = salvage_set_aside(db, aside);
	if (r == 0)
		r = salvage_make_fresh(db, fsync, aside, what, sizeof what);
	salvage_name_part(db->path, MARKER, marker);
	if (r == 0 && unlink(marker) < 0)
		r = why(-errno, "%s: %s", marker, strerror(errno));
	if (r == 0)
		r = db_connect(db, fsync);
	if (r < 0)
		return r;
	const char *name = strrchr(aside, '/');
	log_warn("the journal was damaged (%s): it is set aside as %s; %s", damage, aside, what);
	snprintf(db->salvaged, sizeof db->salvaged, "set aside as %.50s; %.90s",
	    name ? name + 1 : aside, what);
	return 0;
}
