/* handover.h - a READY task straight into the hand of an idle worker, without a turn through the
 * scheduler.
 *
 * Who: a client that submits one task, a worker that made one ready; only while nothing stands in
 * the task heap, since what stands there may have the higher priority.
 * Death: one CAS, so that it was given or was not. A task given to a worker that dies is READY in
 * its word; the scheduler finds it when it buries the worker.
 * Blocks: never. */
#ifndef PLM_HANDOVER_H
#define PLM_HANDOVER_H

#include "tables/tables.h"

/* What a worker holds in its own hand while it runs something that was neither handed to it nor
 * stands in its ring: nobody hands it more, and the scheduler counts it as busy. */
#define HAND_CLOSED ((uint64_t)1)

/* False: nobody near the front of the process table is idle, the heap is not empty, or the queue is
 * paused. */
bool handover(struct tables *t, uint64_t hint);

#endif
