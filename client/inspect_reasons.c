/* inspect_reasons.c - the rules that explain a future, in order; the checks of all
 * states but READY. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/amount_text.h"
#include "client/inspect_command_text.h"
#include "client/inspect_reasons.h"
#include "tables/args.h"
#include "tables/grace.h"

enum {
	LOOKS_MAX = 8,     /* readings of a record that keeps changing */
	CHAIN_MAX = 10000, /* a longer chain is a circle, which only damage makes */
	MESSAGE_BYTES = 512,
	TIME_BYTES = 32,
	OTHERS_BYTES = 48,
	WORDS_BYTES = 60, /* of a command: enough to recognise the command */
};

/* ---- words ---- */

void reasons_say(struct look *l, const char *code, const char *format, ...)
{
	struct explanation *e = l->ret;
	l->last = NULL; /* without room for the reason, its futures belong nowhere */
	if (e->reasons == REASONS_MAX)
		return;
	struct reason *reason = l->last = &e->reason[e->reasons++];
	*reason = (struct reason){ .code = code };
	va_list args;
	va_start(args, format);
	vsnprintf(reason->text, sizeof reason->text, format, args);
	va_end(args);
}

void reasons_blame(struct look *l, uint64_t ref)
{
	struct reason *reason = l->last;
	if (ref && reason && reason->refs < REASON_REFS_MAX)
		reason->ref[reason->refs++] = ref;
}

static void reasons_function_of(
    const struct tables *t, const struct record *r, char ret[VIEW_TEXT_BYTES])
{
	struct function_entry entry;
	if (registry_function(&t->registry, r->function, &entry))
		snprintf(ret, VIEW_TEXT_BYTES, "%s", entry.name);
	else
		snprintf(ret, VIEW_TEXT_BYTES, "#%" PRIu32, (uint32_t)r->function);
}

const char *reasons_name_task(const struct tables *t, uint64_t ref, char ret[NAME_BYTES])
{
	char text[VIEW_TEXT_BYTES], function[VIEW_TEXT_BYTES], words[WORDS_BYTES];
	uint64_t word = 0;
	struct record *r = record_lookup(t, ref, &word);
	bool task = r && !(word_flags(word) & FLAG_OBJECT) && word_state(word) != RECORD_PART &&
	    word_state(word) != RECORD_RESERVED;
	view_ref(t, ref, text);
	if (!task) {
		snprintf(ret, NAME_BYTES, "%s", text);
		return ret;
	}
	words[0] = 0;
	if (command_is(t, r, word))
		command_words(t, r, words, sizeof words);
	reasons_function_of(t, r, function);
	snprintf(ret, NAME_BYTES, words[0] ? "%s (`%s%s`)" : "%s (%s%s)", text,
	    words[0] ? words : function, strlen(words) + 1 == sizeof words ? "..." : "");
	return ret;
}

/* Times in records wrap. A time ahead of our clock counts as now. */
static const char *reasons_span(uint32_t from_ms, uint32_t to_ms, char ret[TIME_BYTES])
{
	ms_print(tables_ms_between(from_ms, to_ms), ret, TIME_BYTES);
	return ret;
}

/* ---- settled ---- */

static void reasons_say_object(struct look *l)
{
	char age[TIME_BYTES], size[TIME_BYTES];
	size_print(l->r->value_bytes, size, sizeof size);
	reasons_say(l, "done", "an object of %s, put %s ago", size,
	    reasons_span(l->r->end_ms, l->now_ms, age));
}

/* "3.1s ago, after it waited 2ms and ran 1.0s". Each start counts one attempt. */
static const char *reasons_history(const struct look *l, char ret[MESSAGE_BYTES])
{
	const struct record *r = l->r;
	char ago[TIME_BYTES], waited[TIME_BYTES], ran[TIME_BYTES];
	uint32_t attempts = word_attempt(l->word);
	reasons_span(r->end_ms, l->now_ms, ago);
	reasons_span(r->submit_ms, attempts ? r->start_ms : r->end_ms, waited);
	if (attempts == 0)
		snprintf(
		    ret, MESSAGE_BYTES, "%s ago, after it waited %s and never ran", ago, waited);
	else
		snprintf(ret, MESSAGE_BYTES, "%s ago, after it waited %s and ran %s%s", ago, waited,
		    reasons_span(r->start_ms, r->end_ms, ran),
		    attempts > 1 ? " in its last attempt" : "");
	return ret;
}

