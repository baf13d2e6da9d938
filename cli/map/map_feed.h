/* map_feed.h - the inputs of `plmctl map` as jobs, in their order: several inputs in one job
 * (--max-args), and without those that an earlier run has done (--resume). */
#ifndef PLM_CLI_MAP_FEED_H
#define PLM_CLI_MAP_FEED_H

#include "cli/map/map_job.h"
#include "cli/map/map_joblog.h"

struct feed {
	struct sources *sources;
	const struct joblog *done; /* NULL: nothing is */
	unsigned max_args;         /* 0: one row a job */
	uint64_t number, order, skipped;
	bool ended;
	struct row row, part; /* as much of the job as there is; one input of it */
};

/* 1: *ret is the next one; 0: there are no more; -EAGAIN: none yet; else -errno with a why. */
int feed_next(struct feed *f, struct job **ret);
/* How many there are to run; 0: nobody knows. */
uint64_t feed_total(const struct feed *f);
void feed_end(struct feed *f);

#endif
