/* web_tasks.c - GET /api/tasks: a page of the tasks that pass a filter, in the order of the table
 * or in an order by a column (web_order.h). A request looks at records for SCAN_MS at most, and
 * returns a cursor: the caller asks again, and never waits for a million records. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "web/web_order.h"
#include "web/web_query.h"
#include "web/web_routes.h"
#include "web/web_rows.h"

enum { PAGE_ROWS = 32, SCAN_MS = 40, LIMIT_STANDARD = 100, LIMIT_MOST = 1000, TEXT_MOST = 256 };

struct tasks_query {
	plm_task_filter filter;
	const char *text; /* NULL: any */
	uint64_t cursor;
	struct order order;
	uint64_t seen; /* rows that passed the filter by state */
	bool end;
};

static bool tasks_take_order(struct request *request, struct order *ret)
{
	const char *name = request_word(request, "sort");
	const char *direction = request_word(request, "order");
	const char *after = request_word(request, "after");
	int by = name ? query_choice(name, ORDER_NAMES) : ORDER_NONE;
	uint64_t limit;
	if (by < 0 || !request_number(request, "limit", LIMIT_STANDARD, LIMIT_MOST, &limit))
		return false;
	*ret = (struct order){ .by = (enum order_by)by,
		.rising = direction && strcmp(direction, "asc") == 0,
		.after = { .at_ms = -1, .first = true },
		.limit = limit };
	return limit > 0 && (!after || (by && order_read_place(after, &ret->after)));
}

static bool tasks_take_query(struct request *request, struct tasks_query *query)
{
	const char *states = request_word(request, "state");
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
	return (!query->text || strlen(query->text) <= TEXT_MOST) &&
	    tasks_take_order(request, &query->order) &&
	    request_number(request, "cursor", 0, UINT64_MAX, &query->cursor);
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

/* Of an order the position of each row is needed, so rows are read one by one. */
static int tasks_read(struct tasks_query *query, plm_inspect *in, plm_task_row *rows)
{
	const struct order *order = &query->order;
	uint64_t want = order->by ? 1 : order->limit - order->count;
	unsigned flags = query->text ? PLM_LOOK_TEXTS : 0;
	return plm_inspect_tasks(in, &query->filter, sizeof query->filter, flags, &query->cursor,
	    rows, sizeof rows[0], want < PAGE_ROWS ? want : PAGE_ROWS);
}

/* Without an order a page is full when `limit` tasks are kept. */
static void tasks_scan(struct tasks_query *query, plm_inspect *in)
{
	static plm_task_row rows[PAGE_ROWS];
	struct order *order = &query->order;
	uint64_t deadline = clock_ns() + SCAN_MS * NS_PER_MS;
	while (clock_ns() < deadline && (order->by || order->count < order->limit)) {
		int n = tasks_read(query, in, rows);
		if (n <= 0) {
			query->end = true;
			break;
		}
		query->seen += (uint64_t)n;
		for (int i = 0; i < n; i++)
			if (tasks_text_passes(query->text, &rows[i]))
				order_take(order, &rows[i], query->cursor);
	}
	order_finish(order);
}

/* ---- the answer ---- */

static void tasks_put_place(
    const struct order *order, const struct order_kept *kept, const char *key, struct json *json)
{
	char place[ORDER_PLACE_BYTES];
	if (!order->by)
		return;
	order_print_place(order, kept, place);
	jsontext_text(json, key, place);
}

static void tasks_put(const struct tasks_query *query, const struct look *look, struct json *json)
{
	static plm_task_row row;
	const struct order *order = &query->order;
	jsontext_open(json, NULL, '{');
	jsontext_open(json, "tasks", '[');
	for (size_t i = 0; i < order->count; i++) {
		const struct order_kept *kept = &order->kept[i];
		if (plm_inspect_task(look->in, kept->ref, PLM_LOOK_TEXTS, &row, sizeof row) < 0)
			continue; /* freed meanwhile */
		jsontext_open(json, NULL, '{');
		row_put_task(&row, json);
		tasks_put_place(order, kept, "place", json);
		jsontext_close(json, '}');
	}
	jsontext_close(json, ']');
	jsontext_number(json, "cursor", query->cursor);
	tasks_put_place(order, NULL, "after", json);
	if (order->by)
		jsontext_number(json, "matched", order->matched);
	jsontext_number(json, "records", look->runtime.records_fresh);
	jsontext_number(json, "seen", query->seen);
	jsontext_bool(json, "end", query->end);
	jsontext_close(json, '}');
}

struct MHD_Response *tasks_route(struct request *request)
{
	struct tasks_query query = { .cursor = 0 };
	struct order *order = &query.order;
	struct MHD_Response *response = NULL;
	struct json json = { .data = NULL };
	if (!tasks_take_query(request, &query))
		return reply_error(request, MHD_HTTP_BAD_REQUEST,
		    "tasks?state=ready,running,...&q=TEXT&worker=N&sort=" ORDER_NAMES
		    "&order=asc|desc&limit=1..%d&cursor=N&after=PLACE",
		    LIMIT_MOST);
	if (!request_look(request, &response))
		return response;
	if (order->after.at_ms < 0) /* the first request of an order */
		order->after.at_ms = (int64_t)request->web->look.runtime.uptime_ms;
	order->kept = calloc(order->limit, sizeof *order->kept);
	if (!order->kept)
		return NULL;
	tasks_scan(&query, request->web->look.in);
	tasks_put(&query, &request->web->look, &json);
	free(order->kept);
	return reply_json(request, &json);
}
