/* submit_events.h - accepted tasks, as events of the log.
 * Where: a client, or any process that submits; call only if eventlog_on(). The tasks of a chunk
 * take their positions in the ring in one step, and one reading of the clock.
 * Blocks: never, except in the first event (events/eventlog.h). */
#ifndef PLM_CLIENT_SUBMIT_EVENTS_H
#define PLM_CLIENT_SUBMIT_EVENTS_H

#include "client/handle.h"

/* n tasks of these references, all held by our process. */
void submit_events_tasks(struct plm *rt, const uint64_t *refs, uint32_t n, uint64_t now_ns);
/* A task and its futures, before the task is told to the scheduler. */
void submit_events_with_futures(
    struct plm *rt, const plm_task *task, uint64_t ref, uint64_t now_ns);
/* A task accepted, and given to a worker process without a turn through the scheduler. */
void submit_events_handed(struct plm *rt, uint64_t ref, uint32_t process, uint64_t now_ns);

#endif
