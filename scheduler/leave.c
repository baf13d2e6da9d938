/* leave.c - kept results leave: their time is over, too many are kept, or a process waits for room.
 *
 * retain.c tells which record is next. A result leaves as if a client forgot it: the runtime's hold
 * ends. If the scheduler dies between this step and the free, the record is left without a holder,
 * and the next scheduler frees it. */
#include "scheduler/placing.h"

enum {
	ROOM_RESULTS = 256, /* the most results that leave at once when the table is full ... */
	ROOM_SHARE = 8,     /* ... and the part of all kept results */
};

/* Removes the first of the heap. False: the record may not leave. */
static bool leave_one(struct scheduler *s, enum retain_heap which, const struct heap_entry *first)
{
	uint64_t word = sh_load(&record_at(s->t, first->id)->state);
	retain_take_out(s, which, first->id);
	if (word_generation(word) != first->tag || !retain_may_leave(s, first->id, word))
		return false;
	retention_leaves(s->t, first->id);
	hold_clear(s->t, first->id, SLOT_MANAGER);
	free_if_unneeded(s, first->id);
	sh_add(&s->t->control->left, 1);
	return true;
}

static void leave_finish(struct scheduler *s)
{
	graph_spread(s); /* a failed task frees its arguments first */
	free_flush(s);
}

uint32_t leave_look(struct scheduler *s)
{
	struct heap_entry first;
	uint32_t n = 0;
	for (int i = 0; i < RETAIN_HEAPS; i++)
		while (n < ROOM_RESULTS && retain_peek(s, (enum retain_heap)i, &first) &&
		    retain_is_over(s, (enum retain_heap)i, &first)) {
			leave_one(s, (enum retain_heap)i, &first);
			n++;
		}
	if (n)
		leave_finish(s);
	return n;
}

/* ---- room is made ---- */

static uint64_t leave_store_used(const struct scheduler *s)
{
	struct arena_usage usage;
	store_usage(s->t, &usage);
	return usage.used_bytes;
}

/* free_flush() tells a process waiting for room; without enough room the process asks again. */
void leave_make_room(struct scheduler *s)
{
	struct control *c = s->t->control;
	uint32_t wanted = sh_peek(&c->room_wanted);
	bool again = wanted == ROOM_NONE && heap_length(&s->retained[RETAIN_BY_RULE]) > 0;
	if (wanted != ROOM_SEEN && !again)
		return; /* nobody waits, dropped records gave room, or nothing is left to free */
	uint64_t bytes = sh_peek(&c->room_bytes), used = leave_store_used(s);
	uint32_t most = heap_length(&s->retained[RETAIN_BY_RULE]) / ROOM_SHARE + 1;
	/* With so few free records a process holding many is refused, though the pool is not empty.
	 */
	bool table = pool_free_count(&s->t->pool) <= tables_last_records(s->t);
	bool store = bytes > 0 && bytes <= used;
	struct heap_entry first;
	most = most < ROOM_RESULTS ? most : ROOM_RESULTS;
	for (uint32_t n = 0;
	     (table || store) && !c->retention.stay && retain_peek(s, RETAIN_BY_RULE, &first);) {
		if (!leave_one(s, RETAIN_BY_RULE, &first))
			continue;
		table = table && ++n < most;
		if (store) {
			leave_finish(s);
			store = leave_store_used(s) + bytes > used;
		}
	}
	leave_finish(s);
	sh_poke(&c->room_bytes, 0);
	uint32_t seen = ROOM_SEEN;
	sh_cas(&c->room_wanted, &seen, ROOM_NONE); /* unless free_flush() has told already */
}
