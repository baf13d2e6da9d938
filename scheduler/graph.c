/* graph.c - the meaning of a settled record for its dependants (tables/edges.h has the lists).
 *
 * A task is admitted at the first meeting: its arguments are counted as uses of the named records,
 * which keeps the values, and are linked to unsettled records. A task is ready when no argument is
 * missing. A task fails as soon as one argument has failed, with the same root; a task that comes
 * after an argument in any case, or only after a failure, has a condition (tables/args.h) instead,
 * and is cancelled when it is not needed. A settled task is
 * finished when no list holds an edge of the task any more: then the arguments are released. A
 * worker may tell the dependants of a record itself (worker/successor.c); then graph.c finds none.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/graph.h"

void graph_settled(struct scheduler *s, uint32_t index)
{
	const struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state), turn = key_turn(sh_once(r->key));
	/* The task may have run without being placed. The key of an object is nobody's: 0 would be
	 * the last turn of all. */
	if (!(word_flags(word) & FLAG_OBJECT) && turn > s->turn)
		s->turn = turn;
	if (sh_once(r->terms))
		seats_settled(s, record_ref(index, word_generation(word)));
	/* Full only if hints came doubled without end: then every record left out is in the list
	 * already. */
	if (s->settled.n < SETTLED_PER_RECORD * s->t->limits.records)
		s->settled.record[s->settled.n++] = index;
}

/* ---- failures passed on ---- */

/* WAITING, or RUNNING without a living owner; not a task made ready and run by a worker. */
static bool graph_may_end(uint64_t word)
{
	return word_state(word) == RECORD_WAITING || word_state(word) == RECORD_RUNNING;
}

/* The flags of a stop stay: a task seen cancelled by a client must never be seen failed. */
bool graph_take_over(struct record *r, uint64_t *ret_word)
{
	uint64_t word = sh_load(&r->state), judged = word;
	while (!record_step(
	    r, &word, RECORD_RUNNING, SLOT_SCHEDULER, word_attempt(word), word_flags(word)))
		if (word_without_flags(word) != word_without_flags(judged) || !graph_may_end(word))
			return false;
	*ret_word = word_make(word_generation(word), SLOT_SCHEDULER, word_attempt(word),
	    RECORD_RUNNING, word_flags(word));
	return true;
}

void graph_fail_saying(struct scheduler *s, uint32_t index, const struct record_failure *failure,
    uint32_t flags, const struct failure_text *text)
{
	struct record *r = record_at(s->t, index);
	uint64_t word;
	if (!graph_take_over(r, &word))
		return; /* a client cancelled it first */
	uint32_t attempt = word_attempt(word);
	if (!free_results(s, r)) {
		owed_note(s, index); /* failed again when the memory is free */
		return;
	}
	failure_leave(s->t, 0, r, failure, text);
	r->end_ms = tables_ms(s->t);
	bool failed = false;
	while (!failed && !(word_flags(word) & FLAG_CANCEL)) /* ends: flags are only added */
		failed = record_step(r, &word, RECORD_FAILED, SLOT_SCHEDULER, attempt, flags);
	if (!failed) {
		free_results(s, r); /* cancelled: no payload */
		record_step(r, &word, RECORD_CANCELLED, SLOT_SCHEDULER, attempt, 0);
	}
	if (eventlog_on(s->t))
		task_log_end(s, failed ? EVENT_FAILED : EVENT_CANCELLED, index, word, 0);
	wake_holders(s->t, index);
	graph_settled(s, index);
}

void graph_fail(struct scheduler *s, uint32_t index, const struct record_failure *failure,
    uint32_t flags, const char *message)
{
	graph_fail_saying(s, index, failure, flags, &(struct failure_text){ message, NULL, 0 });
}

/* The task fails because `cause` failed or was cancelled: the same code, signal, root, message and
 * detail. */
