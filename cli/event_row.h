/* event_row.h - an event of the log as a line, and which events a command shows: shared by plmctl,
 * plmdump and plmweb.
 * Who: these programs, on everything plm_events_open() can open.  Blocks: in stdio. */
#ifndef PLM_CLI_EVENT_ROW_H
#define PLM_CLI_EVENT_ROW_H

#include "base/option_table.h"
#include "cli/output.h"
#include "client/plm_inspect.h"

enum { EVENT_FILTER_MAX = 16, EVENT_DETAIL_BYTES = 80 };

struct event_filter { /* zeroes: all events; several of a field: any of them */
	unsigned functions, refs;
	const char *function[EVENT_FILTER_MAX];
	plm_ref ref[EVENT_FILTER_MAX];
	uint32_t kinds; /* 1 << PLM_EVENT_... */
	bool by_worker;
	uint32_t worker;
	uint64_t last_ms; /* 0: all kept events */
};

/* --last, --function, --worker, --kind; the target is a struct event_filter. */
extern const struct option_row event_filter_rows[];

/* A reference among the operands. 0, or -E2BIG with a why. */
int event_filter_add_ref(struct event_filter *filter, plm_ref ref);
bool event_filter_passes(const struct event_filter *filter, const plm_event *event);

/* By CLOCK_REALTIME, of events of this machine since it was booted; else by CLOCK_MONOTONIC. */
enum event_clock { EVENT_CLOCK_WALL, EVENT_CLOCK_MONOTONIC };

void event_rows_begin(struct output *out, enum event_clock clock);
void event_rows_add(struct output *out, const plm_event *event);

/* What the argument of an event says, "ran 12.000 ms"; "" if nothing. */
void event_row_describe(const plm_event *event, char *ret, size_t size);

#endif
