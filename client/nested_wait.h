/* nested_wait.h - a client run by a command of the same runtime: waits of the client are waits of
 * the task.
 * Where: a client, and the worker for nested_deadlock().  Blocks: never. */
#ifndef PLM_NESTED_WAIT_H
#define PLM_NESTED_WAIT_H

#include "client/handle.h"

/* Finds out by PLM_TASK in the environment whether a command runs our client. Call before the first
 * wait. */
void nested_enter(struct plm *rt);
/* The task around our client has not ended. False also in clients outside of tasks. */
bool nested_inside(const struct plm *rt);
/* Around a sleep, while the task around us stands still and can lend its cpu. Calls nest. Outside
 * of tasks a call costs one look. */
void nested_wait_begin(struct plm *rt);
void nested_wait_end(struct plm *rt);
/* 0; or -EDEADLK with a why: all workers wait, and the scheduler chose our wait to give way. */
int nested_refused(struct plm *rt);
/* True if settling the record takes the end of a task for which is_ours() answers true. */
typedef bool nested_ours_f(void *context, const struct record *r);
bool nested_deadlock(const struct tables *t, uint32_t index, nested_ours_f *is_ours, void *context);

#endif
