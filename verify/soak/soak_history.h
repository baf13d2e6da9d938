/* soak_history.h - what was asked of a runtime, what was seen of it and done to it: a note of each.
 *
 * Where: files of one directory, one for each process that writes. A note is appended by one
 * write(), so what a process had written before it was killed is whole. Tasks are numbered by who
 * asked for them: the life of a client (no two share one) and a count.
 * Blocks: never.  Allocates: history_read() alone.  Errors: 0 or -errno. */
#ifndef PLM_SOAK_HISTORY_H
#define PLM_SOAK_HISTORY_H

#include <stddef.h>
#include <stdint.h>

enum deed {
	/* by clients; what changes something is written before it is done, its answer after */
	DEED_ASKED,    /* value: the digest it must have; work, inputs, budgets, code, flags */
	DEED_ACCEPTED, /* ref */
	DEED_REFUSED,  /* code */
	DEED_SEEN,     /* outcome; value, or code, signal, and ref: of the task that failed first */
	DEED_CANCELS,
	DEED_RETURNS,
	DEED_DROPS,
	DEED_HUNG, /* it did not end in time */
	DEED_LEFT, /* the client ended by itself, and has looked at what it did not drop */
	/* by attempts */
	DEED_BEGUN,
	DEED_ENDED, /* code: what it returned */
	/* by the nemesis, before it does so */
	DEED_KILLS, /* pid: whom; code: enum victim */
	DEEDS
};

enum work { WORK_TASK, WORK_COMMAND, WORK_OBJECT, WORKS };

enum outcome {
	OUTCOME_DONE,
	OUTCOME_FAILED,
	OUTCOME_CANCELLED,
	OUTCOME_GONE,   /* there is no such future any more */
	OUTCOME_UNSURE, /* the runtime was not there to say */
};

enum victim { VICTIM_NONE, VICTIM_WORKER, VICTIM_COMMAND, VICTIM_CLIENT, VICTIM_RUNTIME };

enum {                     /* flags of DEED_ASKED */
	ASKED_LIMITED = 1, /* it has a limit of time, and may fail for it */
	ASKED_KEPT = 2,    /* it outlives who asked */
};

enum { HISTORY_INPUTS = 4, HISTORY_PATH = 160 };

struct note {
	uint64_t ns; /* CLOCK_MONOTONIC */
	uint64_t task;
	uint64_t ref;
	uint64_t value;
	uint64_t input[HISTORY_INPUTS]; /* tasks whose values it is given; 0: none */
	int32_t pid, parent;            /* who writes; of DEED_KILLS: the victim */
	int32_t code, signal;
	uint32_t life; /* of the client that writes */
	uint16_t deed, work, outcome, flags;
	uint16_t retries, crash_retries;
	uint32_t reserved[7];
};

_Static_assert(sizeof(struct note) == 128, "a note does not lie across pages");

static inline uint64_t task_number(uint32_t life, uint32_t count)
{
	return (uint64_t)life << 32 | count;
}

static inline uint32_t task_life(uint64_t task)
{
	return (uint32_t)(task >> 32);
}

/* A file for this process, called after what it is and its pid. */
int history_open(const char *directory, const char *who);
/* Fills in time and process (of DEED_KILLS: time alone). -1: it could not be written. */
int history_write(int fd, struct note note);

struct history {
	struct note *note; /* free() */
	size_t n;
};

/* All files of the directory, in the order of time; with `clear` they are empty then. */
int history_read(const char *directory, int clear, struct history *ret);

#endif
