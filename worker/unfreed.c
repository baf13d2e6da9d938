/* unfreed.c - bytes of large values that our settlements let go and the scheduler has not freed.
 *
 * A task that ends is often the last user of its arguments. The scheduler alone frees them, when it
 * reads our report, and a report that nobody waits for does not wake the scheduler. So a chain of
 * tasks with large values would fill the store with values that nobody can reach, and each result
 * would land in cold memory.
 * So the worker counts. From unfreed_due() on a report wakes the scheduler; with still more bytes
 * told and not read, the worker waits for the scheduler before its next task. The count is a guess
 * from above: another task may still need a value. Tasks with small values seldom come to the first
 * threshold, and pay for an addition.
 * A value that a client holds stays when the task ends. So reports of such values go out as early,
 * but wake nobody: the drop of the client will wake the scheduler, who then has to know of the end.
 * Not taken: the worker frees the values itself. Holds and uses belong to the scheduler, which may
 * just be granting a hold on the same value to another client.
 * Death: private memory. A store without a living scheduler fills as before: the wait is short. */
#include "base/clock.h"
#include "tables/spin.h"
#include "worker/worker.h"

enum {
	UNFREED_SHARE = 256,    /* of the store may be let go before the scheduler is woken ... */
	UNFREED_MOST = 1 << 20, /* ... and at most so many bytes */
	UNFREED_TIMES = 8,      /* so many times more may be told and not read */
	UNFREED_NAP_MS = 1,
	UNFREED_WAIT_MS = 100, /* a living scheduler reads within microseconds, if it has a core */
};

void unfreed_open(struct worker *w)
{
	uint64_t share = w->rt.tables.limits.store_bytes / UNFREED_SHARE;
	w->unfreed.most = share < UNFREED_MOST ? share : (uint64_t)UNFREED_MOST;
}

/* A held result counts for nobody: the end of its task frees nothing of it. */
struct let_go unfreed_of(const struct plm_call *call)
{
	const struct record *r = call->record;
	struct let_go ret = { .free = call->future_bytes - call->held_bytes,
		.held = call->held_bytes };
	if (sh_peek(&r->args))
		ret.free += r->args_bytes;
	if (sh_peek(&r->value) && !sh_peek(&r->holds) && !sh_peek(&r->more_held))
		ret.free += r->value_bytes; /* nobody wants it, except perhaps a dependant */
	return ret;
}

static bool unfreed_is_read(void *worker)
{
	struct worker *w = worker;
	struct ring ring = ring_up(&w->rt.tables, w->rt.self);
	return (int32_t)(ring_position(&ring) - w->unfreed.told_end) >= 0;
}

bool unfreed_due(const struct worker *w)
{
	return w->unfreed.kept.free >= w->unfreed.most;
}

bool unfreed_note(struct worker *w, const struct let_go *more)
{
	w->unfreed.kept.free += more->free;
	w->unfreed.kept.held += more->held;
	return w->unfreed.kept.free + w->unfreed.kept.held >= w->unfreed.most;
}

void unfreed_told(struct worker *w, bool woken)
{
	w->unfreed.kept.held = 0;
	if (!woken)
		return;
	struct ring ring = ring_up(&w->rt.tables, w->rt.self);
	if (unfreed_is_read(w))
		w->unfreed.told = 0;
	w->unfreed.told += w->unfreed.kept.free;
	w->unfreed.kept.free = 0;
	w->unfreed.told_end = ring_end(&ring);
}

/* Naps, since nobody posts an event when our hints are read: this wait is rare. */
void unfreed_await(struct worker *w)
{
	if (w->unfreed.told < w->unfreed.most * UNFREED_TIMES)
		return;
	w->unfreed.told = 0;
	if (unfreed_is_read(w) || spin_until(&w->rt.tables, unfreed_is_read, w))
		return;
	uint64_t deadline_ns = deadline_after_ms(UNFREED_WAIT_MS);
	while (!unfreed_is_read(w) && clock_ns() < deadline_ns) {
		uint32_t seen = event_prepare(&w->rt.me->event);
		event_sleep(&w->rt.me->event, seen, deadline_after_ms(UNFREED_NAP_MS));
	}
}
