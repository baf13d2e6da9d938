/* inspect_occupancy.h - who uses the workers just now: a private copy of the cpus and bookings in
 * the process table, and which resource is short for a task.
 *
 * scheduler/booking.c decides by the same words. Its private state is guessed: a booking that still
 * lacks cpus counts with the first alternative of the task, on the worker of the first cpu.
 * Where: any mapping of the control segment, a damaged one too: a wrong word makes a wrong answer.
 * Blocks: never.  Allocates: never.  Lock: none; the copy is as old as the call of
 * occupancy_read(). */
#ifndef PLM_CLIENT_INSPECT_OCCUPANCY_H
#define PLM_CLIENT_INSPECT_OCCUPANCY_H

#include "tables/tables.h"

struct seat { /* one cpu of a living worker: a process */
	uint32_t process, worker, kind;
	int32_t pid;
	bool busy;        /* a task runs, or hints stand before the process */
	uint64_t running; /* reference, 0: nothing */
	uint64_t booked;  /* the task that booked the seat, 0: none */
	bool keeps_still; /* the process has read `booked`, and another process runs the task */
};

struct share { /* all seats booked by one task */
	uint64_t ref;
	uint32_t worker;
	uint32_t main;         /* process that runs the task; 0: the task still lacks cpus */
	uint32_t seats, still; /* further processes kept for the task; processes keeping still */
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

enum fit {            /* how near a worker is to the needs of a task, the best last */
	FIT_NOBODY,   /* no living worker offers enough */
	FIT_RESOURCE, /* too little of a resource other than cpus is free */
	FIT_CPUS,     /* only cpus are missing */
	FIT_NOW,
};

enum { USERS_MAX = 4 };

struct shortage { /* of one resource, at the nearest worker */
	uint32_t resource, worker;
	uint32_t workers; /* sharing the resource: all of a kind share cpus, else 1 */
	uint64_t wanted, there, used;
	uint64_t user[USERS_MAX]; /* references */
	uint32_t users;           /* their number; user[] names the first USERS_MAX */
};

void occupancy_read(const struct tables *t, struct occupancy *ret);

/* NULL: nothing is booked for the task. */
const struct share *occupancy_share(const struct occupancy *o, uint64_t ref);
const struct seat *occupancy_seat(const struct occupancy *o, uint32_t process); /* or NULL */

/* Could a task begin with this demand? *ret is filled for FIT_RESOURCE and FIT_CPUS. Seats booked
 * for the task do not count as in use. */
enum fit occupancy_fit(
    const struct occupancy *o, const struct demand *demand, uint64_t ref, struct shortage *ret);

/* The seat is busy, or kept for another task. */
static inline bool seat_taken(const struct seat *seat, uint64_t ref)
{
	return (seat->busy && seat->booked != ref) || (seat->booked && seat->booked != ref);
}

#endif
