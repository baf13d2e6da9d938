/* spin.h - a short spin before parking: a parked peer costs 20 us and more to wake in a virtual
 * machine, a spinning one a fraction. But a core that somebody else could use is not spun on, and
 * a worker that shares its core with the peer it waits for moves to a free one.
 * Who: whoever is about to sleep on its event.  Blocks: SPIN_NS at most. */
#ifndef PLM_SPIN_H
#define PLM_SPIN_H

#include "tables/tables.h"

enum { SPIN_CROWD = 2 }; /* awake a core: more than this and nobody begins */

typedef bool spin_ready_f(void *context);

/* How many members and waiting clients are not parked. */
uint32_t spin_awake(const struct tables *t);
/* False: whoever is awake runs tasks far longer than a spin; what they have to say when they end is
 * not met by one, and the core is of use to them. */
bool spin_may_help(const struct tables *t);
/* True as soon as ready(context) is. */
bool spin_until(struct tables *t, spin_ready_f *ready, void *context);

#endif
