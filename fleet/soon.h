/* soon.h - waits that are short again and again: a look after a look, without sleep.
 *
 * In a virtual machine the wake of a process that sleeps costs 20 us and more, as much as a trip to
 * a Redis nearby. So a process looks for a moment before it sleeps, as long as its last waits were
 * no longer than the moment. Each look gives the core to any process that wants it.
 * Where: any process.  Blocks: SOON_NS at most.  Death: nothing to undo. */
#ifndef PLM_FLEET_SOON_H
#define PLM_FLEET_SOON_H

#include <sched.h>
#include <stdbool.h>

#include "base/clock.h"

enum { SOON_NS = 200000, SOON_CAP_NS = 8 * SOON_NS, SOON_WEIGHT = 4 };

struct soon {
	uint64_t average_ns; /* of the last waits, each SOON_CAP_NS at most; 0: none so far */
	uint64_t began_ns;   /* of this wait */
};

typedef bool soon_ready_f(void *context);

/* True as soon as ready(context) is true. False: sleep, and then call soon_over(). */
static inline bool soon_look(struct soon *s, soon_ready_f *ready, void *context)
{
	s->began_ns = clock_ns();
	if (s->average_ns == 0 || s->average_ns > SOON_NS)
		return false;
	do {
		if (ready(context))
			return true;
		sched_yield();
	} while (clock_ns() - s->began_ns < SOON_NS);
	return false;
}

static inline void soon_over(struct soon *s)
{
	uint64_t waited = clock_ns() - s->began_ns;
	waited = waited < SOON_CAP_NS ? waited : SOON_CAP_NS;
	s->average_ns = (s->average_ns * (SOON_WEIGHT - 1) + waited) / SOON_WEIGHT;
}

#endif