static void graph_fail_because(struct scheduler *s, uint32_t index, const struct record *cause)
{
	char text[512];
	uint64_t word = sh_load(&cause->state), length = 0;
	struct record_failure failure = { .code = cause->failure.code,
		.signal = cause->failure.signal,
		.root = cause->failure.root,
		.root_function = cause->failure.root_function };
	const void *message = NULL;
	struct failure_text told = { text, NULL, 0 };
	if (word_state(word) == RECORD_CANCELLED) {
		failure = (struct record_failure){ .code = ECANCELED,
			.root_function = cause->function,
			.root = record_ref(record_index(s->t, cause), word_generation(word)) };
		message = "a task it depends on was cancelled";
		length = strlen(message);
	} else {
		message = failure_message(s->t, cause, &length);
		told.detail = failure_detail(s->t, cause, &told.detail_bytes);
	}
	if (length >= sizeof text)
		length = sizeof text - 1;
	if (message)
		memcpy(text, message, length);
	text[message ? length : 0] = 0;
	graph_fail_saying(s, index, &failure, FLAG_RETRIABLE, &told);
}

static void graph_fail_stale(struct scheduler *s, uint32_t index, const char *message)
{
	struct record *r = record_at(s->t, index);
	struct record_failure failure = { .code = ESTALE,
		.root_function = r->function,
		.root = record_ref(index, word_generation(sh_load(&r->state))) };
	graph_fail(s, index, &failure, 0, message);
}

static void graph_fail_unknown_argument(struct scheduler *s, uint32_t index, uint32_t number)
{
	char message[96];
	snprintf(message, sizeof message, "argument %u is no future any more", number);
	graph_fail_stale(s, index, message);
}

/* ---- admission ---- */

static void graph_lock(struct scheduler *s)
{
	if (lock_acquire(&s->t->graph_lock) < 0)
		scheduler_give_up();
}

static void graph_count_and_link_locked(struct scheduler *s, uint32_t index)
{
	struct record *r = record_at(s->t, index), *speaker;
	struct args_reader reader;
	struct arg arg;
	sh_poke(&r->uses, sh_peek(&r->uses) | USES_COUNTED, "uses, counted");
	if (!args_open(s->t, r, &reader))
		return;
	while (args_next(&reader, &arg)) {
		if (!arg.future)
			continue;
		speaker = edges_speaker(s->t, arg.future->ref);
		edges_link(s->t, index, &arg, speaker);
		if (speaker)
			sh_poke(&speaker->uses, sh_peek(&speaker->uses) + 1, "uses, one more");
	}
}

static void graph_become_ready(struct scheduler *s, uint32_t index)
{
	struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state);
	if (word_state(word) == RECORD_WAITING &&
	    record_step(r, &word, RECORD_READY, word_owner(word), word_attempt(word),
		word_flags(word) & FLAG_PARKED)) {
		if (eventlog_on(s->t))
			task_log_ready(s, index, word);
		ready_add(s, index);
	}
}

/* Ends a task that will never run, since `cause` was settled against the condition. */
static void graph_end_unmet(
    struct scheduler *s, uint32_t index, const struct record *cause, enum arg_condition condition)
{
	if (condition == ARG_AFTER_FAILED)
		graph_cancel(s, index); /* not needed: `cause` succeeded */
	else
		graph_fail_because(s, index, cause);
}

/* Applies the state of one argument to the task. False: the task is over. */
static bool graph_heed_argument(struct scheduler *s, uint32_t index, struct record *speaker,
    enum arg_condition condition, uint32_t number)
{
	enum record_state state = speaker ? word_state(sh_load(&speaker->state)) : RECORD_FREE;
	if (!speaker) {
		graph_fail_unknown_argument(s, index, number);
		return false;
	}
	/* The scheduler links first and looks afterwards; a client that seals an object does the
	 * reverse. */
	if (state_settled(state) && sh_peek(&speaker->dependents))
		graph_settled(s, record_index(s->t, speaker));
	if (!state_settled(state) || arg_met(condition, state))
		return true;
	graph_end_unmet(s, index, speaker, condition);
	return false;
}

/* A task of the kind "any" takes the first DONE argument, or the failure of the last. */
static void graph_check_any(struct scheduler *s, uint32_t index, struct args_reader *reader)
{
	struct arg arg;
	struct record *failed = NULL;
	bool open = false;
	while (args_next(reader, &arg)) {
		struct record *speaker = arg.future ? edges_speaker(s->t, arg.future->ref) : NULL;
		enum record_state state =
		    speaker ? word_state(sh_load(&speaker->state)) : RECORD_FREE;
		if (state_settled(state) && sh_peek(&speaker->dependents))
			graph_settled(s, record_index(s->t, speaker));
		if (state == RECORD_DONE) {
			graph_become_ready(s, index);
			return;
		}
		open |= speaker && !state_settled(state);
		failed = speaker && state_settled(state) ? speaker : failed;
	}
	if (!open && failed)
		graph_fail_because(s, index, failed);
	else if (!open)
		graph_fail_stale(s, index, "none of its replicas exists any more");
}

