/* map_output.h - what the jobs of `plmctl map` have written goes to stdout, stderr, and into
 * files: whole jobs one after another, in the order of their end or of their inputs.
 *
 * A job's output stays where it lies in the runtime until it is written; what is small is
 * gathered, so that a thousand little jobs are not a thousand writes.
 * Who: one thread.  Blocks: while the reader of a pipe is slow; not when it was asked to cancel.
 * Errors: the first one is kept (output_error()), and nothing is written after it. */
#ifndef PLM_CLI_MAP_OUTPUT_H
#define PLM_CLI_MAP_OUTPUT_H

#include "cli/ctl_command.h"
#include "cli/map/map_job.h"
#include "cli/text.h"

struct shown { /* how */
	bool tag, json;
	const char *results; /* a directory for all of it; NULL: stdout and stderr */
};

struct sink {
	int fd;
	bool may_block;
	bool begun;       /* --tag: the line was begun, and has its tag */
	struct text text; /* not written yet */
};

struct map_output {
	struct shown shown;
	struct context *context;
	struct sink out, err;
	struct text tag, path;
	int error; /* -errno */
};

void output_begin(struct map_output *o, struct context *context, struct shown shown);
/* All that a job wrote and that was not shown while it ran; and its message. */
void output_job(struct map_output *o, const struct job *job, const struct text *command);
/* A piece of stream 1 or 2 of a job that runs. */
void output_piece(
    struct map_output *o, const struct job *job, int stream, const char *data, size_t length);
/* A line of plmctl's own on stdout. */
void output_line(struct map_output *o, const struct text *line);
/* What was gathered is written. 0, or the first error: -EPIPE, if nobody reads any more; another
 * one with a why. */
int output_flush(struct map_output *o);
void output_end(struct map_output *o);

#endif
