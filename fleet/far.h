/* far.h - a large value of a fleet, for those who are no host: fetched from the host that has it.
 * Blocks: until the value is there, or the host stays out of reach for a while. */
#ifndef PLM_FLEET_FAR_H
#define PLM_FLEET_FAR_H

#include "fleet/engine.h"

/* How to ask the engine: engine_place() and engine_remake(), with their errors. */
struct far_ways {
	int (*place)(void *context, const struct engine_far *far, struct carry_order *ret);
	int (*remake)(void *context, uint64_t id, const struct engine_far *far);
	void *context;
};

/* Into memory of far->bytes. 0; -EAGAIN: the value was lost, and is made again: wait for the end of
 * the task anew; -ENODATA: it is lost; -EHOSTUNREACH: the host cannot be reached from here; an
 * error of engine.h. Each with a why. */
int far_fetch(const struct far_ways *ways, uint64_t id, const struct engine_far *far, void *to);

#endif