static void reasons_check_done(struct look *l)
{
	char times[MESSAGE_BYTES];
	if (l->ret->object)
		reasons_say_object(l);
	else
		reasons_say(l, "done", "%s", reasons_history(l, times));
}

static void reasons_check_cancelled(struct look *l)
{
	char times[MESSAGE_BYTES];
	if (word_attempt(l->word) == 0) /* without an attempt the record has no end time */
		reasons_say(l, "cancelled", "before it ran");
	else
		reasons_say(l, "cancelled", "%s", reasons_history(l, times));
}

static void reasons_message_of(const struct look *l, char ret[MESSAGE_BYTES])
{
	uint64_t length = 0;
	const char *message = failure_message(l->t, l->r, &length);
	int shown = length < MESSAGE_BYTES ? (int)length : MESSAGE_BYTES - 1;
	snprintf(ret, MESSAGE_BYTES, "%.*s", shown, message ? message : "");
}

static void reasons_check_failed_task(struct look *l)
{
	const struct record_failure failure = l->r->failure;
	struct function_entry entry = { .name = "?" };
	char times[MESSAGE_BYTES], message[MESSAGE_BYTES], root[VIEW_TEXT_BYTES];
	char code[TIME_BYTES] = "", function[VIEW_TEXT_BYTES] = "";
	registry_function(&l->t->registry, failure.root_function, &entry);
	reasons_message_of(l, message);
	reasons_history(l, times);
	view_ref(l->t, failure.root, root);
	bool command = strcmp(entry.name, COMMAND_FUNCTION) == 0; /* the message says all */
	if (failure.signal)
		snprintf(code, sizeof code, " (signal %" PRId32 ")", failure.signal);
	else if (!command)
		snprintf(code, sizeof code, " (code %" PRId32 ")", failure.code);
	if (!command)
		snprintf(function, sizeof function, " in %s", entry.name);
	bool spent = word_retriable(l->word) && record_tries(l->r, l->word) > 1;
	const char *dead = spent ? "; it had all its attempts; `plmctl retry` gives it new "
				   "ones"
				 : "";
	if (failure.root == l->ref) {
		reasons_say(l, "failed", "%s: %s%s%s", times, message, code, dead);
		return;
	}
	reasons_say(l, "failed", "%s, because %s failed%s: %s%s%s", times, root, function, message,
	    code, dead);
	reasons_blame(l, failure.root);
}

/* ---- running ---- */

static void reasons_check_unsealed(struct look *l)
{
	uint32_t owner = word_owner(l->word);
	reasons_say(l, "unsealed",
	    "process slot %" PRIu32 " (pid %" PRId32 ") fills an object that it has "
	    "not sealed",
	    owner, owner < l->t->limits.processes ? l->t->process[owner].pid : 0);
}

static const struct process *reasons_runner(const struct look *l)
{
	uint32_t owner = word_owner(l->word);
	const struct process *p = owner < l->t->limits.processes ? &l->t->process[owner] : NULL;
	uint64_t word = p ? sh_load(&p->state) : 0;
	return process_kind(word) == KIND_WORKER && process_present(word) ? p : NULL;
}

static void reasons_check_running(struct look *l)
{
	const struct process *p = reasons_runner(l);
	char since[TIME_BYTES];
	if (!p)
		reasons_say(l, "orphaned",
		    "its worker is dead: the scheduler is about to run it again or "
		    "to end it");
	else
		reasons_say(l, "running",
		    "attempt %" PRIu32 " has run for %s on worker %" PRIu32 ", pid %" PRId32,
		    word_attempt(l->word), reasons_span(l->r->start_ms, l->now_ms, since),
		    p->worker, p->pid);
}

static void reasons_check_room(struct look *l)
{
	const struct process *p = reasons_runner(l);
	uint64_t wanted = p && sh_load(&p->running) == l->ref ? sh_load(&p->room_wanted) : 0;
	char bytes[TIME_BYTES];
	if (!wanted)
		return;
	size_print(wanted, bytes, sizeof bytes);
	reasons_say(l, "room",
	    "it has a result of %s, for which the store has no room, and waits for "
	    "some: drop references that are no longer needed",
	    bytes);
}

