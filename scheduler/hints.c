/* hints.c - what other processes tell. Each hint says "look at record i"; the state of the record
 * decides. A hint for a former life of the record, a doubled hint, or nonsense from a broken client
 * changes nothing. */
#include "scheduler/scheduler.h"
#include "tables/grace.h"

enum { READ_BATCH = UP_RING_ENTRIES < 256 ? UP_RING_ENTRIES / 2 : 128, READ_ROUNDS = 8 };

/* A sleeping producer is woken after a whole batch read from a full ring. A whole batch must still
 * come, however much of the ring was read before it was full. */
_Static_assert(UP_RING_ENTRIES >= 2 * READ_BATCH - 1, "behind part of a batch comes a whole one");

static void hints_on_look(struct scheduler *s, uint32_t index, uint64_t word)
{
	if (record_at(s->t, index)->terms)
		limits_look(s, index);
	if (word_state(word) == RECORD_READY)
		ready_add(s, index);
	else if (word_state(word) == RECORD_WAITING)
		graph_admit(s, index);
	else if (state_settled(word_state(word)))
		graph_settled(s, index);
}

static void hints_on_settled(struct scheduler *s, uint32_t index, uint64_t word)
{
	if (!state_settled(word_state(word)))
		return; /* freed already: its client was faster */
	if (word_state(word) == RECORD_CANCELLED)
		ready_remove(s, index);
	graph_settled(s, index);
}

static void hints_on_dropped(struct scheduler *s, uint32_t process, uint32_t index, uint64_t word)
{
	hold_clear(s->t, index, process);
	if (process == SLOT_MANAGER)
		retain_forget(s, index);
	if (process != SLOT_MANAGER && process == journal_slot(s->t)) {
		if (state_settled(word_state(word)))
			graph_settled(s, index); /* written, so its arguments may go */
	} else if (process == SLOT_MANAGER && journal_wants(s->t, record_at(s->t, index))) {
		journal_tell(s->t, index); /* before the end nobody may keep the task any more */
	}
	if (word_state(word) == RECORD_RESERVED && word_owner(word) == process)
		free_abandoned(s, index);
	else
		free_if_unneeded(s, index);
}

static void hints_on_held(struct scheduler *s, uint32_t process, uint32_t index, uint64_t word)
{
	if (word_state(word) != RECORD_FREE && word_state(word) != RECORD_PART)
		hold_set(s->t, index, process);
}

/* After an import, the death of the process needs a scan. The scheduler sets `unclean` itself: a
 * client gone after a wait for the answer in vain knows nothing of this hold. */
static void hints_on_import(struct scheduler *s, uint32_t process, uint32_t index, uint64_t word)
{
	shared32 *unclean = &s->t->process[process].unclean;
	if (!sh_load(unclean))
		sh_store(unclean, 1, "unclean");
	hints_on_held(s, process, index, word);
	move_look(s, process, index);
}

/* A refused import is answered, too: the client waits for the answer, then looks at the record. */
static void hints_answer_import(struct scheduler *s, uint32_t process, uint64_t hint)
{
	sh_store(&s->t->process[process].imported, hint);
	process_post_all(s->t, process);
}

static void hints_on_cancel(struct scheduler *s, uint32_t index, uint64_t word)
{
	uint32_t grace_ms;
	bool named = grace_was_named(s->t, index, word, &grace_ms);
	limits_stop(s, index, named ? &grace_ms : NULL);
}

static void hints_on(struct scheduler *s, uint32_t process, uint64_t hint)
{
	uint32_t index = (uint32_t)hint;
	if (index >= s->t->limits.records)
		return;
	uint64_t word = sh_load(&record_at(s->t, index)->state);
	if (hint_fits(hint, word)) {
		switch (hint_kind(hint)) {
		case HINT_LOOK: hints_on_look(s, index, word); break;
		case HINT_SETTLED: hints_on_settled(s, index, word); break;
		case HINT_DROPPED: hints_on_dropped(s, process, index, word); break;
		case HINT_KEPT: hints_on_held(s, SLOT_MANAGER, index, word); break;
		case HINT_FORGOTTEN: hints_on_dropped(s, SLOT_MANAGER, index, word); break;
		case HINT_CANCEL: hints_on_cancel(s, index, word); break;
		case HINT_IMPORT: hints_on_import(s, process, index, word); break;
		case HINT_NONE: break;
		}
	}
}

/* Take hints off the ring only after handling them: then a dropped hold is dropped even if the
 * scheduler dies here. Reading a hint twice is harmless: each hint names the current state, or a
 * past life. */
static uint32_t hints_read_ring(struct scheduler *s, uint32_t process)
{
	uint64_t hints[READ_BATCH];
	struct ring ring = ring_up(s->t, process);
	uint32_t n = ring_look(&ring, hints, READ_BATCH), done = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (i + 4 < n)
			__builtin_prefetch(
			    &s->t->record[(uint32_t)hints[i + 4] % s->t->limits.records]);
		hints_on(s, process, hints[i]);
		if (s->ready.n >= READY_BATCH)
			place_flush(s);
		if (hint_kind(hints[i]) == HINT_IMPORT) {
			/* Before the answer: a new scheduler must not read an older drop of the
			 * same record again. */
			ring_done(&ring, i + 1 - done);
			done = i + 1;
			hints_answer_import(s, process, hints[i]);
		}
	}
	ring_done(&ring, n - done);
	/* After meeting a full ring, the producer sleeps on its own event. */
	if (n == READ_BATCH)
		process_post_all(s->t, process);
	return n;
}

void hints_read_one(struct scheduler *s, uint32_t process)
{
	/* Bounded: a ring is emptied within its size unless the producer lives and pushes on. */
	for (uint32_t i = 0; i <= UP_RING_ENTRIES / READ_BATCH; i++) {
		uint32_t n = hints_read_ring(s, process);
		graph_spread(s);
		if (n < READ_BATCH)
			return;
	}
}

/* Takes some hints from each ring, so that a flood from one client keeps nobody waiting. */
static uint32_t hints_read_some(struct scheduler *s, uint32_t process)
{
	uint32_t n = 0, last;
	uint32_t rounds = 0;
	do {
		last = hints_read_ring(s, process);
		n += last;
	} while (last == READ_BATCH && ++rounds < READ_ROUNDS);
	/* Not emptied: set the bit for the producer, which sets it no second time. */
	if (last == READ_BATCH)
		sh_or(&s->t->control->unread[process / 64], (uint64_t)1 << process % 64);
	nested_look(s, process);
	room_refresh(s, process);
	return n;
}

/* Clear the bits, then read: a hint pushed later sets its bit again (tell_scheduler). */
static uint64_t hints_take_unread(shared64 *unread)
{
	return sh_peek(unread) ? sh_swap(unread, 0, "unread") : 0;
}

uint32_t hints_read(struct scheduler *s)
{
	uint32_t n = 0;
	for (uint32_t word = 0; word < tables_slots(s->t) / EXTENSION_SLOTS; word++) {
		uint64_t rings = hints_take_unread(&s->t->control->unread[word]) |
		    hints_take_unread(&s->t->control->unread_quiet[word]);
		for (; rings; rings &= rings - 1)
			n += hints_read_some(s, word * 64 + (uint32_t)__builtin_ctzll(rings));
	}
	graph_spread(s);
	place_flush(s);
	free_flush(s);
	return n;
}
