/* dump_events.c - the event log of a runtime that may be dead: its last seconds. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "dump/dump.h"

enum { EVENTS_PAGE = 256 };

static uint64_t dump_events_newest(plm_inspect *in)
{
	static plm_event page[EVENTS_PAGE];
	plm_events *events;
	uint64_t newest = 0;
	int n;
	if (plm_events_open(&events, in, 0) < 0)
		return 0;
	while ((n = plm_events_read(events, page, sizeof page[0], EVENTS_PAGE)) > 0)
		for (int i = 0; i < n; i++)
			newest = page[i].time_ns > newest ? page[i].time_ns : newest;
	plm_events_close(&events);
	return newest;
}

static void dump_events_print(
    plm_events *events, struct output *out, const struct event_filter *filter)
{
	static plm_event page[EVENTS_PAGE];
	plm_events_state state;
	int n;
	while ((n = plm_events_read(events, page, sizeof page[0], EVENTS_PAGE)) > 0)
		for (int i = 0; i < n; i++)
			if (event_filter_passes(filter, &page[i]))
				event_rows_add(out, &page[i]);
	if (plm_events_state_get(events, &state, sizeof state) == 0 && state.lost)
		fprintf(stderr,
		    "plmdump: %" PRIu64 " events cannot be read: they were overwritten meanwhile, "
		    "or their writer died\n",
		    state.lost);
}

int dump_events(plm_inspect *in, struct output *out, const struct event_filter *filter, bool copied)
{
	plm_events *events;
	uint64_t last_ns = filter->last_ms * NS_PER_MS;
	uint64_t newest = last_ns ? dump_events_newest(in) : 0;
	int r = plm_events_open(&events, in, newest > last_ns ? newest - last_ns : 0);
	if (r < 0) {
		fprintf(stderr, "plmdump: %s\n", plm_why());
		return r;
	}
	event_rows_begin(out, copied ? EVENT_CLOCK_MONOTONIC : EVENT_CLOCK_WALL);
	dump_events_print(events, out, filter);
	plm_events_close(&events);
	return 0;
}
