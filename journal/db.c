#include "journal/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/why.h"
#include "journal/db_parts.h"

enum { BUSY_MS = 5000 };

/* In one step: a file that is cut off has all tables or none. */
const char db_schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS boot(id INTEGER PRIMARY KEY, runtime INTEGER, name TEXT,"
    " user TEXT, at INTEGER);"
    "CREATE TABLE IF NOT EXISTS task(id INTEGER PRIMARY KEY, boot INTEGER, ref INTEGER,"
    " at INTEGER, function TEXT, text TEXT, label TEXT, priority INTEGER, retries INTEGER,"
    " crash_retries INTEGER, results INTEGER, needs TEXT, limits TEXT, args BLOB, sum INTEGER,"
    " undurable TEXT, identity BLOB);"
    "CREATE TABLE IF NOT EXISTS attempt(task INTEGER, boot INTEGER, attempt INTEGER,"
    " running INTEGER, failures INTEGER, returns INTEGER, at INTEGER,"
    " PRIMARY KEY(task, boot, attempt, running)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS ended(task INTEGER PRIMARY KEY, boot INTEGER, state INTEGER,"
    " dead INTEGER, at INTEGER, began INTEGER, attempt INTEGER, worker INTEGER, code INTEGER,"
    " signal INTEGER, exit_code INTEGER, message TEXT, user_us INTEGER, system_us INTEGER,"
    " resident_kb INTEGER, out_bytes INTEGER, err_bytes INTEGER, value_bytes INTEGER,"
    " out BLOB, err BLOB);"
    "CREATE TABLE IF NOT EXISTS forgotten(task INTEGER PRIMARY KEY, at INTEGER);"
    "CREATE TABLE IF NOT EXISTS resumed(task INTEGER, boot INTEGER, ref INTEGER, at INTEGER,"
    " retries INTEGER, crash_retries INTEGER, PRIMARY KEY(task, boot)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS needed(task INTEGER PRIMARY KEY);"
    "CREATE TABLE IF NOT EXISTS value(task INTEGER, which INTEGER, blob INTEGER,"
    " PRIMARY KEY(task, which)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS blob(id INTEGER PRIMARY KEY, task INTEGER, hash INTEGER,"
    " bytes BLOB);"
    "CREATE INDEX IF NOT EXISTS blob_hash ON blob(hash);"
    "CREATE TABLE IF NOT EXISTS mark(name TEXT PRIMARY KEY, number INTEGER) WITHOUT ROWID;"
    "COMMIT;";

const char *const db_tables[] = {
	"boot",
	"task",
	"attempt",
	"ended",
	"forgotten",
	"resumed",
	"needed",
	"value",
	"blob",
	"mark",
	NULL,
};

#define UNFINISHED \
	"FROM task t LEFT JOIN ended e ON e.task = t.id WHERE e.task IS NULL AND t.boot <> ?1 "

/* Of tasks that went. */
#define PRUNE(table)                                           \
	"DELETE FROM " table " WHERE task >= ?1 AND task < ?2" \
	" AND NOT EXISTS(SELECT 1 FROM task t WHERE t.id = " table ".task)"

static const char *const texts[DB_STATEMENTS] = {
	[DB_BEGIN] = "BEGIN IMMEDIATE",
	[DB_COMMIT] = "COMMIT",
	[DB_ROLLBACK] = "ROLLBACK",
	[DB_FIND_BOOT] = "SELECT id FROM boot WHERE runtime = ?1",
	[DB_LAST_BOOT] = "SELECT max(id) FROM boot",
	[DB_ADD_BOOT] = "INSERT INTO boot(runtime, name, user, at) VALUES(?1, ?2, ?3, ?4)",
	[DB_LAST_TASK] = "SELECT max(id) FROM task",
	[DB_LAST_BLOB] = "SELECT max(id) FROM blob",
	[DB_ADD_TASK] =
	    "INSERT INTO task VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
	    " ?15, ?16, ?17)",
	[DB_ADD_ATTEMPT] = "INSERT OR REPLACE INTO attempt VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[DB_ADD_ENDED] =
	    "INSERT INTO ended VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
	    " ?15, ?16, ?17, ?18, ?19, ?20)",
	[DB_ADD_FORGOTTEN] = "INSERT OR IGNORE INTO forgotten VALUES(?1, ?2)",
	[DB_ADD_RESUMED] = "INSERT OR REPLACE INTO resumed VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
	[DB_ADD_NEEDED] = "INSERT OR IGNORE INTO needed VALUES(?1)",
	[DB_IS_NEEDED] = "SELECT 1 FROM needed WHERE task = ?1",
	[DB_ADD_VALUE] = "INSERT OR REPLACE INTO value VALUES(?1, ?2, ?3)",
	[DB_FIND_VALUE] = "SELECT blob FROM value WHERE task = ?1 AND which = ?2",
	[DB_ADD_BLOB] = "INSERT INTO blob VALUES(?1, ?2, ?3, ?4)",
	[DB_FIND_BLOB] = "SELECT id FROM blob WHERE hash = ?1 AND task > ?2 AND bytes = ?3",
	[DB_READ_BLOB] = "SELECT bytes, hash FROM blob WHERE id = ?1",
	[DB_TASKS_OF_BOOT] =
	    "SELECT t.id, t.ref, e.task IS NOT NULL FROM task t LEFT JOIN ended e ON e.task = t.id"
	    " WHERE t.boot = ?1 ORDER BY t.id",
	[DB_RESUMED_OF_BOOT] =
	    "SELECT r.task, r.ref, e.task IS NOT NULL FROM resumed r"
	    " LEFT JOIN ended e ON e.task = r.task WHERE r.boot = ?1 ORDER BY r.task",
	[DB_COUNT_UNFINISHED] = "SELECT count(*) " UNFINISHED "AND t.id > ?2",
	[DB_UNFINISHED] =
	    "SELECT t.id, t.boot, t.function, t.priority, t.retries, t.crash_retries, t.results,"
	    " t.needs, t.limits, t.args, t.sum, t.undurable,"
	    " EXISTS(SELECT 1 FROM forgotten f WHERE f.task = t.id), t.identity " UNFINISHED
	    "AND t.id > ?2 ORDER BY t.id LIMIT 1",
	[DB_LAST_RESUMED] = "SELECT boot, ref, retries, crash_retries FROM resumed WHERE task = ?1"
			    " ORDER BY boot DESC LIMIT 1",
	[DB_LAST_ATTEMPT] =
	    "SELECT attempt, running, failures, returns FROM attempt WHERE task = ?1 AND boot = ?2"
	    " ORDER BY attempt DESC, running LIMIT 1",
	[DB_FIND_ENDED] = "SELECT state FROM ended WHERE task = ?1",
	[DB_SET_MARK] = "INSERT OR REPLACE INTO mark VALUES(?1, ?2)",
	[DB_GET_MARK] = "SELECT number FROM mark WHERE name = ?1",
	[DB_FIRST_TASK] = "SELECT min(id) FROM task",
	[DB_AGED_TASK] =
	    "SELECT task FROM ended WHERE at > ?1 AND task >= ?2 ORDER BY task LIMIT 1",
	[DB_FIRST_UNFINISHED] =
	    "SELECT t.id FROM task t LEFT JOIN ended e ON e.task = t.id WHERE e.task IS NULL"
	    " AND t.id >= ?1 ORDER BY t.id LIMIT 1",
	[DB_PRUNE_TASK] = "DELETE FROM task WHERE id >= ?1 AND id < ?2"
			  " AND EXISTS(SELECT 1 FROM ended e WHERE e.task = id)"
			  " AND NOT EXISTS(SELECT 1 FROM needed n WHERE n.task = id)",
	[DB_PRUNE_ENDED] = PRUNE("ended"),
	[DB_PRUNE_ATTEMPT] = PRUNE("attempt"),
	[DB_PRUNE_FORGOTTEN] = PRUNE("forgotten"),
	[DB_PRUNE_RESUMED] = PRUNE("resumed"),
	[DB_PRUNE_NEEDED] = "DELETE FROM needed WHERE task < ?1",
	[DB_FIRST_NEEDED] = "SELECT min(task) FROM needed",
	[DB_PRUNE_VALUE] = "DELETE FROM value WHERE task < ?1",
	[DB_PRUNE_BLOB] = "DELETE FROM blob WHERE task < ?1",
};

/* ---- errors ---- */

int db_error(struct db *db, int code, const char *doing)
{
	const char *text = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code);
	int seen = errno, system = db->handle ? sqlite3_system_errno(db->handle) : 0;
	if (system == 0 && code == SQLITE_IOERR_WRITE)
		system = seen; /* of the write that failed, for SQLite does not always tell */
	switch (code & 0xff) {
	case SQLITE_FULL:
		return why(-ENOSPC, "%s %s: no room is left on the disk", doing, db->path);
	case SQLITE_IOERR:
		if (system == ENOSPC || system == EDQUOT || system == EFBIG)
			return why(-ENOSPC, "%s %s: %s", doing, db->path, strerror(system));
		return why(-EIO, "%s %s: %s%s%s", doing, db->path, text, system ? ": " : "",
		    system ? strerror(system) : "");
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return why(-EUCLEAN, "%s %s: %s", doing, db->path, text);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return why(-EBUSY, "%s %s: another process holds it locked", doing, db->path);
	case SQLITE_NOMEM: return why(-ENOMEM, "%s %s: no memory", doing, db->path);
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return why(system ? -system : -EACCES, "%s %s: %s", doing, db->path, text);
	default: return why(-EIO, "%s %s: %s", doing, db->path, text);
	}
}

