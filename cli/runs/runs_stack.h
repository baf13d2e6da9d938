/* runs_stack.h - the open runs of each process, innermost last, and the rule that runs of a track
 * nest strictly: no run begins before the run around it, nor before the end of the run before.
 * Who: runs.c.  Errors: a slot is NULL for want of memory, or for a wild number. */
#ifndef PLM_RUNS_STACK_H
#define PLM_RUNS_STACK_H

#include "cli/runs/runs.h"

enum { STACK_MAX = 64, SLOTS_MAX = 1 << 16 };

struct open_run {
	bool waits;    /* a wait inside the run below, not a run */
	bool doubtful; /* events were lost since the start: the end may be among them */
	bool start_unknown;
	bool seeded; /* from a look at the process: the attempt is unknown */
	plm_ref ref;
	uint32_t attempt, function, worker, process, track, depth;
	uint64_t submitted_ns, ready_ns, placed_ns;
	int64_t priority;
	uint64_t start_ns;
	uint64_t floor_ns; /* nothing inside may begin earlier */
	uint64_t ended_ns; /* of the process, or of a wait with runs above; 0: not ended */
};

struct run_slot {   /* of a process slot of the runtime */
	bool known; /* a process is in the slot */
	bool told;  /* the track */
	uint32_t process, worker, pid, track;
	uint64_t floor_ns;
	uint32_t depth; /* of the stack */
	char seeded_function[RUN_NAME_BYTES];
	struct open_run stack[STACK_MAX];
};

struct run_slots {
	struct run_slot **slot;
	uint32_t size;
};

/* The slot of this number, made if missing. */
struct run_slot *slots_at(struct run_slots *slots, uint32_t process);
void slots_close(struct run_slots *slots);

/* The earliest moment at which something may begin in the slot. */
uint64_t slot_floor(const struct run_slot *slot);
/* Something inside ended at this time. */
void slot_raise_floor(struct run_slot *slot, uint64_t ns);
/* NULL: no room. The caller fills the other fields. */
struct open_run *slot_push(struct run_slot *slot, uint64_t start_ns);
struct open_run *slot_top(struct run_slot *slot);
/* Position of the open run of this attempt, or -1. */
int slot_find(const struct run_slot *slot, plm_ref ref, uint32_t attempt);

#endif
