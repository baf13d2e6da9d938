/* needs.h - the environment of a task with needs: PLM_CPUS, the thread counts of numerical
 * libraries, CUDA_VISIBLE_DEVICES.
 *
 * A runtime with GPUs hides all GPUs from a task without a need for any. A function without a need
 * for cpus finds one thread, since a worker is one process of many. A command finds what the
 * submitter would find (command/environment.c).
 * Where: a worker, between two tasks.  Death: the environment is private to the process. */
#ifndef PLM_NEEDS_H
#define PLM_NEEDS_H

#include "worker/call.h"
#include "worker/worker.h"

void needs_begin(
    struct worker *w, const struct record *r); /* before a task for which our worker is booked */
void needs_end(struct worker *w);              /* after it, and when a worker starts */

bool needs_say_cpus(const struct plm_call *call); /* did the task ask for cpus? */
uint64_t needs_cpus(const struct plm_call *call); /* that the task keeps, at least 1 */
bool needs_devices(const struct tables *t);       /* has any worker of the runtime GPUs? */

/* Changes with the environment: for a host of the worker that keeps a copy (python/core/). */
unsigned needs_changes(void);

#endif
