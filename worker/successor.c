/* successor.c - what became ready by a commit goes on without a turn through the scheduler.
 *
 * The worker that settles the last missing argument of a task is the first to know, and has the
 * value in its cache. It tells the dependents itself if nobody else is at the graph, keeps one that
 * is ready for itself, and hands the others to the worker with the least in front of it. The
 * scheduler is left out of the way only while nothing stands in its heap: what stands there may
 * have the higher priority. Death: a task that was made ready and not placed is READY in its word;
 * the scheduler finds it when it buries us. */
#include "tables/edges.h"
#include "tables/floor.h"
#include "tables/handover.h"
#include "worker/worker.h"

enum { EDGES_AT_ONCE = 32 };

/* Into our own ring, where others can steal it. Not if its priority is above the floor: what stands
 * there already may be below it, and the scheduler has to raise the floor first. */
static bool successor_queue_here(struct worker *w, uint64_t hint)
{
	const struct tables *t = &w->rt.tables;
	struct ring own = ring_down(t, w->rt.self);
	return !sh_peek(&w->rt.me->booked) && ring_used(&own) < process_depth(w->rt.me) &&
	    key_rank(record_at(t, (uint32_t)hint)->key) <= sh_peek(&t->control->floor) &&
	    ring_push(&own, &hint, 1) == 1;
}

/* A stranger's ring with something in it goes before a successor: else a chain would starve it. */
static bool successor_may_keep(const struct worker *w)
{
	struct ring own = ring_down(&w->rt.tables, w->rt.self);
	return !w->call && w->next == NO_RECORD && ring_used(&own) <= 1 &&
	    !sh_peek(&w->rt.me->booked);
}

static void successor_place(struct worker *w, uint32_t index, uint64_t ref)
{
	uint64_t hint = hint_make(HINT_SUBMITTED, ref);
	const struct record *r = record_at(&w->rt.tables, index);
	/* One with terms of its own is the scheduler's to place. */
	bool ordered = heap_length(&w->rt.tables.task_heap) > 0 || !worker_may_start(w) ||
	    r->terms || floor_refuses(&w->rt.tables, r);
	if (!ordered && successor_may_keep(w))
		w->next = index;
	else if (ordered || !(handover(&w->rt.tables, hint) || successor_queue_here(w, hint)))
		worker_tell(w, HINT_SUBMITTED, ref, true);
}

static void successor_tell_one(struct worker *w, struct edge_taken edge)
{
	struct record *r = record_at(&w->rt.tables, edge.task);
	uint64_t word = edge.word;
	uint64_t ref = record_ref(edge.task, word_generation(word));
	if (!edge.last)
		return;
	/* A task that wants any of its arguments may run already, by one that came earlier; from
	 * RUNNING to READY is a legal step, of its owner. */
	if (!edge.doomed && word_state(word) == RECORD_WAITING &&
	    record_step(r, &word, RECORD_READY, word_owner(word), word_attempt(word), 0))
		successor_place(w, edge.task, ref);
	else if (state_settled(word_state(word)))
		worker_tell(
		    w, HINT_SETTLED, ref, true); /* cancelled meanwhile: now it can be finished */
}

bool worker_tell_successors(struct worker *w, uint64_t settled)
{
	struct edge_taken edges[EDGES_AT_ONCE];
	struct tables *t = &w->rt.tables;
	uint32_t n;
	if (edges_take(t, settled, true, edges, EDGES_AT_ONCE, &n) < 0)
		return false; /* the scheduler is at it, and will see this one as well */
	for (uint32_t i = 0; i < n; i++)
		successor_tell_one(w, edges[i]);
	return sh_load(&record_at(t, ref_index(settled))->dependents) == 0;
}
