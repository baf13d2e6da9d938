/* map_order.h - whose output is next, and which place a job has.
 *
 * With --keep-order jobs that have ended wait here, where they were begun, until those before them
 * have ended: at most so many, and so many bytes, as a quarter of the runtime's tables and store.
 * Places are numbers from 1 to --jobs, of which each job that runs has its own.
 * Who: one thread. */
#ifndef PLM_CLI_MAP_ORDER_H
#define PLM_CLI_MAP_ORDER_H

#include "cli/map/map_job.h"

struct order {
	bool kept;
	struct job **held; /* kept: in a circle, by order; else a list */
	size_t window;
	uint64_t begun, given;
	uint64_t bytes, bytes_max;
	struct job *first, **last;
	bool wants_places;
	unsigned *place, places; /* the free ones */
};

/* places: 0 if nobody asks for them. */
void order_open(struct order *o, bool kept, const plm_status *status, unsigned places);
bool order_has_room(const struct order *o);
void order_begin(struct order *o, struct job *job);
/* It has ended. */
void order_end(struct order *o, struct job *job);
/* The next one to be shown, which is the caller's then; NULL: it has not ended. */
struct job *order_next(struct order *o);
bool order_is_next(const struct order *o, const struct job *job);
/* The same when nothing else will end: the first of those that have. */
struct job *order_any(struct order *o);
void order_close(struct order *o);

#endif
