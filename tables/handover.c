#include "tables/handover.h"

#include "tables/cores.h"
#include "tables/floor.h"

enum { WORKERS_LOOKED_AT = 16 };

static bool handover_is_live_worker(const struct tables *t, uint32_t process)
{
	uint64_t word = sh_load(&t->process[process].state);
	return process_kind(word) == KIND_WORKER && process_state(word) == PROCESS_LIVE;
}

/* The worker's hand and ring are empty. */
static bool handover_is_idle(const struct tables *t, uint32_t process)
{
	const struct process *p = &t->process[process];
	if (!handover_is_live_worker(t, process) || sh_peek(&p->handed) || sh_peek(&p->booked))
		return false;
	struct ring ring = ring_down(t, process);
	return ring_used(&ring) == 0;
}

/* Gives the hint to an idle worker; false if the worker is not idle after all. The worker looks
 * into its hand first, then into the ring. The scheduler may have pushed a task into the ring
 * meanwhile, which the worker may now run for long, and our task must not lie behind: so take it
 * back. Of hints pushed later the scheduler takes care: it gives the task to another worker as
 * well. But the scheduler looks once at the tasks of a worker that was asked to leave: so take the
 * task back from such a worker, too. */
static bool handover_give(struct tables *t, uint32_t process, uint64_t hint)
{
	shared64 *hand = &t->process[process].handed;
	uint64_t empty = 0, ours = hint;
	if (!handover_is_idle(t, process) || !sh_cas(hand, &empty, hint, "handed"))
		return false;
	struct ring ring = ring_down(t, process);
	bool unsuited = ring_used(&ring) || !handover_is_live_worker(t, process);
	if (unsuited && sh_cas(hand, &ours, 0, "handed, taken back"))
		return false;
	process_post(t, process);
	return true;
}

struct handover_look {
	uint32_t quick;   /* workers awake with quick tasks */
	bool asleep;      /* some worker sleeps */
	uint32_t process; /* given the task */
};

static bool handover_to_awake(struct tables *t, uint64_t hint, struct handover_look *ret)
{
	for (uint32_t n = 0; n < WORKERS_LOOKED_AT && n < t->limits.processes; n++) {
		uint32_t process = process_nth_slot(t, KIND_WORKER, n);
		if (!process_awake(t, process)) {
			ret->asleep |= handover_is_live_worker(t, process);
			continue;
		}
		ret->process = process;
		if (handover_give(t, process, hint))
			return true;
		ret->quick += handover_is_live_worker(t, process) && cores_quick(t, process);
	}
	return false;
}

static bool handover_to_asleep(struct tables *t, uint64_t hint, struct handover_look *ret)
{
	for (uint32_t n = 0; n < WORKERS_LOOKED_AT && n < t->limits.processes; n++) {
		ret->process = process_nth_slot(t, KIND_WORKER, n);
		if (handover_give(t, ret->process, hint))
			return true;
	}
	return false;
}

/* Always the same workers first: they stay warm, the others sleep. */
enum handover handover(struct tables *t, uint64_t hint, uint32_t *ret_process)
{
	struct handover_look look = { 0 };
	if (heap_length(&t->task_heap) > 0 || tables_paused(t) ||
	    floor_refuses(t, record_at(t, (uint32_t)hint)))
		return HANDOVER_REFUSED;
	bool given = handover_to_awake(t, hint, &look);
	if (!given && look.asleep && look.quick >= t->control->cores)
		return HANDOVER_NOT_WORTH_A_WAKE;
	given = given || (look.asleep && handover_to_asleep(t, hint, &look));
	*ret_process = look.process;
	return given ? HANDOVER_GIVEN : HANDOVER_REFUSED;
}
