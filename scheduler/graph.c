/* graph.c - who waits for whom.
 *
 * An edge is an argument that is a future: {index of the waiting task, offset of the argument in its
 * block}. The edges to one record hang in a list that starts in its `dependents` and goes through the
 * `next` of the arguments themselves: no memory of its own, however many edges there are.
 * `pending` counts the arguments of a task that are not settled, `uses` the arguments that name a record:
 * while it is used, its value stays. All derived: scheduler_rebuild() counts and links again.
 * Blocks and links stand where clients can write: every word is checked before it is followed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/scheduler.h"

static uint64_t edge_make(uint32_t task, uint32_t offset)
{
	return (uint64_t)task << 32 | offset;
}

/* The record whose word speaks for a future: results of one task are one thing here. */
static struct record *speaker_of(const struct scheduler *s, uint64_t ref)
{
	uint64_t word;
	struct record *r = record_lookup(s->t, ref, &word);
	if (r && word_state(word) == RECORD_PART)
		r = record_lookup(s->t, r->part.task, &word);
	return r;
}

void graph_settled(struct scheduler *s, uint32_t index)
{
	/* Full only if hints came doubled without end: then nothing that is left out was not in already. */
	if (s->settled_count < SETTLED_PER_RECORD * s->t->limits.records)
		s->settled[s->settled_count++] = index;
}

/* ---- failures that travel ---- */

static void leave_message(struct scheduler *s, struct record *r, const char *message)
{
	uint64_t length = message ? strlen(message) : 0;
	r->value_bytes = length;
	if (length == 0 || store_alloc(s->t, 0, length, &r->value) < 0)
		r->value_bytes = 0; /* the code and the root are kept all the same */
	else
		memcpy(store_writable(s->t, sh_peek(&r->value)), message, length);
}

void graph_fail(struct scheduler *s, uint32_t index, const struct record_failure *failure,
    const char *message)
{
	struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state);
	uint32_t attempt = word_attempt(word);
	while (!record_step(r, &word, RECORD_RUNNING, SLOT_SCHEDULER, attempt, 0))
		if (!record_step_legal(word_state(word), RECORD_RUNNING))
			return; /* a client cancelled it first */
	word = word_make(word_generation(word), SLOT_SCHEDULER, attempt, RECORD_RUNNING, 0);
	free_results(s, r);
	leave_message(s, r, message);
	r->failure = *failure;
	r->end_ms = tables_ms(s->t);
	if (!record_step(r, &word, RECORD_FAILED, SLOT_SCHEDULER, attempt, 0)) {
		free_results(s, r); /* cancelled in between: no payload */
		record_step(r, &word, RECORD_CANCELLED, SLOT_SCHEDULER, attempt, 0);
	}
	wake_holders(s->t, index);
	graph_settled(s, index);
}

/* The task fails because cause did: the same code, signal, root and message. */
static void fail_because(struct scheduler *s, uint32_t index, const struct record *cause)
{
	char text[512];
	uint64_t word = sh_load(&cause->state), length = 0;
	struct record_failure failure = cause->failure;
	const void *message = NULL;
	if (word_state(word) == RECORD_CANCELLED) {
		failure = (struct record_failure){ .code = ECANCELED, .root_function = cause->function,
			.root = record_ref(record_index(s->t, cause), word_generation(word)) };
		message = "a task it depends on was cancelled";
		length = strlen(message);
	} else if (sh_peek(&cause->value)) {
		message = record_value(s->t, cause, &length);
	}
	if (length >= sizeof text)
		length = sizeof text - 1;
	if (message)
		memcpy(text, message, length);
	text[message ? length : 0] = 0;
	graph_fail(s, index, &failure, text);
}

static void fail_unknown_argument(struct scheduler *s, uint32_t index, uint32_t number)
{
	struct record *r = record_at(s->t, index);
	char message[96];
	snprintf(message, sizeof message, "argument %u is no future any more", number);
	struct record_failure failure = { .code = ESTALE, .root_function = r->function,
		.root = record_ref(index, word_generation(sh_load(&r->state))) };
	graph_fail(s, index, &failure, message);
}

/* ---- admission ---- */

static void link_edge(struct scheduler *s, uint32_t index, const struct arg *arg, struct record *speaker)
{
	struct record *r = record_at(s->t, index);
	sh_poke(&arg->future->next, sh_peek(&speaker->dependents));
	sh_poke(&r->pending, sh_peek(&r->pending) + 1);
	sh_store(&speaker->dependents, edge_make(index, arg->offset));
	s->edges++;
	/* Link first, look then: a client seals an object the other way round (object.c). */
	sh_fence();
	if (state_settled(word_state(sh_load(&speaker->state))))
		graph_settled(s, record_index(s->t, speaker));
}

