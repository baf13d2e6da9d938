/* map_pipe.h - a stream or a file spread over the standard inputs of many commands: --pipe,
 * --pipepart.
 *
 * A block of a stream goes into a file in memory, which the worker opens by our descriptor, as with
 * --stdin; a retried job reads the block again. Blocks of a regular file are not read by map: a job
 * gets the place in the file (plm_command_options.parts). Files in memory are used again after jobs
 * that succeeded, so their number is that of the jobs under way. Who: one thread.  Blocks: as
 * map_stream.h. */
#ifndef PLM_CLI_MAP_PIPE_H
#define PLM_CLI_MAP_PIPE_H

#include "cli/map/map_cut.h"
#include "client/plm.h"

struct pipe_plan { /* zeroes: no --pipe */
	bool pipe, part, robin, cat, tee;
	struct cut_plan cut;
	uint64_t block;        /* bytes; 0: the default */
	unsigned block_of_job; /* --block -N: so many blocks for each of --jobs */
	const char *header;
};

/* True if the options ask for pieces of a stream. */
bool pipe_is_wanted(const struct pipe_plan *plan);

struct block { /* the input of one job */
	struct pipe_feed *home;
	struct block *next;
	int fd;           /* a file in memory; -1: none */
	const char *path; /* a regular file, until the end of the map; NULL: fd */
	uint64_t part[4]; /* offset and length, twice */
	size_t parts;
	uint64_t bytes;
};

struct pipe_feed;

/* files: of --pipepart, or one for --pipe; none: stdin. jobs: at once. 0, or -errno with a why. */
int pipe_open(struct pipe_feed **ret, const struct pipe_plan *plan, const char *const *files,
    size_t count, unsigned jobs);
/* 1: the next block, 0: the end; -EAGAIN: no input yet; -errno with a why. */
int pipe_next(struct pipe_feed *p, struct block **ret);
/* block may be NULL. again: the file in memory may be written again. */
void block_give(struct block *block, bool again);
/* Where a command finds the block, as --stdin would name it. */
void block_path(const struct block *block, struct text *to);
/* The descriptor to poll for more input; -1: no need to wait. */
int pipe_fd(const struct pipe_feed *p);
void pipe_close(struct pipe_feed **pp);

#endif
