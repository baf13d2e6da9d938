/* outlets.h - files for long output: a worker writes output without room in the runtime into
 * files of the waiting process (plm_command_outlet).
 *
 * The files lie in the directory of --tmpdir, else in $TMPDIR or /tmp. They have no name, so
 * no file stays when a process dies. A pair serves one job at a time, and is reused only after a
 * job that succeeded: another client may retry a failed job, whose arguments name the files.
 * Who: one thread.
 * Blocks: in the file system. */
#ifndef PLM_CLI_OUTLETS_H
#define PLM_CLI_OUTLETS_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/plm.h"

struct outlets {
	const char *directory;
	struct outlet *idle;
	unsigned taken, most; /* by the limit of descriptors */
};

struct outlet { /* a file for stdout, and one for stderr */
	struct outlets *home;
	struct outlet *next;
	int fd[2];
	plm_command_outlet named; /* for the worker */
};

/* directory: NULL for the default. 0, or -errno with a why: no file can be made there. */
int outlets_open(struct outlets *o, const char *directory);
bool outlets_left(const struct outlets *o);
/* 0, or -errno with a why. */
int outlet_take(struct outlets *o, struct outlet **ret);
/* outlet may be NULL. again: empty the files for another job; else close them. */
void outlet_give(struct outlet *outlet, bool again);
void outlets_close(struct outlets *o);

/* Writes a whole stream, which was empty. 0, or -errno with a why. */
int outlet_fill(const struct outlet *outlet, int stream, const char *data, uint64_t length);
uint64_t outlet_bytes(const struct outlet *outlet, int stream);
/* The next piece of stream 1 or 2 from a byte on. 0: the end; -errno with a why. */
ssize_t outlet_read(const struct outlet *outlet, int stream, uint64_t from, char *ret, size_t size);
/* Maps the whole stream, until outlet_unmap(). NULL: empty, or no memory. */
const char *outlet_map(const struct outlet *outlet, int stream, uint64_t *ret_length);
void outlet_unmap(const char *at, uint64_t length);

#endif
