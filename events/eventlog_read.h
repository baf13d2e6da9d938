/* eventlog_read.h - an event copied out of a ring that its writer goes on filling.
 * Where: any mapping of the event segment, a damaged one too.  Who may call: any process.
 * Death: an event that its writer did not finish stays EVENT_MISSING.  Blocks: never. */
#ifndef PLM_EVENTLOG_READ_H
#define PLM_EVENTLOG_READ_H

#include "events/eventlog_segment.h"

enum eventlog_copied {
	EVENT_COPIED,
	EVENT_MISSING, /* not written yet, or never finished */
	EVENT_OVERRUN, /* overwritten by a later event */
};

/* The event at this position of a ring, if the position lies in the ring's present lap. */
enum eventlog_copied eventlog_copy(
    const struct eventlog_writer *ring, uint64_t position, struct logged_event *ret);

/* The one or two events of an entry: returns the number. How long the ended task of a turn ran is
 * known from its start alone; the argument is 0 here. */
uint32_t eventlog_expand(const struct logged_event *event, struct logged_event ret[2]);

/* The ring of a process slot. False: no memory is reserved for the ring. */
bool eventlog_ring_of(const struct segment *segment, const struct eventlog_plan *plan,
    uint32_t process, struct eventlog_writer *ret);

#endif
