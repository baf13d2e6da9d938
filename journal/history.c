#include "journal/history.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"
#include "journal/db.h"
#include "tables/record.h"

enum { BUSY_MS = 5000, SQL_BYTES = 4096 };

struct history {
	sqlite3 *db;
	char path[STATE_PATH_BYTES + 16];
};

static const char *const state_names[HISTORY_STATES] = {
	[HISTORY_ANY] = "any",
	[HISTORY_QUEUED] = "queued",
	[HISTORY_RUNNING] = "running",
	[HISTORY_DONE] = "done",
	[HISTORY_FAILED] = "failed",
	[HISTORY_DEAD] = "dead",
	[HISTORY_CANCELLED] = "cancelled",
};

const char *history_state_name(enum history_state state)
{
	return state < HISTORY_STATES ? state_names[state] : "?";
}

enum history_state history_state_of(const char *name)
{
	int which = 0;
	while (which < HISTORY_STATES && strcmp(name, state_names[which]) != 0)
		which++;
	return (enum history_state)which;
}

/* ---- opening ---- */

static int history_error_of(struct history *h, int code)
{
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return why(-EUCLEAN,
		    "%s is damaged (%s): the next plm with this --state sets it "
		    "aside and salvages what can be read",
		    h->path, sqlite3_errmsg(h->db));
	case SQLITE_CANTOPEN: return why(-ENOENT, "%s cannot be opened", h->path);
	default: return why(-EIO, "%s: %s", h->path, sqlite3_errmsg(h->db));
	}
}

/* A view is refused: reading a view may have no end. */
static int history_look_for_views(struct history *h)
{
	sqlite3_stmt *s;
	int code = sqlite3_prepare_v2(h->db,
	    "SELECT 1 FROM sqlite_schema WHERE type = 'view' AND"
	    " name IN ('boot', 'task', 'attempt', 'ended', 'resumed')",
	    -1, &s, NULL);
	if (code != SQLITE_OK)
		return history_error_of(h, code);
	bool found = sqlite3_step(s) == SQLITE_ROW;
	code = sqlite3_finalize(s);
	if (code != SQLITE_OK)
		return history_error_of(h, code);
	return found ? why(-EUCLEAN,
			   "%s is not understood: its tables are not those of a "
			   "journal of this version",
			   h->path)
		     : 0;
}

