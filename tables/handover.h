/* handover.h - a READY task straight into the hand of an idle worker, without the scheduler.
 *
 * Where: `handed` of a worker's process slot.
 * Who may call: a client that submits a single task, a worker that made a task ready; only while
 * the task heap is empty, since a queued task may have the higher priority.
 * Death: the handover is a CAS, so a task was given or was not. A task given to a worker that dies
 * is READY in its word; the scheduler finds the task when it buries the worker.
 * Blocks: never. */
#ifndef PLM_HANDOVER_H
#define PLM_HANDOVER_H

#include "tables/tables.h"

/* The worker's own mark in its hand during a task that came neither by hand nor by ring: no process
 * hands the worker another task, and the scheduler counts the worker as busy. */
#define HAND_CLOSED ((uint64_t)1)

enum handover {
	HANDOVER_GIVEN,
	/* No idle worker among the first 16, a task heap with tasks, a paused queue, or a task
	 * below the floor. */
	HANDOVER_REFUSED,
	/* Idle workers sleep, while quick workers use every core: one more worker awake would only
	 * take time from them. */
	HANDOVER_NOT_WORTH_A_WAKE,
};
/* *ret_process: the worker process that was given the task. */
enum handover handover(struct tables *t, uint64_t hint, uint32_t *ret_process);

#endif