static void admit_argument(struct scheduler *s, uint32_t index, const struct arg *arg, uint32_t number)
{
	struct record *speaker = speaker_of(s, arg->future->ref);
	if (!speaker) {
		fail_unknown_argument(s, index, number);
		return;
	}
	sh_poke(&speaker->uses, sh_peek(&speaker->uses) + 1);
	enum record_state state = word_state(sh_load(&speaker->state));
	if (!state_settled(state))
		link_edge(s, index, arg, speaker);
	else if (state != RECORD_DONE)
		fail_because(s, index, speaker);
}

/* All arguments are settled, none failed. */
static void become_ready(struct scheduler *s, uint32_t index)
{
	struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state);
	if (word_state(word) == RECORD_WAITING &&
	    record_step(r, &word, RECORD_READY, word_owner(word), word_attempt(word), 0))
		place_ready(s, index);
}

void graph_admit(struct scheduler *s, uint32_t index)
{
	struct record *r = record_at(s->t, index);
	struct args_reader reader;
	struct arg arg;
	if (sh_peek(&r->uses) & USES_COUNTED)
		return; /* a doubled hint */
	sh_poke(&r->uses, sh_peek(&r->uses) | USES_COUNTED);
	if (!args_open(s->t, r, &reader)) {
		fail_unknown_argument(s, index, 0);
		return;
	}
	while (args_next(&reader, &arg))
		if (arg.future)
			admit_argument(s, index, &arg, reader.next);
	if (sh_peek(&r->pending) == 0)
		become_ready(s, index);
}

/* ---- settlement ---- */

static void release_arguments(struct scheduler *s, struct record *r)
{
	struct args_reader reader;
	struct arg arg;
	if (sh_peek(&r->uses) & USES_COUNTED) {
		sh_poke(&r->uses, sh_peek(&r->uses) & ~USES_COUNTED);
		bool readable = args_open(s->t, r, &reader);
		while (readable && args_next(&reader, &arg)) {
			struct record *used = arg.future ? speaker_of(s, arg.future->ref) : NULL;
			if (!used || (sh_peek(&used->uses) & ~USES_COUNTED) == 0)
				continue;
			sh_poke(&used->uses, sh_peek(&used->uses) - 1);
			free_if_unneeded(s, record_index(s->t, used));
		}
	}
	free_arguments(s, r);
}

/* Only when no edge of it hangs in another's list any more. */
static void finish(struct scheduler *s, uint32_t index)
{
	struct record *r = record_at(s->t, index);
	if (!state_settled(word_state(sh_load(&r->state))) || sh_peek(&r->pending))
		return;
	release_arguments(s, r);
	free_if_unneeded(s, index);
}

static void tell_dependent(struct scheduler *s, uint32_t index, const struct record *settled)
{
	struct record *r = record_at(s->t, index);
	uint32_t pending = sh_peek(&r->pending);
	if (pending == 0)
		return; /* a damaged list */
	sh_poke(&r->pending, pending - 1);
	enum record_state state = word_state(sh_load(&r->state));
	if (state == RECORD_WAITING && word_state(sh_load(&settled->state)) != RECORD_DONE)
		fail_because(s, index, settled);
	else if (state == RECORD_WAITING && pending == 1)
		become_ready(s, index);
	else if (pending == 1)
		graph_settled(s, index); /* it failed or was cancelled before: now it can be finished */
}

static void tell_dependents(struct scheduler *s, uint32_t index)
{
	struct record *settled = record_at(s->t, index);
	uint64_t edge = sh_peek(&settled->dependents);
	if (!edge)
		return;
	sh_poke(&settled->dependents, 0);
	for (uint64_t steps = s->edges; edge && steps > 0; steps--) {
		uint32_t task = (uint32_t)(edge >> 32);
		struct arg_future *future = task < s->t->limits.records
		    ? args_future_at(s->t, record_at(s->t, task), (uint32_t)edge) : NULL;
		if (!future)
			return; /* a damaged link: whoever hung behind it is found by the next rebuild */
		edge = sh_peek(&future->next);
		s->edges--;
		tell_dependent(s, task, settled);
	}
}

void graph_spread(struct scheduler *s)
{
	while (s->settled_count > 0) {
		uint32_t index = s->settled[--s->settled_count];
		if (!state_settled(word_state(sh_load(&record_at(s->t, index)->state))))
			continue; /* freed or in a new life since */
		tell_dependents(s, index);
		finish(s, index);
	}
}
