#include "tables/cores.h"

#include "base/clock.h"
#include "tables/spin.h"

enum {
	MOVE_PAUSE_NS = 10000000, /* not a move for each task */
	WORK_PAUSE_NS = 1000000,  /* a move costs some 10 us */
	LOOK_PAUSE_NS = 50000,
	WORKERS_LOOKED_AT = 16,
};

static bool cores_is_worker(const struct tables *t, uint32_t process)
{
	return process_kind(sh_load(&t->process[process].state)) == KIND_WORKER;
}

void cores_note(struct tables *t)
{
	shared32 *noted = &t->process[t->self].cpu;
	uint32_t core = (uint32_t)sched_getcpu();
	if (t->control->cores > 1 && sh_peek(noted) != core)
		sh_poke(noted, core, "cpu");
}

bool cores_quick(const struct tables *t, uint32_t process)
{
	const struct process *p = &t->process[process];
	uint32_t average_ns = sh_peek(&p->average_ns);
	return process_awake(t, process) && average_ns && average_ns <= CORES_QUICK_NS &&
	    !sh_peek(&p->tasks_sleep);
}

/* Among the workers that get tasks first (handover.h). */
bool cores_taken(const struct tables *t)
{
	uint32_t taken = 0, cores = t->control->cores;
	for (uint32_t n = 0; n < WORKERS_LOOKED_AT && n < t->limits.processes; n++) {
		uint32_t process = process_nth_slot(t, KIND_WORKER, n);
		taken +=
		    process != t->self && cores_is_worker(t, process) && cores_quick(t, process);
		if (taken >= cores)
			return true;
	}
	return false;
}

bool cores_kept(const struct tables *t)
{
	uint32_t core = (uint32_t)sched_getcpu();
	for (uint32_t n = 0; n < WORKERS_LOOKED_AT && n < t->limits.processes; n++) {
		uint32_t process = process_nth_slot(t, KIND_WORKER, n);
		const struct process *p = &t->process[process];
		if (process == t->self || !process_awake(t, process) || sh_peek(&p->cpu) != core)
			continue;
		struct ring ring = ring_down(t, process);
		if ((uint64_t)ring_used(&ring) * sh_peek(&p->average_ns) > CORES_KEPT_NS)
			return true;
	}
	return false;
}

/* Of two workers on a core, one moves. Clients are not ours to move. */
static bool cores_makes_way_for(const struct tables *t, uint32_t other)
{
	return other != t->self && other != SLOT_SCHEDULER &&
	    (process_kind(sh_load(&t->process[other].state)) == KIND_CLIENT || other > t->self);
}

bool cores_shared(struct tables *t, uint64_t now)
{
	cores_note(t);
	if (!cores_is_worker(t, t->self) || now < t->may_move_ns)
		return false;
	uint32_t core = sh_peek(&t->process[t->self].cpu), slots = tables_slots(t);
	for (uint32_t p = 0; p < slots; p++)
		if (process_awake(t, p) && sh_peek(&t->process[p].cpu) == core &&
		    cores_makes_way_for(t, p))
			return true;
	return false;
}

/* The kernel moves the process at once, and may move it on when the second call permits all. */
void cores_leave(struct tables *t, uint64_t now)
{
	uint32_t core = sh_peek(&t->process[t->self].cpu);
	cpu_set_t allowed, others;
	t->may_move_ns = now + MOVE_PAUSE_NS;
	if (core >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) < 0)
		return;
	others = allowed;
	CPU_CLR(core, &others);
	if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0)
		sched_setaffinity(0, sizeof allowed, &allowed);
}

/* A busy worker has no time to make way. */
void cores_part_after_wake(struct tables *t)
{
	uint64_t now = clock_ns();
	cores_note(t);
	if (t->control->cores < 2 || now < t->may_move_ns)
		return;
	uint32_t core = sh_peek(&t->process[t->self].cpu), slots = tables_slots(t);
	for (uint32_t p = SLOT_FIRST_SHARED; p < slots; p++)
		if (p != t->self && process_awake(t, p) && sh_peek(&t->process[p].cpu) == core &&
		    cores_is_worker(t, p)) {
			cores_leave(t, now);
			return;
		}
}

/* ---- a worker at work, and another that waits for its core ---- */

/* A worker with short tasks that does not run, as the slot tells: the worker has begun a task on
 * this core, or has begun none of those in the ring. 0: no such worker. */
static uint32_t cores_waiting_worker(const struct tables *t, struct cores_look *ret)
{
	uint32_t core = (uint32_t)sched_getcpu();
	for (uint32_t n = 0; n < WORKERS_LOOKED_AT && n < t->limits.processes; n++) {
		uint32_t process = process_nth_slot(t, KIND_WORKER, n);
		const struct process *p = &t->process[process];
		if (process == t->self || !cores_quick(t, process) || !cores_is_worker(t, process))
			continue;
		struct ring ring = ring_down(t, process);
		ret->running = sh_peek(&p->running);
		ret->position = ring_position(&ring);
		if (ret->running ? sh_peek(&p->cpu) == core : ring_used(&ring) > 0)
			return process;
	}
	return 0;
}

/* Tasks seldom take more than twice the average. */
static uint64_t cores_patience(const struct tables *t, const struct cores_look *look)
{
	uint32_t average_ns = sh_peek(&t->process[look->process].average_ns);
	return LOOK_PAUSE_NS + (look->running ? 2 * (uint64_t)average_ns : 0);
}

void cores_part_at_work(struct tables *t, struct cores_look *look, uint64_t now)
{
	if (now < look->next_ns)
		return;
	struct cores_look seen = *look;
	look->next_ns = now + LOOK_PAUSE_NS;
	look->process = now < look->may_move_ns ? 0 : cores_waiting_worker(t, look);
	if (look->process && spin_awake(t) > t->control->cores)
		look->process = 0; /* no core is free */
	if (look->process != seen.process || look->running != seen.running ||
	    look->position != seen.position) {
		look->since_ns = now;
	} else if (look->process && now - look->since_ns >= cores_patience(t, look)) {
		look->may_move_ns = now + WORK_PAUSE_NS;
		cores_note(t);
		cores_leave(t, now);
	}
}
