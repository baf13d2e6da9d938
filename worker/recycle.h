/* recycle.h - a worker process that leaves by its own will, so that a fresh one takes its place.
 *
 * For functions that leak, or wear out what they use. It leaves between two tasks, as one that was
 * asked to: what was given to it goes back, and nothing is lost.
 * Where: private memory of the worker; it reads /proc/self/statm.  Blocks: never. */
#ifndef PLM_RECYCLE_H
#define PLM_RECYCLE_H

#include <stdint.h>

struct recycling {       /* 0: never for this reason */
	uint64_t tasks;  /* so many were run */
	uint64_t growth; /* bytes of private memory more than before the first task */
};

struct worker;
void recycle_begin(struct worker *w);  /* before a task */
void recycle_if_due(struct worker *w); /* after it: its slot is LEAVING then */

#endif