int history_open(const char *directory, struct history **ret)
{
	struct history *h = calloc(1, sizeof *h);
	if (!h)
		return why(-ENOMEM, "no memory for the history");
	int n = snprintf(h->path, sizeof h->path, "%s/%s", directory, JOURNAL_FILE);
	if (n < 0 || (size_t)n >= sizeof h->path || access(h->path, R_OK) < 0) {
		free(h);
		return why(-ENOENT, "there is no journal in %s", directory);
	}
	int code =
	    sqlite3_open_v2(h->path, &h->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	int r = code == SQLITE_OK ? 0 : history_error_of(h, code);
	if (r == 0) {
		sqlite3_busy_timeout(h->db, BUSY_MS);
		r = history_look_for_views(h);
	}
	*ret = h;
	if (r < 0)
		history_close(ret);
	return r;
}

void history_close(struct history **hp)
{
	if (*hp)
		sqlite3_close((*hp)->db);
	free(*hp);
	*hp = NULL;
}

/* ---- queries ---- */

#define LAST_ATTEMPT                                                                           \
	"(SELECT CASE WHEN a.running THEN 2 ELSE 1 END FROM attempt a WHERE a.task = t.id AND" \
	" a.boot = coalesce(r.boot, t.boot) ORDER BY a.attempt DESC, a.running LIMIT 1)"

/* The numbers of enum history_state. */
#define STATE                                                                       \
	"CASE e.state WHEN 5 THEN 3 WHEN 6 THEN CASE WHEN e.dead THEN 5 ELSE 4 END" \
	" WHEN 7 THEN 6 ELSE coalesce(" LAST_ATTEMPT ", 1) END"
_Static_assert(RECORD_DONE == 5 && RECORD_FAILED == 6 && RECORD_CANCELLED == 7, "as in the file");
_Static_assert(HISTORY_QUEUED == 1 && HISTORY_RUNNING == 2 && HISTORY_DONE == 3 &&
	HISTORY_FAILED == 4 && HISTORY_DEAD == 5 && HISTORY_CANCELLED == 6,
    "as in the queries");

#define FROM                                                                                \
	" FROM task t LEFT JOIN ended e ON e.task = t.id LEFT JOIN boot b ON b.id = t.boot" \
	" LEFT JOIN resumed r ON r.task = t.id AND"                                         \
	" r.boot = (SELECT max(x.boot) FROM resumed x WHERE x.task = t.id)"                 \
	" LEFT JOIN boot c ON c.id = r.boot"

#define WHERE                                                                                 \
	" WHERE t.at >= ?1 AND (?2 = 0 OR t.at < ?2)"                                         \
	" AND (?3 IS NULL OR instr(lower(t.text), lower(?3)))"                                \
	" AND (?4 IS NULL OR t.label = ?4)"                                                   \
	" AND (?5 = 0 OR e.exit_code = ?6)"                                                   \
	" AND (?7 = 0 OR shown = ?7)"                                                         \
	" AND (?8 = 0 OR t.id = ?8)"                                                          \
	" AND (?10 = 0 OR (t.ref = ?9 AND b.runtime = ?10) OR EXISTS(SELECT 1 FROM resumed y" \
	"  JOIN boot z ON z.id = y.boot WHERE y.task = t.id AND y.ref = ?9 AND z.runtime = ?10))"

static void history_bind(sqlite3_stmt *s, const struct history_filter *f)
{
	sqlite3_bind_int64(s, 1, f->since_ms);
	sqlite3_bind_int64(s, 2, f->until_ms);
	sqlite3_bind_text(s, 3, f->include, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 4, f->label, -1, SQLITE_STATIC);
	sqlite3_bind_int(s, 5, f->has_exit_code);
	sqlite3_bind_int(s, 6, f->exit_code);
	sqlite3_bind_int(s, 7, (int)f->state);
	sqlite3_bind_int64(s, 8, f->id);
	sqlite3_bind_int64(s, 9, (int64_t)f->ref);
	sqlite3_bind_int64(s, 10, (int64_t)f->runtime);
	sqlite3_bind_int64(s, 11, f->most ? (int64_t)f->most : -1);
}

static int history_ask(
    struct history *h, const char *sql, const struct history_filter *filter, sqlite3_stmt **ret)
{
	int code = sqlite3_prepare_v2(h->db, sql, -1, ret, NULL);
	if (code != SQLITE_OK)
		return history_error_of(h, code);
	history_bind(*ret, filter);
	return 0;
}

/* ---- rows ---- */

static const char rows_sql[] =
    "SELECT * FROM (SELECT t.id, t.ref AS first_ref, b.runtime AS first_runtime,"
    " coalesce(r.ref, t.ref), coalesce(c.runtime, b.runtime),"
    " (SELECT count(*) FROM resumed x WHERE x.task = t.id), " STATE " AS shown,"
    " t.function, t.text, t.label, b.user, t.priority, t.at,"
    " coalesce(e.began, (SELECT a.at FROM attempt a WHERE a.task = t.id AND a.running"
    "  ORDER BY a.boot DESC, a.attempt DESC LIMIT 1)),"
    " e.at, coalesce(e.attempt, (SELECT max(a.attempt) FROM attempt a WHERE a.task = t.id"
    "  AND a.boot = coalesce(r.boot, t.boot)), 0),"
    " coalesce(e.worker, -1), coalesce(e.exit_code, -1), e.code, e.signal, e.message,"
    " t.undurable, e.user_us, e.system_us, e.resident_kb, e.out_bytes, e.err_bytes,"
    " e.value_bytes, e.out, e.err" FROM WHERE " ORDER BY t.id DESC LIMIT ?11) ORDER BY id";

static const char *history_text_at(sqlite3_stmt *s, int column)
{
	const void *text = sqlite3_column_text(s, column);
	return text ? text : "";
}

static void history_read_end(sqlite3_stmt *s, struct history_row *row)
{
	row->user_us = sqlite3_column_int64(s, 22);
	row->system_us = sqlite3_column_int64(s, 23);
	row->resident_kb = sqlite3_column_int64(s, 24);
	row->out_bytes = sqlite3_column_int64(s, 25);
	row->err_bytes = sqlite3_column_int64(s, 26);
	row->value_bytes = sqlite3_column_int64(s, 27);
	row->out = sqlite3_column_blob(s, 28);
	row->out_length = (size_t)sqlite3_column_bytes(s, 28);
	row->err = sqlite3_column_blob(s, 29);
	row->err_length = (size_t)sqlite3_column_bytes(s, 29);
}

static void history_read_row(sqlite3_stmt *s, struct history_row *row)
{
	*row = (struct history_row){ .id = sqlite3_column_int64(s, 0),
		.first_ref = (uint64_t)sqlite3_column_int64(s, 1),
		.first_runtime = (uint64_t)sqlite3_column_int64(s, 2),
		.ref = (uint64_t)sqlite3_column_int64(s, 3),
		.runtime = (uint64_t)sqlite3_column_int64(s, 4),
		.boots = (unsigned)sqlite3_column_int(s, 5),
		.state = (enum history_state)sqlite3_column_int(s, 6),
		.function = history_text_at(s, 7),
		.text = history_text_at(s, 8),
		.label = history_text_at(s, 9),
		.user = history_text_at(s, 10),
		.priority = sqlite3_column_int(s, 11),
		.submitted_ms = sqlite3_column_int64(s, 12),
		.began_ms = sqlite3_column_int64(s, 13),
		.ended_ms = sqlite3_column_int64(s, 14),
		.attempts = sqlite3_column_int(s, 15),
		.worker = sqlite3_column_int(s, 16),
		.exit_code = sqlite3_column_int(s, 17),
		.code = sqlite3_column_int(s, 18),
		.signal = sqlite3_column_int(s, 19),
		.message = history_text_at(s, 20),
		.undurable = history_text_at(s, 21) };
	history_read_end(s, row);
}

int history_each(struct history *h, const struct history_filter *filter,
    void (*visit)(void *context, const struct history_row *row), void *context)
{
	sqlite3_stmt *s = NULL;
	int r = history_ask(h, rows_sql, filter, &s), code = SQLITE_DONE;
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
		struct history_row row;
		history_read_row(s, &row);
		visit(context, &row);
	}
	if (r == 0 && code != SQLITE_DONE)
		r = history_error_of(h, code);
	sqlite3_finalize(s);
	return r;
}

