/* free.c - frees a record and its memory when no process holds the record and no task needs it.
 *
 * A record becomes FREE here alone. First go the extents, each under its arena's lock together with
 * the word naming the extent; then the state changes; then, in batches, the record returns to the
 * pool, which is derived. */
#include "scheduler/graph.h"

/* False: the arena's lock could not be had, because a process was stopped inside it. */
static bool free_extent(struct scheduler *s, shared32 *granule, uint64_t bytes, enum arena_use use)
{
	if (sh_peek(granule) == 0)
		return true;
	if (owed_any(s))
		store_try_free(s->t, bytes, use, granule);
	else
		store_free(s->t, bytes, use, granule);
	bool freed = sh_peek(granule) == 0;
	s->freed.room |= freed;
	return freed;
}

void free_arguments(struct scheduler *s, struct record *r)
{
	if (!free_extent(s, &r->args, r->args_bytes, ARENA_ARGUMENTS))
		owed_note(s, record_index(s->t, r));
}

/* A process that waits for room may look again. It asks again if it needs more: then kept results
 * leave, however often arguments of ended tasks give a little room. */
static void free_tell_room(struct scheduler *s)
{
	if (s->freed.room && sh_peek(&s->t->control->room_wanted))
		event_post(&s->t->control->room);
	s->freed.room = false;
}

/* Of the time of the round: no later than a new life of a record. */
static void free_log(struct scheduler *s)
{
	if (s->freed.events.n)
		eventlog_batch_write(s->t, &s->freed.events, task_log_now(s));
}

/* Bytes of the store that go with the record. */
static uint64_t free_bytes(const struct record *r, uint64_t word)
{
	bool args = word_state(word) != RECORD_PART && sh_peek(&r->args);
	return (args ? arena_footprint(r->args_bytes) : 0) +
	    (sh_peek(&r->value) ? arena_footprint(r->value_bytes) : 0);
}

static bool free_log_one(struct scheduler *s, uint64_t stamp, uint64_t ref, uint64_t bytes)
{
	return bytes ? eventlog_batch_add(&s->freed.events, stamp, ref, bytes)
		     : eventlog_batch_pair(&s->freed.events, stamp, ref);
}

static void free_note(struct scheduler *s, uint32_t index, uint64_t word, uint64_t bytes)
{
	const struct record *r = record_at(s->t, index);
	uint64_t ref = record_ref(index, word_generation(word));
	struct logged_event e = eventlog_of_record(EVENT_FREED, 0, r, ref, word);
	uint64_t stamp = eventlog_stamp(EVENT_FREED, word_attempt(word), e.worker, e.function);
	if (free_log_one(s, stamp, ref, bytes))
		return;
	free_log(s);
	free_log_one(s, stamp, ref, bytes);
}

void free_flush(struct scheduler *s)
{
	free_tell_room(s);
	if (s->freed.n == 0) {
		free_log(s);
		return;
	}
	/* If the pool's lock cannot be had, the records are FREE all the same: a later rebuild
	 * finds them. */
	if (!s->owed.pool && pool_give(&s->t->pool, s->freed.record, s->freed.n) < 0)
		owed_note_pool(s);
	s->freed.n = 0;
	free_log(s);
	if (sh_peek(&s->t->control->room_wanted)) {
		sh_store(&s->t->control->room_wanted, 0);
		event_post(&s->t->control->room);
	}
}

/* Clears fields expected to be zero in a new life; most are zero, and the cache line stays clean.
 */
static void free_wipe(struct record *r)
{
	r->value_bytes = 0;
	r->demand = 0;
	r->returned = 0;
	r->failures = 0;
	if (sh_peek(&r->pending))
		sh_poke(&r->pending, 0);
	if (sh_peek(&r->uses))
		sh_poke(&r->uses, 0);
	if (sh_peek(&r->dependents))
		sh_poke(&r->dependents, 0);
	if (r->first_part)
		r->first_part = 0;
}

