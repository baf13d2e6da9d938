/* outer.h - the jobserver of a make that has started this runtime.
 *
 * The runtime has one worker without a token, as every recipe has one job. For each further worker
 * the manager takes a token before the start, and gives the token back when the worker has left. So
 * all recipes together run as many jobs as make was told (-jN). A worker is started when tasks wait
 * and no worker is idle, and leaves when it was idle for a while.
 * The tokens belong to the manager, so the death of a worker or of the scheduler loses none.
 * Death of the manager: nobody else knows its tokens, and make goes on with so many jobs less.
 * Where: the manager.  Blocks: never. */
#ifndef PLM_OUTER_H
#define PLM_OUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct outer {
	bool joined, watched;
	int read, write;
	uint32_t cap;    /* at most so many workers */
	uint32_t tokens; /* held, to be given back byte for byte */
	char token[WORKERS_MAX];
	uint64_t look_ns; /* when to look again; DEADLINE_NEVER: when the loop wakes */
	uint64_t idle_ns; /* since when the last worker is idle; 0: busy */
};

struct manager;

void outer_join(struct manager *m);  /* if a make has started plm; before the first worker */
void outer_step(struct manager *m);  /* takes tokens, starts and dismisses workers */
void outer_leave(struct manager *m); /* gives all tokens back */

#endif
