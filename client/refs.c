/* refs.c - references: how many holds our process has on each, counted here.
 *
 * The count is private, so a thousand holds on one value cost the segment one bit. We set the bit
 * ourselves for a record we made, before the record is visible. The scheduler sets every other bit
 * and clears all bits, in the order of our hints, so nothing is freed between two holders. */
#include <errno.h>
#include <stdlib.h>

#include "base/why.h"
#include "client/handle.h"

/* A worker remembers new holds, to end them with the task. If memory is short, a hold lasts until
 * the worker ends: late, but not wrong. */
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

static bool ref_ends_with_task(const struct plm *rt)
{
	return rt->help && (!rt->adopts || rt->adopts());
}

void ref_born(struct plm *rt, uint32_t index)
{
	if (ref_ends_with_task(rt))
		ref_adopt(rt, index);
	atomic_store_explicit(&rt->refs[index], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&rt->held, 1, memory_order_relaxed);
	if (rt->self < 64)
		sh_poke(&rt->tables.record[index].holds, (uint64_t)1 << rt->self);
	else
		hold_set(&rt->tables, index, rt->self);
}

/* From one hold to more, never from none to one: only the scheduler grants the first hold. */
static bool ref_hold_again(struct plm *rt, uint32_t index)
{
	uint32_t n = atomic_load_explicit(&rt->refs[index], memory_order_acquire);
	while (n > 0)
		if (atomic_compare_exchange_weak_explicit(
			&rt->refs[index], &n, n + 1, memory_order_acq_rel, memory_order_acquire))
			return true;
	return false;
}

/* Another thread may have dropped our last hold and not told so yet. Its hint must come before our
 * question: a later hint would end the hold granted to us. */
static void ref_import_after_drops(struct plm *rt)
{
	for (int i = 0; i < DROP_GATES; i++) {
		pthread_mutex_lock(&rt->gate[i].mutex);
		pthread_mutex_unlock(&rt->gate[i].mutex);
	}
}

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
		return ref_gone(&rt->tables, ref);
	atomic_fetch_add_explicit(&rt->held, 1, memory_order_relaxed);
	atomic_store_explicit(&rt->refs[ref_index(ref)], 1, memory_order_release);
	if (ref_ends_with_task(rt))
		ref_adopt(rt, ref_index(ref));
	return 0;
}

static int ref_import(struct plm *rt, uint64_t ref, uint64_t deadline_ns)
{
	pthread_mutex_lock(&rt->import_mutex);
	int r = ref_hold_again(rt, ref_index(ref)) ? 0 : ref_import_locked(rt, ref, deadline_ns);
	pthread_mutex_unlock(&rt->import_mutex);
	return r;
}

/* The reference whose hold keeps this future. 0 or -errno. */
static int ref_find_held(struct plm *rt, plm_ref ref, uint64_t *ret)
{
	uint64_t word;
	int r = 0;
	struct record *record = ref_resolve(rt, ref, &word, &r);
	if (!record)
		return r;
	*ret = ref_held(record, ref.id, word);
	if (ref_index(*ret) >= rt->tables.limits.records)
		return why(-EIO, "the record of this future is damaged");
	return 0;
}

int ref_hold_until(struct plm *rt, plm_ref ref, uint64_t deadline_ns)
{
	uint64_t held;
	int r = ref_find_held(rt, ref, &held);
	if (r < 0 || ref_hold_again(rt, ref_index(held)))
		return r;
	return ref_import(rt, held, deadline_ns);
}

/* Most futures are held already: then no clock is read. */
int ref_hold(struct plm *rt, plm_ref ref)
{
	uint64_t held;
	int r = ref_find_held(rt, ref, &held);
	if (r < 0 || ref_hold_again(rt, ref_index(held)))
		return r;
	return ref_import(rt, held, handle_answer_deadline(rt, -1));
}

/* The scheduler is not woken for less while half of the store is free: a ring of drops holds some
 * megabytes at most. In a fuller store each small value may stand between two large holes. */
enum { DROP_LARGE_BYTES = 1024 };

struct drops { /* a batch of drops under way */
	struct plm *rt;
	struct drop_gate *gate;
	uint64_t hint[HINTS_BATCH];
	uint32_t n;
	bool large; /* some drops give back much room in the store: worth a wake */
};

/* Threads are spread over the gates by the address of their thread-local storage. */
static struct drop_gate *ref_gate_of_thread(struct plm *rt)
{
	static _Thread_local char here;
	return &rt->gate[((uintptr_t)&here >> 12) % DROP_GATES];
}

static void ref_drops_begin(struct drops *drops, struct plm *rt)
{
	drops->rt =
	    rt; /* assigned field by field: do not clear a kilobyte of hints for a single drop */
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

static bool ref_store_is_half_full(const struct tables *t)
{
	struct arena_usage usage;
	store_usage(t, &usage);
	return usage.used_bytes > usage.total_bytes / 2;
}

/* The length of a value is final when the record is settled. */
static bool ref_is_worth_a_wake(const struct tables *t, const struct record *r)
{
	if (!sh_peek(&r->args) && !sh_peek(&r->value))
		return false;
	return (sh_peek(&r->args) && r->args_bytes >= DROP_LARGE_BYTES) ||
	    (sh_peek(&r->value) &&
		(!word_settled(sh_load(&r->state)) || r->value_bytes >= DROP_LARGE_BYTES)) ||
	    ref_store_is_half_full(t);
}

static void ref_drop_one(struct drops *drops, uint64_t ref)
{
	struct plm *rt = drops->rt;
	uint32_t n = atomic_load_explicit(&rt->refs[ref_index(ref)], memory_order_acquire);
	do
		if (n == 0)
			return; /* not ours: the program dropped once too often */
	while (!atomic_compare_exchange_weak_explicit(
	    &rt->refs[ref_index(ref)], &n, n - 1, memory_order_acq_rel, memory_order_acquire));
	if (n > 1)
		return;
	atomic_fetch_sub_explicit(&rt->held, 1, memory_order_relaxed);
	drops->large |= ref_is_worth_a_wake(&rt->tables, record_at(&rt->tables, ref_index(ref)));
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
		/* Further holds may be of code that ends its holds itself. */
		if (!rt->adopts)
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
