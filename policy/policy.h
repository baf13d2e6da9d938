/* policy.h - which worker gets a task: one small file a policy, behind one interface.
 *
 * Where: private memory of whoever places: the scheduler, the simulation, a test. No policy knows
 * shared memory, a clock, or a process: it is a pure function of a snapshot and a seed.
 * A policy either orders workers (`key`: the largest goes first; a heap keeps them so) or draws one
 * (`draw`). A draw costs the same however many workers there are; a key has to be looked up in the
 * heap, which is log4 of them. near() looks at each open worker: it is asked for tasks with bytes.
 * Blocks, allocates: never. */
#ifndef PLM_POLICY_H
#define PLM_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Free slots are counted in parts of one: a slot with half of its run-queue filled is half free. */
enum { POLICY_SLOT = 1 << 16 };

enum { POLICY_NUMBERS = 1 << 20 }; /* numbers of workers lie below */

struct policy_worker {      /* one worker, as it stands now */
	uint32_t slots;     /* tasks it may run at once; at least 1 */
	uint32_t weight;    /* of its hardware generation: 2, 4, 6, 8 for 1 to 4 */
	uint32_t node;      /* NUMA node */
	uint32_t number;    /* its own: equals are told apart by it, the lower goes first */
	uint64_t last_turn; /* number of the placement that chose it last, from 1; 0: never */
	uint64_t free;      /* slots, in parts of POLICY_SLOT; a worker with 0 is no candidate */
};

struct policy_view {                        /* who may be chosen */
	const struct policy_worker *worker; /* [any]: all workers, by number */
	const uint32_t *open;               /* numbers of those that have room, in no order */
	uint32_t n;                         /* how many have; at least 1 when draw() is called */
};

struct policy_bytes { /* where arguments of a task lie: which worker's cache, which node's memory */
	uint32_t worker; /* POLICY_NOBODY: no worker's */
	uint32_t node;   /* POLICY_NOBODY: does not matter, as where all are on one */
	uint64_t bytes;
};

#define POLICY_NOBODY UINT32_MAX

struct policy {
	const char *name;
	const char *help; /* one line */
	/* Order: larger goes first, no two alike. It changes with the worker alone, so who changed
	 * a worker tells the heap of that one. NULL: it draws. */
	uint64_t (*key)(const struct policy_worker *worker);
	/* May leave sleeping workers asleep while those awake are quick with their tasks. */
	bool thrifty;
	/* Draws a position of view->open. NULL: it orders. *seed: its stream of random numbers. */
	uint32_t (*draw)(const struct policy_view *view, uint64_t *seed);
	/* The number of the open worker that has most of these bytes near, POLICY_NOBODY if nobody
	 * has any: then by key or draw. NULL: bytes do not matter, nobody need look for them. */
	uint32_t (*near)(
	    const struct policy_view *view, const struct policy_bytes *bytes, size_t n);
};

/* By name; NULL if there is none. policy_at() lists them: NULL behind the last, 0 the default. */
const struct policy *policy_find(const char *name);
const struct policy *policy_at(size_t index);

#endif
