/* map_order.h - which job is shown next, and which place a job has.
 *
 * With --keep-order an ended job waits here until all earlier jobs have ended. The waiting
 * jobs fill at most a quarter of the runtime's table and a quarter of its store. A place is a
 * number from 1 to --jobs that no other running job has.
 * Who: one thread. */
#ifndef PLM_CLI_MAP_ORDER_H
#define PLM_CLI_MAP_ORDER_H

#include "cli/map/map_job.h"

struct order {
	bool kept;
	struct job **held; /* with --keep-order a circle, by order; else a list */
	size_t window;
	uint64_t begun, given;
	uint64_t bytes, bytes_max;
	struct job *first, **last;
	bool wants_places;
	unsigned *place, places; /* the free places */
};

/* places: 0 if the command does not ask for places. */
void order_open(struct order *o, bool kept, const plm_status *status, unsigned places);
bool order_has_room(const struct order *o);
void order_begin(struct order *o, struct job *job);
/* The job has ended. */
void order_end(struct order *o, struct job *job);
/* Gives the next job to show to the caller; NULL: that job has not ended. */
struct job *order_next(struct order *o);
bool order_is_next(const struct order *o, const struct job *job);
/* The same when no more jobs will end: the first ended job. */
struct job *order_any(struct order *o);
void order_close(struct order *o);

#endif
