#include "tables/spin.h"

#include <sched.h>

#include "base/clock.h"

enum {
	SPIN_NS = 50000,
	SPIN_GRACE_NS =
	    20000,       /* a peer counts as awake for this long after its last wake of a process */
	SPIN_LOOKS = 32, /* between two looks at the clock */
	SPIN_TASK_NS = 4 * SPIN_NS,
	MOVE_NS = 100000,         /* longest move to another core; mostly half */
	MOVE_PAUSE_NS = 10000000, /* not a move for each task */
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

/* Two workers on a core: one moves. Clients are not ours to move. */
static bool spin_makes_way_for(const struct tables *t, uint32_t other)
{
	return other != t->self && other != SLOT_SCHEDULER &&
	    (process_kind(sh_load(&t->process[other].state)) == KIND_CLIENT || other > t->self);
}

static bool spin_shares_core(const struct tables *t, uint32_t cpu)
{
	uint32_t slots = tables_slots(t);
	for (uint32_t p = 0; p < slots; p++)
		if (process_awake(t, p) && sh_peek(&t->process[p].cpu) == cpu &&
		    spin_makes_way_for(t, p))
			return true;
	return false;
}

/* To any other permitted core. The awake processes show which core is free. */
static void spin_leave_core(uint32_t cpu)
{
	cpu_set_t allowed, others;
	if (cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) < 0)
		return;
	others = allowed;
	CPU_CLR(cpu, &others);
	if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0)
		sched_setaffinity(0, sizeof allowed, &allowed);
}

/* The kernel likes to wake a process on the core of its waker. On a shared core the two alternate,
 * 5 us each way, as long as neither sleeps; on two cores a word is across in 0.1 us. */
static void spin_leave_shared_core(struct tables *t, uint64_t now)
{
	struct process *me = &t->process[t->self];
	uint32_t cpu = (uint32_t)sched_getcpu();
	sh_poke(&me->cpu, cpu);
	if (process_kind(sh_load(&me->state)) != KIND_WORKER || now < t->may_move_ns ||
	    !spin_shares_core(t, cpu))
		return;
	t->may_move_ns = now + MOVE_PAUSE_NS;
	/* Keep our waiting peer from parking before we arrive: the wake would bring the peer beside
	 * us again. */
	sh_poke(&t->control->moving_ns, now + MOVE_NS);
	spin_leave_core(cpu);
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
		sched_yield(); /* our peer may be queued on this very core */
		now = clock_ns();
		awake = spin_awake(t);
		if (awake <= cores) {
			allowed = now;
			spin_leave_shared_core(t, now);
		}
	} while ((now - start < SPIN_NS && now - allowed < SPIN_GRACE_NS) ||
	    (now < sh_peek(&t->control->moving_ns) && now - start < SPIN_NS + MOVE_NS));
	return false;
}
