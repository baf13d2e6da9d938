/* map_feed.h - makes jobs of the inputs of `plmctl map`, in order: as many inputs in one job as
 * --max-args, --max-lines and the length of a line allow, a block of a stream in each job (--pipe),
 * and no jobs that an earlier run has done (--resume).
 *
 * At the end of the inputs -X and -m spread what is left evenly over the jobs at once. --shuf keeps
 * all inputs in memory first; a bar reads
 * 64 MiB ahead; everything else takes the memory of one line.
 * Who: one thread.  Blocks: as map_sources.h. */
#ifndef PLM_CLI_MAP_FEED_H
#define PLM_CLI_MAP_FEED_H

#include "cli/map/map_job.h"
#include "cli/map/map_joblog.h"
#include "cli/map/map_kept.h"
#include "cli/map/map_template.h"
#include "cli/map/map_values.h"

struct feed_plan {           /* zeroes: one input in each job */
	uint64_t max_inputs; /* in a job; 0: one, or with `packs` any number */
	uint64_t max_lines;  /* lines in a job; a line that ends with a blank goes on */
	uint64_t max_bytes;  /* of a command; 0: the default */
	bool packs, spreads; /* -X, -m, --xargs; the first two spread the last inputs */
	bool no_values;      /* -n 0: each job takes an input, and has no value */
	bool shuffled;
	bool exact; /* -x: a line too long for max_inputs is an error */
};

enum { FEED_WHY_BYTES = 512 };

struct feed {
	const struct feed_plan *plan;
	struct sources *sources;
	struct values *values;
	struct pipe_feed *pipe; /* instead of sources */
	bool names_block;       /* --cat: the input is the path of the block */
	const struct template *template;
	unsigned jobs;             /* at once */
	bool counts;               /* read all inputs first, because their number is asked for */
	const struct joblog *done; /* NULL: no earlier run */
	uint64_t number, order, skipped;
	bool ended;
	struct block *block; /* of the next job */
	struct row raw;      /* an input as it was read */
	struct row part;     /* its values; waits here for the next job */
	bool has_part, exhausted;
	struct row row;     /* values of the job so far */
	bool goes_on;       /* the last line goes on in the next */
	size_t values_each; /* of the first input of the job */
	uint64_t inputs, lines;
	size_t bytes;
	int error; /* of reading ahead */
	char why[FEED_WHY_BYTES];
	struct kept kept;  /* all inputs, or the last ones, to be spread */
	uint64_t taken;    /* inputs given to jobs */
	uint64_t spread;   /* inputs in each of the last jobs; 0: not spread yet */
	struct text sizes; /* values in each input of the row: size_t */
};

/* 1: *ret is the next job; 0: the end; -EAGAIN: no input yet; else -errno with a why. */
int feed_next(struct feed *f, struct job **ret);
/* Reads inputs that are there into memory, up to 64 MiB, so that their number may become known. */
void feed_look_ahead(struct feed *f);
/* The number of jobs to run; 0: unknown. */
uint64_t feed_total(const struct feed *f);
/* The descriptor to poll for the next job; -1: no need to wait. */
int feed_fd(const struct feed *f);
void feed_end(struct feed *f);

#endif
