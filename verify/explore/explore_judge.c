/* explore_judge.c - after all clients have ended and nothing moves: are all records, holds and
 * bytes free again? */
#include <stdio.h>

#include "base/why.h"
#include "events/eventlog_read.h"
#include "verify/explore/explore.h"

/* A worker keeps some free records in reserve, for tasks that a function may submit. */
static bool is_put_by(const struct tables *t, uint64_t word)
{
	uint64_t owner = word_owner(word) < t->limits.processes
	    ? sh_load(&t->process[word_owner(word)].state)
	    : 0;
	return word_state(word) == RECORD_RESERVED && process_kind(owner) == KIND_WORKER &&
	    process_state(owner) == PROCESS_LIVE;
}

static void judge_records(const struct tables *t)
{
	for (uint32_t i = 0; i < t->limits.records; i++) {
		const struct record *r = &t->record[i];
		uint64_t word = sh_load(&r->state);
		if (word_state(word) != RECORD_FREE && !is_put_by(t, word))
			explore_fail("when all have left, record %u is %s, owner %u, held by "
				     "%#llx, uses %#x, pending %#x",
			    i, record_state_name(word_state(word)), word_owner(word),
			    (unsigned long long)sh_load(&r->holds), sh_load(&r->uses),
			    sh_load(&r->pending));
	}
}

static void judge_processes(const struct tables *t)
{
	for (uint32_t i = SLOT_FIRST_SHARED; i < t->limits.processes; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		enum process_state state = process_state(word);
		if (state != PROCESS_FREE &&
		    !(state == PROCESS_LIVE && process_kind(word) == KIND_WORKER))
			explore_fail("when all have left, slot %u, a %s, is %s", i,
			    process_kind_name(process_kind(word)), process_state_name(state));
	}
}

/* A lock of a dead holder is recovered when the lock is next taken, not before. */
static void take_all_locks(struct tables *t)
{
	struct lock *const locks[] = { &t->arena[0].grow_lock, &t->pool.lock, &t->graph_lock,
		&t->task_heap.lock, &t->worker_heap.lock, &t->arena[0].lock, &t->registry.lock };
	for (size_t i = 0; i < COUNT_OF(locks); i++) {
		MUST(lock_acquire(locks[i]) == 0);
		lock_release(locks[i]);
	}
}

static void judge_store(const struct tables *t)
{
	struct arena_usage usage;
	arena_usage(&t->arena[0], &usage);
	if (usage.used_bytes)
		explore_fail("when all have left, %llu bytes of the store are in use",
		    (unsigned long long)usage.used_bytes);
}

/* ---- the event log: each start has one end, and attempts of a process nest ---- */

enum { OPEN_MAX = 64 };

struct open {
	uint32_t n;
	uint64_t ref[OPEN_MAX];
	uint32_t attempt[OPEN_MAX];
};

static void judge_event(struct open *open, const struct logged_event *e, uint32_t process)
{
	bool end = e->kind >= EVENT_DONE && e->kind <= EVENT_RETURNED;
	if (e->kind == EVENT_STARTED) {
		MUST(open->n < OPEN_MAX);
		open->ref[open->n] = e->subject;
		open->attempt[open->n++] = e->attempt;
	} else if (end) {
		if (open->n == 0 || open->ref[open->n - 1] != e->subject ||
		    open->attempt[open->n - 1] != e->attempt)
			explore_fail("process slot %u: the event log ends attempt %u of task %u, "
				     "which is not the innermost with a start",
			    process, e->attempt, ref_index(e->subject));
		open->n--;
	}
}

/* A task cancelled or failed before it started ends in the ring of another process. */
static bool judge_never_started(const struct logged_event *raw)
{
	return raw->shape == EVENT_SINGLE && raw->argument == 0 && raw->kind != EVENT_RETURNED &&
	    raw->kind >= EVENT_DONE && raw->kind <= EVENT_CANCELLED;
}

static void judge_ring(const struct eventlog_writer *ring, uint32_t process)
{
	struct open open = { .n = 0 };
	uint64_t tail = sh_load(ring->tail);
	if (tail > ring->mask + 1)
		return; /* starts may have been overwritten */
	for (uint64_t at = 0; at < tail; at++) {
		struct logged_event raw, e[2];
		if (eventlog_copy(ring, at, &raw) != EVENT_COPIED || judge_never_started(&raw))
			continue;
		uint32_t n = eventlog_expand(&raw, e);
		for (uint32_t i = 0; i < n; i++)
			judge_event(&open, &e[i], process);
	}
	if (open.n)
		explore_fail("process slot %u: an attempt in the event log has no end", process);
}

static void judge_log(const struct tables *t)
{
	struct eventlog_plan plan;
	struct eventlog_writer ring;
	if (!t->event_segment.header)
		return;
	eventlog_segment_plan(t, &t->event_segment, &plan);
	for (uint32_t i = 0; i < t->limits.processes; i++)
		if (eventlog_ring_of(&t->event_segment, &plan, i, &ring))
			judge_ring(&ring, i);
}

void judge_end(void)
{
	struct tables *t = &image->tables;
	judge_log(t);
	judge_processes(t);
	judge_records(t);
	take_all_locks(t);
	const char *unsound = tables_check(t);
	if (unsound)
		explore_fail("%s", unsound);
	judge_store(t);
}

/* The fingerprint differs between schedules: which process took which step of which record, in
 * order. */
uint64_t judge_fingerprint(void)
{
	uint64_t hash = w.fingerprint;
	for (uint32_t i = 0; i < image->tables.limits.records; i++)
		hash = (hash ^ atomic_load(&image->tables.record[i].state)) * 1099511628211u;
	return hash;
}
