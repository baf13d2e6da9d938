/* web_history.c - GET /api/history: durable tasks, the newest first, also of a runtime that has
 * ended. Reads the view "history" of the journal's file (docs/durable.md).
 *
 * A text may be rare in a long history. So a request searches the history in stretches of some
 * tasks until the time is over, and answers where the next request goes on. Not taken: one query
 * that is interrupted, since an interrupted query does not say how far it came. */
#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"
#include "cli/history.h"
#include "web/web_query.h"
#include "web/web_routes.h"

enum {
	LIMIT_STANDARD = 100,
	LIMIT_MOST = 1000,
	TEXT_MOST = 256,
	SEARCH_MS = 50,  /* a request begins no further stretch then */
	STRETCH = 64,    /* tasks */
	STUCK_MS = 2000, /* a stretch that takes so long is an error */
	BUSY_MS = 100,
	STEPS = 10000, /* of the database's machine between two looks at the clock */
	HEAD_BYTES = 400,
};

/* The oldest of the tasks of a stretch; NULL: there are no older tasks. */
static const char stretch_sql[] =
    "SELECT min(id) FROM (SELECT id FROM history WHERE id < ?1 ORDER BY id DESC LIMIT ?2)";

static const char edges_sql[] = "SELECT (SELECT id FROM history ORDER BY id DESC LIMIT 1),"
				" (SELECT id FROM history ORDER BY id LIMIT 1)";

static const char rows_sql[] =
    "SELECT id, ref, state, exit_code, code, signal, message, submitted, began, ended, run_ms,"
    " cpu_ms, attempts, worker, priority, label, user, command, function, resident_bytes,"
    " stdout_bytes, stderr_bytes, resumed, not_durable, stdout, stderr FROM history"
    " WHERE id >= ?1 AND id < ?2 AND (?3 IS NULL OR state = ?3)"
    " AND (?4 IS NULL OR instr(lower(command), lower(?4)) OR instr(lower(label), lower(?4)))"
    " ORDER BY id DESC LIMIT ?5";

struct history_query {
	uint64_t before, id, limit;
	const char *state, *text;
};

struct history_search {
	const struct history_query *query;
	sqlite3 *db;
	sqlite3_stmt *stretch, *rows;
	struct json *json;
	int64_t from;      /* all tasks from here on were searched */
	uint64_t count;    /* rows found */
	bool end;          /* all tasks were searched */
	uint64_t stuck_ns; /* when the stretch has taken too long */
};

static void history_put_column(sqlite3_stmt *row, int column, struct json *json)
{
	const char *key = sqlite3_column_name(row, column);
	const void *text;
	switch (sqlite3_column_type(row, column)) {
	case SQLITE_INTEGER: jsontext_signed(json, key, sqlite3_column_int64(row, column)); break;
	case SQLITE_FLOAT: jsontext_real(json, key, sqlite3_column_double(row, column)); break;
	case SQLITE_TEXT:
	case SQLITE_BLOB: {
		bool blob = sqlite3_column_type(row, column) == SQLITE_BLOB;
		text = sqlite3_column_blob(row, column);
		size_t length = (size_t)sqlite3_column_bytes(row, column);
		length = blob && length > HEAD_BYTES ? HEAD_BYTES : length;
		if (text && length)
			jsontext_bytes(json, key, text, length);
		break;
	}
	default: break;
	}
}

/* ---- searching ---- */

static int history_is_stuck(void *context)
{
	return clock_ns() > ((const struct history_search *)context)->stuck_ns;
}

/* Finds the oldest task of the next stretch. SQLITE_ROW; SQLITE_DONE: there are no older tasks. */
static int history_next_stretch(struct history_search *search, int64_t *ret_oldest)
{
	const struct history_query *query = search->query;
	search->stuck_ns = clock_ns() + STUCK_MS * NS_PER_MS;
	*ret_oldest = (int64_t)query->id;
	if (query->id)
		return SQLITE_ROW;
	sqlite3_reset(search->stretch);
	sqlite3_bind_int64(search->stretch, 1, search->from);
	sqlite3_bind_int64(search->stretch, 2, STRETCH);
	int code = sqlite3_step(search->stretch);
	*ret_oldest = sqlite3_column_int64(search->stretch, 0);
	bool none = sqlite3_column_type(search->stretch, 0) == SQLITE_NULL;
	return code == SQLITE_ROW && none ? SQLITE_DONE : code;
}

/* Writes the tasks of a stretch that pass. SQLITE_DONE: all of the stretch was searched;
 * SQLITE_ROW: the page is full. */
static int history_put_stretch(struct history_search *search, int64_t oldest)
{
	const struct history_query *query = search->query;
	sqlite3_stmt *rows = search->rows;
	int code;
	sqlite3_reset(rows);
	sqlite3_bind_int64(rows, 1, oldest);
	sqlite3_bind_int64(rows, 2, search->from);
	sqlite3_bind_text(rows, 3, query->state, -1, SQLITE_STATIC);
	sqlite3_bind_text(rows, 4, query->text, -1, SQLITE_STATIC);
	sqlite3_bind_int64(rows, 5, STRETCH);
	while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
		jsontext_open(search->json, NULL, '{');
		for (int i = 0; i < sqlite3_column_count(rows); i++)
			history_put_column(rows, i, search->json);
		jsontext_close(search->json, '}');
		search->from = sqlite3_column_int64(rows, 0);
		if (++search->count == query->limit)
			return SQLITE_ROW;
	}
	if (code == SQLITE_DONE)
		search->from = oldest;
	return code;
}

