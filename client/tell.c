/* tell.c - hints from our process to the scheduler, through the ring of the process slot. */
#include <errno.h>

#include "client/handle.h"
#include "client/wait.h"

static uint32_t tell_look_for_place(struct plm *rt, void *context)
{
	(void)context;
	struct ring ring = ring_up(&rt->tables, rt->self);
	return ring_used(&ring) < UP_RING_ENTRIES ? AWAITING_NOTHING : AWAITING_ANY;
}

static int tell_hints(struct plm *rt, const uint64_t *hints, uint32_t n, bool wake)
{
	for (;;) {
		uint32_t sent = tell_scheduler(&rt->tables, rt->self, hints, n, wake);
		hints += sent;
		n -= sent;
		if (n == 0)
			return 0;
		int r = handle_runtime_gone(rt);
		if (r < 0)
			return r;
		wait_for(rt, tell_look_for_place, NULL, deadline_after_ms(SAFETY_TICK_MS));
	}
}

int handle_tell(struct plm *rt, const uint64_t *hints, uint32_t n)
{
	return tell_hints(rt, hints, n, true);
}

int handle_tell_quietly(struct plm *rt, const uint64_t *hints, uint32_t n)
{
	return tell_hints(rt, hints, n, false);
}

struct room_look {
	uint32_t entries; /* how many must be free */
};

static uint32_t tell_look_for_room(struct plm *rt, void *context)
{
	const struct room_look *look = context;
	struct ring ring = ring_up(&rt->tables, rt->self);
	bool room = ring_used(&ring) + look->entries <= UP_RING_ENTRIES;
	return room ? AWAITING_NOTHING : AWAITING_ANY;
}

/* A living scheduler empties a ring within milliseconds. With a stopped scheduler, give up here,
 * before the caller does anything the scheduler must be told of. */
int handle_await_room_to_tell(struct plm *rt, uint32_t n)
{
	uint32_t most = UP_RING_ENTRIES / 2;
	struct room_look look = { n < most ? n : most };
	if (tell_look_for_room(rt, &look) == AWAITING_NOTHING)
		return 0;
	uint64_t since_ns = clock_ns();
	process_post(&rt->tables, SLOT_SCHEDULER);
	int r = wait_for(rt, tell_look_for_room, &look, handle_answer_deadline(rt, -1));
	return r == -ETIMEDOUT ? handle_scheduler_silent(rt, since_ns) : r;
}
