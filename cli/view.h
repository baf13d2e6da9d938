/* view.h - private copies of records and process slots that others write while we look.
 *
 * Every word is read once and judged here, so that what prints never meets a number that is not in
 * its range. A record is read between two looks at its state word; one that keeps moving is shown
 * as it was read last: this is for people, and truth stays in the segment.
 * Where: any mapping of the control segment, a copied or damaged one too.
 * Blocks: never.  Allocates: never.  Lock: none. */
#ifndef PLM_CLI_VIEW_H
#define PLM_CLI_VIEW_H

#include "tables/tables.h"

enum { VIEW_TEXT_BYTES = 64 };

struct record_view {
	uint64_t ref;
	enum record_state state; /* of a PART: what its task's word says */
	bool part, object;
	bool dead;     /* it failed in its last attempt of several */
	bool stopping; /* it runs, and was asked to stop */
	uint32_t owner, attempt, flags;
	char function[VIEW_TEXT_BYTES]; /* "" of an object; "#N" for a number nobody gave */
	int priority;
	uint32_t nargs, holders, pending, uses;
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
	uint32_t slots, slots_used;
	int32_t pid;
	char name[VIEW_TEXT_BYTES];
	uint64_t age_ms, beat_ms;
	uint64_t running; /* reference, 0: nothing */
	char function[VIEW_TEXT_BYTES];
	uint64_t run_ms;
	uint64_t done, failed;
	uint32_t up, down; /* hints in its rings */
	bool blocked;
	bool spare; /* it stands in for a worker whose task waits */
};

/* False if the record is free, or its word is none. */
bool view_record(const struct tables *t, uint32_t index, struct record_view *ret);

/* False if the slot is free. */
bool view_process(const struct tables *t, uint32_t slot, struct process_view *ret);

/* "@1f.2.9a0b": as plm_ref_print() writes it; here without the client library. */
void view_ref(const struct tables *t, uint64_t ref, char ret[VIEW_TEXT_BYTES]);

#endif
