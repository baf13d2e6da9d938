/* map_output.h - writes the output of the jobs of `plmctl map` to stdout, stderr and files: whole
 * jobs one after another, in the order of their ends or of the inputs.
 *
 * The output of a job stays in the runtime until map writes it. Small outputs are gathered, so that
 * a thousand little jobs do not cost a thousand writes.
 * Who: one thread.  Blocks: while the reader of a pipe is slow; not after a request to cancel.
 * Errors: the first error is kept, and nothing is written afterwards. */
#ifndef PLM_CLI_MAP_OUTPUT_H
#define PLM_CLI_MAP_OUTPUT_H

#include "cli/ctl_command.h"
#include "cli/map/map_job.h"
#include "cli/text.h"

struct shown { /* how to write */
	bool tag, json;
	const char *results; /* a directory for all output; NULL: stdout and stderr */
};

struct sink {
	int fd;
	bool may_block;
	bool begun;       /* --tag: the present line has its tag */
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
/* Writes the message of a job, and all output not shown while the job ran. */
void output_job(struct map_output *o, const struct job *job, const struct text *command);
/* A piece of stream 1 or 2 of a running job. */
void output_piece(
    struct map_output *o, const struct job *job, int stream, const char *data, size_t length);
/* A line of plmctl's own on stdout. */
void output_line(struct map_output *o, const struct text *line);
/* Writes the gathered output. 0, or the first error: -EPIPE if the reader is gone; another error
 * with a why. */
int output_flush(struct map_output *o);
void output_end(struct map_output *o);

#endif
