/* record.h - the future: a record for a task with arguments and result, or for an object.
 *
 * An object is a future that needed no work, so tasks and objects share a table: the same
 * reference, state machine, commit and scan. Where: the record table of the control segment. The
 * state word is the truth: {generation:32, owner:12, attempt:8, state:4, flags:8}. Each step of a
 * life is a CAS of the word (record_step()). The payload is written before the step that makes it
 * visible, by the only process that the word permits to write. Beside each field stands its writer.
 * Who may call: any process.  Blocks: never.
 * Death: a RESERVED or RUNNING record goes on only while the owner in its word lives; the scheduler
 * undoes or ends the records of a dead owner (scheduler/repair.c).
 *
 *   FREE --claim--> RESERVED --submit--> WAITING --deps met--> READY --claim--> RUNNING
 *    ^                 |  \------------------------------------^                  |
 *    |                 +--seal--> DONE          DONE, FAILED, CANCELLED <----------+
 *    |
 *    +--- no holds, no task needs the record: from DONE, FAILED, CANCELLED; RESERVED if abandoned
 *
 * Not drawn: WAITING and READY to CANCELLED; RUNNING to READY (retry, return); WAITING and READY to
 * RUNNING by the scheduler (to fail the task); RUNNING to RUNNING (a flag, or the scheduler takes
 * over from a dead owner); READY to READY (the scheduler clears FLAG_MEMORY); WAITING and READY to
 * themselves (FLAG_PARKED); RESERVED to PART, and PART to FREE.
 *
 * A PART is the 2nd, 3rd... result of a task. The word of the task speaks for its parts, so that
 * a single CAS commits all results, and all results live as long as the task is held. */
#ifndef PLM_RECORD_H
#define PLM_RECORD_H

#include <stdbool.h>

#include "base/limits.h"
#include "shm/steps.h"

enum record_state {
	RECORD_FREE,      /* no owner */
	RECORD_RESERVED,  /* owner: the process that fills the record */
	RECORD_WAITING,   /* submitted with futures as arguments, not found ready yet */
	RECORD_READY,     /* the worker that moves the word to RUNNING runs the task */
	RECORD_RUNNING,   /* owner: the worker of the attempt, or the scheduler that settles the
			     record */
	RECORD_DONE,      /* value readable until the record is freed; also a sealed object */
	RECORD_FAILED,    /* failure readable */
	RECORD_CANCELLED, /* no payload */
	RECORD_PART,      /* see the task */
	RECORD_STATES
};

enum {
	FLAG_CANCEL = 1,    /* of RUNNING: asked to stop */
	FLAG_OBJECT = 2,    /* put, not computed: for people */
	FLAG_LATE = 4,      /* of RUNNING: a limit is over, asked to stop. W: scheduler. */
	FLAG_RETRIABLE = 8, /* of FAILED: plm_retry() may want the task once more, so the record
			  keeps the arguments as long as a process holds it. */
	FLAG_RETURN = 16, /* of RUNNING: asked to stop and to go back into the queue. Of READY: the
			     last attempt ended so, and counts as no try. */
	FLAG_MEMORY = 32, /* of RUNNING, with FLAG_RETURN or FLAG_LATE: memory ran out, end at once.
			     Of READY: the last attempt ended so, and no worker may claim the task
			     before the scheduler finds enough memory. W: scheduler, owner. */
	FLAG_PARKED = 64, /* of WAITING and READY: a person keeps the task back (moves.h), and no
			     worker may claim the task. W: scheduler. */
	FLAGS_KEPT_BACK = FLAG_MEMORY | FLAG_PARKED,            /* of READY */
	FLAGS_STOPPING = FLAG_CANCEL | FLAG_LATE | FLAG_RETURN, /* of RUNNING */
};

enum {
	RECORD_INLINE_ARGS = 16,
	RECORD_INLINE_VALUE = 24,
};

struct record_failure { /* inline in a FAILED record; the text is the extent of the value
			   (failure_leave(), failure_message()) */
	int32_t code;
	uint8_t signal;
	uint8_t unsaid; /* 1: the store had no room for the message */
	uint16_t root_function;
	uint64_t root;  /* the task that failed first */
	shared64 again; /* W: a process that retries the task, while FAILED and held by that
			   process, after the new task is visible; the last retry counts. Reference
			   of the new task; 0: none. */
};

