/* refs.c - references: what this process holds, counted here; that it holds, known in the segment.
 *
 * The count is private, so a thousand holds of one value cost the segment one bit. The bit of a
 * record this process made is set before anybody sees the record; every other bit is set and every
 * bit is cleared by the scheduler, in the order of our hints: nothing is freed between two holders.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "client/handle.h"

int ref_gone(const struct plm *rt, uint64_t ref)
{
	char rules[RETENTION_TEXT_BYTES];
	enum retention_fate fate = retention_fate(&rt->tables, ref);
	if (fate == FATE_UNKNOWN)
		return why(-ESTALE, "unknown reference: it was dropped, or never existed");
	retention_print(&rt->tables.control->retention, rules, sizeof rules);
	return why(-ESTALE,
	    "its result %s: results that only the runtime keeps leave in time, or "
	    "to make room (plm --keep-finished %s; submit --keep)%s",
	    fate == FATE_LEFT ? "has left" : "was dropped, or has left", rules,
	    journal_slot(&rt->tables) ? "; `plmctl history @REF` tells how it ended" : "");
}

struct record *ref_resolve(const struct plm *rt, plm_ref ref, uint64_t *ret_word, int *ret_error)
{
	if (ref.id == 0) {
		*ret_error = why(-EINVAL, "no future: the reference is empty");
		return NULL;
	}
	if (ref.runtime != rt->runtime) {
		*ret_error = why(-EXDEV,
		    "the future belongs to another runtime, or to an earlier boot of "
		    "this one%s",
		    journal_slot(&rt->tables) ? "; `plmctl history @REF` tells what became of it"
					      : "");
		return NULL;
	}
	struct record *r = record_lookup(&rt->tables, ref.id, ret_word);
	/* Reserved and held by nobody: a task or an object still to be made. A task's arguments are
	 * judged before it is born, so none names itself, or what comes after it: no cycles. */
	if (r && word_state(*ret_word) == RECORD_RESERVED &&
	    !hold_any(&rt->tables, ref_index(ref.id)))
		r = NULL;
	if (!r)
		*ret_error = ref_gone(rt, ref.id);
	return r;
}

struct record *ref_speaker(const struct plm *rt, struct record *r, uint64_t *word)
{
	if (word_state(*word) != RECORD_PART)
		return r;
	/* A part keeps its task; should the words of a damaged segment say otherwise, the part
	 * itself stands in: it never settles. */
	struct record *task = record_lookup(&rt->tables, r->part.task, word);
	return task ? task : r;
}

plm_ref ref_public(const struct plm *rt, uint64_t ref)
{
	return (plm_ref){ .id = ref, .runtime = rt->runtime };
}

/* In a worker: remembered, to end with the task. Without memory for that it is held until the
 * worker ends, which is late, but not wrong. */
static void ref_adopt(struct plm *rt, uint32_t index)
{
	if (rt->adopted_count == rt->adopted_room) {
		uint32_t room = rt->adopted_room ? rt->adopted_room * 2 : 64;
		uint32_t *more = realloc(rt->adopted, room * sizeof *more);
		if (!more)
			return;
		rt->adopted = more;
		rt->adopted_room = room;
	}
	rt->adopted[rt->adopted_count++] = index;
}

void ref_born(struct plm *rt, uint32_t index)
{
	if (rt->help)
		ref_adopt(rt, index);
	atomic_store_explicit(&rt->refs[index], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&rt->held, 1, memory_order_relaxed);
	if (rt->self < 64)
		sh_poke(&rt->tables.record[index].holds, (uint64_t)1 << rt->self);
	else
		hold_set(&rt->tables, index, rt->self);
}

/* Only from one hold to more: the first one is the scheduler's to grant. */
static bool ref_hold_again(struct plm *rt, uint32_t index)
{
	uint32_t n = atomic_load_explicit(&rt->refs[index], memory_order_acquire);
	while (n > 0)
		if (atomic_compare_exchange_weak_explicit(
			&rt->refs[index], &n, n + 1, memory_order_acq_rel, memory_order_acquire))
			return true;
	return false;
}

struct import {
	uint64_t hint;
	uint64_t scheduler; /* state of its slot when it was told */
};

static bool ref_is_answered(const struct plm *rt, const struct import *import)
{
	return sh_load(&rt->me->imported) == import->hint;
}

static uint32_t ref_look_for_import(struct plm *rt, void *context)
{
	const struct import *import = context;
	return ref_is_answered(rt, import) ||
		sh_load(&rt->tables.process[SLOT_SCHEDULER].state) != import->scheduler
	    ? AWAITING_NOTHING
	    : AWAITING_ANY;
}

