/* jobserver.h - lets the makes that a command starts draw their jobs from our slots: a pipe of
 * tokens, GNU make's protocol. What is in the pipe or taken out of it is counted in the slot of
 * this worker (tables/lent.h) before it is put there, so no token exists without a slot for it.
 *
 * A make reads a byte before it starts a job beyond its first, and writes it back when that has
 * ended. The pipe holds one page, so it can be written to, as poll() sees it, only when it is
 * empty: that is how we learn that somebody could use more, without looking in turns.
 * A make that is given two descriptors writes into another pipe than it reads from: so what comes
 * back is ours before it can be taken again, and a task that waits is not at the mercy of who is
 * faster. One that is given a path (JOBSERVER_FIFO) writes where it reads; what is to come back we
 * read as another make would, and that may take some jobs more.
 * Where: a worker, while a command runs.  Blocks: never.
 * Death: of a make that held tokens, they count as out until the command has ended, then all are
 * back at once; of the worker, the same when it is buried. */
#ifndef PLM_JOBSERVER_H
#define PLM_JOBSERVER_H

#include <poll.h>

#include "worker/call.h"

struct jobserver {
	struct plm *rt;
	struct plm_call *call;
	int tokens;        /* what may be taken: our end, which never blocks; -1: it has none */
	int returned;      /* what came back, likewise; -1: it is to be found among the tokens */
	int read, write;   /* what the command is given */
	uint32_t own;      /* tokens for the cpus its task has asked for beyond one */
	bool touched;      /* somebody has taken a token since one was put there */
	uint64_t wants_ns; /* before that it is asked for nothing: most commands are no make */
	uint32_t shy_ms;   /* how long that is, the next time a token comes back unused */
	bool tell;         /* the scheduler is to look */
};

void jobserver_none(struct jobserver *j, struct plm_call *call);
/* After that. False: none is to be had, and the command runs without. */
bool jobserver_open(struct jobserver *j, enum jobserver_form form);
/* Nothing of the command is left: all it had is free. */
void jobserver_close(struct jobserver *j);

/* What is there to do now; what to wait for, and, in nanoseconds, at most how long. */
void jobserver_step(struct jobserver *j);
enum { JOBSERVER_FDS = 2 };
void jobserver_wait(const struct jobserver *j, struct pollfd ret[JOBSERVER_FDS], uint64_t *wait_ns);

/* What the command finds as MAKEFLAGS, beside what stood there (NULL: nothing); the caller frees.
 * NULL: no memory. */
char *jobserver_makeflags(const struct jobserver *j, const char *before);

#endif
