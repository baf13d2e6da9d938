/* move.c - queued tasks get another place in the queue, as a client orders (tables/moves.h).
 *
 * The key of a task is the order of the task heap. A READY task is noted again after a change, so
 * that place.c queues the task under the new key; a shelf entry with the old key is stale
 * (ready_still()). A task at the front raises the floor (key_rank()), so no worker starts a task of
 * its priority before it, though hints stand in rings. A parked task leaves heap and booking, and a
 * hint to start the task is refused by its word. */
#include "scheduler/graph.h"
#include "tables/moves.h"

/* The lowest turn of all tasks not settled. Looks at each record, at the first use by this
 * scheduler. */
static uint64_t move_find_front(const struct scheduler *s)
{
	uint64_t front = TURNS_FIRST;
	uint32_t fresh = pool_fresh(&s->t->pool);
	for (uint32_t i = 0; i < fresh; i++) {
		const struct record *r = record_at(s->t, i);
		uint64_t turn = key_turn(sh_once(r->key));
		if (record_unsettled(sh_load(&r->state)) && turn < front)
			front = turn;
	}
	return front;
}

static uint64_t move_to_front(struct scheduler *s)
{
	if (!s->front)
		s->front = move_find_front(s);
	s->front -= s->front > 1;
	return s->front;
}

static bool move_is_queued(uint64_t word)
{
	return word_state(word) == RECORD_WAITING || word_state(word) == RECORD_READY;
}

static void move_change_key(struct scheduler *s, uint32_t index, uint64_t key)
{
	struct record *r = record_at(s->t, index);
	sh_rewrite(r->key, key, "key, moved");
	if (word_state(sh_load(&r->state)) == RECORD_READY)
		ready_add(s, index);
}

/* False: a worker, or a client that cancels, was first. */
static bool move_set_aside(struct scheduler *s, uint32_t index, bool aside)
{
	struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state);
	bool done = false;
	while (!done && move_is_queued(word)) {
		uint32_t flags = word_flags(word) & ~(uint32_t)FLAG_PARKED;
		done = record_step(r, &word, word_state(word), word_owner(word), word_attempt(word),
		    aside ? flags | FLAG_PARKED : flags);
	}
	if (!done || word_state(word) != RECORD_READY)
		return done;
	if (!aside) {
		ready_add(s, index);
		return true;
	}
	ready_remove(s, index);
	if (r->terms)
		seats_settled(s, record_ref(index, word_generation(word)));
	return true;
}

static bool move_obey(struct scheduler *s, uint32_t index, uint64_t move)
{
	const struct record *r = record_at(s->t, index);
	uint64_t key = sh_once(r->key);
	if (!move_is_queued(sh_load(&r->state)))
		return false;
	switch (move_kind(move)) {
	case MOVE_TO_FRONT:
		move_change_key(s, index, key_make(key_priority(key), move_to_front(s)));
		return true;
	case MOVE_TO_PRIORITY:
		move_change_key(s, index, key_make(move_priority(move), key_turn(key)));
		return true;
	case MOVE_ASIDE: return move_set_aside(s, index, true);
	case MOVE_BACK: return move_set_aside(s, index, false);
	default: return false;
	}
}

void move_look(struct scheduler *s, uint32_t process, uint32_t index)
{
	shared64 *order = &s->t->process[process].move;
	uint64_t move = sh_load(order);
	if (move_kind(move) == MOVE_NONE || move_kind(move) >= MOVE_DONE)
		return;
	enum move_kind answer = move_obey(s, index, move) ? MOVE_DONE : MOVE_LATE;
	if (journal_wants(s->t, record_at(s->t, index)))
		journal_tell(s->t, index); /* first, so `history` behind a move knows the move */
	sh_store(order, answer, "move, answered");
}
