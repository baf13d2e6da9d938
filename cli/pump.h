/* pump.h - copies the output of a command to stdout and stderr of this process while the command
 * writes: the command gets pipes (plm_command_outlet), and a thread empties the pipes.
 *
 * There is no limit, no file, and no memory but that of the pipes: a slow reader of plmctl slows
 * the command down. If stdout and stderr of plmctl are the same file, the command gets one pipe for
 * both, so that the order of its writes is kept.
 * Who: one thread starts and ends the pump.  Blocks: in pump_end(), while the reader is slow.
 * Errors: after a failed write the pipe is closed, and the command gets a SIGPIPE. */
#ifndef PLM_CLI_PUMP_H
#define PLM_CLI_PUMP_H

#include <pthread.h>
#include <stdbool.h>

#include "client/plm.h"

struct pump {
	plm_command_outlet named; /* the write ends, for the worker */
	int to[2];                /* the write ends; -1: closed. Both may be one pipe */
	int from[2];              /* the read ends; -1: none, or closed */
	int stop;                 /* an eventfd */
	pthread_t thread;
	bool runs, shown; /* shown: the pump ran at some time */
	bool open_line;   /* stdout does not end with a newline */
	int error;        /* errno of the first failed write */
};

/* 0, or -errno with a why. */
int pump_start(struct pump *p);
/* Shows all output written by now, and stops. 0, also for a pump that does not run; or the first
 * -errno of writing, with a why. */
int pump_end(struct pump *p);

#endif
