/* eventlog_segment.h - the event segment: /dev/shm/plm-UID-NAME.events, with a ring for each
 * process slot.
 *
 * The manager creates the segment at boot. Only the header and the table of rings are reserved
 * then; a ring is reserved by its process at the first event, so a runtime that nobody watches
 * keeps a few pages. Where: a page of the header (shm/segment.h), a page with the limits, the table
 * of rings, the rings.
 * Who may call: the manager (create); any process (attach, by name).
 * Death: like the other segments. A runtime without the segment runs without a log.
 * Blocks: in posix_fallocate().  Allocates: address space. */
#ifndef PLM_EVENTLOG_SEGMENT_H
#define PLM_EVENTLOG_SEGMENT_H

#include "events/eventlog.h"

enum {
	EVENT_RING_DEFAULT = 1 << 14, /* events: 512 KiB a process, which a cache holds */
	EVENT_RING_MIN = 1 << 9,      /* four pages, more than any batch */
	EVENT_RING_MAX = 1 << 22,
};

enum eventlog_ring_state {
	EVENT_RING_UNUSED, /* no memory is reserved */
	EVENT_RING_READY,
	EVENT_RING_NO_ROOM, /* /dev/shm had no room: the process writes no events */
};

struct eventlog_ring {
	_Alignas(CACHE_LINE_BYTES) shared64 tail; /* W: writers of the ring (add). Never wraps. */
	shared32 state; /* W: the process of the slot, at its first event. A ring stays READY. */
};

struct eventlog_limits { /* the second page; written by the creator */
	uint32_t rings, entries;
};

struct eventlog_plan {
	uint64_t rings, ring; /* offsets: of the table of rings, of the first ring */
	uint64_t ring_bytes, total;
	uint32_t shift; /* log2 of the entries of a ring */
};

/* 0, or -EINVAL with a why: an event ring has 512 to 4194304 events, a power of two. */
int eventlog_check_entries(uint64_t entries);
void eventlog_plan_make(uint32_t processes, uint32_t entries, struct eventlog_plan *ret);

/* By the manager of a new runtime: creates the segment for control->event_ring. 0, or -errno with a
 * why. */
int eventlog_segment_create(struct tables *t, const char *name);
/* Opens the segment of this runtime by its name, and maps the segment. 0; -ENOENT: the runtime has
 * none; -EPROTO, -EACCES: refused. */
int eventlog_segment_open(const struct tables *t, bool writable, struct segment *ret);
/* The same with an open descriptor, which is taken over also on failure. */
int eventlog_segment_attach(const struct tables *t, int fd, bool writable, struct segment *ret);
/* The plan of an attached segment. */
void eventlog_segment_plan(
    const struct tables *t, const struct segment *segment, struct eventlog_plan *ret);

static inline struct eventlog_ring *eventlog_ring_at(
    const struct segment *segment, const struct eventlog_plan *plan, uint32_t process)
{
	char *base = (char *)segment->header;
	return (struct eventlog_ring *)(void *)(base + plan->rings) + process;
}

static inline struct eventlog_entry *eventlog_entries_at(
    const struct segment *segment, const struct eventlog_plan *plan, uint32_t process)
{
	char *base = (char *)segment->header;
	return (struct eventlog_entry *)(void *)(base + plan->ring + process * plan->ring_bytes);
}

#endif
