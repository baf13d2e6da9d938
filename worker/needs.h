/* needs.h - what a task that asked for cpus or GPUs finds in its environment: PLM_CPUS and the
 * thread counts of numerical libraries, CUDA_VISIBLE_DEVICES. A runtime with GPUs hides them from a
 * task that asked for none.
 * Where: a worker, between two tasks.  Death: the environment is this process's own. */
#ifndef PLM_NEEDS_H
#define PLM_NEEDS_H

#include "worker/worker.h"

void needs_begin(struct worker *w, const struct record *r); /* this slot is booked for it */
void needs_end(struct worker *w); /* and at the start: as for a task that asked for nothing */

bool needs_devices(const struct tables *t); /* has any worker of this runtime GPUs? */

#endif
