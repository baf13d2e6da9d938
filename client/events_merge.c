/* events_merge.c - the rings of the event log in the order of time. */
#include "base/clock.h"
#include "client/events_reader.h"

/* A writer needs nanoseconds between position and stamp; a dead writer for ever. */
#define HOLE_PATIENCE_NS (100 * NS_PER_MS)

enum {
	MARGIN_SHARE = 8, /* an overtaken reader goes on this part of a ring ahead of the writer */
	UNSORTED = 256,   /* the times of so many neighbours may be out of order */
};

/* ---- one ring ---- */

static void events_merge_overtaken(
    struct plm_events *e, struct events_place *p, uint64_t tail, uint64_t entries)
{
	uint64_t kept = entries - entries / MARGIN_SHARE, next = tail - kept;
	e->lost += next - p->next;
	events_place_move(p, next);
}

/* A missing event may come yet. True: no longer waited for. */
static bool events_merge_gives_up(
    const struct plm_events *e, struct events_place *p, uint64_t now_ns)
{
	if (p->hole_since_ns == 0)
		p->hole_since_ns = now_ns;
	return !e->in->moving || now_ns - p->hole_since_ns > HOLE_PATIENCE_NS;
}

/* Spreads an entry over the place; false: the reader wants no event of this time. */
static bool events_merge_take(
    struct plm_events *e, struct events_place *p, const struct logged_event *entry)
{
	p->events = eventlog_expand(entry, p->event);
	for (uint32_t i = 0; i < p->events; i++) {
		struct logged_event *event = &p->event[i];
		if (entry->shape == EVENT_TURN && entry->kind != EVENT_SUBMITTED && i == 0)
			event->argument =
			    p->started_ref == event->subject && event->time_ns > p->started_ns
			    ? event->time_ns - p->started_ns
			    : 1;
		if (event->kind != EVENT_STARTED)
			continue;
		p->started_ref = event->subject;
		p->started_ns = event->time_ns;
	}
	p->second = p->second && p->events == 2;
	return entry->time_ns >= e->since_ns;
}

/* Copies the next event that is wanted. Ends: each turn moves the place on, below the tail. */
static bool events_merge_copy(struct plm_events *e, uint32_t process, uint64_t now_ns)
{
	struct events_place *p = &e->place[process];
	struct eventlog_writer ring;
	if (!eventlog_ring_of(&e->segment, &e->plan, process, &ring))
		return false;
	uint64_t tail = sh_load(ring.tail), entries = ring.mask + 1;
	if (tail < p->next)
		p->next = tail; /* the tail only grows, except in a damaged segment */
	if (tail - p->next > entries)
		events_merge_overtaken(e, p, tail, entries);
	for (uint64_t turns = 0; p->next < tail && turns < entries; turns++) {
		struct logged_event entry;
		enum eventlog_copied copied = eventlog_copy(&ring, p->next, &entry);
		if (copied == EVENT_MISSING && !events_merge_gives_up(e, p, now_ns))
			return false;
		p->next++;
		p->hole_since_ns = 0;
		e->lost += copied == EVENT_OVERRUN;
		if (copied == EVENT_COPIED && events_merge_take(e, p, &entry))
			return true;
		p->second = false;
	}
	return false;
}

/* ---- the heap ---- */

static bool events_merge_before(const struct plm_events *e, uint32_t a, uint32_t b)
{
	uint64_t x = events_place_ahead(&e->place[a])->time_ns,
		 y = events_place_ahead(&e->place[b])->time_ns;
	return x != y ? x < y : a < b;
}

static void events_merge_sink(struct plm_events *e, uint32_t at)
{
	uint32_t ring = e->heap[at], child;
	while ((child = 2 * at + 1) < e->heap_n) {
		if (child + 1 < e->heap_n &&
		    events_merge_before(e, e->heap[child + 1], e->heap[child]))
			child++;
		if (!events_merge_before(e, e->heap[child], ring))
			break;
		e->heap[at] = e->heap[child];
		at = child;
	}
	e->heap[at] = ring;
}

static void events_merge_push(struct plm_events *e, uint32_t ring)
{
	uint32_t at = e->heap_n++;
	for (; at > 0 && events_merge_before(e, ring, e->heap[(at - 1) / 2]); at = (at - 1) / 2)
		e->heap[at] = e->heap[(at - 1) / 2];
	e->heap[at] = ring;
	e->place[ring].ahead = true;
}

void events_merge_put_back(struct plm_events *e)
{
	for (uint32_t i = 0; i < e->heap_n; i++) {
		e->place[e->heap[i]].ahead = false;
		e->place[e->heap[i]].next--;
	}
	e->heap_n = 0;
}

void events_merge_refill(struct plm_events *e, uint64_t now_ns)
{
	for (uint32_t i = 0; i < e->in->tables.limits.processes; i++)
		if (!e->place[i].ahead && events_merge_copy(e, i, now_ns))
			events_merge_push(e, i);
}

bool events_merge_next(struct plm_events *e, uint64_t until_ns, uint64_t now_ns,
    struct logged_event *ret, uint32_t *ret_process)
{
	if (e->heap_n == 0)
		return false;
	uint32_t ring = e->heap[0];
	struct events_place *p = &e->place[ring];
	if (events_place_ahead(p)->time_ns > until_ns)
		return false;
	*ret = *events_place_ahead(p);
	*ret_process = ring;
	p->second = !p->second && p->events == 2;
	if (!p->second && !events_merge_copy(e, ring, now_ns)) {
		p->ahead = false;
		e->heap[0] = e->heap[--e->heap_n];
	}
	if (e->heap_n)
		events_merge_sink(e, 0);
	return true;
}

/* ---- where to begin ---- */

/* False: no event near this position can be read. */
static bool events_merge_time_near(
    const struct eventlog_writer *ring, uint64_t from, uint64_t to, uint64_t *ret)
{
	struct logged_event event;
	for (uint64_t at = from; at < to && at - from < UNSORTED; at++)
		if (eventlog_copy(ring, at, &event) == EVENT_COPIED) {
			*ret = event.time_ns;
			return true;
		}
	return false;
}

/* Times grow along a ring but for close neighbours, so halve, then go back a little; earlier events
 * on the rest of the way are left out one by one. */
uint64_t events_merge_begin(const struct plm_events *e, uint32_t process, uint64_t since_ns)
{
	struct eventlog_writer ring;
	bool ready = eventlog_ring_of(&e->segment, &e->plan, process, &ring);
	uint64_t tail = sh_load(ring.tail), entries = ring.mask + 1, time_ns;
	uint64_t oldest = tail > entries ? tail - entries : 0, low = oldest, high = tail;
	if (!ready || since_ns == PLM_EVENTS_NOW)
		return tail;
	while (since_ns && low < high) {
		uint64_t middle = low + (high - low) / 2;
		bool found = events_merge_time_near(&ring, middle, high, &time_ns);
		if (found && time_ns < since_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low - oldest > UNSORTED ? low - UNSORTED : oldest;
}