static void reasons_check_stopping(struct look *l)
{
	uint32_t flags = word_flags(l->word);
	if (flags & FLAGS_STOPPING)
		reasons_say(l, "stopping",
		    "%sit was asked to stop; if it does not within %" PRIu32
		    " ms, its worker is ended",
		    flags & FLAG_CANCEL       ? ""
			: flags & FLAG_MEMORY ? "memory ran out: "
			: flags & FLAG_LATE   ? "a limit of its time is over: "
					      : "it goes back into the queue: ",
		    grace_of(l->t, record_index(l->t, l->r), l->word));
}

/* The future a thread of the process sleeps for; 0: nothing, or any of several. */
static uint64_t reasons_awaited(const struct tables *t, const struct process *p)
{
	for (int i = 0; i < WAITERS; i++) {
		uint32_t awaiting = sh_peek(&p->waiter[i].awaiting);
		if (awaiting != AWAITING_NOTHING && awaiting <= t->limits.records)
			return record_ref(
			    awaiting - 1, word_generation(sh_load(&t->record[awaiting - 1].state)));
	}
	return 0;
}

/* The command of the task runs a client, plmctl for example, and the client waits. */
static bool reasons_check_nested(struct look *l, const struct process *p)
{
	char name[NAME_BYTES];
	uint32_t client = p ? tables_waits_inside(l->t, (uint32_t)(p - l->t->process)) : 0;
	if (!client)
		return false;
	const struct process *c = &l->t->process[client];
	uint64_t awaits = reasons_awaited(l->t, c);
	reasons_say(l, "blocked", "%.*s, pid %" PRId32 ", waits in its command for %s",
	    (int)sizeof c->name, c->name, c->pid,
	    awaits ? reasons_name_task(l->t, awaits, name) : "any of several futures");
	if (awaits)
		reasons_blame(l, awaits);
	return true;
}

static void reasons_check_blocked(struct look *l)
{
	const struct process *p = reasons_runner(l);
	char name[NAME_BYTES];
	if (reasons_check_nested(l, p))
		return;
	uint64_t above = p ? sh_peek(&p->running) : 0;
	uint64_t awaits = p && sh_peek(&p->blocked) ? reasons_awaited(l->t, p) : 0;
	if (above && above != l->ref)
		reasons_say(l, "blocked",
		    "it waits in its function, and its worker runs %s in its place",
		    reasons_name_task(l->t, above, name));
	else if (p && sh_peek(&p->blocked))
		reasons_say(l, "blocked", "it waits in its function for %s",
		    awaits ? reasons_name_task(l->t, awaits, name) : "any of several futures");
	else
		return;
	if (above && above != l->ref)
		reasons_blame(l, above);
	else if (awaits)
		reasons_blame(l, awaits);
}

/* ---- waiting ---- */

struct missing {                 /* arguments that keep a task waiting */
	uint32_t number;         /* of the first missing argument, from 1 */
	uint64_t ref;            /* the future; of a PART the task */
	enum record_state state; /* FREE: no such future */
	enum arg_condition condition;
	uint32_t others;
};

/* The record that speaks for ref, and the word of the record; NULL: no such record. */
static struct record *reasons_speaker_now(const struct tables *t, uint64_t ref, uint64_t *ret_word)
{
	struct record *r = record_lookup(t, ref, ret_word);
	if (r && word_state(*ret_word) == RECORD_PART)
		r = record_lookup(t, r->part.task, ret_word);
	return r;
}

static uint64_t reasons_speaker_of(
    const struct tables *t, uint64_t ref, enum record_state *ret_state)
{
	uint64_t word = 0;
	const struct record *r = reasons_speaker_now(t, ref, &word);
	*ret_state = r ? word_state(word) : RECORD_FREE;
	if (*ret_state == RECORD_RUNNING && word_settled(word))
		*ret_state = RECORD_CANCELLED; /* for a waiting task */
	return r ? record_ref(record_index(t, r), word_generation(word)) : ref;
}

static bool reasons_is_lost(enum arg_condition condition, enum record_state state)
{
	return state == RECORD_FREE || (state_settled(state) && !arg_met(condition, state));
}

