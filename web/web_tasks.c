/* web_tasks.c - GET /api/tasks: a page of the tasks that pass a filter, in the order of the table
 * or the best of an order. A request looks at records for SCAN_MS at most, and returns a cursor:
 * the caller asks again, and never waits for a million records. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "web/web_query.h"
#include "web/web_routes.h"
#include "web/web_rows.h"

enum { PAGE_ROWS = 32, SCAN_MS = 40, LIMIT_STANDARD = 100, LIMIT_MOST = 1000, TEXT_MOST = 256 };

#define ORDERS "none|age|run|queue|priority|attempt|bytes"
enum tasks_order {
	ORDER_NONE,
	ORDER_AGE,
	ORDER_RUN,
	ORDER_QUEUE,
	ORDER_PRIORITY,
	ORDER_ATTEMPT,
	ORDER_BYTES
};

struct tasks_kept { /* of a task that is to be shown */
	plm_ref ref;
	int64_t key;
};

struct tasks_query {
	plm_task_filter filter;
	const char *text; /* NULL: any */
	uint64_t cursor, limit;
	enum tasks_order order;
	bool rising;
	struct tasks_kept *kept; /* a heap, the worst first; without an order a list */
	size_t count;
	uint64_t seen; /* rows that passed the filter by state */
	bool end;
};

static bool tasks_take_query(struct request *request, struct tasks_query *query)
{
	const char *states = request_word(request, "state");
	const char *order = request_word(request, "sort");
	const char *direction = request_word(request, "order");
	uint64_t worker;
	query->text = request_word(request, "q");
	if (query->text && !query->text[0])
		query->text = NULL;
	if (states && states[0]) {
		query->filter.by |= PLM_BY_STATE;
		if (!query_states(states, &query->filter.states))
			return false;
	}
	if (request_word(request, "worker")) {
		if (!request_number(request, "worker", 0, PLM_NOBODY - 1, &worker))
			return false;
		query->filter.by |= PLM_BY_WORKER;
		query->filter.worker = (uint32_t)worker;
	}
	int place = order ? query_choice(order, ORDERS) : ORDER_NONE;
	query->order = place < 0 ? ORDER_NONE : (enum tasks_order)place;
	query->rising = direction && strcmp(direction, "asc") == 0;
	return place >= 0 && (!query->text || strlen(query->text) <= TEXT_MOST) &&
	    request_number(request, "cursor", 0, UINT64_MAX, &query->cursor) &&
	    request_number(request, "limit", LIMIT_STANDARD, LIMIT_MOST, &query->limit) &&
	    query->limit > 0;
}

/* ---- choosing ---- */

static bool tasks_text_passes(const char *text, const plm_task_row *row)
{
	char ref[PLM_REF_TEXT_BYTES];
	if (!text)
		return true;
	plm_ref_print(row->ref, ref);
	return strcasestr(row->function, text) || strcasestr(row->command, text) ||
	    strcasestr(row->label, text) || strstr(ref, text);
}

static int64_t tasks_key(const struct tasks_query *query, const plm_task_row *row)
{
	uint64_t key = 0;
	switch (query->order) {
	case ORDER_AGE: key = row->age_ms; break;
	case ORDER_RUN: key = row->run_ms; break;
	case ORDER_QUEUE: key = row->queue_ms; break;
	case ORDER_ATTEMPT: key = row->attempt; break;
	case ORDER_BYTES: key = row->value_bytes; break;
	case ORDER_PRIORITY: return query->rising ? -(int64_t)row->priority : row->priority;
	default: break;
	}
	int64_t bounded = key > INT64_MAX ? INT64_MAX : (int64_t)key;
	return query->rising ? -bounded : bounded;
}

static void tasks_sink(struct tasks_query *query, size_t at)
{
	for (;;) {
		size_t least = at;
		for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
			if (child < query->count && query->kept[child].key < query->kept[least].key)
				least = child;
		if (least == at)
			return;
		struct tasks_kept kept = query->kept[at];
		query->kept[at] = query->kept[least];
		query->kept[least] = kept;
		at = least;
	}
}

/* Of an order: the `limit` tasks with the largest keys so far. */
static void tasks_keep(struct tasks_query *query, const plm_task_row *row)
{
	struct tasks_kept kept = { row->ref, tasks_key(query, row) };
	if (query->count < query->limit) {
		query->kept[query->count++] = kept;
		if (query->order && query->count == query->limit)
			for (size_t i = query->count / 2; i-- > 0;)
				tasks_sink(query, i);
		return;
	}
	if (kept.key <= query->kept[0].key)
		return;
	query->kept[0] = kept;
	tasks_sink(query, 0);
}

static int tasks_compare(const void *a, const void *b)
{
	int64_t x = ((const struct tasks_kept *)a)->key, y = ((const struct tasks_kept *)b)->key;
	return x < y ? 1 : x > y ? -1 : 0;
}

/* Without an order a page is full when `limit` tasks are kept. */
static void tasks_scan(struct tasks_query *query, plm_inspect *in)
{
	static plm_task_row rows[PAGE_ROWS];
	uint64_t deadline = clock_ns() + SCAN_MS * NS_PER_MS;
	unsigned flags = query->text ? PLM_LOOK_TEXTS : 0;
	while (clock_ns() < deadline && (query->order || query->count < query->limit)) {
		size_t want = query->order ? PAGE_ROWS : query->limit - query->count;
		int n = plm_inspect_tasks(in, &query->filter, sizeof query->filter, flags,
		    &query->cursor, rows, sizeof rows[0], want < PAGE_ROWS ? want : PAGE_ROWS);
		if (n <= 0) {
			query->end = true;
			break;
		}
		query->seen += (uint64_t)n;
		for (int i = 0; i < n; i++)
			if (tasks_text_passes(query->text, &rows[i]))
				tasks_keep(query, &rows[i]);
	}
	if (query->order)
		qsort(query->kept, query->count, sizeof query->kept[0], tasks_compare);
}

/* ---- the answer ---- */

static void tasks_put(const struct tasks_query *query, const struct look *look, struct json *json)
{
	static plm_task_row row;
	jsontext_open(json, NULL, '{');
	jsontext_open(json, "tasks", '[');
	for (size_t i = 0; i < query->count; i++) {
		if (plm_inspect_task(
			look->in, query->kept[i].ref, PLM_LOOK_TEXTS, &row, sizeof row) < 0)
			continue; /* freed meanwhile */
		jsontext_open(json, NULL, '{');
		row_put_task(&row, json);
		jsontext_close(json, '}');
	}
	jsontext_close(json, ']');
	jsontext_number(json, "cursor", query->cursor);
	jsontext_number(json, "records", look->runtime.records_fresh);
	jsontext_number(json, "seen", query->seen);
	jsontext_bool(json, "end", query->end);
	jsontext_close(json, '}');
}

struct MHD_Response *tasks_route(struct request *request)
{
	struct tasks_query query = { .cursor = 0 };
	struct MHD_Response *response = NULL;
	struct json json = { .data = NULL };
	if (!tasks_take_query(request, &query))
		return reply_error(request, MHD_HTTP_BAD_REQUEST,
		    "tasks?state=ready,running,...&q=TEXT&worker=N&sort=" ORDERS
		    "&order=asc|desc&limit=1..%d&cursor=N",
		    LIMIT_MOST);
	if (!request_look(request, &response))
		return response;
	query.kept = calloc(query.limit, sizeof *query.kept);
	if (!query.kept)
		return NULL;
	tasks_scan(&query, request->web->look.in);
	tasks_put(&query, &request->web->look, &json);
	free(query.kept);
	return reply_json(request, &json);
}
