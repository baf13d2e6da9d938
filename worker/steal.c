/* steal.c - an idle worker takes a task from the front of a busy worker.
 *
 * Only the worker that claims the record may run the task, so stealing is claiming: the hint stays,
 * and the owner of the ring later finds a stale hint. So a task given to a worker in the hope of a
 * short wait does not stay behind a long task while any worker is idle. */
#include "tables/cores.h"
#include "tables/floor.h"
#include "tables/handover.h"
#include "worker/worker.h"

enum { VICTIMS = 8, LOOK_AHEAD = 64, GLANCE_AHEAD = 4 };

static bool steal_is_other_worker(const struct worker *w, uint32_t process)
{
	uint64_t word = sh_load(&w->rt.tables.process[process].state);
	return process != w->rt.self && process_kind(word) == KIND_WORKER &&
	    process_state(word) == PROCESS_LIVE;
}

/* Such a hint stays: telling the scheduler is up to the owner of the ring. */
static bool steal_is_below_floor(const struct tables *t, uint64_t hint)
{
	uint32_t index = (uint32_t)hint;
	return index < t->limits.records && floor_refuses(t, record_at(t, index));
}

static bool steal_from(struct worker *w, uint32_t process)
{
	struct tables *t = &w->rt.tables;
	uint64_t hints[LOOK_AHEAD + 1];
	struct ring ring = ring_down(t, process);
	uint32_t n = ring_used(&ring) ? ring_look(&ring, hints, LOOK_AHEAD) : 0;
	hints[n] = sh_load(&t->process[process].handed);
	n += hints[n] != 0;
	for (uint32_t i = 0; i < n; i++)
		if (!steal_is_below_floor(t, hints[i]) &&
		    worker_run_hint(w, hints[i])) /* not if the owner runs the task already */
			return true;
	return false;
}

static bool steal_from_anybody(struct worker *w)
{
	uint32_t slot = w->rt.self, seen = 0, slots = tables_slots(&w->rt.tables);
	for (uint32_t i = 0; i < slots && seen < VICTIMS; i++) {
		slot = slot + 1 < slots ? slot + 1 : SLOT_FIRST_SHARED;
		if (!steal_is_other_worker(w, slot))
			continue;
		seen++;
		if (steal_from(w, slot))
			return true;
	}
	return false;
}

static bool steal_finds_ready(const struct tables *t, uint32_t process)
{
	uint64_t hints[GLANCE_AHEAD];
	struct ring ring = ring_down(t, process);
	uint32_t n = ring_used(&ring) ? ring_look(&ring, hints, GLANCE_AHEAD) : 0;
	for (uint32_t i = 0; i < n; i++) {
		if (!worker_names_task(t, hints[i]))
			continue;
		uint64_t word = sh_load(&record_at(t, (uint32_t)hints[i])->state);
		if (word_state(word) == RECORD_READY && !(word_flags(word) & FLAG_PARKED))
			return true;
	}
	return false;
}

/* At the workers that get tasks first (handover.h), while they are awake. */
bool steal_would_succeed(const struct worker *w)
{
	const struct tables *t = &w->rt.tables;
	for (uint32_t n = 0; n < VICTIMS && n < t->limits.processes; n++) {
		uint32_t process = process_nth_slot(t, KIND_WORKER, n);
		if (process_awake(t, process) && steal_is_other_worker(w, process) &&
		    steal_finds_ready(t, process))
			return true;
	}
	return false;
}

/* Steals with a closed hand: the stolen task may be long, and nothing must be handed to us behind
 * it. */
bool worker_steal(struct worker *w)
{
	uint64_t empty = 0;
	if (!worker_may_start(w) || sh_load(&w->rt.me->booked))
		return false; /* asked to rest or leave, or kept for a booked task */
	if (!sh_cas(&w->rt.me->handed, &empty, HAND_CLOSED))
		return true; /* a task was handed to us just now */
	bool found = steal_from_anybody(w);
	sh_store(&w->rt.me->handed, 0);
	return found;
}

/* A worker that sleeps does not steal, so a scheduler that rests without a look is woken. */
bool worker_makes_way(struct worker *w)
{
	const struct tables *t = &w->rt.tables;
	if (!cores_taken(t))
		return false;
	w->dry.missed = true; /* tasks to steal are no reason to stay awake */
	if (!sh_peek(&t->control->looks)) {
		w->untold = w->urgent = true;
		worker_report(w);
	}
	return true;
}