/* False: the block makes no sense, or was freed meanwhile. Nothing is missing: number is 0. */
static bool reasons_find_missing(const struct tables *t, struct record *r, struct missing *ret)
{
	struct args_reader reader;
	struct arg arg;
	*ret = (struct missing){ 0 };
	if (!args_open(t, r, &reader))
		return false;
	for (uint32_t i = 1; args_next(&reader, &arg); i++) {
		enum record_state state = RECORD_DONE;
		uint64_t ref = arg.future ? reasons_speaker_of(t, arg.future->ref, &state) : 0;
		if (arg_met(arg.condition, state))
			continue;
		ret->others += ret->number != 0;
		/* An argument that will never be there decides alone. */
		if (ret->number == 0 ||
		    (reasons_is_lost(arg.condition, state) &&
			!reasons_is_lost(ret->condition, ret->state)))
			*ret = (struct missing){ i, ref, state, arg.condition, ret->others };
	}
	return true;
}

static const char *reasons_others_text(uint32_t others, char ret[OTHERS_BYTES])
{
	snprintf(ret, OTHERS_BYTES, ", and for %" PRIu32 " more", others);
	return others ? ret : "";
}

/* For a task that takes the first result of several replicas. */
static void reasons_check_replicas(struct look *l)
{
	struct args_reader reader;
	struct arg arg;
	uint32_t in[RECORD_STATES] = { 0 };
	uint64_t first = 0;
	bool open = record_wants_any(l->t, l->r) && args_open(l->t, l->r, &reader);
	while (open && args_next(&reader, &arg)) {
		enum record_state state = RECORD_FREE;
		uint64_t ref = arg.future ? reasons_speaker_of(l->t, arg.future->ref, &state) : 0;
		in[state]++;
		first = first || state_settled(state) ? first : ref;
	}
	if (!open)
		return;
	reasons_say(l, "replicas",
	    "none of its %u replicas is done: %" PRIu32 " run, %" PRIu32 " wait "
	    "for a worker of their own, %" PRIu32 " failed",
	    l->r->nargs, in[RECORD_RUNNING], in[RECORD_READY] + in[RECORD_WAITING],
	    in[RECORD_FAILED]);
	reasons_blame(l, first);
}

static void reasons_check_arguments(struct look *l)
{
	if (record_wants_any(l->t, l->r))
		return;
	struct missing m;
	char name[NAME_BYTES], others[OTHERS_BYTES];
	if (!reasons_find_missing(l->t, l->r, &m)) {
		reasons_say(l, "damaged", "its arguments make no sense: the record is damaged");
		return;
	}
	if (m.number == 0) {
		reasons_say(l, "counting",
		    "everything it waited for is there: the scheduler is about to "
		    "queue it");
		return;
	}
	reasons_name_task(l->t, m.ref, name);
	if (m.state == RECORD_FREE)
		reasons_say(
		    l, "doomed", "it needs %s, which was dropped: it is about to fail", name);
	else if (state_settled(m.state) && m.condition == ARG_AFTER_FAILED)
		reasons_say(l, "doomed",
		    "it was to run if %s fails, which succeeded: it is about to be cancelled",
		    name);
	else if (state_settled(m.state))
		reasons_say(l, "doomed", "it needs %s, which %s: it is about to fail, too", name,
		    m.state == RECORD_FAILED ? "failed" : "was cancelled");
	else
		reasons_say(l, "argument", "it waits for %s%s, which is %s%s",
		    m.condition == ARG_AFTER_ANY          ? "the end of "
			: m.condition == ARG_AFTER_FAILED ? "a failure of "
							  : "",
		    name, record_state_name(m.state), reasons_others_text(m.others, others));
	reasons_blame(l, m.ref);
}

/* Walks from argument to argument, to the first task that waits for none; returns the steps. */
static uint32_t reasons_walk_to_root(const struct tables *t, struct record *r, uint64_t *ret)
{
	struct missing m;
	uint64_t word;
	uint32_t steps = 0;
	*ret = 0;
	while (r && steps < CHAIN_MAX && reasons_find_missing(t, r, &m) && m.number) {
		*ret = m.ref;
		steps++;
		r = record_lookup(t, m.ref, &word);
		if (m.state != RECORD_WAITING)
			break;
	}
	return steps;
}

static bool reasons_explain_one(
    const struct tables *t, uint64_t ref, bool follow, struct explanation *ret);