struct record {
	/* line 0: for placing and starting a task */
	_Alignas(128) shared64 state;
	shared64 holds; /* bit p: process p < 64 holds the record; bit 0: the runtime keeps it. W:
			   the owner while RESERVED; then the scheduler alone, as hints ask. */
	uint64_t key; /* W: submitter, then scheduler (moves.h). Priority, then turn (turns.h): the
			 heap's key. */
	uint16_t function; /* W: submitter */
	uint16_t terms;    /* W: submitter. Number in terms.h, 0: none. */
	shared32 args;     /* W: submitter, then scheduler (to 0). Granule of the argument block, 0:
			      inline. */
	uint32_t args_bytes;   /* W: submitter */
	uint16_t nargs;        /* W: submitter */
	uint16_t results : 14; /* W: submitter. 1 + number of parts. */
	uint16_t paired : 1; /* W: submitter. 1: accepted together with a task among the arguments,
				or not at all (PLM_PAIRED). */
	uint16_t tied : 1; /* W: submitter. 1: cancelled when no process holds and no task needs the
			      record (PLM_TIED). */
	shared32 value;    /* W: owner. Granule of the value, 0: inline (or empty). */
	shared32 pending;  /* W: under the graph's lock. Number of unsettled arguments, and
			      PENDING_DOOMED; derived (edges.h). */
	uint64_t value_bytes : 40; /* W: owner. Length of the value, or of a failure's text. */
	uint64_t demand : 8; /* W: owner. Memory that attempts were seen to need (demand_bytes());
				0: unknown. */
	uint64_t returned : 16; /* W: owner. Number of returns into the queue (low byte), and the
				   last attempt returned, so that no attempt counts twice. */
	uint8_t retries, crash_retries; /* W: submitter. Budgets. */
	uint8_t failures; /* W: owner. Spent retries; crashes are the tries (record_tries()) less
			     these. */
	_Atomic uint8_t
	    more_held;      /* W: as holds. Not 0: bits of process slots from 64 on may be set. */
	uint32_t submit_ms; /* W: submitter. Since boot. */

	/* line 1: touched by some tasks only */
	shared64 dependents; /* W: under the graph's lock. First edge of the waiting dependants;
				derived (edges.h). */
	shared32 uses; /* W: scheduler. How many arguments of tasks, unsettled or retriable, name
			  the record or its parts. USES_COUNTED: the record's own arguments are
			  counted. Derived. */
	uint32_t start_ms;   /* W: worker */
	uint32_t end_ms;     /* W: owner */
	uint32_t first_part; /* W: submitter. 1 + index of part 1; 0 none */
	union {
		unsigned char args_inline[RECORD_INLINE_ARGS]; /* W: submitter */
		uint64_t identity[2]; /* W: submitter. If the arguments are elsewhere; zeroes: none.
					 Stays after the arguments have gone. */
		struct {              /* of a PART */
			uint64_t task;  /* W: submitter. Reference of the task. */
			uint32_t which; /* W: submitter. 1 .. results - 1 */
			uint32_t next;  /* W: submitter. 1 + index of the next part; 0 none */
		} part;
	};
	union {
		unsigned char value_inline[RECORD_INLINE_VALUE]; /* W: owner */
		struct record_failure failure;                   /* W: owner */
	};
};

#define USES_COUNTED ((uint32_t)1 << 31)
#define PENDING_DOOMED ((uint32_t)1 << 31)

_Static_assert(sizeof(struct record) == 128, "a record is two cache lines");
_Static_assert(
    offsetof(struct record, args_inline) % 8 == 0 && offsetof(struct record, value_inline) % 8 == 0,
    "plm.h promises the alignment");
_Static_assert(sizeof(struct record_failure) <= RECORD_INLINE_VALUE, "a failure fits inline");

/* ---- references inside the segment: {generation:32, index:32} ---- */

static inline uint64_t record_ref(uint32_t index, uint32_t generation)
{
	return (uint64_t)generation << 32 | index;
}

static inline uint32_t ref_index(uint64_t ref)
{
	return (uint32_t)ref;
}

static inline uint32_t ref_generation(uint64_t ref)
{
	return (uint32_t)(ref >> 32);
}

/* ---- the word ---- */

#define WORD_FLAGS_SHIFT 0
#define WORD_STATE_SHIFT 8
#define WORD_ATTEMPT_SHIFT 12
#define WORD_OWNER_SHIFT 20
#define WORD_GENERATION_SHIFT 32

static inline uint64_t word_make(
    uint32_t generation, uint32_t owner, uint32_t attempt, enum record_state state, uint32_t flags)
{
	return (uint64_t)generation << WORD_GENERATION_SHIFT |
	    (uint64_t)(owner & 0xfff) << WORD_OWNER_SHIFT |
	    (uint64_t)(attempt & 0xff) << WORD_ATTEMPT_SHIFT | (uint64_t)state << WORD_STATE_SHIFT |
	    flags;
}

static inline enum record_state word_state(uint64_t word)
{
	return (enum record_state)(word >> WORD_STATE_SHIFT & 0xf);
}

static inline uint32_t word_flags(uint64_t word)
{
	return (uint32_t)word & 0xff;
}

static inline uint32_t word_attempt(uint64_t word)
{
	return (uint32_t)(word >> WORD_ATTEMPT_SHIFT) & 0xff;
}

static inline uint32_t word_owner(uint64_t word)
{
	return (uint32_t)(word >> WORD_OWNER_SHIFT) & 0xfff;
}

static inline uint32_t word_generation(uint64_t word)
{
	return (uint32_t)(word >> WORD_GENERATION_SHIFT);
}

/* The word without the flags, which a client may set at any time while a task runs. */
static inline uint64_t word_without_flags(uint64_t word)
{
	return word & ~(uint64_t)0xff;
}

