/* successor.c - a task made ready by a commit goes on without a turn through the scheduler.
 *
 * The worker that settles the last missing argument of a task is the first to know, and has the
 * value in its cache. The worker tells the dependants unless somebody else is at the graph, keeps
 * one ready task, and gives the rest to idle workers (handover.h), to its own ring, or to the
 * scheduler. The scheduler is bypassed only while no task is queued: a queued task may have the
 * higher priority. Death: a task made ready and not yet placed is READY by its word; the scheduler
 * finds the task when burying us. */
#include "tables/edges.h"
#include "tables/floor.h"
#include "tables/handover.h"
#include "worker/task_events.h"

enum { EDGES_AT_ONCE = 32 };

/* Into our own ring, where others can steal the task. Not if the task's priority is above the
 * floor: a task in front may be below, and the scheduler has to raise the floor first. */
static bool successor_queue_here(struct worker *w, uint64_t hint)
{
	const struct tables *t = &w->rt.tables;
	struct ring own = ring_down(t, w->rt.self);
	return !sh_peek(&w->rt.me->booked) && ring_used(&own) < process_depth(w->rt.me) &&
	    key_rank(record_at(t, (uint32_t)hint)->key) <= sh_peek(&t->control->floor) &&
	    ring_push(&own, &hint, 1) == 1;
}

/* A hint of another task in our ring goes before a successor: otherwise a chain would starve the
 * ring. */
static bool successor_may_keep(const struct worker *w)
{
	struct ring own = ring_down(&w->rt.tables, w->rt.self);
	return !w->call && w->next == NO_RECORD && ring_used(&own) <= 1 &&
	    !sh_peek(&w->rt.me->booked);
}

static void successor_note(struct worker *w, uint64_t ref, uint32_t taker)
{
	if (eventlog_on(&w->rt.tables))
		task_events_placed(w, ref, taker);
}

/* A worker that sleeps does not steal. If our next task turns out long, only the scheduler's look
 * for stuck queues finds the tasks behind it: so a scheduler that rests without a look is woken. */
static bool successor_give(struct worker *w, uint64_t ref)
{
	uint64_t hint = hint_make(HINT_LOOK, ref);
	uint32_t taker = w->rt.self;
	enum handover done = handover(&w->rt.tables, hint, &taker);
	if (done == HANDOVER_GIVEN) {
		successor_note(w, ref, taker);
		return true;
	}
	if (!successor_queue_here(w, hint))
		return false;
	successor_note(w, ref, w->rt.self);
	if (done == HANDOVER_NOT_WORTH_A_WAKE && !sh_peek(&w->rt.tables.control->looks))
		w->untold = w->urgent = true;
	return true;
}

static void successor_place(struct worker *w, uint32_t index, uint64_t ref)
{
	const struct record *r = record_at(&w->rt.tables, index);
	/* The scheduler places tasks with terms. */
	bool ordered = heap_length(&w->rt.tables.task_heap) > 0 || !worker_may_start(w) ||
	    r->terms || floor_refuses(&w->rt.tables, r);
	if (!ordered && successor_may_keep(w)) {
		w->next = index;
		successor_note(w, ref, w->rt.self);
	} else if (ordered || !successor_give(w, ref)) {
		worker_tell(w, HINT_LOOK, ref, true);
	}
}

static void successor_tell_one(struct worker *w, struct edge_taken edge)
{
	struct tables *t = &w->rt.tables;
	struct record *r = record_at(t, edge.task);
	uint64_t word = edge.word;
	uint64_t ref = record_ref(edge.task, word_generation(word));
	if (!edge.last && edge.met)
		return;
	/* A task that needs only the first good one of its arguments (record_wants_any(): replicas)
	 * may run already. So compare with WAITING: record_step() would also allow the step from
	 * RUNNING to READY, which belongs to the owner alone. */
	if (edge.last && !edge.doomed && word_state(word) == RECORD_WAITING &&
	    record_step(r, &word, RECORD_READY, word_owner(word), word_attempt(word),
		word_flags(word) & FLAG_PARKED)) {
		if (eventlog_on(t))
			task_events_ready(w, ref, r);
		if (!(word_flags(word) & FLAG_PARKED))
			successor_place(w, edge.task, ref);
	} else if (state_settled(word_state(word))) {
		worker_tell(w, HINT_SETTLED, ref,
		    true); /* cancelled meanwhile: the scheduler can finish the task now */
	} else if (word_state(word) == RECORD_WAITING && !edge.met) {
		worker_tell(w, HINT_LOOK, ref, true); /* not needed: the scheduler ends the task */
	}
}

bool worker_tell_successors(struct worker *w, uint64_t settled)
{
	struct edge_taken edges[EDGES_AT_ONCE];
	struct tables *t = &w->rt.tables;
	uint32_t n;
	if (edges_take(t, settled, true, edges, EDGES_AT_ONCE, &n) < 0)
		return false; /* the scheduler is at the graph, and will see our settlement too */
	for (uint32_t i = 0; i < n; i++)
		successor_tell_one(w, edges[i]);
	return sh_load(&record_at(t, ref_index(settled))->dependents) == 0;
}
