/* floor.h - the priority floor: a worker claims no task of a priority below it.
 *
 * Why: a task that stands in a worker's ring or hand is past the order of the task heap. When a
 * task of a higher priority comes, the lower ones that stand there unclaimed must not start first.
 * How: the scheduler raises control->floor as soon as it queues the higher task. A worker looks at
 * the floor before each claim, and tells the scheduler anew of a task below it: so rings empty, and
 * the task heap decides again. The scheduler lowers the floor when no task above the next one waits
 * unclaimed behind another in front of a worker (scheduler/floor.c). Between floods the floor stays
 * where it was: a task below an old floor goes once through the scheduler, which lowers it.
 * Exempt: what a waiting task waits for, a task that a slot is booked for, and a task that has
 * waited for as long as --ageing says (scheduler/ageing.c gives those a share of the placements).
 * Death: the word is derived. While no scheduler is LIVE nobody heeds the floor, so that rings
 * drain; the next scheduler begins with 0 and raises it from what is queued.
 * Blocks: never. Cost: one load of a line that seldom changes. */
#ifndef PLM_FLOOR_H
#define PLM_FLOOR_H

#include "tables/tables.h"

/* It has waited for as long as --ageing says: priorities above its own keep it back no longer. */
static inline bool floor_is_due(const struct tables *t, const struct record *r)
{
	const struct control *c = t->control;
	return c->ageing_ms && (uint64_t)sh_once(r->submit_ms) + c->ageing_ms <= tables_ms(t);
}

static inline bool floor_is_above(const struct tables *t, uint64_t key)
{
	return key_rank(key) < sh_peek(&t->control->floor);
}

/* A higher priority goes first: whoever is about to claim this task tells the scheduler of it. */
static inline bool floor_refuses(const struct tables *t, const struct record *r)
{
	if (!floor_is_above(t, sh_once(r->key)))
		return false;
	uint64_t scheduler = sh_load(&t->process[SLOT_SCHEDULER].state);
	return process_state(scheduler) == PROCESS_LIVE && !floor_is_due(t, r);
}

/* What is queued waits until the last task above it is claimed: whoever has just claimed one tells
 * the scheduler to look again. */
static inline bool floor_keeps_queue(const struct tables *t)
{
	return sh_load(&t->control->kept_back) && heap_length(&t->task_heap) > 0;
}

#endif
