/* untold.c - drops not told yet: the scheduler stood still for longer than anybody waits (SIGSTOP,
 * a debugger) and the ring of our process is full.
 *
 * A drop must not be lost: the value would stay held until our process ends. A drop must not block
 * for ever either. So drops are remembered here, and told before our process drops or asks for
 * anything else. A question for a hold on the same value waits until the drop is in the ring: the
 * scheduler would take a later drop for the end of the new hold.
 * Where: private memory. If the process dies, the scheduler ends all its holds anyway: a process
 * counts as unclean until everything is told (handle_close).
 * Blocks: untold_settle() alone, with a deadline. */
#include <stdlib.h>
#include <string.h>

#include "client/handle.h"

bool untold_any(const struct plm *rt)
{
	return atomic_load_explicit(&rt->untold.n, memory_order_acquire) > 0;
}

/* Without memory to remember a drop, the value stays held until our process ends. */
static void untold_note(struct plm *rt, const uint64_t *hints, uint32_t n)
{
	struct untold *u = &rt->untold;
	uint32_t used = atomic_load_explicit(&u->n, memory_order_relaxed);
	if (used + n > u->room) {
		uint32_t room = 2 * (used + n);
		uint64_t *more = realloc(u->hint, room * sizeof *more);
		if (!more) {
			atomic_fetch_add_explicit(&rt->held, 1, memory_order_relaxed);
			return;
		}
		u->hint = more;
		u->room = room;
	}
	memcpy(u->hint + used, hints, n * sizeof *hints);
	atomic_store_explicit(&u->n, used + n, memory_order_release);
}

/* Pushes as many as fit. */
static void untold_push(struct plm *rt)
{
	struct untold *u = &rt->untold;
	uint32_t n = atomic_load_explicit(&u->n, memory_order_relaxed);
	if (n == 0) /* told by another thread; or never noted, and `hint` is NULL */
		return;
	uint32_t sent = tell_scheduler(&rt->tables, rt->self, u->hint, n, true);
	memmove(u->hint, u->hint + sent, (n - sent) * sizeof *u->hint);
	atomic_store_explicit(&u->n, n - sent, memory_order_release);
}

void untold_tell(struct plm *rt, const uint64_t *hints, uint32_t n, bool wake)
{
	bool others = untold_any(rt);
	if (!others && handle_await_room_to_tell(rt, n) == 0) {
		if (wake)
			handle_tell(rt, hints, n);
		else
			handle_tell_quietly(rt, hints, n);
		return;
	}
	pthread_mutex_lock(&rt->untold.mutex);
	untold_note(rt, hints, n);
	untold_push(rt);
	pthread_mutex_unlock(&rt->untold.mutex);
}

int untold_settle(struct plm *rt)
{
	while (untold_any(rt)) {
		int r = handle_await_room_to_tell(rt, 1);
		if (r < 0)
			return r;
		pthread_mutex_lock(&rt->untold.mutex);
		untold_push(rt);
		pthread_mutex_unlock(&rt->untold.mutex);
	}
	return 0;
}
