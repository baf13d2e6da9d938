/* spin.h - a short spin before parking: in a virtual machine a parked peer costs 20 us and more to
 * wake, a spinning peer a fraction. But no process spins on a core that another process could use,
 * and a worker that shares a core with the peer it waits for moves to a free core.
 * Where: any process.  Who may call: a process about to sleep on its event.
 * Blocks: SPIN_NS at most.  Death: nothing to undo. */
#ifndef PLM_SPIN_H
#define PLM_SPIN_H

#include "tables/tables.h"

enum { SPIN_CROWD = 2 }; /* processes awake for each core; with more, no process begins to spin */

typedef bool spin_ready_f(void *context);

/* The number of members and waiting clients that are not parked. */
uint32_t spin_awake(const struct tables *t);
/* False: the processes awake run tasks far longer than a spin, so a spin would not meet their end,
 * and they can use the core. */
bool spin_may_help(const struct tables *t);
/* True as soon as ready(context) is true. */
bool spin_until(struct tables *t, spin_ready_f *ready, void *context);

#endif