/* What is asked for in our ring is answered when all before it has been read. -ETIMEDOUT: it is to
 * be asked anew, since the answer may be lost with a scheduler. */
static int ref_ask_once(struct plm *rt, uint64_t hint, uint64_t deadline_ns)
{
	uint64_t tick_ns = deadline_after_ms(SAFETY_TICK_MS);
	struct import import = { hint, sh_load(&rt->tables.process[SLOT_SCHEDULER].state) };
	sh_store(&rt->me->imported, 0);
	int r = handle_tell(rt, &hint, 1);
	if (r == 0)
		r = wait_for(rt, ref_look_for_import, &import,
		    deadline_ns < tick_ns ? deadline_ns : tick_ns);
	return r == 0 && !ref_is_answered(rt, &import) ? -ETIMEDOUT : r;
}

/* ---- questions that are still open when nobody waits for the answer any more ---- */

/* As many as fit: the scheduler may stand still, and the ring be full. */
static void ref_late_tell(struct plm *rt)
{
	struct late *late = &rt->late;
	if (late->n == 0)
		return;
	uint32_t sent = tell_scheduler(&rt->tables, rt->self, late->hint, late->n, true);
	late->n -= sent;
	memmove(late->hint, late->hint + sent, late->n * sizeof late->hint[0]);
	struct ring ring = ring_up(&rt->tables, rt->self);
	late->at = ring_end(&ring);
}

/* Of one question each repetition is answered, and a hold may come that nobody waits for: it is
 * dropped. Behind that a question about nothing, whose answer wakes us. */
static void ref_late_begin(struct plm *rt, uint64_t dropped)
{
	struct late *late = &rt->late;
	late->open = true;
	late->n = 0;
	if (dropped)
		late->hint[late->n++] = hint_make(HINT_DROPPED, dropped);
	late->hint[late->n++] = hint_make(HINT_IMPORT, 0);
	ref_late_tell(rt);
}

static bool ref_late_is_read(const struct plm *rt)
{
	struct ring ring = ring_up(&rt->tables, rt->self);
	return rt->late.n == 0 &&
	    (ring_used(&ring) == 0 || (int32_t)(ring_position(&ring) - rt->late.at) >= 0);
}

static uint32_t ref_look_for_reading(struct plm *rt, void *context)
{
	struct ring ring = ring_up(&rt->tables, rt->self);
	bool goes_on = rt->late.n ? ring_used(&ring) < UP_RING_ENTRIES : ref_late_is_read(rt);
	(void)context;
	return goes_on ? AWAITING_NOTHING : AWAITING_ANY;
}

/* Before the next question: the answer to an old one would be taken for its answer, and the drop of
 * an old one would end its hold. */
static int ref_late_settle(struct plm *rt, uint64_t deadline)
{
	while (rt->late.open) {
		ref_late_tell(rt);
		rt->late.open = !ref_late_is_read(rt);
		if (!rt->late.open)
			return 0;
		int r = handle_runtime_gone(rt);
		if (r == 0 && clock_ns() >= deadline)
			r = -ETIMEDOUT;
		if (r == 0)
			r = wait_for(
			    rt, ref_look_for_reading, NULL, deadline_after_ms(SAFETY_TICK_MS));
		if (r < 0 && (r != -ETIMEDOUT || clock_ns() >= deadline))
			return r;
	}
	return 0;
}

/* ---- asking ---- */

static int ref_ask(struct plm *rt, uint64_t ref, uint64_t deadline_ns)
{
	uint32_t times = 0;
	int r = ref_late_settle(rt, deadline_ns);
	if (r == 0)
		r = untold_settle(rt);
	if (r == 0)
		r = handle_await_room_to_tell(rt, 1);
	if (r < 0)
		return r;
	do {
		r = ref_ask_once(rt, hint_make(HINT_IMPORT, ref), deadline_ns);
		times++;
	} while (r == -ETIMEDOUT && clock_ns() < deadline_ns);
	if (r < 0)
		ref_late_begin(rt, ref);
	else if (times > 1)
		ref_late_begin(rt, 0);
	return r;
}

/* Another thread may have dropped the last of our holds, and not told so yet. Its hint must come
 * before our question: the scheduler would take it for the end of the hold that it gives us. */
static void ref_import_after_drops(struct plm *rt)
{
	for (int i = 0; i < DROP_GATES; i++) {
		pthread_mutex_lock(&rt->gate[i].mutex);
		pthread_mutex_unlock(&rt->gate[i].mutex);
	}
}

