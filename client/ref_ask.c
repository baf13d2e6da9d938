/* ref_ask.c - asks the scheduler for holds on references, and reads the answers.
 *
 * A question is a hint in our ring; the scheduler answers by a word in our process slot. The answer
 * may be lost with a scheduler that dies, so an unanswered question is asked again. */
#include <errno.h>
#include <string.h>

#include "client/handle.h"
#include "client/wait.h"

struct import {
	uint64_t hint;
	uint64_t scheduler; /* state of the scheduler's process slot when the question was told */
};

static bool ref_is_answered(const struct plm *rt, const struct import *import)
{
	return sh_load(&rt->me->imported) == import->hint;
}

static uint32_t ref_look_for_import(struct plm *rt, void *context)
{
	const struct import *import = context;
	return ref_is_answered(rt, import) ||
		sh_load(&rt->tables.process[SLOT_SCHEDULER].state) != import->scheduler
	    ? AWAITING_NOTHING
	    : AWAITING_ANY;
}

/* The scheduler answers a hint when it has read all earlier hints. -ETIMEDOUT: ask again, since the
 * answer may be lost with a dead scheduler. */
static int ref_ask_once(struct plm *rt, uint64_t hint, uint64_t deadline_ns)
{
	uint64_t tick_ns = deadline_after_ms(SAFETY_TICK_MS);
	struct import import = { hint, sh_load(&rt->tables.process[SLOT_SCHEDULER].state) };
	sh_store(&rt->me->imported, 0);
	int r = handle_tell(rt, &hint, 1);
	if (r == 0)
		r = wait_for(rt, ref_look_for_import, &import,
		    deadline_ns < tick_ns ? deadline_ns : tick_ns);
	return r == 0 && !ref_is_answered(rt, &import) ? -ETIMEDOUT : r;
}

/* ---- questions given up, but still open ---- */

/* Tells as many as fit: the scheduler may stand still, and the ring be full. */
static void ref_late_tell(struct plm *rt)
{
	struct late *late = &rt->late;
	if (late->n == 0)
		return;
	uint32_t sent = tell_scheduler(&rt->tables, rt->self, late->hint, late->n, true);
	late->n -= sent;
	memmove(late->hint, late->hint + sent, late->n * sizeof late->hint[0]);
	struct ring ring = ring_up(&rt->tables, rt->self);
	late->at = ring_end(&ring);
}

/* Each repetition of a question is answered, so a hold may come after nobody waits: drop that hold.
 * A question about no future goes behind the drop, and the answer wakes us. */
static void ref_late_begin(struct plm *rt, uint64_t dropped)
{
	struct late *late = &rt->late;
	late->open = true;
	late->n = 0;
	if (dropped)
		late->hint[late->n++] = hint_make(HINT_DROPPED, dropped);
	late->hint[late->n++] = hint_make(HINT_IMPORT, 0);
	ref_late_tell(rt);
}

static bool ref_late_is_read(const struct plm *rt)
{
	struct ring ring = ring_up(&rt->tables, rt->self);
	return rt->late.n == 0 &&
	    (ring_used(&ring) == 0 || (int32_t)(ring_position(&ring) - rt->late.at) >= 0);
}

static uint32_t ref_look_for_reading(struct plm *rt, void *context)
{
	struct ring ring = ring_up(&rt->tables, rt->self);
	bool goes_on = rt->late.n ? ring_used(&ring) < UP_RING_ENTRIES : ref_late_is_read(rt);
	(void)context;
	return goes_on ? AWAITING_NOTHING : AWAITING_ANY;
}

/* Settle old questions before the next. Otherwise an old answer would be taken for the new answer,
 * and the drop behind an old question would end the new hold. */
static int ref_late_settle(struct plm *rt, uint64_t deadline)
{
	while (rt->late.open) {
		ref_late_tell(rt);
		rt->late.open = !ref_late_is_read(rt);
		if (!rt->late.open)
			return 0;
		int r = handle_runtime_gone(rt);
		if (r == 0 && clock_ns() >= deadline)
			r = -ETIMEDOUT;
		if (r == 0)
			r = wait_for(
			    rt, ref_look_for_reading, NULL, deadline_after_ms(SAFETY_TICK_MS));
		if (r < 0 && (r != -ETIMEDOUT || clock_ns() >= deadline))
			return r;
	}
	return 0;
}

/* ---- asking ---- */

/* dropped: the future of which no hold may stay if the answer comes after all; 0: none. */
static int ref_ask_about(struct plm *rt, uint64_t ref, uint64_t dropped, uint64_t deadline_ns)
{
	uint32_t times = 0;
	int r = ref_late_settle(rt, deadline_ns);
	if (r == 0)
		r = untold_settle(rt);
	if (r == 0)
		r = handle_await_room_to_tell(rt, 1);
	if (r < 0)
		return r;
	do {
		r = ref_ask_once(rt, hint_make(HINT_IMPORT, ref), deadline_ns);
		times++;
	} while (r == -ETIMEDOUT && clock_ns() < deadline_ns);
	if (r < 0)
		ref_late_begin(rt, dropped);
	else if (times > 1)
		ref_late_begin(rt, 0);
	return r;
}

int ref_ask(struct plm *rt, uint64_t ref, uint64_t deadline_ns)
{
	return ref_ask_about(rt, ref, ref, deadline_ns);
}

/* Old questions are settled before the order is written: they are about other tasks. An order that
 * nobody answered is withdrawn. */
int ref_ask_move(
    struct plm *rt, uint64_t ref, uint64_t order, uint64_t deadline_ns, uint64_t *ret_answer)
{
	int r = ref_late_settle(rt, deadline_ns);
	if (r < 0)
		return r;
	sh_store(&rt->me->move, order, "move, ordered");
	r = ref_ask_about(rt, ref, 0, deadline_ns);
	*ret_answer = sh_swap(&rt->me->move, 0, "move, taken");
	return r;
}

/* Asks about no future, twice: the first answer says that the scheduler has read all before the
 * question, the second answer that the scheduler has acted. */
int handle_sync(struct plm *rt)
{
	int r = 0;
	pthread_mutex_lock(&rt->import_mutex);
	for (int i = 0; i < 2 && r == 0; i++)
		r = ref_ask(rt, 0, handle_answer_deadline(rt, -1));
	pthread_mutex_unlock(&rt->import_mutex);
	return r;
}
