/* events_reader.h - the struct behind a plm_events *: a place in each ring of the event log.
 *
 * Each ring has at most one event copied ahead; the ring with the earliest such event is the top
 * of a heap, so the rings are merged by time. A reader writes nothing into the segment: a ring that
 * overtakes the reader costs events, which are counted.
 * Where: private memory, over a read-only mapping.  Who: one thread.  Blocks: never. */
#ifndef PLM_CLIENT_EVENTS_READER_H
#define PLM_CLIENT_EVENTS_READER_H

#include "client/inspect.h"
#include "events/eventlog_read.h"

struct events_place {    /* in one ring */
	uint64_t next;   /* position of the next event to copy */
	uint64_t opened; /* the tail when the reader was opened */
	uint64_t
	    hole_since_ns; /* when the entry at `next` was first found missing; 0: it was not */
	bool ahead;        /* the entry before `next` is in `event` */
	bool second;       /* the first of the two events of the entry was read */
	uint32_t events;   /* of the entry */
	struct logged_event event[2];
	/* The last start in the ring: tells how long the task ran that ends in a turn. */
	uint64_t started_ref, started_ns;
};

static inline const struct logged_event *events_place_ahead(const struct events_place *p)
{
	return &p->event[p->second];
}

static inline void events_place_move(struct events_place *p, uint64_t next)
{
	p->next = next;
	p->hole_since_ns = 0;
	p->second = false;
}

struct plm_events {
	const plm_inspect *in;
	struct segment segment;
	struct eventlog_plan plan;
	uint64_t since_ns, lost;
	struct events_place *place; /* [processes] */
	uint32_t *heap;             /* rings with an event ahead, the earliest first */
	uint32_t heap_n;
	char (*name)[VIEW_TEXT_BYTES]; /* [FUNCTIONS_MAX]: names of functions seen; "": not yet */
};

/* ---- events_merge.c ---- */

/* Copies an event ahead from each ring that has one. */
void events_merge_refill(struct plm_events *e, uint64_t now_ns);
/* The earliest event, of a time up to `until_ns`; false: none. */
bool events_merge_next(struct plm_events *e, uint64_t until_ns, uint64_t now_ns,
    struct logged_event *ret, uint32_t *ret_process);
/* Makes the events copied ahead the next ones again. */
void events_merge_put_back(struct plm_events *e);
/* The first position of a ring to be read. */
uint64_t events_merge_begin(const struct plm_events *e, uint32_t process, uint64_t since_ns);

#endif
