/* inspect_view.h - private copies of records and process slots that other processes write
 * meanwhile.
 *
 * Every word is read once and judged here, so that no printer meets a number out of range. A record
 * is read between two looks at the state word; a record that keeps changing is shown as read last:
 * the copy is for people, and truth stays in the segment.
 * Where: any mapping of the control segment, a copied or damaged one too.
 * Blocks: never.  Allocates: never.  Lock: none. */
#ifndef PLM_CLIENT_INSPECT_VIEW_H
#define PLM_CLIENT_INSPECT_VIEW_H

#include "tables/tables.h"

enum { VIEW_TEXT_BYTES = 64 };

struct record_view {
	uint64_t ref;
	enum record_state state; /* of a PART: the state of the task */
	bool part, object;
	bool dead;     /* failed in the last of several attempts */
	bool stopping; /* a running task was asked to stop */
	bool parked;   /* a queued task is kept back */
	bool damaged;  /* some number makes no sense */
	bool moved;    /* changed during each of several readings */
	uint32_t owner, attempt, flags;
	char function[VIEW_TEXT_BYTES]; /* "" of an object; "#N" for a number nobody gave */
	int priority;
	uint64_t turn;
	uint32_t nargs, results, holders, pending, uses;
	uint32_t failures, returned;
	uint64_t bytes;          /* of the value, when DONE or being filled */
	uint32_t granule;        /* of the value; 0: inline */
	uint64_t age_ms, run_ms; /* since submission or put; of the last attempt */
};

struct process_view {
	uint32_t slot, generation;
	enum process_kind kind;
	enum process_state state;
	const char *condition;              /* name of the state, or why not to rely on the state */
	uint32_t worker, worker_generation; /* worker number; generation of the kind */
	uint32_t cpus, cpus_used;           /* of the worker */
	int32_t node;
	int32_t pid;
	char name[VIEW_TEXT_BYTES];
	uint64_t age_ms, beat_ms;
	uint64_t running; /* reference, 0: nothing */
	char function[VIEW_TEXT_BYTES];
	uint64_t run_ms;
	uint64_t done, failed;
	uint32_t up, down; /* hints in the two rings */
	bool blocked;
	const char *python; /* interpreter; "": a C worker. May lack its zero. */
	bool spare;         /* a worker process standing in for a process whose task waits */
};

/* False: the record is free, or the word is damaged. */
bool view_record(const struct tables *t, uint32_t index, struct record_view *ret);

/* False: the process slot is free. */
bool view_process(const struct tables *t, uint32_t slot, struct process_view *ret);

/* "@1f.2.9a0b": as plm_ref_print() writes it. */
void view_ref(const struct tables *t, uint64_t ref, char ret[VIEW_TEXT_BYTES]);

#endif
