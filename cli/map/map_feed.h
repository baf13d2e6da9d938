/* map_feed.h - makes jobs of the inputs of `plmctl map`, in order: several inputs in one job
 * (--max-args), and no jobs that an earlier run has done (--resume). */
#ifndef PLM_CLI_MAP_FEED_H
#define PLM_CLI_MAP_FEED_H

#include "cli/map/map_job.h"
#include "cli/map/map_joblog.h"

struct feed {
	struct sources *sources;
	const struct joblog *done; /* NULL: no earlier run */
	unsigned max_args;         /* 0: one row a job */
	uint64_t number, order, skipped;
	bool ended;
	struct row row, part; /* the part of a job read so far; one input */
};

/* 1: *ret is the next job; 0: the end; -EAGAIN: no input yet; else -errno with a why. */
int feed_next(struct feed *f, struct job **ret);
/* The number of jobs to run; 0: unknown. */
uint64_t feed_total(const struct feed *f);
void feed_end(struct feed *f);

#endif
