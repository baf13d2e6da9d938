/* events_reader.c - a reader of the event log: opening, rows, counts. */
#include "client/events_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/standard.h"
#include "base/why.h"
#include "client/handle.h"

/* A writer that reads the clock and then loses the core writes later than others. */
#define LATE_NS (2 * NS_PER_MS)
/* No honest clock is so far ahead. */
#define AHEAD_NS NS_PER_S

_Static_assert((int)PLM_EVENT_STARTED == (int)EVENT_STARTED &&
	(int)PLM_EVENT_FREED == (int)EVENT_FREED && (int)PLM_EVENT_BORN == (int)EVENT_BORN &&
	(int)PLM_EVENT_DEAD == (int)EVENT_DEAD && (int)PLM_EVENTS == (int)EVENT_KINDS,
    "the kinds of plm_inspect.h are those of eventlog.h");
_Static_assert((int)PLM_RETURN_RETRY == (int)EVENT_RETURN_FAILED &&
	(int)PLM_RETURN_DEAD == (int)EVENT_RETURN_DEAD,
    "the reasons of plm_inspect.h are those of eventlog.h");

const char *plm_event_name(int kind)
{
	static const char *const names[PLM_EVENTS] = { "none", "submitted", "depends", "ready",
		"placed", "started", "done", "failed", "cancelled", "returned", "freed", "sealed",
		"read", "name", "born", "idle", "busy", "blocked", "unblocked", "dead",
		"memory-short", "memory-enough", "lock-recovered", "journal" };
	return kind >= 0 && kind < PLM_EVENTS ? names[kind] : "?";
}

/* ---- opening ---- */

