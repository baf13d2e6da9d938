/* life.h - the whole life of a worker process, by the order that the manager gives.
 *
 * A C worker is a fork of the manager (manager/child.c). A Python worker is a fork of a process
 * with an interpreter (manager/nursery.h), and gets the same order as a message. So the order is
 * plain data, and everything else is read from the segments.
 * Where: a new process, in its first thread.  Blocks: until the worker leaves.
 * Death: at any point. Before the process slot names the pid, no process knows of the worker; the
 * descriptor of the lock file tells the next manager that a birth is under way (manager/claim.c).
 */
#ifndef PLM_LIFE_H
#define PLM_LIFE_H

#include "base/limits.h"
#include "client/plm.h"
#include "spec/injection.h"
#include "tables/tables.h"
#include "topology/topology.h"
#include "worker/recycle.h"

struct worker_order {
	uint32_t slot, generation; /* of the process slot, claimed for the worker */
	int32_t manager;           /* pid */
	uint32_t worker;           /* number, for the log */
	uint32_t python;           /* 1 + number of the interpreter; 0: a C worker */
	uint32_t tied;             /* 1: the worker dies with the manager */
	uint32_t placed, injected; /* 1: place, injection count */
	char runtime[RUNTIME_NAME_BYTES];
	struct place place;
	struct recycling recycling;
	struct injection injection;
};

struct life_files { /* descriptors, taken over */
	int control, store;
	int joined; /* the bell of the manager */
	int lock;   /* the lock file, closed when the process slot names the pid; -1: the slot
		     * names the pid already */
};

/* Called in the LIVE worker, before its first task. Not 0: the worker ends with this exit code. */
typedef int life_begun_f(plm *rt);

/* Names the process, for the log and for ps, and takes the signals of a worker. SIGTERM ends the
 * worker after its task. PROCESS_INTERRUPT lets blocking system calls return EINTR, unless the host
 * of the worker has a handler of its own. SIGINT is the manager's. */
void life_name(const struct worker_order *order);
void life_take_signals(void);

/* The exit code. */
int worker_life(
    const struct worker_order *order, const struct life_files *files, life_begun_f *begun);

#endif
