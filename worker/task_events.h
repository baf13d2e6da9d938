/* task_events.h - what a worker writes into the event log about its tasks.
 * Where: a worker, on the path of each task; call only if eventlog_on(). Every time is the last
 * reading of the clock that the worker takes anyhow: the start of a task has the time of the end of
 * the task before.
 * Death: between the commit and the event, the scheduler writes the end (events/unended.h).
 * Blocks: never, except in the first event (events/eventlog.h). */
#ifndef PLM_TASK_EVENTS_H
#define PLM_TASK_EVENTS_H

#include "events/eventlog.h"
#include "worker/worker.h"

enum { TASK_EVENTS_SEALED = 16 };

/* Taken before the commit: afterwards the record may begin another life. */
struct task_end {
	uint64_t ref, ran_ns;
	uint32_t function, attempt;
	uint32_t sealed; /* results in the store; of more than TASK_EVENTS_SEALED the first */
	struct {
		uint64_t ref, bytes;
	} value[TASK_EVENTS_SEALED];
};

void task_events_started(struct worker *w, const struct plm_call *call);
void task_events_before_end(
    const struct worker *w, const struct plm_call *call, struct task_end *ret);
/* `flags`: of the word that was committed from. */
void task_events_ended(
    struct worker *w, const struct task_end *end, enum record_state state, uint32_t flags);
/* The worker gave a task to a worker process. */
void task_events_placed(struct worker *w, uint64_t ref, uint32_t process);
/* The worker settled the last missing argument of the task. */
void task_events_ready(struct worker *w, uint64_t ref, const struct record *r);
/* The worker process itself, now: EVENT_IDLE and the like. */
void task_events_process(struct worker *w, enum event_kind kind);

#endif