/* ---- statements ---- */

static int db_prepare(struct db *db, enum db_statement which)
{
	if (db->statement[which])
		return 0;
	int code = sqlite3_prepare_v3(
	    db->handle, texts[which], -1, SQLITE_PREPARE_PERSISTENT, &db->statement[which], NULL);
	return code == SQLITE_OK ? 0 : db_error(db, code, "reading");
}

static int db_bind(struct db *db, enum db_statement which, const char *letters, va_list values)
{
	int r = db_prepare(db, which), at = 1;
	if (r < 0)
		return r;
	sqlite3_stmt *s = db->statement[which];
	for (; *letters; letters++, at++) {
		const void *bytes;
		switch (*letters) {
		case 'i': sqlite3_bind_int64(s, at, va_arg(values, int64_t)); break;
		case 't':
			sqlite3_bind_text(s, at, va_arg(values, const char *), -1, SQLITE_STATIC);
			break;
		default:
			bytes = va_arg(values, const void *);
			sqlite3_bind_blob64(s, at, bytes, va_arg(values, size_t), SQLITE_STATIC);
		}
	}
	return 0;
}

int db_next(struct db *db, enum db_statement which)
{
	int code = sqlite3_step(db->statement[which]);
	if (code == SQLITE_ROW)
		return 1;
	bool reads = which > DB_ROLLBACK && sqlite3_stmt_readonly(db->statement[which]);
	return code == SQLITE_DONE ? 0 : db_error(db, code, reads ? "reading" : "writing");
}

