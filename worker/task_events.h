/* task_events.h - what a worker writes into the event log about its tasks.
 * Where: a worker, on the path of each task; call only if eventlog_on(). Every time is the last
 * reading of the clock that the worker takes anyhow: the start of a task has the time of the end of
 * the task before. So the end of a small task is kept back for a moment, until the next task of the
 * batch starts, and both are one entry of the ring.
 * Death: between the commit and the event, the scheduler writes the end (events/unended.h).
 * Blocks: never, except in the first event (events/eventlog.h). */
#ifndef PLM_TASK_EVENTS_H
#define PLM_TASK_EVENTS_H

#include "events/eventlog.h"
#include "worker/worker.h"

enum { TASK_EVENTS_SEALED = 16 };

/* Taken before the commit: afterwards the record may begin another life. */
struct task_end {
	bool logged; /* events are written */
	bool simple; /* the first attempt of a small task: the end may be kept back, and the rest is
			as of the start (worker.h) */
	uint64_t ref;
	uint32_t function;
	uint32_t sealed; /* results in the store; of more than TASK_EVENTS_SEALED the first */
	struct {
		uint64_t ref, bytes;
	} value[TASK_EVENTS_SEALED];
};

/* The task waits for this event. */
void task_events_started(struct worker *w, const struct plm_call *call, uint64_t ref);
/* The client waits for the commit, so a small task costs a few loads before. */
void task_events_before_end(
    struct worker *w, const struct plm_call *call, uint64_t ref, struct task_end *ret);
/* A client that has seen the commit may hand us its next task already, so a kept-back end costs a
 * few stores in our own memory. */
void task_events_ended(struct worker *w, const struct plm_call *call, const struct task_end *end,
    enum record_state state);

void task_events_write_end(struct worker *w);
/* Writes an end that was kept back for the start of the next task: at the end of a batch. */
static inline void task_events_flush(struct worker *w)
{
	if (__builtin_expect(w->log.pending, 0))
		task_events_write_end(w);
}
/* The worker gave a task to a worker process. */
void task_events_placed(struct worker *w, uint64_t ref, uint32_t process);
/* The worker settled the last missing argument of the task. */
void task_events_ready(struct worker *w, uint64_t ref, const struct record *r);
/* The worker process itself, now: EVENT_IDLE and the like. */
void task_events_process(struct worker *w, enum event_kind kind);

#endif
