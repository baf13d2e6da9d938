#include "journal/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"
#include "journal/db_parts.h"

#define UNFINISHED(place)                                                               \
	"FROM task t LEFT JOIN ended e ON e.task = t.id " place " WHERE e.task IS NULL" \
	" AND t.boot <> ?1 "

/* The place in the queue of task t: as moved, else as submitted. */
#define PLACE "coalesce(m.priority, t.priority), coalesce(m.turn, 0), coalesce(m.parked, 0)"
#define PLACES "LEFT JOIN moved m ON m.task = t.id"

/* Rows of pruned tasks. */
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
	[DB_ADD_MOVED] = "INSERT OR REPLACE INTO moved VALUES(?1, ?2, ?3, ?4, ?5)",
	[DB_ADD_NEEDED] = "INSERT OR IGNORE INTO needed VALUES(?1)",
	[DB_IS_NEEDED] = "SELECT 1 FROM needed WHERE task = ?1",
	[DB_ADD_VALUE] = "INSERT OR REPLACE INTO value VALUES(?1, ?2, ?3)",
	[DB_FIND_VALUE] = "SELECT blob FROM value WHERE task = ?1 AND which = ?2",
	[DB_ADD_BLOB] = "INSERT INTO blob VALUES(?1, ?2, ?3, ?4)",
	[DB_FIND_BLOB] = "SELECT id FROM blob WHERE hash = ?1 AND task > ?2 AND bytes = ?3",
	[DB_READ_BLOB] = "SELECT bytes, hash FROM blob WHERE id = ?1",
	[DB_TASKS_OF_BOOT] = "SELECT t.id, t.ref, e.task IS NOT NULL, " PLACE
			     " FROM task t LEFT JOIN ended e ON e.task = t.id " PLACES
			     " WHERE t.boot = ?1 ORDER BY t.id",
	[DB_RESUMED_OF_BOOT] =
	    "SELECT r.task, r.ref, e.task IS NOT NULL, " PLACE
	    " FROM resumed r JOIN task t ON t.id = r.task LEFT JOIN ended e ON e.task = r.task"
	    " " PLACES " WHERE r.boot = ?1 ORDER BY r.task",
	[DB_COUNT_UNFINISHED] = "SELECT count(*) " UNFINISHED("") "AND t.id > ?2",
	[DB_UNFINISHED] =
	    "SELECT t.id, t.boot, t.function, t.priority, t.retries, t.crash_retries, t.results,"
	    " t.needs, t.limits, t.args, t.sum, t.undurable,"
	    " EXISTS(SELECT 1 FROM forgotten f WHERE f.task = t.id), t.identity, " PLACE
	    " " UNFINISHED(PLACES) "AND t.id > ?2 ORDER BY t.id LIMIT 1",
	[DB_LAST_RESUMED] = "SELECT boot, ref, retries, crash_retries FROM resumed WHERE task = ?1"
			    " ORDER BY boot DESC LIMIT 1",
	[DB_LAST_ATTEMPT] =
	    "SELECT attempt, running, failures, returns FROM attempt WHERE task = ?1 AND boot = ?2"
	    " ORDER BY attempt DESC, running LIMIT 1",
	[DB_FIND_ENDED] =
	    "SELECT e.state, e.code, coalesce(r.ref, t.ref), b.runtime"
	    " FROM ended e LEFT JOIN task t ON t.id = e.task LEFT JOIN resumed r ON r.task = e.task"
	    " AND r.boot = (SELECT max(x.boot) FROM resumed x WHERE x.task = e.task)"
	    " LEFT JOIN boot b ON b.id = coalesce(r.boot, t.boot) WHERE e.task = ?1",
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
	[DB_PRUNE_MOVED] = PRUNE("moved"),
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
		system = seen; /* SQLite does not always keep the errno of a failed write */
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
		return why(-EBUSY, "%s %s: another process has locked it", doing, db->path);
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

/* SQLite refuses a blob of more than 1 GB, and the parameter stays NULL: only this task is lost to
 * the journal (resume.c finds its arguments damaged), where an error would stop all writing. */
static void db_bind_one(sqlite3_stmt *s, int at, const struct db_value *v)
{
	switch (v->type) {
	case DB_INTEGER: sqlite3_bind_int64(s, at, v->integer); break;
	case DB_TEXT: sqlite3_bind_text(s, at, v->at, -1, SQLITE_STATIC); break;
	case DB_BLOB: sqlite3_bind_blob64(s, at, v->at, v->length, SQLITE_STATIC); break;
	}
}

static int db_bind(struct db *db, enum db_statement which, struct db_values values)
{
	int r = db_prepare(db, which);
	if (r < 0)
		return r;
	sqlite3_stmt *s = db->statement[which];
	CHECK(sqlite3_bind_parameter_count(s) == (int)values.count);
	for (size_t i = 0; i < values.count; i++)
		db_bind_one(s, (int)i + 1, &values.value[i]);
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

int db_rows(struct db *db, enum db_statement which, struct db_values values)
{
	int r = db_bind(db, which, values);
	return r < 0 ? r : db_next(db, which);
}

int db_run(struct db *db, enum db_statement which, struct db_values values)
{
	int r = db_rows(db, which, values);
	db_end(db, which);
	return r < 0 ? r : 0;
}

int db_number(struct db *db, enum db_statement which, int64_t *ret, struct db_values values)
{
	int r = db_rows(db, which, values);
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

/* ---- the file ---- */

int db_execute(struct db *db, const char *sql, const char *doing)
{
	int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? 0 : db_error(db, code, doing);
}

int db_set_fsync(struct db *db, bool fsync)
{
	return db_execute(
	    db, fsync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF", "setting up");
}

/* The file holds environments of commands, so only the owner may read the file. */
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
	/* SQLite reads the file only now, and finds out whether the file is a database. */
	return r < 0 ? r : db_execute(db, "BEGIN IMMEDIATE; COMMIT", "opening");
}

int db_check_version(struct db *db)
{
	int64_t version = 0;
	int r = db_number(db, DB_GET_MARK, &version, BIND(bind_text("version")));
	if (r < 0)
		return r;
	if (r == 0)
		return db_run(db, DB_SET_MARK,
		    BIND(bind_text("version"), bind_int((int64_t)JOURNAL_VERSION)));
	return version == JOURNAL_VERSION
	    ? 0
	    : why(-EPROTO,
		  "%s was written by another version of plm (format %lld, not %d), and was not "
		  "changed: start that plm, or give another --state DIR",
		  db->path, (long long)version, JOURNAL_VERSION);
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
