#include "cli/event_row.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"

enum { LAST_MOST_MS = 1 << 30, WORKERS_MOST = 1000, TIME_BYTES = 40, NS_PER_US = 1000 };

/* ---- which events ---- */

static int event_row_take_function(void *target, const struct option_given *given)
{
	struct event_filter *filter = target;
	if (filter->functions == EVENT_FILTER_MAX)
		return why(-E2BIG, "--function may be given %d times at most", EVENT_FILTER_MAX);
	filter->function[filter->functions++] = given->text;
	return 0;
}

static int event_row_take_worker(void *target, const struct option_given *given)
{
	struct event_filter *filter = target;
	uint64_t worker;
	int r = option_number(given->what, given->text, 0, WORKERS_MOST, &worker);
	filter->by_worker = true;
	filter->worker = (uint32_t)worker;
	return r;
}

static int event_row_add_kind(const char *word, size_t length, uint32_t *kinds)
{
	for (int kind = 1; kind < PLM_EVENTS; kind++)
		if (strlen(plm_event_name(kind)) == length &&
		    memcmp(plm_event_name(kind), word, length) == 0) {
			*kinds |= (uint32_t)1 << kind;
			return 0;
		}
	return why(-EINVAL, "--kind: no such event: %.*s; `plmctl help events` lists them",
	    (int)length, word);
}

static int event_row_take_kinds(void *target, const struct option_given *given)
{
	struct event_filter *filter = target;
	const char *words = given->text;
	for (;;) {
		size_t length = strcspn(words, ",");
		int r = event_row_add_kind(words, length, &filter->kinds);
		if (r < 0 || !words[length])
			return r;
		words += length + 1;
	}
}

const struct option_row event_filter_rows[] = {
	{ "last", NULL, NULL, OPTION_TIME, .word = "TIME", .standard = "all kept events",
	    .help = "events of the last TIME, e.g. 30s", OPTION_FIELD(struct event_filter, last_ms),
	    .least = 1, .most = LAST_MOST_MS },
	{ "function", NULL, NULL, OPTION_TEXT, .word = "NAME",
	    .help = "events of tasks of this function; may be given more than once",
	    .take = event_row_take_function },
	{ "worker", NULL, NULL, OPTION_NUMBER, .word = "N", .help = "events on this worker",
	    .take = event_row_take_worker },
	{ "kind", NULL, NULL, OPTION_TEXT, .word = "KIND,...", .help = "events of these kinds",
	    .take = event_row_take_kinds },
	{ 0 },
};

int event_filter_add_ref(struct event_filter *filter, plm_ref ref)
{
	if (filter->refs == EVENT_FILTER_MAX)
		return why(-E2BIG, "at most %d references can be followed", EVENT_FILTER_MAX);
	filter->ref[filter->refs++] = ref;
	return 0;
}

static bool event_row_of_function(const struct event_filter *filter, const plm_event *event)
{
	for (unsigned i = 0; i < filter->functions; i++)
		if (strcmp(filter->function[i], event->function_name) == 0)
			return true;
	return filter->functions == 0;
}

static bool event_row_of_ref(const struct event_filter *filter, const plm_event *event)
{
	for (unsigned i = 0; i < filter->refs; i++)
		if (filter->ref[i].id == event->ref.id &&
		    filter->ref[i].runtime == event->ref.runtime)
			return true;
	return filter->refs == 0;
}

bool event_filter_passes(const struct event_filter *filter, const plm_event *event)
{
	return (!filter->kinds || filter->kinds >> event->kind & 1) &&
	    (!filter->by_worker || filter->worker == event->worker) &&
	    event_row_of_function(filter, event) && event_row_of_ref(filter, event);
}

/* ---- a line ---- */

struct shown { /* the row of the table */
	plm_event event;
	int64_t wall_ns; /* from CLOCK_MONOTONIC to CLOCK_REALTIME; 0: not known */
	int64_t argument;
};

static int64_t event_row_wall_ns; /* of all rows: both clocks are read once */

static const struct shown *event_row_shown(const void *row)
{
	return row;
}

static bool event_row_has_wall(const void *row)
{
	return event_row_shown(row)->wall_ns != 0;
}

static void event_row_time(struct output *out, const void *row)
{
	char text[2 * TIME_BYTES], second[TIME_BYTES];
	const struct shown *s = event_row_shown(row);
	uint64_t ns = s->event.time_ns + (uint64_t)s->wall_ns;
	time_t seconds = (time_t)(ns / NS_PER_S);
	struct tm local;
	if (out->json) {
		cell_number(out, s->event.time_ns);
		return;
	}
	if (!s->wall_ns || !localtime_r(&seconds, &local))
		snprintf(second, sizeof second, "%" PRIu64, s->event.time_ns / NS_PER_S);
	else
		strftime(second, sizeof second, "%H:%M:%S", &local);
	snprintf(text, sizeof text, "%s.%06u", second, (unsigned)(ns % NS_PER_S / NS_PER_US));
	cell_text(out, text);
}

static void event_row_unix(struct output *out, const void *row)
{
	const struct shown *s = event_row_shown(row);
	cell_number(out, s->event.time_ns + (uint64_t)s->wall_ns);
}

