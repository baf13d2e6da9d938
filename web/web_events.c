/* web_events.c - GET /api/events: what the event log still knows of a task. */
#include "base/clock.h"
#include "cli/event_row.h"
#include "web/web_routes.h"
#include "web/web_rows.h"

enum { PAGE_ROWS = 256, EVENTS_MOST = 400, SEARCH_MS = 150 };

static void events_put(const plm_event *event, uint64_t now_ns, struct json *json)
{
	char detail[EVENT_DETAIL_BYTES];
	jsontext_open(json, NULL, '{');
	jsontext_text(json, "event", plm_event_name(event->kind));
	jsontext_real(json, "ago_ms",
	    event->time_ns < now_ns ? (double)(now_ns - event->time_ns) / (double)NS_PER_MS : 0.0);
	jsontext_number(json, "attempt", event->attempt);
	row_put_number("process", event->process, json);
	row_put_number("worker", event->worker, json);
	if (event->other.id)
		jsontext_ref(json, "other", event->other);
	event_row_describe(event, detail, sizeof detail);
	jsontext_text_if_any(json, "detail", detail);
	jsontext_close(json, '}');
}

/* Returns how many events were written. */
static unsigned events_search(plm_events *events, plm_ref ref, struct json *json, bool *ret_all)
{
	static plm_event rows[PAGE_ROWS];
	uint64_t now = clock_ns(), deadline = now + SEARCH_MS * NS_PER_MS;
	unsigned found = 0;
	int n = 0;
	while (clock_ns() < deadline && found < EVENTS_MOST &&
	    (n = plm_events_read(events, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n && found < EVENTS_MOST; i++)
			if (rows[i].ref.id == ref.id) {
				events_put(&rows[i], now, json);
				found++;
			}
	*ret_all = n <= 0;
	return found;
}

/* Events before the submission need no search; 0: the table has forgotten the task. */
static uint64_t events_begin(plm_inspect *in, plm_ref ref)
{
	static plm_task_row row;
	uint64_t now = clock_ns();
	if (plm_inspect_task(in, ref, 0, &row, sizeof row) < 0)
		return 0;
	uint64_t age_ns = row.age_ms * NS_PER_MS + NS_PER_S;
	return age_ns < now ? now - age_ns : 0;
}

struct MHD_Response *events_route(struct request *request)
{
	struct MHD_Response *response = NULL;
	struct json json = { .data = NULL };
	plm_events *events = NULL;
	plm_ref ref;
	bool all = true;
	if (!request_ref(request, "ref", &ref))
		return reply_error(
		    request, MHD_HTTP_BAD_REQUEST, "events?ref=@RECORD.GENERATION.BOOT");
	if (!request_look(request, &response))
		return response;
	int r = plm_events_open(
	    &events, request->web->look.in, events_begin(request->web->look.in, ref));
	if (r < 0)
		return reply_failure(request, r);
	jsontext_open(&json, NULL, '{');
	jsontext_open(&json, "events", '[');
	events_search(events, ref, &json, &all);
	jsontext_close(&json, ']');
	jsontext_bool(&json, "all", all);
	plm_events_state state;
	if (plm_events_state_get(events, &state, sizeof state) == 0)
		jsontext_bool(&json, "on", state.on != 0);
	jsontext_close(&json, '}');
	plm_events_close(&events);
	return reply_json(request, &json);
}