/* misses: an argument was missing after linking. Then the taker of the last edge makes the task
 * ready. */
static void graph_judge(struct scheduler *s, uint32_t index, bool misses)
{
	struct record *r = record_at(s->t, index);
	struct args_reader reader;
	struct arg arg;
	if (!args_open(s->t, r, &reader)) {
		graph_fail_stale(s, index, "its arguments make no sense: the record is damaged");
		return;
	}
	sh_fence();
	if (record_wants_any(s->t, r)) {
		graph_check_any(s, index, &reader);
		return;
	}
	while (args_next(&reader, &arg))
		if (arg.future &&
		    !graph_heed_argument(
			s, index, edges_speaker(s->t, arg.future->ref), arg.condition, reader.next))
			return;
	if (!misses)
		graph_become_ready(s, index);
}

void graph_check(struct scheduler *s, uint32_t index)
{
	graph_lock(s); /* a recovery of the lock counts from 0 */
	bool misses = sh_peek(&record_at(s->t, index)->pending) != 0;
	lock_release(&s->t->graph_lock);
	graph_judge(s, index, misses);
}

void graph_admit(struct scheduler *s, uint32_t index)
{
	if (sh_peek(&record_at(s->t, index)->uses) & USES_COUNTED) {
		graph_check(s, index); /* a worker met an unmet condition; or a doubled hint */
		return;
	}
	graph_lock(s);
	graph_count_and_link_locked(s, index);
	bool misses = sh_peek(&record_at(s->t, index)->pending) != 0;
	lock_release(&s->t->graph_lock);
	graph_judge(s, index, misses);
}

/* ---- settlement ---- */

static void graph_release_arguments(struct scheduler *s, struct record *r)
{
	struct args_reader reader;
	struct arg arg;
	bool readable = args_open(s->t, r, &reader);
	while (readable && args_next(&reader, &arg)) {
		struct record *used = arg.future ? edges_speaker(s->t, arg.future->ref) : NULL;
		if (!used || (sh_peek(&used->uses) & ~USES_COUNTED) == 0)
			continue;
		sh_poke(&used->uses, sh_peek(&used->uses) - 1, "uses, one less");
		free_if_unneeded(s, record_index(s->t, used));
	}
}

void graph_cancel(struct scheduler *s, uint32_t index)
{
	struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state);
	int done;
	do
		done = record_cancel(r, &word, SLOT_SCHEDULER);
	while (done == -EAGAIN);
	if (done < 0)
		return; /* it is settled */
	wake_holders(s->t, index);
	if (word_state(word) == RECORD_RUNNING) {
		limits_stop(s, index, NULL);
		return;
	}
	if (eventlog_on(s->t))
		task_log_end(s, EVENT_CANCELLED, index, word, 0);
	ready_remove(s, index);
	graph_settled(s, index);
}

/* One replica was enough: the rest need not go on. */
void graph_cancel_arguments(struct scheduler *s, struct record *r)
{
	struct args_reader reader;
	struct arg arg;
	bool readable = args_open(s->t, r, &reader);
	while (readable && args_next(&reader, &arg)) {
		struct record *speaker = arg.future ? edges_speaker(s->t, arg.future->ref) : NULL;
		if (speaker)
			graph_cancel(s, record_index(s->t, speaker));
	}
}

/* The edges of a cancelled task stay in the lists of its arguments. Tied tasks among the arguments
 * need not go on. */
static void graph_let_go_of_tied(struct scheduler *s, struct record *r)
{
	struct args_reader reader;
	struct arg arg;
	bool readable = args_open(s->t, r, &reader);
	while (readable && args_next(&reader, &arg)) {
		struct record *used = arg.future ? edges_speaker(s->t, arg.future->ref) : NULL;
		if (used && used->tied && record_unsettled(sh_load(&used->state)))
			free_if_unneeded(s, record_index(s->t, used));
	}
}

/* From here on nobody links or counts the task again. False: one of its edges is still in a list.
 */