static void event_row_kind(struct output *out, const void *row)
{
	int kind = event_row_shown(row)->event.kind;
	bool bad = kind == PLM_EVENT_FAILED || kind == PLM_EVENT_DEAD ||
	    kind == PLM_EVENT_LOCK_RECOVERED || kind == PLM_EVENT_MEMORY_SHORT;
	cell_tinted(out, plm_event_name(kind),
	    bad                          ? TINT_BAD
		: kind == PLM_EVENT_DONE ? TINT_GOOD
					 : TINT_NONE);
}

static bool event_row_has_ref(const void *row)
{
	return event_row_shown(row)->event.ref.id != 0;
}

static void event_row_id(struct output *out, const void *row)
{
	char id[TIME_BYTES];
	snprintf(id, sizeof id, "%" PRIx32, (uint32_t)event_row_shown(row)->event.ref.id);
	cell_text(out, id);
}

static bool event_row_has_other(const void *row)
{
	return event_row_shown(row)->event.other.id != 0;
}

static bool event_row_has_worker(const void *row)
{
	return event_row_shown(row)->event.worker != PLM_NOBODY;
}

static bool event_row_has_attempt(const void *row)
{
	return event_row_shown(row)->event.attempt != 0;
}

static const char *event_row_return(uint64_t reason)
{
	static const char *const names[] = { "?", "failed, a retry is left",
		"a time limit was over", "memory ran out", "asked to", "its worker died" };
	return names[reason < COUNT_OF(names) ? reason : 0];
}

static void event_row_ran(uint64_t ns, char *ret, size_t size)
{
	if (ns == 0)
		snprintf(ret, size, "never started");
	else
		snprintf(ret, size, "ran %.3f ms", (double)ns / (double)NS_PER_MS);
}

void event_row_describe(const plm_event *e, char *ret, size_t size)
{
	char amount[TIME_BYTES];
	size_print(e->argument, amount, sizeof amount);
	ret[0] = 0;
	switch (e->kind) {
	case PLM_EVENT_SUBMITTED:
		snprintf(ret, size, "priority %" PRId64, (int64_t)e->argument);
		break;
	case PLM_EVENT_STARTED: snprintf(ret, size, "cpus %" PRIu64, e->argument); break;
	case PLM_EVENT_DONE:
	case PLM_EVENT_FAILED:
	case PLM_EVENT_CANCELLED: event_row_ran(e->argument, ret, size); break;
	case PLM_EVENT_RETURNED: snprintf(ret, size, "%s", event_row_return(e->argument)); break;
	case PLM_EVENT_DEPENDS: plm_ref_print(e->other, ret); break;
	case PLM_EVENT_NAME: snprintf(ret, size, "%.8s", (const char *)&e->argument); break;
	case PLM_EVENT_FREED:
	case PLM_EVENT_SEALED:
	case PLM_EVENT_READ:
	case PLM_EVENT_MEMORY_SHORT:
	case PLM_EVENT_MEMORY_ENOUGH: snprintf(ret, size, "%s", amount); break;
	case PLM_EVENT_LOCK_RECOVERED: snprintf(ret, size, "rank %" PRIu64, e->argument); break;
	case PLM_EVENT_JOURNAL: snprintf(ret, size, "tasks %" PRIu64, e->argument); break;
	case PLM_EVENT_BORN:
	case PLM_EVENT_DEAD: snprintf(ret, size, "pid %" PRIu64, e->argument); break;
	default: break;
	}
}

static void event_row_detail(struct output *out, const void *row)
{
	char text[EVENT_DETAIL_BYTES];
	event_row_describe(&event_row_shown(row)->event, text, sizeof text);
	cell_text_if_any(out, text);
}

#define EVENT(name) PLAIN(struct shown, event.name)

static const struct column columns[] = {
	{ "TIME", "time_ns", -15, .cell = event_row_time },
	{ "EVENT", "event", -14, .cell = event_row_kind },
	{ "REF", "ref", -18, EVENT(ref), .known = event_row_has_ref },
	{ "ID", "id", -3, .cell = event_row_id, .known = event_row_has_ref },
	{ "TRY", "attempt", 3, EVENT(attempt), .known = event_row_has_attempt },
	{ "PROC", "process_slot", 4, EVENT(process) },
	{ "WORKER", "worker", 6, EVENT(worker), .known = event_row_has_worker },
	{ "FUNCTION", "function", -20, TEXT_IF_ANY(struct shown, event.function_name) },
	{ "DETAIL", "detail", -20, .cell = event_row_detail },
	/* for programs */
	{ "", "unix_ns", -1, .cell = event_row_unix, .known = event_row_has_wall },
	{ "", "other", -1, EVENT(other), .known = event_row_has_other },
	{ "", "argument", -1, PLAIN(struct shown, argument) },
};

enum { FOR_PROGRAMS = 3 };

void event_rows_begin(struct output *out, enum event_clock clock)
{
	event_row_wall_ns = clock == EVENT_CLOCK_WALL
	    ? (int64_t)(clock_of(CLOCK_REALTIME) - clock_of(CLOCK_MONOTONIC))
	    : 0;
	table_begin(out, columns, COUNT_OF(columns) - (out->json ? 0 : FOR_PROGRAMS));
}

void event_rows_add(struct output *out, const plm_event *event)
{
	const struct shown row = {
		.event = *event, .wall_ns = event_row_wall_ns, .argument = (int64_t)event->argument
	};
	table_row(out, &row);
}