/* ---- totals ---- */

int history_totals(struct history *h, const struct history_filter *filter, enum history_key key,
    void (*visit)(void *context, const struct history_total *total), void *context)
{
	static const char *const keys[HISTORY_KEYS] = {
		[HISTORY_BY_USER] = "user",
		[HISTORY_BY_LABEL] = "coalesce(label, '')",
		[HISTORY_BY_DAY] = "strftime('%Y-%m-%d', at / 1000, 'unixepoch', 'localtime')",
	};
	char sql[SQL_BYTES];
	sqlite3_stmt *s = NULL;
	int n = snprintf(sql, sizeof sql,
	    "SELECT %s AS key, count(*), sum(shown = 3),"
	    " sum(shown IN (4, 5)), sum(shown = 6), sum(shown < 3), sum(run), sum(cpu) FROM ("
	    "SELECT b.user AS user, t.label AS label, t.at AS at, " STATE " AS shown,"
	    " CASE WHEN e.began > 0 THEN e.at - e.began ELSE 0 END AS run,"
	    " coalesce(e.user_us + e.system_us, 0) / 1000 AS cpu" FROM WHERE
	    " ORDER BY t.id DESC LIMIT ?11) GROUP BY key ORDER BY key",
	    keys[key]);
	CHECK(n > 0 && (size_t)n < sizeof sql);
	int r = history_ask(h, sql, filter, &s), code = SQLITE_DONE;
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
		const struct history_total total = { .key = history_text_at(s, 0),
			.tasks = sqlite3_column_int64(s, 1),
			.done = sqlite3_column_int64(s, 2),
			.failed = sqlite3_column_int64(s, 3),
			.cancelled = sqlite3_column_int64(s, 4),
			.unfinished = sqlite3_column_int64(s, 5),
			.run_ms = sqlite3_column_int64(s, 6),
			.cpu_ms = sqlite3_column_int64(s, 7) };
		visit(context, &total);
	}
	if (r == 0 && code != SQLITE_DONE)
		r = history_error_of(h, code);
	sqlite3_finalize(s);
	return r;
}
