/* soak_history.h - a note for each request to a runtime, each answer seen, and each fault done.
 *
 * Where: files in one directory, a file for each writing process. One write() appends one note,
 * so all notes of a killed process are whole. A task's number is made of the submitting client's
 * life (no two clients share a life) and a count. Blocks: never. Allocates: history_read()
 * alone. Errors: 0 or -errno. */
#ifndef PLM_SOAK_HISTORY_H
#define PLM_SOAK_HISTORY_H

#include <stddef.h>
#include <stdint.h>

enum deed {
	/* By clients. A request that changes something is noted before the call, the answer
	 * after the call. */
	DEED_ASKED,    /* value: the digest that the result must have; work, inputs, budgets,
			* code, flags */
	DEED_ACCEPTED, /* ref */
	DEED_REFUSED,  /* code */
	DEED_SEEN,     /* outcome; value, or code, signal, and ref: the task that failed first */
	DEED_CANCELS,
	DEED_RETURNS,
	DEED_DROPS,
	DEED_HUNG, /* the task did not end in time */
	DEED_LEFT, /* the client ended by itself, after looking at every future still held */
	/* by attempts */
	DEED_BEGUN,
	DEED_ENDED, /* code: the function's return value */
	/* By the nemesis, before the kill. */
	DEED_KILLS, /* pid: the victim; code: enum victim */
	DEEDS
};

enum work { WORK_TASK, WORK_COMMAND, WORK_OBJECT, WORKS };

enum outcome {
	OUTCOME_DONE,
	OUTCOME_FAILED,
	OUTCOME_CANCELLED,
	OUTCOME_GONE,   /* the future no longer exists */
	OUTCOME_UNSURE, /* no runtime was there to answer */
};

enum victim { VICTIM_NONE, VICTIM_WORKER, VICTIM_COMMAND, VICTIM_CLIENT, VICTIM_RUNTIME };

enum {                     /* flags of DEED_ASKED */
	ASKED_LIMITED = 1, /* the task has a time limit, and may fail for that reason */
	ASKED_KEPT = 2,    /* the task outlives its client */
};

enum { HISTORY_INPUTS = 4, HISTORY_PATH = 160 };

struct note {
	uint64_t ns; /* CLOCK_MONOTONIC */
	uint64_t task;
	uint64_t ref;
	uint64_t value;
	uint64_t input[HISTORY_INPUTS]; /* tasks whose values are inputs; 0: none */
	int32_t pid, parent;            /* the writer; of DEED_KILLS: the victim */
	int32_t code, signal;
	uint32_t life; /* the writing client's life */
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

/* Opens a file for this process, named after its role and pid. */
int history_open(const char *directory, const char *who);
/* Fills in time and process (of DEED_KILLS: time alone). Returns -1 if the note was not written. */
int history_write(int fd, struct note note);

struct history {
	struct note *note; /* free() */
	size_t n;
};

/* Reads all files of the directory in the order of time; `clear` empties the files. */
int history_read(const char *directory, int clear, struct history *ret);

#endif
