/* policy.h - which worker gets a task: one small file a policy, behind one interface.
 *
 * Where: private memory of the caller: the scheduler, the simulation, a test. A policy knows no
 * shared memory, no clock and no process: it is a pure function of a snapshot and a seed.
 * A policy either orders workers (`key`: the largest goes first; a heap keeps the order) or draws
 * one (`draw`). A draw costs the same however many workers there are; a key costs a change in the
 * heap, log4 of their number. near() looks at each open worker, and is asked only for tasks with
 * many bytes.
 * Blocks, allocates: never. */
#ifndef PLM_POLICY_H
#define PLM_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Free cpus are counted in parts of one: a cpu whose ring is half full is half free. */
enum { POLICY_SLOT = 1 << 16 };

enum { POLICY_NUMBERS = 1 << 20 }; /* numbers of workers lie below */

struct policy_worker {      /* a worker at present */
	uint32_t slots;     /* tasks the worker may run at once; at least 1 */
	uint32_t weight;    /* of the hardware generation: 2, 4, 6, 8 for 1 to 4 */
	uint32_t node;      /* NUMA node */
	uint32_t number;    /* unique: among equals the lower goes first */
	uint64_t last_turn; /* number of the last placement here, from 1; 0: never */
	uint64_t free;      /* free cpus, in parts of POLICY_SLOT; 0: no candidate */
};

struct policy_view {                        /* the workers to choose from */
	const struct policy_worker *worker; /* [any]: all workers, by number */
	const uint32_t *open;               /* numbers of workers with room, in no order */
	uint32_t n; /* how many are open; at least 1 when draw() is called */
};

struct policy_bytes {    /* where arguments of a task lie: in which worker's cache, on which node */
	uint32_t worker; /* POLICY_NOBODY: in no worker's cache */
	uint32_t node;   /* POLICY_NOBODY: does not matter, for example with one node */
	uint64_t bytes;
};

#define POLICY_NOBODY UINT32_MAX

struct policy {
	const char *name;
	const char *help; /* one line */
	/* Order: the larger key goes first, and no two are alike. A key changes with its worker
	 * alone: after changing a worker, update the heap for this worker. NULL: the policy draws.
	 */
	uint64_t (*key)(const struct policy_worker *worker);
	/* True: sleeping workers may stay asleep while awake workers are quick with their tasks. */
	bool thrifty;
	/* Draws an index of view->open. NULL: the policy orders. *seed: the stream of random
	 * numbers. */
	uint32_t (*draw)(const struct policy_view *view, uint64_t *seed);
	/* The number of the open worker with most of these bytes near; POLICY_NOBODY if none has
	 * any: then key or draw decides. NULL: bytes do not matter, and need not be looked for. */
	uint32_t (*near)(
	    const struct policy_view *view, const struct policy_bytes *bytes, size_t n);
};

/* By name; NULL if unknown. policy_at() lists them: 0 is the default, NULL ends the list. */
const struct policy *policy_find(const char *name);
const struct policy *policy_at(size_t index);

#endif