static bool graph_leave(struct scheduler *s, struct record *r)
{
	graph_lock(s);
	bool free_of_edges = (sh_peek(&r->pending) & ~PENDING_DOOMED) == 0;
	if (free_of_edges)
		sh_poke(&r->uses, sh_peek(&r->uses) & ~USES_COUNTED, "uses, left");
	lock_release(&s->t->graph_lock);
	return free_of_edges;
}

static void graph_finish(struct scheduler *s, uint32_t index)
{
	struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state);
	if (!state_settled(word_state(word)))
		return;
	if (r->terms)
		limits_forget(s, index);
	if (word_retriable(word) && hold_any(s->t, index) && !record_wants_any(s->t, r)) {
		retain_note(s, index, word);
		return; /* a holder may want to run the task again */
	}
	if (record_wants_any(s->t, r))
		graph_cancel_arguments(s, r); /* even of a task cancelled before admission */
	if (journal_wants(s->t, r))
		return; /* the journal still has to write the arguments */
	if (sh_peek(&r->uses) & USES_COUNTED) {
		if (!graph_leave(s, r)) {
			graph_let_go_of_tied(s, r);
			return;
		}
		graph_release_arguments(s, r);
	}
	free_arguments(s, r);
	free_if_unneeded(s, index);
}

static void graph_tell_dependent(
    struct scheduler *s, struct edge_taken edge, const struct record *settled)
{
	enum record_state state = word_state(sh_load(&record_at(s->t, edge.task)->state));
	if (state == RECORD_WAITING && !edge.met &&
	    (edge.last || !record_wants_any(s->t, record_at(s->t, edge.task))))
		graph_end_unmet(s, edge.task, settled, edge.condition);
	else if (state == RECORD_WAITING && edge.last && !edge.doomed)
		graph_become_ready(s, edge.task);
	else if (edge.last)
		graph_settled(
		    s, edge.task); /* failed or cancelled before: now the task can be finished */
}

static void graph_tell_dependents(struct scheduler *s, uint32_t index)
{
	enum { SOME = 64 };
	struct edge_taken edges[SOME];
	struct record *settled = record_at(s->t, index);
	uint64_t ref = record_ref(index, word_generation(sh_load(&settled->state)));
	uint32_t n;
	do {
		if (edges_take(s->t, ref, false, edges, SOME, &n) < 0)
			scheduler_give_up();
		for (uint32_t i = 0; i < n; i++)
			graph_tell_dependent(s, edges[i], settled);
	} while (n == SOME);
}

static void graph_fail_in_vain(struct scheduler *s, uint32_t index)
{
	const struct record *r = record_at(s->t, index);
	struct record_failure failure = { .code = ESTALE,
		.root_function = r->function,
		.root = record_ref(index, word_generation(sh_load(&r->state))) };
	graph_fail(s, index, &failure, 0,
	    "an object it waits for was never sealed: its maker dropped it, or died");
}

/* The task was to be accepted together with a task that nobody will submit any more. */
static void graph_take_back(struct scheduler *s, uint32_t index)
{
	hold_clear(s->t, index, SLOT_MANAGER);
	graph_cancel(s, index);
}

void graph_abandoned(struct scheduler *s, uint32_t index)
{
	enum { SOME = 64 };
	struct edge_taken edges[SOME];
	uint64_t word = sh_load(&record_at(s->t, index)->state);
	uint64_t ref = record_ref(index, word_generation(word));
	uint32_t n;
	do {
		if (edges_take(s->t, ref, false, edges, SOME, &n) < 0)
			scheduler_give_up();
		for (uint32_t i = 0; i < n; i++) {
			uint32_t task = edges[i].task;
			const struct record *r = record_at(s->t, task);
			if (word_state(sh_load(&r->state)) == RECORD_WAITING && r->paired)
				graph_take_back(s, task);
			else if (word_state(sh_load(&r->state)) == RECORD_WAITING)
				graph_fail_in_vain(s, task);
			else if (edges[i].last)
				graph_settled(s, task);
		}
	} while (n == SOME);
}

void graph_spread(struct scheduler *s)
{
	while (s->settled.n > 0) {
		uint32_t index = s->settled.record[--s->settled.n];
		if (!state_settled(word_state(sh_load(&record_at(s->t, index)->state))))
			continue; /* freed since, or in a new life */
		graph_tell_dependents(s, index);
		graph_finish(s, index);
	}
}
