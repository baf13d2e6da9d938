/* spin.h - a short spin before parking: a parked peer costs 20 us and more to wake in a virtual
 * machine, a spinning one a fraction. But a core that somebody else could use is not spun on.
 * Who: whoever is about to sleep on its event.  Blocks: SPIN_NS at most. */
#ifndef PLM_SPIN_H
#define PLM_SPIN_H

#include <sched.h>

#include "base/clock.h"
#include "tables/tables.h"

enum {
	SPIN_NS = 50000,
	SPIN_GRACE_NS = 20000, /* a peer that wakes another and then parks is counted awake so
	                        * long */
	SPIN_LOOKS = 32,       /* between two looks at the clock */
	SPIN_CROWD = 2,        /* awake a core: more than this and nobody begins */
};

static inline bool spin_allowed(const struct tables *t)
{
	return process_awake(t) <= t->control->cores;
}

/* True as soon as ready(context) is. */
static inline bool spin_until(const struct tables *t, bool (*ready)(void *context), void *context)
{
	if (process_awake(t) > SPIN_CROWD * t->control->cores)
		return false;
	uint64_t start = clock_ns(), allowed = start, now;
	do {
		for (int i = 0; i < SPIN_LOOKS; i++) {
			if (ready(context))
				return true;
			sh_relax();
		}
		sched_yield(); /* the peer we wait for may be queued on this very core */
		now = clock_ns();
		if (spin_allowed(t))
			allowed = now;
	} while (now - start < SPIN_NS && now - allowed < SPIN_GRACE_NS);
	return false;
}

#endif
