/* segment_plan.h - which table stands where in the control segment: a function of the limits alone.
 * Who: tables.c.  Both sides compute it; nothing of it is read from the segment. */
#ifndef PLM_PLAN_H
#define PLM_PLAN_H

#include "tables/tables.h"

struct plan {
	size_t control, process, registry, terms, record, pool, task_heap, worker_heap;
	size_t rings, grace, news, recorded, left;
	size_t arena[ARENAS_MAX];
	/* What each further PROCESSES_STEP process slots need, at the end of the segment: a word of
	 * hold bits for each record, then their rings. Memory for it is reserved when the first of
	 * them is taken (tables_open_slot). */
	size_t step, step_rings, step_bytes;
	size_t total;         /* bytes of the control segment */
	uint32_t arena_pages; /* of each arena */
	uint64_t store_total; /* bytes of the store segment */
};

/* The limits must have passed tables_check_limits(). */
void plan_make(const struct limits *limits, struct plan *ret);

/* A build with other struct sizes computes another one and is refused. */
uint32_t plan_abi(void);

/* Bytes of one process slot's two rings. */
size_t plan_ring_bytes(void);

#endif