/* DONE, FAILED or CANCELLED: the record changes no more. */
static inline bool state_settled(enum record_state state)
{
	return state == RECORD_DONE || state == RECORD_FAILED || state == RECORD_CANCELLED;
}

/* A task accepted and not ended. */
static inline bool record_unsettled(uint64_t word)
{
	enum record_state state = word_state(word);
	return state == RECORD_WAITING || state == RECORD_READY || state == RECORD_RUNNING;
}

/* Settled for a waiting client: a running task with FLAG_CANCEL ends CANCELLED in any case. */
static inline bool word_settled(uint64_t word)
{
	return state_settled(word_state(word)) ||
	    (word_state(word) == RECORD_RUNNING && word_flags(word) & FLAG_CANCEL);
}

/* ---- attempts that went back into the queue ---- */

static inline uint32_t record_returns(const struct record *r)
{
	return r->returned & 0xff;
}

/* The attempts that count: only these spend the budgets of retries. */
static inline uint32_t record_tries(const struct record *r, uint64_t word)
{
	uint32_t attempts = word_attempt(word), returns = record_returns(r);
	return attempts > returns ? attempts - returns : 0;
}

/* By the owner, before the step to READY; again by the process that finishes the work of a dead
 * owner. */
static inline void record_count_return(struct record *r, uint32_t attempt)
{
	if (r->returned >> 8 != attempt)
		r->returned = (attempt << 8 | (record_returns(r) + 1)) & 0xffff;
}

/* ---- memory needed, in a byte: eight steps for each doubling, from 1 MiB on ---- */

enum { DEMAND_SHIFT = 20, DEMAND_STEPS = 8 };

static inline uint64_t demand_bytes(uint32_t code)
{
	uint64_t steps = code % DEMAND_STEPS, doublings = code / DEMAND_STEPS;
	return (doublings ? (steps + DEMAND_STEPS) << (doublings - 1) : steps) << DEMAND_SHIFT;
}

/* The smallest code for at least so many bytes; else the largest code. */
static inline uint32_t demand_code(uint64_t bytes)
{
	uint32_t code = 0;
	while (code < 0xff && demand_bytes(code) < bytes)
		code++;
	return code;
}

/* A failed task that can be submitted again, with its arguments kept. */
static inline bool word_retriable(uint64_t word)
{
	return word_state(word) == RECORD_FAILED && word_flags(word) & FLAG_RETRIABLE;
}

/* The name that the submitter gave to the work; false: no name, or no task. */
bool record_identity(const struct record *r, uint64_t word, uint64_t ret[2]);

const char *record_state_name(enum record_state state); /* "ready"; "?" for a wrong number */

/* A table of legal steps; all others are refused. */
bool record_step_legal(enum record_state from, enum record_state to);

/* A CAS from *seen to the same generation with this owner, attempt, state and flags. False when the
 * word moved first; *seen is then the new word. */
bool record_step(struct record *r, uint64_t *seen, enum record_state to, uint32_t owner,
    uint32_t attempt, uint32_t flags);

/* A CAS: a WAITING or READY task becomes CANCELLED, a running task is asked to stop. 0; -EAGAIN:
 * the word moved, and *seen is the new word; -EALREADY: already settled. */
int record_cancel(struct record *r, uint64_t *seen, uint32_t by);

/* A CAS: a running task is asked to stop and to go back into the queue. 0, also for a queued task;
 * -EAGAIN as above; -EALREADY: settled, or soon will be; -EOVERFLOW: the word has no number for
 * another attempt and the retries left; -EINVAL: not a submitted task. */
int record_return(struct record *r, uint64_t *seen);
/* The same for want of memory: the task goes back into the queue or, with for_good, fails. 0,
 * -EAGAIN, or -EALREADY: not running, or asked to stop before. */
int record_evict(struct record *r, uint64_t *seen, bool for_good);
/* By the owner: raises the demand to the bytes seen in use. */
void record_raise_demand(struct record *r, uint64_t bytes);

/* ---- the order of tasks: larger key first ---- */

#define KEY_TURN_MASK (((uint64_t)1 << 48) - 1)
/* The turns of submissions begin here (turns.h). Lower turns are for tasks that a person moves to
 * the front of their priority (scheduler/move.c). */
#define TURNS_FIRST ((uint64_t)1 << 47)

static inline uint64_t key_make(int priority, uint64_t turn)
{
	return (uint64_t)(uint16_t)(priority - PRIORITY_MIN) << 48 | (~turn & KEY_TURN_MASK);
}

/* The priority as a number from 0 on, and whether the task was moved to the front: the top bit of
 * its turn. */
static inline uint32_t key_rank(uint64_t key)
{
	return (uint32_t)(key >> 47);
}

static inline int key_priority(uint64_t key)
{
	return (int)(key >> 48) + PRIORITY_MIN;
}

static inline uint64_t key_turn(uint64_t key)
{
	return ~key & KEY_TURN_MASK;
}

#endif
