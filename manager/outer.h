/* outer.h - the jobserver of a make that has started this runtime.
 *
 * The runtime has one worker for nothing, as every recipe has; for each further one the manager
 * takes a token before it starts that worker, and gives it back when the worker has left. So as
 * many run at once, over all recipes, as the make was told (-jN). A worker is started when tasks
 * wait and no worker is idle, and leaves when it was idle for a while.
 * The tokens are the manager's own: the death of a worker, or of the scheduler, loses none, for the
 * next one works with them. Killed itself, the manager cannot give them back, and nobody else
 * knows of them: that make goes on with so many jobs less.
 * Where: the manager.  Blocks: never. */
#ifndef PLM_OUTER_H
#define PLM_OUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct outer {
	bool joined, watched;
	int read, write;
	uint32_t cap;    /* workers, at most */
	uint32_t tokens; /* that we hold, and must give back as they were */
	char token[WORKERS_MAX];
	uint64_t look_ns; /* when to look again; DEADLINE_NEVER: when we are told to */
	uint64_t idle_ns; /* since when the last worker is idle, 0: it is not */
};

#endif
