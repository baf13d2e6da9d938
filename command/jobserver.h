/* jobserver.h - lends our idle cpus to the makes that a command starts: a pipe of tokens, GNU
 * make's protocol. Every token is counted in the worker's process slot (tables/lent.h) before the
 * token enters the pipe, so no token exists without a cpu.
 *
 * A make reads a byte before starting a job beyond the first, and writes the byte back when the job
 * has ended. The pipe holds one page, so poll() finds the pipe writable only when empty: so we
 * learn without polling that some make could use more.
 * A make with two descriptors writes into another pipe than it reads from. So a returned token is
 * ours before any make can take it again, and a waiting task does not race with the makes. A make
 * with a path (JOBSERVER_FIFO) writes where it reads; to get tokens back we read like another make,
 * which may take some jobs longer.
 * Where: a worker, while a command runs.  Blocks: never.
 * Death: of a make: its tokens count as out until the command has ended, then all are back at once;
 * of the worker: the same, when the scheduler buries it. */
#ifndef PLM_JOBSERVER_H
#define PLM_JOBSERVER_H

#include <poll.h>

#include "worker/call.h"

struct jobserver {
	struct plm *rt;
	struct plm_call *call;
	int tokens;        /* tokens to take: our end, non-blocking; -1: no jobserver */
	int returned;      /* tokens given back, likewise; -1: look among `tokens` */
	int read, write;   /* the command's descriptors */
	uint32_t own;      /* tokens for the cpus of the task beyond the first */
	bool touched;      /* a token was taken since the last was put */
	uint64_t wants_ns; /* no request before this time: most commands are no make */
	uint32_t shy_ms;   /* the delay of requests after the next unused token */
	bool tell;         /* the scheduler must look */
};

void jobserver_none(struct jobserver *j, struct plm_call *call);
/* After jobserver_none(). False: no jobserver, and the command runs without. */
bool jobserver_open(struct jobserver *j, enum jobserver_form form);
/* Nothing of the command is left: all its tokens are free. */
void jobserver_close(struct jobserver *j);

/* What to do now; what to wait for, and, in nanoseconds, how long at most. */
void jobserver_step(struct jobserver *j);
enum { JOBSERVER_FDS = 2 };
void jobserver_wait(const struct jobserver *j, struct pollfd ret[JOBSERVER_FDS], uint64_t *wait_ns);

/* MAKEFLAGS for the command, on top of `before` (NULL: nothing); the caller frees. NULL: no
 * memory. */
char *jobserver_makeflags(const struct jobserver *j, const char *before);

#endif
