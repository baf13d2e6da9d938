/* floor.h - the priority floor: a worker claims no task of a priority below the floor.
 *
 * Why: a task in a worker's ring or hand is past the order of the task heap. When a task of a
 * higher priority comes, lower tasks that lie there unclaimed must not start first. How: the
 * scheduler raises control->floor as soon as it queues the higher task. A worker looks at the floor
 * before each claim, and tells the scheduler again of a task below the floor: so rings empty, and
 * the task heap decides again. The scheduler lowers the floor when no task above the next queued
 * task waits unclaimed behind another task in front of a worker (scheduler/floor.c). Between floods
 * the floor stays: a task below an old floor goes once through the scheduler, which lowers the
 * floor. Exempt: tasks that a waiting task waits for, tasks with a booking, and tasks that have
 * waited as long as --ageing says (scheduler/ageing.c gives those a share of the placements).
 * Where: a word of the control page.  Who may call: the scheduler, the workers, and a
 * client that hands over a task (handover.c).
 * Death: the word is derived. While no scheduler is LIVE the workers ignore the floor, so rings
 * drain; the next scheduler begins with 0 and raises the floor from the queued tasks.
 * Blocks: never. Cost: a load of a line that seldom changes. */
#ifndef PLM_FLOOR_H
#define PLM_FLOOR_H

#include "tables/tables.h"

/* True: the task has waited as long as --ageing says, and higher priorities keep it back no longer.
 */
static inline bool floor_is_due(const struct tables *t, const struct record *r)
{
	const struct control *c = t->control;
	return c->ageing_ms && (uint64_t)sh_once(r->submit_ms) + c->ageing_ms <= tables_ms(t);
}

static inline bool floor_is_above(const struct tables *t, uint64_t key)
{
	return key_rank(key) < sh_peek(&t->control->floor);
}

/* True: a higher priority goes first, and the process about to claim this task must tell the
 * scheduler instead. */
static inline bool floor_refuses(const struct tables *t, const struct record *r)
{
	if (!floor_is_above(t, sh_once(r->key)))
		return false;
	uint64_t scheduler = sh_load(&t->process[SLOT_SCHEDULER].state);
	return process_state(scheduler) == PROCESS_LIVE && !floor_is_due(t, r);
}

/* True: queued tasks wait until the last task of higher priority is claimed, and the process that
 * has just claimed a task must tell the scheduler to look again. */
static inline bool floor_keeps_queue(const struct tables *t)
{
	return sh_load(&t->control->kept_back) && heap_length(&t->task_heap) > 0;
}

#endif
