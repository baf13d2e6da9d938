/* web_history.c - GET /api/history: durable tasks, the newest first, also of a runtime that has
 * ended. Reads the view "history" of the journal's file (docs/durable.md). */
#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "base/clock.h"
#include "cli/history.h"
#include "web/web_query.h"
#include "web/web_routes.h"

enum {
	LIMIT_STANDARD = 100,
	LIMIT_MOST = 1000,
	TEXT_MOST = 256,
	SEARCH_MS = 200, /* a search in a long history ends then, with the rows found */
	BUSY_MS = 100,
	STEPS = 10000, /* of the database's machine between two looks at the clock */
	HEAD_BYTES = 400,
};

static const char history_sql[] =
    "SELECT id, ref, state, exit_code, code, signal, message, submitted, began, ended, run_ms,"
    " cpu_ms, attempts, worker, priority, label, user, command, function, resident_bytes,"
    " stdout_bytes, stderr_bytes, resumed, not_durable, stdout, stderr FROM history"
    " WHERE (?1 = 0 OR id < ?1) AND (?2 IS NULL OR state = ?2)"
    " AND (?3 IS NULL OR instr(lower(command), lower(?3)) OR instr(lower(label), lower(?3)))"
    " AND (?4 = 0 OR id = ?4) ORDER BY id DESC LIMIT ?5";

struct history_query {
	uint64_t before, id, limit;
	const char *state, *text;
	uint64_t deadline_ns;
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

static int history_is_late(void *context)
{
	return clock_ns() > ((const struct history_query *)context)->deadline_ns;
}

/* Returns the code of the last step. */
static int history_put_rows(
    sqlite3_stmt *rows, struct json *json, uint64_t *ret_count, uint64_t *ret_last)
{
	int code;
	while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
		jsontext_open(json, NULL, '{');
		for (int i = 0; i < sqlite3_column_count(rows); i++)
			history_put_column(rows, i, json);
		jsontext_close(json, '}');
		++*ret_count;
		*ret_last = (uint64_t)sqlite3_column_int64(rows, 0);
	}
	return code;
}

static void history_bind_query(sqlite3_stmt *rows, const struct history_query *query)
{
	sqlite3_bind_int64(rows, 1, (int64_t)query->before);
	sqlite3_bind_text(rows, 2, query->state, -1, SQLITE_STATIC);
	sqlite3_bind_text(rows, 3, query->text, -1, SQLITE_STATIC);
	sqlite3_bind_int64(rows, 4, (int64_t)query->id);
	sqlite3_bind_int64(rows, 5, (int64_t)query->limit);
}

static int history_put(struct history *history, struct history_query *query, struct json *json)
{
	sqlite3 *db = history_database(history);
	sqlite3_stmt *rows = NULL;
	uint64_t count = 0, last = 0;
	sqlite3_busy_timeout(db, BUSY_MS);
	query->deadline_ns = clock_ns() + SEARCH_MS * NS_PER_MS;
	sqlite3_progress_handler(db, STEPS, history_is_late, query);
	int code = sqlite3_prepare_v2(db, history_sql, -1, &rows, NULL);
	if (code != SQLITE_OK)
		return history_failure(history, code);
	history_bind_query(rows, query);
	jsontext_open(json, NULL, '{');
	jsontext_open(json, "tasks", '[');
	code = history_put_rows(rows, json, &count, &last);
	jsontext_close(json, ']');
	jsontext_number(json, "before", last);
	jsontext_bool(json, "end", code == SQLITE_DONE && count < query->limit);
	jsontext_bool(json, "late", code == SQLITE_INTERRUPT);
	jsontext_close(json, '}');
	int r =
	    code == SQLITE_DONE || code == SQLITE_INTERRUPT ? 0 : history_failure(history, code);
	sqlite3_finalize(rows);
	return r;
}

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
	    request_number(request, "id", 0, INT64_MAX, &query->id) &&
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
