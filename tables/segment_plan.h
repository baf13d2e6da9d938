/* segment_plan.h - the place of each table in the control segment: a function of the limits alone.
 * Where: private memory.  Who may call: tables.c. Both sides compute the plan, and read nothing of
 * it from the segment.  Blocks: never. */
#ifndef PLM_PLAN_H
#define PLM_PLAN_H

#include "tables/tables.h"

struct plan {
	size_t control, process, registry, terms, record, pool, task_heap, worker_heap;
	size_t rings, grace, news, recorded, left;
	size_t arena[ARENAS_MAX];
	/* For each further EXTENSION_SLOTS process slots, at the end of the segment: a word of hold
	 * bits for each record, then the rings. Memory is reserved when the first of these process
	 * slots is taken (tables_open_slot()). */
	size_t extension, extension_rings, extension_bytes;
	size_t total;         /* bytes of the control segment */
	uint32_t arena_pages; /* of each arena */
	uint64_t store_total; /* bytes of the store segment */
};

/* The limits must have passed tables_check_limits(). */
void plan_make(const struct limits *limits, struct plan *ret);

/* A build with different struct sizes computes a different number, and is refused. */
uint32_t plan_abi(void);

/* Bytes of the two rings of a process slot. */
size_t plan_ring_bytes(void);

#endif
