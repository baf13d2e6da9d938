/* inspect_view.h - private copies of records and process slots that other processes write
 * meanwhile.
 *
 * Every word is read once and judged here, so that no printer meets a number out of its range. A
 * record is read between two looks at its state word; a record that keeps moving is shown as it was
 * read last: the copy is for people, and truth stays in the segment.
 * Where: any mapping of the control segment, a copied or damaged one too.
 * Blocks: never.  Allocates: never.  Lock: none. */
#ifndef PLM_CLIENT_INSPECT_VIEW_H
#define PLM_CLIENT_INSPECT_VIEW_H

#include "tables/tables.h"

enum { VIEW_TEXT_BYTES = 64 };

struct record_view {
	uint64_t ref;
	enum record_state state; /* of a PART: what its task's word says */
	bool part, object;
	bool dead;     /* it failed in the last of several attempts */
	bool stopping; /* it runs, and was asked to stop */
	bool damaged;  /* some number makes no sense */
	bool moved;    /* it changed in each of several readings */
	uint32_t owner, attempt, flags;
	char function[VIEW_TEXT_BYTES]; /* "" of an object; "#N" for a number nobody gave */
	int priority;
	uint32_t nargs, results, holders, pending, uses;
	uint32_t failures, returned;
	uint64_t bytes;          /* of the value, when DONE or being filled */
	uint32_t granule;        /* where it lies; 0: inline */
	uint64_t age_ms, run_ms; /* since submission or put; how long it ran or runs */
};

struct process_view {
	uint32_t slot, generation;
	enum process_kind kind;
	enum process_state state;
	const char *condition;              /* name of the state, or why it is none to rely on */
	uint32_t worker, worker_generation; /* of a worker: its number, and what its kind is */
	uint32_t cpus, cpus_used;           /* of its worker */
	int32_t node;
	int32_t pid;
	char name[VIEW_TEXT_BYTES];
	uint64_t age_ms, beat_ms;
	uint64_t running; /* reference, 0: nothing */
	char function[VIEW_TEXT_BYTES];
	uint64_t run_ms;
	uint64_t done, failed;
	uint32_t up, down; /* hints in its rings */
	bool blocked;
	bool spare; /* a worker process that stands in for one whose task waits */
};

/* False if the record is free, or its word is no record's. */
bool view_record(const struct tables *t, uint32_t index, struct record_view *ret);

/* False if the process slot is free. */
bool view_process(const struct tables *t, uint32_t slot, struct process_view *ret);

/* "@1f.2.9a0b": as plm_ref_print() writes it. */
void view_ref(const struct tables *t, uint64_t ref, char ret[VIEW_TEXT_BYTES]);

#endif
