/* recycle.h - a worker leaves unasked, so that a fresh process takes its place.
 *
 * For functions which leak memory, or wear out some resource. The worker leaves between two tasks,
 * like a worker asked to leave: queued tasks go back to the scheduler, and nothing is lost.
 * Where: private memory of the worker; reads /proc/self/statm.  Blocks: never. */
#ifndef PLM_RECYCLE_H
#define PLM_RECYCLE_H

#include <stdint.h>

struct recycling {       /* when to leave; 0: never for such a reason */
	uint64_t tasks;  /* after so many tasks */
	uint64_t growth; /* after growth of private memory by so many bytes since the first task */
};

struct worker;
void recycle_begin(struct worker *w);  /* before a task */
void recycle_if_due(struct worker *w); /* after a task; the process slot is LEAVING then */

#endif
