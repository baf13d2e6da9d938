/* retain.c - finished results kept by the runtime alone: when each of them leaves.
 *
 * Two private heaps hold such records by the time of leaving: records under the rules of the
 * runtime (retention.h), and records with a time promised by their terms. Both heaps are derived
 * from the end of a task, its terms and its holders. A new scheduler meets every settled record in
 * the rebuild, and so fills the heaps again in the same order.
 * A record is noted when the last client drops it, when the last dependant is done, and when the
 * journal has written the end: so no record is looked at too early. A record held again stays in
 * the heap, falls out when its turn comes, and is noted anew at the end of the hold.
 * leave.c lets them leave. */
#include "scheduler/queues.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/why.h"
#include "tables/due.h"

enum {
	/* Of the key: results of the same millisecond leave in the order of submission. */
	TURN_BITS = 20,
	FAR_FUTURE_MS = 60000, /* clocks of two processes differ by less */
	COARSE_MS = 10,        /* the coarse clock lags the exact one by so much */
};

/* Orders results where no time is set. */
#define AGE_NOMINAL_MS (UINT64_C(7) * 86400000)

/* ---- when a result leaves ---- */

/* A task cancelled before its first attempt has no owner to write the end. The scheduler writes the
 * end when it first sees the task settled; until then `end_ms` is of a former life of the record.
 */
static void retain_write_end(struct scheduler *s, struct record *r, uint64_t word)
{
	if (word_state(word) == RECORD_CANCELLED && word_attempt(word) == 0 &&
	    (int32_t)(r->end_ms - r->submit_ms) <= 0)
		r->end_ms = tables_ms(s->t);
}

static uint64_t retain_now_ms(const struct scheduler *s)
{
	return (clock_coarse_ns() - s->t->control->boot_ns) / NS_PER_MS;
}

/* Milliseconds since boot, from the 32 bits in the record. */
static uint64_t retain_ended_ms(const struct scheduler *s, const struct record *r)
{
	uint64_t now = retain_now_ms(s);
	uint32_t ago = (uint32_t)now - r->end_ms;
	return ago > UINT32_MAX - FAR_FUTURE_MS ? now : now > ago ? now - ago : 0;
}

static uint64_t retain_kept_ms(const struct scheduler *s, const struct record *r, uint64_t word)
{
	const struct terms *terms = due_terms(s->t, r);
	if (terms && terms->keep_ms)
		return terms->keep_ms;
	uint64_t age = s->t->control->retention.age_ms;
	age = age ? age : AGE_NOMINAL_MS;
	return word_state(word) == RECORD_FAILED ? age * RETENTION_FAILED_TIMES : age;
}

static enum retain_heap retain_heap_of(const struct scheduler *s, const struct record *r)
{
	const struct terms *terms = due_terms(s->t, r);
	return terms && terms->keep_ms ? RETAIN_PROMISED : RETAIN_BY_RULE;
}

/* Larger keys come first. */
static uint64_t retain_key_of(const struct scheduler *s, const struct record *r, uint64_t word)
{
	uint64_t due = retain_ended_ms(s, r) + retain_kept_ms(s, r, word);
	return ~(due << TURN_BITS | (key_turn(r->key) & ((1u << TURN_BITS) - 1)));
}

static uint64_t retain_due_ms_of(uint64_t key)
{
	return ~key >> TURN_BITS;
}

/* ---- the heaps ---- */

int retain_open(struct scheduler *s)
{
	uint32_t records = s->t->limits.records;
	for (int i = 0; i < RETAIN_HEAPS; i++) {
		void *memory = mmap(NULL, heap_bytes(records), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (memory == MAP_FAILED)
			return why(-ENOMEM, "no memory for the order of %u kept results", records);
		heap_create(memory, records);
		heap_attach(&s->retained[i], memory, records, RANK_TASK_HEAP, NULL, NULL);
	}
	return 0;
}

void retain_close(struct scheduler *s)
{
	for (int i = 0; i < RETAIN_HEAPS; i++)
		munmap(s->retained[i].shm, heap_bytes(s->t->limits.records));
}

bool retain_peek(struct scheduler *s, enum retain_heap which, struct heap_entry *ret)
{
	if (heap_length(&s->retained[which]) == 0)
		return false;
	scheduler_lock_heap(&s->retained[which]);
	bool there = heap_peek(&s->retained[which], ret);
	heap_unlock(&s->retained[which]);
	return there;
}

void retain_take_out(struct scheduler *s, enum retain_heap which, uint32_t index)
{
	if (heap_length(&s->retained[which]) == 0)
		return;
	scheduler_lock_heap(&s->retained[which]);
	heap_remove(&s->retained[which], index);
	heap_unlock(&s->retained[which]);
}

/* Settled, no object, held by the runtime alone, needed by no task. */
bool retain_may_leave(const struct scheduler *s, uint32_t index, uint64_t word)
{
	const struct record *r = record_at(s->t, index);
	return state_settled(word_state(word)) && !(word_flags(word) & FLAG_OBJECT) &&
	    sh_peek(&r->holds) == (uint64_t)1 << SLOT_MANAGER &&
	    hold_only(s->t, index, SLOT_MANAGER) && (sh_peek(&r->uses) & ~USES_COUNTED) == 0;
}

void retain_note(struct scheduler *s, uint32_t index, uint64_t word)
{
	struct record *r = record_at(s->t, index);
	if (!retain_may_leave(s, index, word))
		return;
	retain_write_end(s, r, word);
	enum retain_heap which = retain_heap_of(s, r);
	if (s->t->control->retention.stay && which == RETAIN_BY_RULE)
		return;
	scheduler_lock_heap(&s->retained[which]);
	heap_remove(&s->retained[which], index); /* from a former life, or noted before */
	heap_push(&s->retained[which], index, word_generation(word), retain_key_of(s, r, word));
	heap_unlock(&s->retained[which]);
}

void retain_forget(struct scheduler *s, uint32_t index)
{
	for (int i = 0; i < RETAIN_HEAPS; i++)
		retain_take_out(s, (enum retain_heap)i, index);
}

/* ---- the next to leave ---- */

bool retain_is_over(
    const struct scheduler *s, enum retain_heap which, const struct heap_entry *first)
{
	const struct retention *rules = &s->t->control->retention;
	bool timed = which == RETAIN_PROMISED || rules->age_ms;
	return (timed && retain_due_ms_of(first->key) <= retain_now_ms(s)) ||
	    (which == RETAIN_BY_RULE && rules->count &&
		heap_length(&s->retained[which]) > rules->count);
}

uint64_t retain_next_ns(struct scheduler *s)
{
	struct heap_entry first;
	uint64_t next_ms = UINT64_MAX;
	for (int i = 0; i < RETAIN_HEAPS; i++)
		if ((i == RETAIN_PROMISED || s->t->control->retention.age_ms) &&
		    retain_peek(s, (enum retain_heap)i, &first) &&
		    retain_due_ms_of(first.key) < next_ms)
			next_ms = retain_due_ms_of(first.key);
	/* retain_now_ms() reads the coarse clock, which is late: wake a little later. */
	return next_ms == UINT64_MAX ? DEADLINE_NEVER
				     : s->t->control->boot_ns + (next_ms + COARSE_MS) * NS_PER_MS;
}
