#include "tables/handover.h"

enum { SLOTS_LOOKED_AT = 16 }; /* workers are the first to join */

/* It runs nothing and nothing stands in front of it. A guess: what is handed to one that has just
 * begun something is stolen by the next idle one (worker/steal.c). */
static bool is_idle(const struct tables *t, uint32_t process)
{
	const struct process *p = &t->process[process];
	uint64_t word = sh_load(&p->state);
	if (process_kind(word) != KIND_WORKER || process_state(word) != PROCESS_LIVE ||
	    sh_peek(&p->handed))
		return false;
	struct ring ring = ring_down(t, process);
	return ring_used(&ring) == 0;
}

/* Always from the front: the first workers stay warm, the last ones sleep. */
bool handover(struct tables *t, uint64_t hint)
{
	uint32_t end = SLOT_FIRST_MEMBER + SLOTS_LOOKED_AT;
	if (heap_length(&t->task_heap) > 0)
		return false;
	for (uint32_t p = SLOT_FIRST_MEMBER; p < end && p < t->limits.processes; p++) {
		uint64_t empty = 0;
		if (!is_idle(t, p) || !sh_cas(&t->process[p].handed, &empty, hint))
			continue;
		process_post(t, p);
		return true;
	}
	return false;
}
