/* db_open.c - the journal's file, opened: checks version and soundness, and salvages a damaged
 * file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/why.h"
#include "journal/db_parts.h"

/* Reports the first damage found by SQLite. */
static int db_open_look_through(struct db *db)
{
	sqlite3_stmt *s;
	int code = sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &s, NULL);
	if (code != SQLITE_OK)
		return db_error(db, code, "checking");
	code = sqlite3_step(s);
	const unsigned char *said = code == SQLITE_ROW ? sqlite3_column_text(s, 0) : NULL;
	int r = 0;
	if (code != SQLITE_ROW)
		r = db_error(db, code, "checking");
	else if (said && strcmp((const char *)said, "ok") != 0)
		r = why(-EUCLEAN, "checking %s: %s", db->path, said);
	sqlite3_finalize(s);
	return r;
}

/* SQLite calls this function after a recovery. */
static void db_open_on_message(void *context, int code, const char *message)
{
	(void)context;
	if (code == SQLITE_NOTICE_RECOVER_WAL)
		log_info("after a crash: %s", message);
}

/* Is the text of a table or view, CREATE TABLE boot(...), a line of the schema? */
static bool db_open_is_ours(const char *sql)
{
	const char *name = sql ? strchr(sql, ' ') : NULL, *found;
	name = name ? strchr(name + 1, ' ') : NULL;
	found = name ? strstr(db_schema, name) : NULL;
	return found && found[strlen(name)] == ';';
}

static bool db_open_is_in(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

struct schema_count {
	unsigned right, wrong; /* tables, without those added later */
};

/* A view holds no rows, so a view of another version is made anew. */
static void db_open_judge(
    struct db *db, const char *type, const char *name, const char *sql, struct schema_count *count)
{
	bool ours = db_open_is_ours(sql);
	if (db_open_is_in(db_views, name) && strcmp(type, "view") == 0) {
		db->old_views = db->old_views || !ours;
	} else if (db_open_is_in(db_tables, name) || db_open_is_in(db_views, name)) {
		count->right += ours && !db_open_is_in(db_tables_later, name);
		count->wrong += !ours;
	}
}

/* The file must have all tables of the schema, or none of them: a missing table may have held rows,
 * and a view instead of a table may have no end. Tables of db_tables_later are missing in the files
 * of older versions, and made. Additional tables belong to users. A sound file
 * with different tables may be of a newer version: to set the file aside would empty the queue. */
static int db_open_look_at_schema(struct db *db)
{
	sqlite3_stmt *s;
	struct schema_count count = { .right = 0 };
	unsigned all = 0;
	int code = sqlite3_prepare_v2(
	    db->handle, "SELECT type, name, sql FROM sqlite_schema", -1, &s, NULL);
	while (code == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
		const void *type = sqlite3_column_text(s, 0), *name = sqlite3_column_text(s, 1);
		if (type && name)
			db_open_judge(
			    db, type, name, (const char *)sqlite3_column_text(s, 2), &count);
	}
	int r = code == SQLITE_OK ? sqlite3_finalize(s) : code;
	for (unsigned n = 0; db_tables[n]; n++)
		all += !db_open_is_in(db_tables_later, db_tables[n]);
	if (r != SQLITE_OK)
		return db_error(db, r, "reading");
	if (count.wrong == 0 && (count.right == 0 || count.right == all))
		return 0;
	r = db_open_look_through(db); /* were the tables written so, or is the file damaged? */
	return r < 0
	    ? r
	    : why(-EPROTO,
		  "%s is sound, but its tables are not those of this plm: a newer version made "
		  "it, or a user altered it. It was not changed; start the plm that made it, "
		  "undo the alteration, or give another --state DIR",
		  db->path);
}

static int db_open_sound(struct db *db, bool check, bool fsync)
{
	int r = db_connect(db, fsync);
	if (r == 0 && check)
		r = db_open_look_through(db);
	if (r == 0)
		r = db_open_look_at_schema(db);
	if (r == 0 && db->old_views)
		r = db_execute(db, "DROP VIEW IF EXISTS history; DROP VIEW IF EXISTS history_ref",
		    "setting up");
	if (r == 0)
		r = db_execute(db, db_schema, "setting up");
	return r < 0 ? r : db_check_version(db);
}

static void db_open_begin(struct db *db, const char *directory)
{
	static bool configured;
	if (!configured)
		sqlite3_config(SQLITE_CONFIG_LOG, db_open_on_message, NULL);
	configured = true;
	*db = (struct db){ .handle = NULL };
	snprintf(db->path, sizeof db->path, "%s/%s", directory, JOURNAL_FILE);
}

int db_understands(const char *directory)
{
	struct db db;
	db_open_begin(&db, directory);
	if (access(db.path, F_OK) < 0 || salvage_is_due(&db) != 0)
		return 0;
	int r = 0;
	if (sqlite3_open_v2(db.path, &db.handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
		NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(db.handle, BUSY_MS);
		r = db_open_look_at_schema(&db);
	}
	int64_t version = JOURNAL_VERSION;
	if (r == 0 && db.handle &&
	    db_number(&db, DB_GET_MARK, &version, BIND(bind_text("version"))) == 1)
		r = db_check_version(&db);
	db_close(&db);
	return r == -EPROTO ? r : 0; /* the journal reports all further errors */
}

int db_salvage(struct db *db, const char *directory, bool fsync)
{
	char damage[256];
	snprintf(damage, sizeof damage, "%s", why_text());
	db_open_begin(db, directory);
	int r = salvage(db, fsync, damage);
	if (r == 0)
		r = db_check_version(db);
	if (r < 0)
		db_close(db);
	db->checked = true;
	return r;
}

int db_open(struct db *db, const char *directory, bool check, bool fsync)
{
	db_open_begin(db, directory);
	int r = salvage_is_due(db);
	if (r == 1)
		r = why(-EUCLEAN, "a salvage of the file was cut short");
	else if (r == 0)
		r = db_open_sound(db, check, fsync);
	db->checked = check;
	if (r < 0)
		db_close(db);
	return r == -EUCLEAN ? db_salvage(db, directory, fsync) : r;
}