/* Asks the scheduler for a hold. */
static int ref_import_locked(struct plm *rt, uint64_t ref, uint64_t deadline_ns)
{
	uint64_t asked_ns = clock_ns();
	ref_import_after_drops(rt);
	int r = ref_ask(rt, ref, deadline_ns);
	if (r == -ETIMEDOUT)
		return handle_scheduler_silent(rt, asked_ns);
	if (r < 0)
		return r;
	uint64_t word;
	if (!record_lookup(&rt->tables, ref, &word) ||
	    !hold_test(&rt->tables, ref_index(ref), rt->self))
		return ref_gone(rt, ref);
	atomic_fetch_add_explicit(&rt->held, 1, memory_order_relaxed);
	atomic_store_explicit(&rt->refs[ref_index(ref)], 1, memory_order_release);
	if (rt->help)
		ref_adopt(rt, ref_index(ref));
	return 0;
}

static int ref_hold_one(struct plm *rt, uint64_t ref, uint64_t deadline_ns)
{
	if (ref_hold_again(rt, ref_index(ref)))
		return 0;
	pthread_mutex_lock(&rt->import_mutex);
	int r = ref_hold_again(rt, ref_index(ref)) ? 0 : ref_import_locked(rt, ref, deadline_ns);
	pthread_mutex_unlock(&rt->import_mutex);
	return r;
}

/* The task of a part: results of one task live and die together, held by holding the task. */
static uint64_t ref_held(const struct record *r, uint64_t ref, uint64_t word)
{
	return word_state(word) == RECORD_PART ? r->part.task : ref;
}

uint32_t ref_held_index(const struct plm *rt, plm_ref ref)
{
	uint64_t word;
	struct record *r = record_lookup(&rt->tables, ref.id, &word);
	uint32_t index = ref_index(r ? ref_held(r, ref.id, word) : ref.id);
	return index < rt->tables.limits.records ? index : 0;
}

int ref_hold_until(struct plm *rt, plm_ref ref, uint64_t deadline_ns)
{
	uint64_t word;
	int r = 0;
	struct record *record = ref_resolve(rt, ref, &word, &r);
	if (!record)
		return r;
	uint64_t held = ref_held(record, ref.id, word);
	if (ref_index(held) >= rt->tables.limits.records)
		return why(-EIO, "the record of this future is damaged");
	return ref_hold_one(rt, held, deadline_ns);
}

int ref_hold(struct plm *rt, plm_ref ref)
{
	return ref_hold_until(rt, ref, handle_answer_deadline(rt, -1));
}

struct drops { /* a batch on its way */
	struct plm *rt;
	struct drop_gate *gate;
	uint64_t hint[HINTS_BATCH];
	uint32_t n;
	bool large; /* some give back room in the store: worth a wake */
};

/* Threads spread over the gates by where their thread-local storage lies. */
static struct drop_gate *ref_gate_of_thread(struct plm *rt)
{
	static _Thread_local char here;
	return &rt->gate[((uintptr_t)&here >> 12) % DROP_GATES];
}

static void ref_drops_begin(struct drops *drops, struct plm *rt)
{
	drops->rt = rt; /* a kilobyte of hints is not cleared for one drop */
	drops->n = 0;
	drops->large = false;
	drops->gate = ref_gate_of_thread(rt);
	pthread_mutex_lock(&drops->gate->mutex);
}

static void ref_drops_send(struct drops *drops)
{
	untold_tell(drops->rt, drops->hint, drops->n, drops->large);
	drops->n = 0;
	drops->large = false;
}

static void ref_drops_end(struct drops *drops)
{
	if (drops->n)
		ref_drops_send(drops);
	pthread_mutex_unlock(&drops->gate->mutex);
}

static void ref_drop_one(struct drops *drops, uint64_t ref)
{
	struct plm *rt = drops->rt;
	uint32_t n = atomic_load_explicit(&rt->refs[ref_index(ref)], memory_order_acquire);
	do
		if (n == 0)
			return; /* not ours: dropped once too often */
	while (!atomic_compare_exchange_weak_explicit(
	    &rt->refs[ref_index(ref)], &n, n - 1, memory_order_acq_rel, memory_order_acquire));
	if (n > 1)
		return;
	atomic_fetch_sub_explicit(&rt->held, 1, memory_order_relaxed);
	const struct record *r = record_at(&rt->tables, ref_index(ref));
	drops->large |= sh_peek(&r->value) || sh_peek(&r->args);
	drops->hint[drops->n++] = hint_make(HINT_DROPPED, ref);
	if (drops->n == HINTS_BATCH)
		ref_drops_send(drops);
}

