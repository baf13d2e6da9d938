#include "cli/history.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/text.h"

enum { BUSY_MS = 5000, PATH_BYTES = 4096 };

struct history {
	sqlite3 *db;
	char path[PATH_BYTES];
};

/* ---- opening ---- */

int history_failure(struct history *h, int code)
{
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return why(-EUCLEAN,
		    "%s is damaged (%s): the next plm with this --state sets it "
		    "aside and salvages what can be read",
		    h->path, sqlite3_errmsg(h->db));
	case SQLITE_AUTH:
	case SQLITE_ERROR:
		return why(-EUCLEAN,
		    "%s is not understood: its tables are not those of a "
		    "journal of this version (%s)",
		    h->path, sqlite3_errmsg(h->db));
	case SQLITE_CANTOPEN: return why(-ENOENT, "%s cannot be opened", h->path);
	default: return why(-EIO, "%s: %s", h->path, sqlite3_errmsg(h->db));
	}
}

/* A recursive query may have no end. The views of a journal contain none, but a user may have put
 * another view in the place of a table. */
static int history_allow(
    void *context, int action, const char *a, const char *b, const char *c, const char *d)
{
	(void)context;
	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return action == SQLITE_RECURSIVE ? SQLITE_DENY : SQLITE_OK;
}

static int history_look_for_views(struct history *h)
{
	sqlite3_stmt *s;
	int code = sqlite3_prepare_v2(h->db,
	    "SELECT count(*) = 2 FROM sqlite_schema WHERE type = 'view'"
	    " AND name IN ('history', 'history_ref')",
	    -1, &s, NULL);
	if (code != SQLITE_OK)
		return history_failure(h, code);
	bool found = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int(s, 0);
	code = sqlite3_finalize(s);
	if (code != SQLITE_OK)
		return history_failure(h, code);
	return found
	    ? 0
	    : why(-EPROTO,
		  "%s has no view \"history\", because an earlier plm wrote it: boot plm once "
		  "with this --state, which adds the view",
		  h->path);
}

int history_open(const char *directory, struct history **ret)
{
	struct history *h = calloc(1, sizeof *h);
	if (!h)
		return why(-ENOMEM, "no memory for the history");
	int n = snprintf(h->path, sizeof h->path, "%s/journal.db", directory);
	if (n < 0 || (size_t)n >= sizeof h->path || access(h->path, R_OK) < 0) {
		free(h);
		return why(-ENOENT, "there is no journal in %s", directory);
	}
	int code =
	    sqlite3_open_v2(h->path, &h->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	int r = code == SQLITE_OK ? 0 : history_failure(h, code);
	if (r == 0) {
		sqlite3_busy_timeout(h->db, BUSY_MS);
		sqlite3_set_authorizer(h->db, history_allow, NULL);
		r = history_look_for_views(h);
	}
	*ret = h;
	if (r < 0)
		history_close(ret);
	return r;
}

int history_in_memory(struct history **ret)
{
	struct history *h = calloc(1, sizeof *h);
	if (!h)
		return why(-ENOMEM, "no memory for the history");
	snprintf(h->path, sizeof h->path, "the database in memory");
	int code = sqlite3_open(":memory:", &h->db);
	int r = code == SQLITE_OK ? 0 : history_failure(h, code);
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

struct sqlite3 *history_database(struct history *h)
{
	return h->db;
}

/* ---- queries ---- */

/* Behind "(SELECT COLUMN...": of the latest tasks that pass the filter. */
#define LATEST                                                                     \
	" FROM history WHERE submitted >= ?1 AND (?2 = 0 OR submitted < ?2)"       \
	" AND (?3 IS NULL OR instr(lower(command), lower(?3)))"                    \
	" AND (?4 IS NULL OR label = ?4) AND (?5 IS NULL OR state = ?5)"           \
	" AND (?6 IS NULL OR exit_code = ?6) AND (?7 = 0 OR id = ?7)"              \
	" AND (?8 IS NULL OR id IN (SELECT task FROM history_ref WHERE ref = ?8))" \
	" ORDER BY id DESC LIMIT ?9)"

/* Sums for each value of the key. */
#define SUMS(key)                                                                             \
	" FROM (SELECT " key " AS key, count(*) AS tasks, sum(state = 'done') AS done,"       \
	" sum(state IN ('failed', 'dead')) AS failed, sum(state = 'cancelled') AS cancelled," \
	" sum(state IN ('queued', 'running')) AS unfinished,"                                 \
	" coalesce(sum(run_ms), 0) AS run_ms, coalesce(sum(cpu_ms), 0) AS cpu_ms"             \
	" FROM (SELECT user, label, submitted, state, run_ms, cpu_ms" LATEST                  \
	" GROUP BY 1) ORDER BY key"

static const char *const sources[] = {
	[HISTORY_BY_USER] = SUMS("user"),
	[HISTORY_BY_LABEL] = SUMS("coalesce(label, '')"),
	[HISTORY_BY_DAY] = SUMS("strftime('%Y-%m-%d', submitted / 1000, 'unixepoch', 'localtime')"),
	[HISTORY_KEYS] = " FROM history WHERE id IN (SELECT id" LATEST " ORDER BY id",
};

static void history_bind(sqlite3_stmt *s, const struct history_filter *f)
{
	sqlite3_bind_int64(s, 1, f->since_ms);
	sqlite3_bind_int64(s, 2, f->until_ms);
	sqlite3_bind_text(s, 3, f->include, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 4, f->label, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 5, f->state, -1, SQLITE_STATIC);
	if (f->has_exit_code)
		sqlite3_bind_int(s, 6, f->exit_code);
	sqlite3_bind_int64(s, 7, f->id);
	if (f->ref[0])
		sqlite3_bind_text(s, 8, f->ref, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 9, f->most ? (int64_t)f->most : -1);
}

/* SELECT KEY, KEY... */
static int history_prepare(
    struct history *h, enum history_key key, const struct output *out, sqlite3_stmt **ret)
{
	struct text sql = { .data = NULL };
	for (unsigned i = 0; i < out->columns; i++)
		text_format(&sql, "%s%s", i ? ", " : "SELECT ", out->column[i].key);
	text_words(&sql, sources[key]);
	int code = sqlite3_prepare_v2(h->db, sql.data, (int)sql.length, ret, NULL);
	text_free(&sql);
	return code == SQLITE_OK ? 0 : history_failure(h, code);
}

int history_print(struct history *h, const struct history_filter *filter, enum history_key key,
    struct output *out, uint64_t *ret_rows)
{
	sqlite3_stmt *s = NULL;
	int r = history_prepare(h, key, out, &s), code = SQLITE_DONE;
	*ret_rows = 0;
	if (r < 0)
		return r;
	history_bind(s, filter);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		table_row(out, &s);
		++*ret_rows;
	}
	if (code != SQLITE_DONE)
		r = history_failure(h, code);
	sqlite3_finalize(s);
	return r;
}