static void free_record(struct scheduler *s, uint32_t index)
{
	struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state);
	bool logged = eventlog_on(s->t);
	uint64_t bytes = logged ? free_bytes(r, word) : 0;
	bool freed = word_state(word) == RECORD_PART ||
	    free_extent(s, &r->args, r->args_bytes, ARENA_ARGUMENTS);
	/* A record still naming memory must not become FREE. */
	if (!free_extent(s, &r->value, r->value_bytes, ARENA_RESULT) || !freed) {
		owed_note(s, index);
		return;
	}
	hold_wipe(s->t, index);
	free_wipe(r);
	if (!record_step(r, &word, RECORD_FREE, 0, 0, 0))
		return; /* our own word moves in a damaged segment alone */
	if (logged)
		free_note(s, index, word, bytes);
	s->freed.record[s->freed.n++] = index;
	if (s->freed.n == FREED_BATCH)
		free_flush(s);
}

/* Calls visit for each part of the task; a chain damaged by a client ends early. */
static void free_each_part(
    struct scheduler *s, struct record *task, void (*visit)(struct scheduler *s, uint32_t index))
{
	uint64_t word = sh_load(&task->state);
	uint64_t ref = record_ref(record_index(s->t, task), word_generation(word));
	uint32_t next = task->first_part;
	for (uint32_t steps = 0; next && next <= s->t->limits.records && steps < RESULTS_MAX;
	     steps++) {
		uint32_t index = next - 1;
		struct record *part = record_at(s->t, index);
		if (word_state(sh_load(&part->state)) != RECORD_PART || part->part.task != ref)
			return;
		next = part->part.next;
		visit(s, index);
	}
}

static void free_value(struct scheduler *s, uint32_t index)
{
	struct record *r = record_at(s->t, index);
	if (free_extent(s, &r->value, r->value_bytes, ARENA_RESULT))
		r->value_bytes = 0; /* otherwise the number of bytes is still needed */
	else
		s->owed.left = true;
}

bool free_results(struct scheduler *s, struct record *r)
{
	s->owed.left = false;
	free_value(s, record_index(s->t, r));
	free_each_part(s, r, free_value);
	return !s->owed.left;
}

static void free_with_parts(struct scheduler *s, uint32_t index)
{
	if (record_at(s->t, index)->first_part)
		free_each_part(s, record_at(s->t, index), free_record);
	free_record(s, index);
}

/* Cancels a tied task without a client. If the scheduler dies before the word says so, the next
 * looks at all tied tasks (repair.c). */
static void free_end_if_tied(struct scheduler *s, uint32_t index)
{
	const struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state);
	if (r->tied && record_unsettled(word) && !(word_flags(word) & FLAG_CANCEL) &&
	    ((sh_peek(&r->uses) & ~USES_COUNTED) == 0 || !edges_wanted(s->t, r)))
		graph_cancel(s, index);
}

void free_if_unneeded(struct scheduler *s, uint32_t index)
{
	struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state);
	if (hold_any(s->t, index)) {
		retain_note(s, index, word);
		return;
	}
	if (!state_settled(word_state(word))) {
		free_end_if_tied(s, index);
		return;
	}
	if (sh_peek(&r->uses) == 0) {
		if (r->terms) { /* a client may drop the record before the worker tells the end */
			seats_settled(s, record_ref(index, word_generation(word)));
			limits_forget(s, index);
			/* Cancelled and dropped at once: graph_finish() has not seen the task. */
			if (record_wants_any(s->t, r))
				graph_cancel_arguments(s, r);
		}
		free_with_parts(s, index);
	} else if (word_retriable(word) && sh_peek(&r->uses) & USES_COUNTED)
		graph_settled(s, index); /* the arguments kept for a retry go first */
}

void free_orphan(struct scheduler *s, uint32_t index)
{
	free_record(s, index);
}

void free_abandoned(struct scheduler *s, uint32_t index)
{
	if (word_state(sh_load(&record_at(s->t, index)->state)) != RECORD_RESERVED)
		return;
	graph_abandoned(s, index);
	free_with_parts(s, index);
}
