/* explore_judge.c - after all clients have ended and nothing moves: are all records, holds and
 * bytes free again? */
#include <stdio.h>

#include "base/why.h"
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

void judge_end(void)
{
	struct tables *t = &image->tables;
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
