/* adopt.h - a runtime with a dead manager goes on under the new manager.
 *
 * The segments hold all state, so adoption only finds out which processes live: the process table
 * names pid and start time of each, and the kernel tells whether both still match. A living process
 * is watched by a pidfd like a child, though the exit status stays unknown; a dead process is
 * declared dead, and the scheduler cleans up as after any death. The death of all processes is no
 * special case. A member without a pid was never born (claim.c:claim_births).
 * Where: the manager, once.  Blocks: never.
 * Death of the manager meanwhile: each step can be repeated. */
#ifndef PLM_ADOPT_H
#define PLM_ADOPT_H

#include <stdbool.h>

#include "tables/tables.h"

struct manager;

int adopt_tables(struct manager *m);    /* the caller becomes the manager of the segments */
int adopt_processes(struct manager *m); /* watches living processes, declares the rest dead */
bool adopt_still_lives(const struct process *p);

#endif
