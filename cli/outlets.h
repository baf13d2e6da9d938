/* outlets.h - files for output that is too long to be kept in a runtime, or finds no room there: a
 * worker writes it into files of the process that waits for it (plm_command_outlet).
 *
 * They have no name, in the directory of --tmpdir, of $TMPDIR or /tmp: whoever dies, nothing stays.
 * A pair is one job's at a time. It is taken again only after a job that succeeded: one that failed
 * may be retried by others, with arguments that name its files.
 * Who: one thread.  Blocks: in the file system. */
#ifndef PLM_CLI_OUTLETS_H
#define PLM_CLI_OUTLETS_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/plm.h"

struct outlets {
	const char *directory;
	struct outlet *idle;
	unsigned taken, most; /* a descriptor has its limit */
};

struct outlet { /* a file for stdout, and one for stderr */
	struct outlets *home;
	struct outlet *next;
	int fd[2];
	plm_command_outlet named; /* for the worker */
};

/* directory: NULL, if nobody named one. 0, or -errno with a why: no file can be made there. */
int outlets_open(struct outlets *o, const char *directory);
bool outlets_left(const struct outlets *o);
/* 0, or -errno with a why. */
int outlet_take(struct outlets *o, struct outlet **ret);
/* NULL: there is none. again: for another job, whatever is in it. */
void outlet_give(struct outlet *outlet, bool again);
void outlets_close(struct outlets *o);

uint64_t outlet_bytes(const struct outlet *outlet, int stream);
/* The next piece of stream 1 or 2 from that byte on. 0: that was all; -errno with a why. */
ssize_t outlet_read(const struct outlet *outlet, int stream, uint64_t from, char *ret, size_t size);
/* All of it, until it is unmapped; NULL: it is empty, or there is no memory for that. */
const char *outlet_map(const struct outlet *outlet, int stream, uint64_t *ret_length);
void outlet_unmap(const char *at, uint64_t length);

#endif