int plm_inspect_add_events(plm_inspect *in, const char *path)
{
	unsigned said = why_count();
	if (!in || !path)
		return why(-EINVAL, "plm_inspect_add_events: no handle, or no path");
	int fd = standard_avoid(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
	if (fd < 0)
		return why(-errno, "%s: %s", path, strerror(errno));
	segment_detach(&in->tables.event_segment);
	return handle_end(
	    said, eventlog_segment_attach(&in->tables, fd, false, &in->tables.event_segment));
}

/* Each reader has a mapping of its own: the log of a living runtime is found by name, like the
 * other segments. */
static int events_reader_map(const plm_inspect *in, struct segment *ret)
{
	*ret = (struct segment){ .fd = -1 };
	bool given = in->tables.event_segment.header != NULL;
	if (in->moving && !given)
		return eventlog_segment_open(&in->tables, false, ret);
	if (!given)
		return why(-ENOENT, "no event log was given: add a copy of the .events segment");
	int fd = fcntl(in->tables.event_segment.fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return why(-errno, "no descriptor for the event log: %s", strerror(errno));
	return eventlog_segment_attach(&in->tables, fd, false, ret);
}

static int events_reader_allocate(struct plm_events *e)
{
	uint32_t processes = e->in->tables.limits.processes;
	e->place = calloc(processes, sizeof e->place[0]);
	e->heap = calloc(processes, sizeof e->heap[0]);
	e->name = calloc(FUNCTIONS_MAX + 1, sizeof e->name[0]);
	return e->place && e->heap && e->name ? 0 : why(-ENOMEM, "no memory for a reader");
}

static int events_reader_open(plm_events **ret, plm_inspect *in, uint64_t since_ns)
{
	struct plm_events *e = calloc(1, sizeof *e);
	if (!e)
		return why(-ENOMEM, "no memory for a reader");
	e->in = in;
	e->since_ns = since_ns == PLM_EVENTS_NOW ? 0 : since_ns;
	int r = events_reader_map(in, &e->segment);
	if (r == 0)
		r = events_reader_allocate(e);
	if (r < 0) {
		plm_events_close(&e);
		return r;
	}
	eventlog_segment_plan(&in->tables, &e->segment, &e->plan);
	for (uint32_t i = 0; i < in->tables.limits.processes; i++) {
		struct eventlog_writer ring;
		eventlog_ring_of(&e->segment, &e->plan, i, &ring);
		e->place[i].opened = sh_load(ring.tail);
		e->place[i].next = events_merge_begin(e, i, since_ns);
	}
	*ret = e;
	return 0;
}

int plm_events_open(plm_events **ret, plm_inspect *in, uint64_t since_ns)
{
	unsigned said = why_count();
	if (!ret || !in)
		return why(-EINVAL, "plm_events_open: no handle, or no place for the reader");
	return handle_end(said, events_reader_open(ret, in, since_ns));
}

void plm_events_close(plm_events **events)
{
	struct plm_events *e = events ? *events : NULL;
	if (!e)
		return;
	segment_detach(&e->segment);
	free(e->place);
	free(e->heap);
	free(e->name);
	free(e);
	*events = NULL;
}

/* ---- rows ---- */

/* A number is given once and for ever, so a name is looked up once. */
static void events_reader_name(struct plm_events *e, uint32_t number, char *ret, size_t size)
{
	struct function_entry function;
	if (number > FUNCTIONS_MAX)
		return;
	if (!e->name[number][0] && registry_function(&e->in->tables.registry, number, &function))
		inspect_text(e->name[number], sizeof e->name[number], function.name);
	memcpy(ret, e->name[number], size);
}

static bool events_reader_of_process(int kind)
{
	return kind >= PLM_EVENT_BORN && kind <= PLM_EVENT_DEAD;
}

static void events_reader_row(
    struct plm_events *e, const struct logged_event *event, uint32_t process, plm_event *ret)
{
	bool task = event->kind < EVENT_BORN;
	*ret = (plm_event){ .time_ns = event->time_ns,
		.kind = (int)event->kind,
		.attempt = event->attempt,
		.process = process,
		.worker = event->worker == EVENT_NOBODY ? PLM_NOBODY : event->worker,
		.function = event->function == EVENT_NOBODY ? PLM_NOBODY : event->function,
		.ref = task ? inspect_ref(e->in, event->subject) : PLM_NONE,
		.other =
		    event->kind == EVENT_DEPENDS ? inspect_ref(e->in, event->argument) : PLM_NONE,
		.argument = event->argument };
	if (events_reader_of_process(ret->kind)) {
		ret->process = (uint32_t)event->subject;
		if (event->subject >= e->in->tables.limits.processes)
			ret->marks |= PLM_MARK_DAMAGED;
	}
	if (event->worker != EVENT_NOBODY && event->worker >= WORKERS_MAX)
		ret->marks |= PLM_MARK_DAMAGED;
	if (event->function != EVENT_NOBODY)
		events_reader_name(
		    e, event->function, ret->function_name, sizeof ret->function_name);
	if (strcmp(ret->function_name, PLM_COMMAND_FUNCTION) == 0)
		ret->marks |= PLM_MARK_COMMAND;
}

/* An event of a time far ahead would wait for ever, and is told at once. */
static uint64_t events_reader_until(const struct plm_events *e, uint64_t now_ns)
{
	if (!e->in->moving)
		return UINT64_MAX;
	bool ahead =
	    e->heap_n && events_place_ahead(&e->place[e->heap[0]])->time_ns > now_ns + AHEAD_NS;
	return ahead ? UINT64_MAX : now_ns - LATE_NS;
}

int plm_events_read(plm_events *events, plm_event *rows, size_t size, size_t n)
{
	if (!events || !rows || size == 0)
		return why(-EINVAL, "plm_events_read: no reader, or no room for rows");
	struct inspect_page page = { .at = (char *)rows, .size = size, .n = n };
	uint64_t now_ns = clock_ns();
	events_merge_refill(events, now_ns);
	uint64_t until_ns = events_reader_until(events, now_ns);
	struct logged_event event;
	uint32_t process;
	while (!inspect_page_full(&page) &&
	    events_merge_next(events, until_ns, now_ns, &event, &process)) {
		plm_event row;
		events_reader_row(events, &event, process, &row);
		if (until_ns == UINT64_MAX && events->in->moving)
			row.marks |= PLM_MARK_DAMAGED;
		inspect_page_add(&page, &row, sizeof row);
	}
	return (int)page.filled;
}

int64_t plm_events_skip(plm_events *events, uint64_t n)
{
	if (!events)
		return why(-EINVAL, "plm_events_skip: no reader");
	uint64_t left_out = 0;
	events_merge_put_back(events);
	for (uint32_t i = 0; i < events->in->tables.limits.processes; i++) {
		struct events_place *p = &events->place[i];
		struct eventlog_writer ring;
		if (!eventlog_ring_of(&events->segment, &events->plan, i, &ring))
			continue;
		uint64_t tail = sh_load(ring.tail);
		if (tail < p->next || tail - p->next <= n)
			continue;
		left_out += tail - p->next - n;
		events_place_move(p, tail - n);
	}
	return (int64_t)left_out;
}

int plm_events_state_get(plm_events *events, plm_events_state *ret, size_t size)
{
	if (!events || !ret)
		return why(-EINVAL, "plm_events_state_get: no reader, or no place for the state");
	const struct control *c = events->in->tables.control;
	plm_events_state state = { .on = sh_load(&c->events) & 1,
		.always = c->events_always != 0,
		.ring_events = (uint64_t)1 << events->plan.shift,
		.bytes = events->plan.ring,
		.lost = events->lost };
	for (uint32_t i = 0; i < events->in->tables.limits.processes; i++) {
		struct eventlog_writer ring;
		bool ready = eventlog_ring_of(&events->segment, &events->plan, i, &ring);
		state.written += sh_load(ring.tail) - events->place[i].opened;
		state.rings += ready;
		state.bytes += ready ? events->plan.ring_bytes : 0;
		state.without_room +=
		    sh_load(&eventlog_ring_at(&events->segment, &events->plan, i)->state) ==
		    EVENT_RING_NO_ROOM;
	}
	inspect_give(ret, size, &state, sizeof state);
	return 0;
}
