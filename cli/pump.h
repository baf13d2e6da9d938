/* pump.h - what a command writes goes to the stdout and stderr of this process as it is written:
 * through pipes that the command is given (struct command_outlet), and a thread that empties them.
 *
 * No limit, no file, and no memory but the pipes': a slow reader of ours slows the command down. If
 * our stdout and stderr are the same, so are the command's: what it writes stays in its order.
 * Who: one thread starts and ends it.  Blocks: in pump_end(), while a reader of ours is slow.
 * Errors: if nothing can be written any more the pipe is closed, and the command gets a SIGPIPE. */
#ifndef PLM_CLI_PUMP_H
#define PLM_CLI_PUMP_H

#include <pthread.h>
#include <stdbool.h>

#include "client/plm.h"

struct pump {
	plm_command_outlet named; /* the write ends, for the worker */
	int to[2];                /* the write ends; -1: closed. Both may be one pipe */
	int from[2];              /* the ends that we read from; -1: none, or closed */
	int stop;                 /* an eventfd */
	pthread_t thread;
	bool runs, shown; /* shown: it ran */
	bool open_line;   /* of stdout: it does not end with a newline */
	int error;        /* errno of the first write that failed */
};

/* 0, or -errno with a why. */
int pump_start(struct pump *p);
/* All that has been written by now is shown. 0, or the first -errno of writing with a why. Of one
 * that does not run: 0. */
int pump_end(struct pump *p);

#endif
