/* scheduler.h - the role that orders, places and repairs.
 *
 * Where: one process, in process slot 1; in tests, a thread. The scheduler loads no user code.
 * The scheduler reads hints, resolves dependencies (graph.c), keeps the task heap, gives tasks to
 * workers (place.c), frees records nobody holds (free.c), and cleans up after the dead (repair.c).
 * The scheduler alone writes `uses`, the hold bits of visible records, and the words of records
 * with a dead owner. The lock of the graph is shared with workers (tables/edges.h).
 * Death: the next scheduler derives all private memory and all derived shared memory again with
 * scheduler_rebuild(), the function that starts the first one, too: start-up and recovery are one
 * code.
 * Blocks: in scheduler_run() on its event; in locks. */
#ifndef PLM_SCHEDULER_H
#define PLM_SCHEDULER_H

#include "scheduler/placing.h"

/* Takes process slot 1, prepared by the manager, and derives everything again. */
int scheduler_open(struct scheduler *s, struct tables *t);
/* Runs one round; returns 0 when nothing was done. */
uint32_t scheduler_step(struct scheduler *s);
/* Runs until s->stop or the end of the runtime; while the runtime is stopping, until the last task
 * settles. */
void scheduler_run(struct scheduler *s);
void scheduler_close(struct scheduler *s);

/* ---- hints.c ---- */
uint32_t hints_read(struct scheduler *s);
void hints_read_one(struct scheduler *s, uint32_t process);

/* ---- repair.c ---- */
void repair_look(struct scheduler *s); /* after a change of the process table */
void scheduler_rebuild(struct scheduler *s);
bool repair_all_settled(const struct scheduler *s);
uint32_t repair_owed(struct scheduler *s); /* if the time has come; not 0: all is free */

#endif
