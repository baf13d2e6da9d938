/* needs.h - what a task that asked for cpus or GPUs finds in its environment: PLM_CPUS and the
 * thread counts of numerical libraries, CUDA_VISIBLE_DEVICES. A runtime with GPUs hides them from a
 * task that asked for none. A function that asked for no cpus finds one thread, because its worker
 * is one process of many; a command finds what its submitter would (environment.c).
 * Where: a worker, between two tasks.  Death: the environment is this process's own. */
#ifndef PLM_NEEDS_H
#define PLM_NEEDS_H

#include "worker/call.h"
#include "worker/worker.h"

void needs_begin(struct worker *w, const struct record *r); /* this slot is booked for it */
void needs_end(struct worker *w); /* and at the start: as for a task that asked for nothing */

bool needs_say_cpus(const struct plm_call *call); /* did its task ask for cpus? */
bool needs_devices(const struct tables *t);       /* has any worker of this runtime GPUs? */

#endif