void db_end(struct db *db, enum db_statement which)
{
	if (!db->statement[which])
		return;
	sqlite3_reset(db->statement[which]);
	sqlite3_clear_bindings(db->statement[which]);
}

int db_rows(struct db *db, enum db_statement which, const char *letters, ...)
{
	va_list values;
	va_start(values, letters);
	int r = db_bind(db, which, letters, values);
	va_end(values);
	return r < 0 ? r : db_next(db, which);
}

int db_run(struct db *db, enum db_statement which, const char *letters, ...)
{
	va_list values;
	va_start(values, letters);
	int r = db_bind(db, which, letters, values);
	va_end(values);
	if (r == 0)
		r = db_next(db, which);
	db_end(db, which);
	return r < 0 ? r : 0;
}

int db_number(struct db *db, enum db_statement which, int64_t *ret, const char *letters, ...)
{
	va_list values;
	va_start(values, letters);
	int r = db_bind(db, which, letters, values);
	va_end(values);
	if (r == 0)
		r = db_next(db, which);
	*ret = r == 1 ? sqlite3_column_int64(db->statement[which], 0) : 0;
	if (r == 1 && sqlite3_column_type(db->statement[which], 0) == SQLITE_NULL)
		r = 0;
	db_end(db, which);
	return r;
}

