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
#include "cli/map/map_results.h"
#include "cli/map/map_template.h"
#include "cli/text.h"

enum live { LIVE_NEVER, LIVE_LINES, LIVE_BYTES };    /* output shown while a job runs */
enum echo { ECHO_NONE, ECHO_OUT = 1, ECHO_ERR = 2 }; /* of commands; bits */

struct shown { /* how to write */
	bool tag, json;
	enum live live;
	enum echo echo;
	const struct template *command;      /* for ECHO_OUT before live output */
	const struct template *tag_text;     /* NULL: the values are the tag */
	const struct template *results_text; /* the names of files; NULL: none */
	const char *results; /* a directory for all output; NULL: stdout and stderr */
	struct results_names results_names;
	const char *files; /* a directory for files whose names are shown instead; NULL: none */
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
/* The command of a job that begins, on stderr, if asked for. */
void output_begin_job(struct map_output *o, const struct text *command);
/* A piece of stream 1 or 2 of a running job. */
void output_piece(
    struct map_output *o, const struct job *job, int stream, const char *data, size_t length);
/* A line of plmctl's own on stdout, with the tag of the job. */
void output_line(struct map_output *o, const struct job *job, const struct text *line);
/* Writes the command of a job that runs (ECHO_OUT), unless written before. */
void output_echo_running(struct map_output *o, struct job *job);
/* Writes the gathered output. 0, or the first error: -EPIPE if the reader is gone; another error
 * with a why. */
int output_flush(struct map_output *o);
void output_end(struct map_output *o);

#endif
