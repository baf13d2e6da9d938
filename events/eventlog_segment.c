#include "events/eventlog_segment.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"

static uint32_t segment_events_abi(void)
{
	return (uint32_t)(sizeof(struct eventlog_entry) * 100000 +
	    sizeof(struct eventlog_ring) * 100 + EVENT_KINDS);
}

int eventlog_check_entries(uint64_t entries)
{
	if (entries >= EVENT_RING_MIN && entries <= EVENT_RING_MAX &&
	    (entries & (entries - 1)) == 0)
		return 0;
	return why(-EINVAL, "an event ring has %d to %d events, a power of two, not %llu",
	    EVENT_RING_MIN, EVENT_RING_MAX, (unsigned long long)entries);
}

static uint64_t segment_whole_pages(uint64_t bytes)
{
	return (bytes + STORE_PAGE_BYTES - 1) & ~(uint64_t)(STORE_PAGE_BYTES - 1);
}

void eventlog_plan_make(uint32_t processes, uint32_t entries, struct eventlog_plan *ret)
{
	CHECK(processes <= PROCESSES_MAX && eventlog_check_entries(entries) == 0);
	struct eventlog_plan p = { .rings = 2 * (uint64_t)SEGMENT_HEADER_BYTES };
	p.ring = segment_whole_pages(p.rings + processes * sizeof(struct eventlog_ring));
	p.ring_bytes = entries * sizeof(struct eventlog_entry);
	p.total = p.ring + processes * p.ring_bytes;
	p.shift = (uint32_t)__builtin_ctz(entries);
	*ret = p;
}

static struct eventlog_limits *segment_limits(const struct segment *segment)
{
	return (struct eventlog_limits *)(void *)((char *)segment->header + SEGMENT_HEADER_BYTES);
}

int eventlog_segment_create(struct tables *t, const char *name)
{
	char segment[SEGMENT_NAME_BYTES];
	struct eventlog_plan plan;
	uint32_t entries = t->control->event_ring;
	int r = eventlog_check_entries(entries);
	if (r < 0)
		return r;
	eventlog_plan_make(t->limits.processes, entries, &plan);
	tables_segment_name(name, "events", segment);
	r = segment_create(segment, plan.total, plan.ring, &t->event_segment);
	if (r < 0)
		return r;
	*segment_limits(&t->event_segment) =
	    (struct eventlog_limits){ t->limits.processes, entries };
	segment_publish(&t->event_segment, "events", segment_events_abi(), t->control->runtime);
	return 0;
}

/* The limits come from the segment: judge a private copy. */
static int segment_judge(const struct tables *t, const struct segment *segment)
{
	struct eventlog_plan plan;
	if (segment->header->runtime != t->control->runtime)
		return why(-ENOENT, "the event segment is refused: it belongs to another boot");
	if (segment->bytes < 2 * SEGMENT_HEADER_BYTES)
		return why(-EPROTO, "the event segment is refused: it is too short");
	struct eventlog_limits limits = *segment_limits(segment);
	if (limits.rings != t->limits.processes || eventlog_check_entries(limits.entries) < 0)
		return why(-EPROTO, "the event segment is refused: its limits make no sense");
	eventlog_plan_make(limits.rings, limits.entries, &plan);
	if (plan.total != segment->bytes)
		return why(
		    -EPROTO, "the event segment is refused: its size does not fit its limits");
	return 0;
}

int eventlog_segment_attach(const struct tables *t, int fd, bool writable, struct segment *ret)
{
	struct segment segment = { .fd = -1 };
	int r = segment_attach(fd, "events", segment_events_abi(), writable, &segment);
	if (r == 0)
		r = segment_judge(t, &segment);
	if (r < 0)
		segment_detach(&segment);
	else
		*ret = segment;
	return r;
}

int eventlog_segment_open(const struct tables *t, bool writable, struct segment *ret)
{
	char name[RUNTIME_NAME_BYTES], segment[SEGMENT_NAME_BYTES];
	memcpy(name, t->control->name, sizeof name);
	name[sizeof name - 1] = 0;
	int r = tables_check_name(name);
	if (r < 0)
		return r;
	tables_segment_name(name, "events", segment);
	int fd = segment_open(segment, writable);
	return fd < 0 ? fd : eventlog_segment_attach(t, fd, writable, ret);
}

/* The mapping may change under a damaged segment: the size of the file decides, since rings are of
 * equal size. */
void eventlog_segment_plan(
    const struct tables *t, const struct segment *segment, struct eventlog_plan *ret)
{
	uint32_t entries = EVENT_RING_MIN;
	do {
		eventlog_plan_make(t->limits.processes, entries, ret);
		entries *= 2;
	} while (ret->total < segment->bytes && entries <= EVENT_RING_MAX);
}