void ref_drop_adopted(struct plm *rt)
{
	struct drops drops;
	ref_drops_begin(&drops, rt);
	for (uint32_t i = 0; i < rt->adopted_count; i++) {
		uint32_t index = rt->adopted[i];
		uint64_t word = sh_load(&record_at(&rt->tables, index)->state);
		if (atomic_load_explicit(&rt->refs[index], memory_order_relaxed) == 0)
			continue;
		atomic_store_explicit(&rt->refs[index], 1, memory_order_relaxed);
		ref_drop_one(&drops, record_ref(index, word_generation(word)));
	}
	rt->adopted_count = 0;
	ref_drops_end(&drops);
}

static void ref_drop(struct drops *drops, plm_ref ref)
{
	uint64_t word;
	struct record *r = ref.runtime == drops->rt->runtime
	    ? record_lookup(&drops->rt->tables, ref.id, &word)
	    : NULL;
	uint64_t held = r ? ref_held(r, ref.id, word) : 0;
	if (held && (held == ref.id || record_lookup(&drops->rt->tables, held, &word)))
		ref_drop_one(drops, held);
}

void plm_drop_many(plm *rt, const plm_ref *refs, size_t n)
{
	if (!refs || handle_check(rt) < 0)
		return;
	struct drops drops;
	ref_drops_begin(&drops, rt);
	for (size_t i = 0; i < n; i++)
		ref_drop(&drops, refs[i]);
	ref_drops_end(&drops);
}

void plm_drop(plm *rt, plm_ref ref)
{
	plm_drop_many(rt, &ref, 1);
}

int plm_hold(plm *rt, plm_ref ref)
{
	unsigned said = why_count();
	int r = handle_check(rt);
	return handle_end(said, r < 0 ? r : ref_hold(rt, ref));
}

static int ref_tell_about(plm *rt, plm_ref ref, enum hint_kind kind)
{
	uint64_t word;
	int r = handle_check(rt);
	if (r < 0)
		return r;
	struct record *record = ref_resolve(rt, ref, &word, &r);
	if (!record)
		return r;
	uint64_t hint = hint_make(kind, ref_held(record, ref.id, word));
	r = handle_await_room_to_tell(rt, 1);
	return r < 0 ? r : handle_tell(rt, &hint, 1);
}

int plm_keep(plm *rt, plm_ref ref)
{
	unsigned said = why_count();
	return handle_end(said, ref_tell_about(rt, ref, HINT_KEPT));
}

int plm_forget(plm *rt, plm_ref ref)
{
	unsigned said = why_count();
	return handle_end(said, ref_tell_about(rt, ref, HINT_FORGOTTEN));
}

/* Asks for what is no future. Once for it to have read, once more for it to have acted. */
int handle_sync(struct plm *rt)
{
	int r = 0;
	pthread_mutex_lock(&rt->import_mutex);
	for (int i = 0; i < 2 && r == 0; i++)
		r = ref_ask(rt, 0, handle_answer_deadline(rt, -1));
	pthread_mutex_unlock(&rt->import_mutex);
	return r;
}

static int ref_print(plm_ref ref, char text[PLM_REF_TEXT_BYTES])
{
	int n = snprintf(text, PLM_REF_TEXT_BYTES, "@%" PRIx32 ".%" PRIx32 ".%" PRIx64,
	    ref_index(ref.id), ref_generation(ref.id), ref.runtime);
	return n < PLM_REF_TEXT_BYTES ? 0 : -EINVAL;
}

int plm_ref_print(plm_ref ref, char text[PLM_REF_TEXT_BYTES])
{
	unsigned said = why_count();
	if (!text)
		return why(-EINVAL, "plm_ref_print: no place for the text");
	return handle_end(said, ref_print(ref, text));
}

static int ref_parse(const char *text, plm_ref *ret)
{
	uint32_t index, generation;
	uint64_t runtime;
	int used = 0;
	const char *digits = text[0] == '@' ? text + 1 : text;
	size_t good =
	    strspn(digits, "0123456789abcdefABCDEF."); /* sscanf would take signs and blanks */
	if (digits[good] != 0 ||
	    sscanf(digits, "%8" SCNx32 ".%8" SCNx32 ".%16" SCNx64 "%n", &index, &generation,
		&runtime, &used) != 3 ||
	    digits[used] != 0 || generation == 0)
		return why(
		    -EINVAL, "\"%s\" is not a reference; they look like @1f.2.9a0b...", text);
	*ret = (plm_ref){ .id = record_ref(index, generation), .runtime = runtime };
	return 0;
}

int plm_ref_parse(const char *text, plm_ref *ret)
{
	unsigned said = why_count();
	if (!text || !ret)
		return why(-EINVAL, "plm_ref_parse: no text, or no place for the reference");
	return handle_end(said, ref_parse(text, ret));
}
