/* occupancy.h - who uses the workers just now: a private copy of what the process table says about
 * slots and bookings, and what of it is short for a task.
 *
 * It reads what scheduler/booking.c writes and decides by. What that keeps to itself is guessed: a
 * booking that still lacks slots has its first alternative, on the worker of its first slot.
 * Where: any mapping of the control segment, a damaged one too: a wrong word makes a wrong answer.
 * Blocks: never.  Allocates: never.  Lock: none; the copy is as old as the call that made it. */
#ifndef PLM_CLI_OCCUPANCY_H
#define PLM_CLI_OCCUPANCY_H

#include "tables/tables.h"

struct seat { /* a slot of a worker that lives */
	uint32_t process, worker, kind;
	int32_t pid;
	bool busy;        /* it runs something, or something stands in front of it */
	uint64_t running; /* reference, 0: nothing */
	uint64_t booked;  /* for this task, 0: none */
	bool keeps_still; /* it has seen that, and is not the one that runs the task */
};

struct share { /* what one task has booked */
	uint64_t ref;
	uint32_t worker;
	uint32_t main;         /* process that runs it; 0: it lacks slots still */
	uint32_t seats, still; /* others that are kept for it; so many of them keep still */
	uint64_t gpus;
	struct demand demand;
};

struct occupancy {
	struct seat seat[PROCESSES_MAX];
	struct share share[PROCESSES_MAX];
	uint32_t seats, shares;
	struct worker_kind kind[WORKER_KINDS_MAX];
	uint64_t memory; /* of the machine; UINT64_MAX: not bounded */
};

enum fit {            /* how near a worker is to what a task wants, the best one last */
	FIT_NOBODY,   /* no living worker ever can */
	FIT_RESOURCE, /* of something other than slots there is too little */
	FIT_SLOTS,    /* only slots are missing */
	FIT_NOW,
};

enum { USERS_MAX = 4 };

struct shortage { /* of one resource, at the worker that comes nearest */
	uint32_t resource, worker;
	uint32_t workers; /* they share it: all of its kind the slots, else 1 */
	uint64_t wanted, there, used;
	uint64_t user[USERS_MAX]; /* references */
	uint32_t users;           /* there are; the first USERS_MAX are named */
};

void occupancy_read(const struct tables *t, struct occupancy *ret);

/* NULL: nothing is booked for it. */
const struct share *occupancy_share(const struct occupancy *o, uint64_t ref);
const struct seat *occupancy_seat(const struct occupancy *o, uint32_t process); /* or NULL */

/* Could this task begin with this demand? *ret is filled for FIT_RESOURCE and FIT_SLOTS. What is
 * booked for the task itself does not count as in use. */
enum fit occupancy_fit(
    const struct occupancy *o, const struct demand *demand, uint64_t ref, struct shortage *ret);

/* It runs something, or is kept for another task than this one. */
static inline bool seat_taken(const struct seat *seat, uint64_t ref)
{
	return (seat->busy && seat->booked != ref) || (seat->booked && seat->booked != ref);
}

#endif
