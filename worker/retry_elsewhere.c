/* retry_elsewhere.c - a retry does not run on the worker that has just failed it, while another is
 * free.
 *
 * The scheduler gives a retry to another idle worker (scheduler/place.c). But the hint may be
 * doubled, stolen, or run in place of a waiting task, so the claiming worker looks too, and tells
 * the scheduler of the task again. Nobody waits for ever: the scheduler may keep an idle-looking
 * worker for another task, so after a while we run the retry all the same. Only retries cost the
 * look. */
#include "base/check.h"
#include "base/clock.h"
#include "tables/handover.h"
#include "worker/worker.h"

enum { DOUBLES = 8 }; /* copies of a hint in a ring; hardly ever more than one */
#define LEAVE_IT_NS (100 * NS_PER_MS)

/* A closed hand belongs to a worker that runs a stolen task, or is idle and looks for a task to
 * steal. */
static bool retry_elsewhere_has_free_hand(const struct process *p, uint64_t hint)
{
	uint64_t handed = sh_load(&p->handed);
	return handed == 0 || handed == hint ||
	    (handed == HAND_CLOSED && sh_load(&p->running) == 0);
}

/* True for an idle worker, also if the only hint in front of the worker is our retry. */
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
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(t); p++)
		if (t->process[p].worker != w->rt.me->worker &&
		    retry_elsewhere_is_free(t, p, hint_make(HINT_LOOK, ref)))
			return true;
	return false;
}

/* How long we have left the retry to others. Two retries with the same place in left[] share the
 * time of the first, as long as both come again and again. If each began anew instead, the
 * scheduler would give us both without end, while the worker that looks idle is stopped. */
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
