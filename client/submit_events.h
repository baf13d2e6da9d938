/* submit_events.h - accepted tasks, as events of the log.
 * Where: a client, or any process that submits; call only if eventlog_on(). The tasks of a chunk
 * take their positions in the ring in one step, and one reading of the clock.
 * Blocks: never, except in the first event (events/eventlog.h). */
#ifndef PLM_CLIENT_SUBMIT_EVENTS_H
#define PLM_CLIENT_SUBMIT_EVENTS_H

#include "client/handle.h"
#include "events/eventlog.h"

/* Of EVENT_SUBMITTED as a pair or turn, with the priority in the place of the worker. */
static inline uint64_t submit_events_stamp(uint32_t function, int priority)
{
	return eventlog_stamp(EVENT_SUBMITTED, 0, (uint32_t)priority, function);
}

/* A task and its futures, before the task is told to the scheduler. */
void submit_events_with_futures(
    struct plm *rt, const plm_task *task, uint32_t function, uint64_t ref, uint64_t now_ns);
/* The task was given to a worker process without a turn through the scheduler. */
void submit_events_handed(
    struct plm *rt, const plm_task *task, uint32_t function, uint64_t ref, uint32_t process);

#endif