static void reasons_check_root(struct look *l)
{
	struct explanation root;
	char name[NAME_BYTES];
	uint64_t ref;
	uint32_t steps = reasons_walk_to_root(l->t, l->r, &ref);
	if (!l->follow || !ref || !reasons_explain_one(l->t, ref, false, &root))
		return;
	reasons_say(l, "root",
	    "the first of that chain is %s, %" PRIu32 " step%s up, which is %s: %s",
	    reasons_name_task(l->t, ref, name), steps, steps == 1 ? "" : "s",
	    record_state_name(root.state), root.reason[0].text);
	reasons_blame(l, ref);
}

/* ---- the rules, in order ---- */

static void reasons_check_part(struct look *l)
{
	reasons_say(l, "damaged", "it is a result of a result: the record is damaged");
}

static void reasons_check_nothing(struct look *l)
{
	if (l->ret->reasons == 0)
		reasons_say(l, "placing", "it lacks nothing: it is on its way to a worker");
}

#define OF(state) (1u << RECORD_##state)

/* A new rule of the scheduler gets a line at the same place in the order of the scheduler. */
static const struct check {
	unsigned states; /* in which the check is asked */
	bool needs;      /* only for tasks with needs */
	void (*look)(struct look *l);
} checks[] = {
	{ OF(DONE), false, reasons_check_done },
	{ OF(FAILED), false, reasons_check_failed_task },
	{ OF(CANCELLED), false, reasons_check_cancelled },
	{ OF(RESERVED), false, reasons_check_unsealed },
	{ OF(RUNNING), false, reasons_check_running },
	{ OF(RUNNING), false, reasons_check_room },
	{ OF(RUNNING), false, reasons_check_stopping },
	{ OF(RUNNING), false, reasons_check_blocked },
	{ OF(WAITING), false, reasons_check_replicas },
	{ OF(WAITING), false, reasons_check_arguments },
	{ OF(WAITING), false, reasons_check_root },
	{ OF(READY) | OF(WAITING), false, reasons_check_parked },
	{ OF(READY), false, reasons_check_paused },
	{ OF(READY), false, reasons_check_memory },
	{ OF(READY), false, reasons_check_backoff },
	{ OF(READY), false, reasons_check_workers },
	{ OF(READY), false, reasons_check_rings },
	{ OF(READY) | OF(WAITING), false, reasons_check_scheduler },
	{ OF(READY), true, reasons_check_booked },
	{ OF(READY), true, reasons_check_kept },
	{ OF(READY), true, reasons_check_turn },
	{ OF(READY), true, reasons_check_needs },
	{ OF(READY), true, reasons_check_rank },
	{ OF(READY), false, reasons_check_busy },
	{ OF(READY), false, reasons_check_heap },
	{ OF(PART), false, reasons_check_part },
	{ OF(READY), false, reasons_check_nothing },
};

static void reasons_ask_all(struct look *l)
{
	unsigned state = 1u << l->ret->state;
	for (size_t i = 0; i < COUNT_OF(checks); i++)
		if (checks[i].states & state && (!checks[i].needs || l->terms))
			checks[i].look(l);
}

static void reasons_look_once(struct look *l)
{
	struct explanation *e = l->ret;
	const struct terms *terms = terms_at(l->t->terms, l->r->terms);
	*e = (struct explanation){ .ref = l->ref,
		.state = word_state(l->word),
		.object = word_flags(l->word) & FLAG_OBJECT };
	if (!e->object && e->state != RECORD_RESERVED)
		reasons_function_of(l->t, l->r, e->function);
	l->terms = terms && terms->alternatives > 0 ? terms : NULL;
	l->now_ms = tables_ms(l->t);
	if (e->state == RECORD_READY)
		occupancy_read(l->t, &l->occupancy);
	reasons_ask_all(l);
}

static bool reasons_explain_one(
    const struct tables *t, uint64_t ref, bool follow, struct explanation *ret)
{
	struct look l = { .t = t, .follow = follow, .ret = ret };
	for (int look = 0; look < LOOKS_MAX; look++) {
		l.r = reasons_speaker_now(t, ref, &l.word);
		if (!l.r)
			return false;
		l.ref = record_ref(record_index(t, l.r), word_generation(l.word));
		reasons_look_once(&l);
		if (sh_load(&l.r->state) == l.word)
			break;
	}
	return true;
}

bool reasons_explain(const struct tables *t, uint64_t ref, struct explanation *ret)
{
	return reasons_explain_one(t, ref, true, ret);
}
