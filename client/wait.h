/* wait.h - the wait loop: look, announce what would end the wait, look again, sleep.
 *
 * Where: a thread of our process, in one of the cells of the process slot.
 * Blocks: until the look is content, the deadline, the end of the runtime, or an interrupt. */
#ifndef PLM_WAIT_H
#define PLM_WAIT_H

#include "client/handle.h"

/* Looks for the awaited thing. AWAITING_NOTHING: found; else what to be woken for. */
typedef uint32_t wait_look_f(struct plm *rt, void *context);
/* 0, -ETIMEDOUT without a why, or -errno with a why. Deadline 0: a single look. */
int wait_for(struct plm *rt, wait_look_f *look, void *context, uint64_t deadline_ns);
/* The same for the end of tasks, of a caller without a lock: rt->signalled() may end the wait with
 * -EINTR. */
int wait_for_tasks(struct plm *rt, wait_look_f *look, void *context, uint64_t deadline_ns);
/* Waits until the scheduler frees something; false when the deadline has passed. With deadline 0,
 * of a caller without patience, still waits for the moments the scheduler needs to free what was
 * dropped already, and for kept results to leave: *tries, from 0 on, counts the moments. */
bool wait_for_room(struct plm *rt, uint64_t deadline_ns, unsigned *tries);

/* A thread sleeps in a cell: joins a cell, announces the target of a wake, leaves the cell. */
int wait_cell_join(struct plm *rt);
void wait_cell_announce(struct plm *rt, int cell, uint32_t target);
void wait_cell_leave(struct plm *rt, int cell);

/* ---- wait_futures.c ---- */

int wait_settled(struct plm *rt, struct record *speaker, uint64_t ref, uint64_t deadline_ns);

#endif
