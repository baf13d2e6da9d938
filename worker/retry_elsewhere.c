/* retry_elsewhere.c - not again by the worker that has just failed it, while another is free.
 *
 * The scheduler gives a retry to another worker that is idle (scheduler/place.c); but a hint may be
 * doubled, stolen, or run in the place of one that waits: so who claims looks, too. It is told to
 * the scheduler again, and nobody waits for ever: one that looks idle to us may be kept for another
 * task by the scheduler, so after a while we take it all the same. Only retries cost this look. */
#include "base/check.h"
#include "base/clock.h"
#include "tables/handover.h"
#include "worker/worker.h"

enum { DOUBLES = 8 }; /* of one hint in a ring; hardly ever more than one */
#define LEAVE_IT_NS (100 * NS_PER_MS)

/* A closed hand is that of a worker that runs what it has stolen, or that is idle and looks for
 * something to steal. */
static bool retry_elsewhere_has_free_hand(const struct process *p, uint64_t hint)
{
	uint64_t handed = sh_load(&p->handed);
	return handed == 0 || handed == hint ||
	    (handed == HAND_CLOSED && sh_load(&p->running) == 0);
}

/* Idle, or idle but for this very task, which it was given and has not begun. */
static bool retry_elsewhere_is_free(const struct tables *t, uint32_t process, uint64_t hint)
{
	const struct process *p = &t->process[process];
	uint64_t word = sh_load(&p->state), given[DOUBLES];
	if (process_kind(word) != KIND_WORKER || process_state(word) != PROCESS_LIVE ||
	    sh_load(&p->booked) || tables_drained(t, p->worker) ||
	    !retry_elsewhere_has_free_hand(p, hint))
		return false;
	struct ring ring = ring_down(t, process);
	uint32_t n = ring_look(&ring, given, DOUBLES);
	while (n > 0 && given[n - 1] == hint)
		n--;
	return n == 0;
}

static bool retry_elsewhere_another_is_free(const struct worker *w, uint64_t ref)
{
	const struct tables *t = &w->rt.tables;
	for (uint32_t p = SLOT_FIRST_MEMBER; p < tables_slots(t); p++)
		if (t->process[p].worker != w->rt.me->worker &&
		    retry_elsewhere_is_free(t, p, hint_make(HINT_SUBMITTED, ref)))
			return true;
	return false;
}

/* How long we have left this retry to others. Two that share a place share the time of the first,
 * as long as they come again and again: were each to begin anew with the other, the scheduler would
 * give us both without end while the worker that looks idle is stopped. */
static uint64_t retry_elsewhere_left_for_ns(struct worker *w, uint64_t ref, uint64_t word)
{
	struct left *left = &w->left[ref_index(ref) % COUNT_OF(w->left)];
	uint64_t now = clock_ns();
	bool same = left->ref == ref && left->word == word;
	bool collides = left->ref != ref && now - left->seen_ns < LEAVE_IT_NS;
	if (!same && !collides)
		left->since_ns = now;
	left->ref = ref;
	left->word = word;
	left->seen_ns = now;
	return now - left->since_ns;
}

bool worker_leaves_retry(struct worker *w, uint64_t ref, uint64_t word)
{
	const struct tables *t = &w->rt.tables;
	if (record_failed_by(t, word) != w->rt.me->worker || tables_paused(t) ||
	    !retry_elsewhere_another_is_free(w, ref))
		return false;
	return retry_elsewhere_left_for_ns(w, ref, word) < LEAVE_IT_NS;
}
