#include "tables/spin.h"

#include <sched.h>

#include "base/clock.h"
#include "tables/cores.h"

enum {
	SPIN_NS = 50000,
	SPIN_GRACE_NS =
	    20000,       /* a peer counts as awake for this long after its last wake of a process */
	SPIN_LOOKS = 32, /* between two looks at the clock */
	SPIN_TASK_NS = 4 * SPIN_NS,
};

uint32_t spin_awake(const struct tables *t)
{
	uint32_t awake = 0;
	uint32_t eights = tables_slots(t) / 8;
	for (uint32_t i = 0; i < eights; i++)
		awake += (uint32_t)__builtin_popcountll(sh_peek(&t->control->awake.eight[i]));
	return awake;
}

bool spin_may_help(const struct tables *t)
{
	uint32_t busy = 0, slots = tables_slots(t);
	for (uint32_t p = SLOT_FIRST_SHARED; p < slots; p++) {
		if (p == t->self || !process_awake(t, p))
			continue;
		if (sh_peek(&t->process[p].average_ns) <= SPIN_TASK_NS)
			return true; /* true of a client, too, which runs no task */
		busy++;
	}
	return busy == 0;
}

/* On a shared core two spinning processes alternate, 5 us each way, as long as neither sleeps; on
 * two cores a word is across in 0.1 us. */
static void spin_leave_shared_core(struct tables *t, uint64_t now)
{
	if (!cores_shared(t, now))
		return;
	/* Keep our waiting peer from parking before we arrive: the wake would bring the peer beside
	 * us again. */
	sh_poke(&t->control->moving_ns, now + CORES_MOVE_NS);
	cores_leave(t, now);
}

/* A yield to a worker with much work ends at the next tick of the kernel. Until
 * then the scheduler counts as awake: no hint wakes it, and the rings of other workers run dry. A
 * scheduler that sleeps is woken in time. */
static bool spin_costs_core(const struct tables *t)
{
	return t->self == SLOT_SCHEDULER && cores_kept(t);
}

bool spin_until(struct tables *t, spin_ready_f *ready, void *context)
{
	uint32_t awake = spin_awake(t), cores = t->control->cores;
	if (awake > SPIN_CROWD * cores)
		return false;
	uint64_t start = clock_ns(), allowed = start, now;
	do {
		for (int i = 0; i < SPIN_LOOKS; i++) {
			if (ready(context))
				return true;
			sh_relax();
		}
		if (awake > cores && spin_costs_core(t))
			return false;
		sched_yield(); /* our peer may be queued on this very core */
		now = clock_ns();
		awake = spin_awake(t);
		if (awake <= cores) {
			allowed = now;
			spin_leave_shared_core(t, now);
		}
	} while ((now - start < SPIN_NS && now - allowed < SPIN_GRACE_NS) ||
	    (now < sh_peek(&t->control->moving_ns) && now - start < SPIN_NS + CORES_MOVE_NS));
	return false;
}