/* Returns SQLITE_OK, or the code of an error. */
static int history_put_rows(struct history_search *search)
{
	uint64_t deadline = clock_ns() + SEARCH_MS * NS_PER_MS;
	do {
		int64_t oldest;
		int code = history_next_stretch(search, &oldest);
		search->end = code == SQLITE_DONE;
		if (code == SQLITE_ROW)
			code = history_put_stretch(search, oldest);
		if (code == SQLITE_DONE && search->query->id)
			search->end = true;
		if (code == SQLITE_ROW)
			return SQLITE_OK;
		if (code != SQLITE_DONE)
			return code;
	} while (!search->end && clock_ns() < deadline);
	return SQLITE_OK;
}

/* The newest and the oldest task, for a caller that shows how far the search came. */
static int history_put_edges(struct history_search *search)
{
	sqlite3_stmt *edges = NULL;
	int code = sqlite3_prepare_v2(search->db, edges_sql, -1, &edges, NULL);
	if (code == SQLITE_OK && sqlite3_step(edges) == SQLITE_ROW) {
		jsontext_signed(search->json, "newest", sqlite3_column_int64(edges, 0));
		jsontext_signed(search->json, "oldest", sqlite3_column_int64(edges, 1));
	}
	sqlite3_finalize(edges);
	return code;
}

static int history_answer(struct history_search *search)
{
	struct json *json = search->json;
	int code = sqlite3_prepare_v2(search->db, stretch_sql, -1, &search->stretch, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(search->db, rows_sql, -1, &search->rows, NULL);
	if (code != SQLITE_OK)
		return code;
	jsontext_open(json, NULL, '{');
	jsontext_open(json, "tasks", '[');
	code = history_put_rows(search);
	jsontext_close(json, ']');
	jsontext_signed(json, "before", search->from == INT64_MAX ? 0 : search->from);
	jsontext_bool(json, "end", search->end);
	if (code == SQLITE_OK)
		code = history_put_edges(search);
	jsontext_close(json, '}');
	return code;
}

static int history_put(
    struct history *history, const struct history_query *query, struct json *json)
{
	struct history_search search = { .query = query,
		.db = history_database(history),
		.json = json,
		.from = query->id   ? (int64_t)query->id + 1
		    : query->before ? (int64_t)query->before
				    : INT64_MAX,
		.stuck_ns = UINT64_MAX };
	sqlite3_busy_timeout(search.db, BUSY_MS);
	sqlite3_progress_handler(search.db, STEPS, history_is_stuck, &search);
	int code = history_answer(&search);
	int r = code == SQLITE_OK      ? 0
	    : code == SQLITE_INTERRUPT ? why(-ETIME,
					     "to search %d tasks of the history took longer than "
					     "%d s: the disk or the machine is too busy",
					     STRETCH, (int)(STUCK_MS / 1000))
				       : history_failure(history, code);
	sqlite3_finalize(search.stretch);
	sqlite3_finalize(search.rows);
	return r;
}

/* ---- the route ---- */

static bool history_take_query(struct request *request, struct history_query *query)
{
	query->state = request_word(request, "state");
	query->text = request_word(request, "q");
	if (query->state && !query->state[0])
		query->state = NULL;
	if (query->text && !query->text[0])
		query->text = NULL;
	return (!query->state ||
		   query_choice(query->state, "queued|running|done|failed|dead|cancelled") >= 0) &&
	    (!query->text || strlen(query->text) <= TEXT_MOST) &&
	    request_number(request, "before", 0, INT64_MAX, &query->before) &&
	    request_number(request, "id", 0, INT64_MAX - 1, &query->id) &&
	    request_number(request, "limit", LIMIT_STANDARD, LIMIT_MOST, &query->limit) &&
	    query->limit > 0;
}

struct MHD_Response *history_route(struct request *request)
{
	const struct look *look = &request->web->look;
	struct history_query query = { .before = 0 };
	struct MHD_Response *response = NULL;
	struct history *history = NULL;
	struct json json = { .data = NULL };
	if (!history_take_query(request, &query))
		return reply_error(request, MHD_HTTP_BAD_REQUEST,
		    "history?state=queued|running|done|failed|dead|cancelled&q=TEXT&id=N"
		    "&before=ID&limit=1..%d",
		    LIMIT_MOST);
	/* The journal of a runtime that has ended can still be read. */
	if (!request_look(request, &response) && !look->runtime.journal[0])
		return response;
	if (response)
		MHD_destroy_response(response);
	request->status = MHD_HTTP_OK;
	if (!look->runtime.journal[0])
		return reply_error(request, MHD_HTTP_NOT_FOUND,
		    "the runtime keeps no journal: boot it with plm --state DIR");
	int r = history_open(look->runtime.journal, &history);
	if (r == 0)
		r = history_put(history, &query, &json);
	if (history)
		history_close(&history);
	if (r < 0) {
		jsontext_free(&json);
		return reply_failure(request, r);
	}
	return reply_json(request, &json);
}