int64_t db_int(struct db *db, enum db_statement which, int column)
{
	return sqlite3_column_int64(db->statement[which], column);
}

const char *db_text(struct db *db, enum db_statement which, int column)
{
	const void *text = sqlite3_column_text(db->statement[which], column);
	return text ? text : "";
}

const void *db_blob(struct db *db, enum db_statement which, int column, size_t *ret_length)
{
	const void *bytes = sqlite3_column_blob(db->statement[which], column);
	*ret_length = (size_t)sqlite3_column_bytes(db->statement[which], column);
	return bytes;
}

bool db_in_group(struct db *db)
{
	return db->handle && !sqlite3_get_autocommit(db->handle);
}

/* ---- opening ---- */

static int db_execute(struct db *db, const char *sql, const char *doing)
{
	int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? 0 : db_error(db, code, doing);
}

int db_set_fsync(struct db *db, bool fsync)
{
	return db_execute(
	    db, fsync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF", "setting up");
}

/* What is in it was written with the mode of the file: it is ours alone. */
static int db_make_private(struct db *db)
{
	int fd = open(db->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st = { 0 };
	int r = fd < 0 || fstat(fd, &st) < 0 ? why(-errno, "%s: %s", db->path, strerror(errno)) : 0;
	if (fd >= 0)
		close(fd);
	return r;
}

int db_connect(struct db *db, bool fsync)
{
	int r = db_make_private(db);
	if (r < 0)
		return r;
	int code = sqlite3_open_v2(
	    db->path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code != SQLITE_OK)
		return db_error(db, code, "opening");
	sqlite3_busy_timeout(db->handle, BUSY_MS);
	sqlite3_extended_result_codes(db->handle, 1);
	r = db_execute(db, "PRAGMA journal_mode=WAL", "opening");
	if (r == 0)
		r = db_set_fsync(db, fsync);
	/* Is it a database at all? */
	return r < 0 ? r : db_execute(db, "BEGIN IMMEDIATE; COMMIT", "opening");
}

int db_check_version(struct db *db)
{
	int64_t version = 0;
	int r = db_number(db, DB_GET_MARK, &version, "t", "version");
	if (r < 0)
		return r;
	if (r == 0)
		return db_run(db, DB_SET_MARK, "ti", "version", (int64_t)JOURNAL_VERSION);
	return version == JOURNAL_VERSION
	    ? 0
	    : why(-EPROTO,
		  "%s was written by another version of plm (format %lld, not %d), and was not "
		  "changed: start that plm, or give another --state DIR",
		  db->path, (long long)version, JOURNAL_VERSION);
}

/* Its first complaint, if it has any. */
static int db_look_through(struct db *db)
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

/* SQLite says here what it recovered. */
static void db_on_message(void *context, int code, const char *message)
{
	(void)context;
	if (code == SQLITE_NOTICE_RECOVER_WAL)
		log_info("after a crash: %s", message);
}

/* Is it a line of the schema? As SQLite keeps it: CREATE TABLE boot(...). */
static bool db_is_ours(const char *sql)
{
	const char *name = sql ? strchr(sql, ' ') : NULL, *found;
	name = name ? strchr(name + 1, ' ') : NULL;
	found = name ? strstr(db_schema, name) : NULL;
	return found && found[strlen(name)] == ';';
}

static bool db_is_table(const char *name)
{
	for (int i = 0; db_tables[i]; i++)
		if (strcmp(name, db_tables[i]) == 0)
			return true;
	return false;
}

/* All tables as we make them, or none of them: a table that is gone was not empty for sure, and a
 * view in its place may have no end. What else is there is somebody's own. What is sound and
 * different is not ours to judge: a file of a newer version, set aside and salvaged, would be an
 * empty queue. */
static int db_look_at_schema(struct db *db)
{
	sqlite3_stmt *s;
	unsigned right = 0, all = 0, wrong = 0;
	int code =
	    sqlite3_prepare_v2(db->handle, "SELECT name, sql FROM sqlite_schema", -1, &s, NULL);
	while (code == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
		const void *name = sqlite3_column_text(s, 0);
		if (!name || !db_is_table(name))
			continue;
		if (db_is_ours((const char *)sqlite3_column_text(s, 1)))
			right++;
		else
			wrong++;
	}
	int r = code == SQLITE_OK ? sqlite3_finalize(s) : code;
	while (db_tables[all])
		all++;
	if (r != SQLITE_OK)
		return db_error(db, r, "reading");
	if (wrong == 0 && (right == 0 || right == all))
		return 0;
	r = db_look_through(db); /* is that how it was written, or is it damaged? */
	return r < 0
	    ? r
	    : why(-EPROTO,
		  "%s is sound, but its tables are not those that this plm "
		  "makes: it was made by a newer version, or altered. It was not changed; start "
		  "the plm "
		  "that made it, undo the alteration, or give another --state DIR",
		  db->path);
}

static int db_open_sound(struct db *db, bool check, bool fsync)
{
	int r = db_connect(db, fsync);
	if (r == 0 && check)
		r = db_look_through(db);
	if (r == 0)
		r = db_look_at_schema(db);
	if (r == 0)
		r = db_execute(db, db_schema, "setting up");
	return r < 0 ? r : db_check_version(db);
}

static void db_begin(struct db *db, const char *directory)
{
	static bool configured;
	if (!configured)
		sqlite3_config(SQLITE_CONFIG_LOG, db_on_message, NULL);
	configured = true;
	*db = (struct db){ .handle = NULL };
	snprintf(db->path, sizeof db->path, "%s/%s", directory, JOURNAL_FILE);
}

int db_understands(const char *directory)
{
	struct db db;
	db_begin(&db, directory);
	if (access(db.path, F_OK) < 0 || salvage_is_due(&db) != 0)
		return 0;
	int r = 0;
	if (sqlite3_open_v2(db.path, &db.handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
		NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(db.handle, BUSY_MS);
		r = db_look_at_schema(&db);
	}
	int64_t version = JOURNAL_VERSION;
	if (r == 0 && db.handle && db_number(&db, DB_GET_MARK, &version, "t", "version") == 1)
		r = db_check_version(&db);
	db_close(&db);
	return r == -EPROTO ? r : 0; /* the journal says the rest */
}

int db_salvage(struct db *db, const char *directory, bool fsync)
{
	char damage[256];
	snprintf(damage, sizeof damage, "%s", why_text());
	db_begin(db, directory);
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
	db_begin(db, directory);
	int r = salvage_is_due(db);
	if (r == 1)
		r = why(-EUCLEAN, "a salvage of it was not brought to its end");
	else if (r == 0)
		r = db_open_sound(db, check, fsync);
	db->checked = check;
	if (r < 0)
		db_close(db);
	return r == -EUCLEAN ? db_salvage(db, directory, fsync) : r;
}

void db_close(struct db *db)
{
	for (int i = 0; i < DB_STATEMENTS; i++) {
		sqlite3_finalize(db->statement[i]);
		db->statement[i] = NULL;
	}
	sqlite3_close(db->handle);
	db->handle = NULL;
}
