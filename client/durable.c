/* durable.c - a submission returns when the tasks are on the disk (--durability sync).
 *
 * The tasks are visible before the journal writes them, and may run meanwhile. So a batch waits
 * once, at the end, for one or two groups of the journal, however many tasks the batch has. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"
#include "client/durable.h"

enum { FLUSH_LOOK_MS = 5, WRITE_PATIENCE_MS = 60000 };

struct awaited {
	const plm_task *tasks;
	const plm_ref *refs;
	size_t n, next; /* tasks; all before `next` are written */
	size_t at;      /* where the references of task `next` begin */
};

static bool durable_is_kind(const struct plm *rt, const plm_task *task)
{
	const struct journal_shm *j = &rt->tables.control->journal;
	return task->flags & PLM_KEEP && j->durability == DURABILITY_SYNC &&
	    journal_slot(&rt->tables) && journal_slot(&rt->tables) != rt->self;
}

/* Written; or settled and dropped by others so long ago that the record is in another life. */
static bool durable_is_written(const struct plm *rt, plm_ref ref)
{
	uint64_t word;
	return !ref.id || journal_recorded(&rt->tables, ref_index(ref.id)) ||
	    !record_lookup(&rt->tables, ref.id, &word);
}

static void durable_pass(struct awaited *a)
{
	a->at += a->tasks[a->next].results ? a->tasks[a->next].results : 1;
	a->next++;
}

static bool durable_all_written(struct plm *rt, struct awaited *a)
{
	for (; a->next < a->n; durable_pass(a))
		if (durable_is_kind(rt, &a->tasks[a->next]) &&
		    !durable_is_written(rt, a->refs[a->at]))
			return false;
	return true;
}

/* The caller is told that the tasks failed to become durable, so the tasks must not run later
 * on. */
static int durable_give_up(struct plm *rt, struct awaited *a, int trouble)
{
	const struct journal_shm *j = &rt->tables.control->journal;
	size_t n = 0;
	for (; a->next < a->n; durable_pass(a)) {
		if (!durable_is_kind(rt, &a->tasks[a->next]) ||
		    durable_is_written(rt, a->refs[a->at]))
			continue;
		plm_cancel(rt, a->refs[a->at], PLM_GRACE_OF_TASK);
		plm_forget(rt, a->refs[a->at]);
		n++;
	}
	if (trouble == ETIMEDOUT)
		return why(-trouble,
		    "the journal in %s has not written what was submitted in time "
		    "(its process is stopped, or the disk is very busy): %zu tasks that were not "
		    "durable yet are cancelled; one that had begun may have done its work",
		    j->directory, n);
	return why(-trouble,
	    "the journal in %s cannot be written (%.*s): %zu tasks that were not "
	    "durable yet are cancelled; one that had begun may have done its work",
	    j->directory, (int)sizeof j->trouble_text, j->trouble_text, n);
}

/* The journal still has to write something of the record, already visible. */
static bool durable_is_behind(const struct plm *rt, uint32_t index)
{
	const struct tables *t = &rt->tables;
	const struct record *r = record_at(t, index);
	enum record_state state = word_state(sh_load(&r->state));
	bool accepts = t->control->journal.durability != DURABILITY_NONE;
	return journal_wants(t, r) && state >= RECORD_WAITING && state != RECORD_PART &&
	    (state_settled(state) || (accepts && !journal_recorded(t, index)));
}

/* Moves *next on to the first record with something still to write. */
static bool durable_any_behind(const struct plm *rt, uint32_t *next)
{
	uint32_t fresh = pool_fresh(&rt->tables.pool);
	while (*next < fresh && !durable_is_behind(rt, *next))
		++*next;
	return *next < fresh;
}

int durable_flush(struct plm *rt, int timeout_ms)
{
	struct journal_shm *j = &rt->tables.control->journal;
	uint64_t deadline = deadline_after_ms(timeout_ms);
	uint32_t next = 0;
	if (journal_slot(&rt->tables) == 0)
		return 0;
	for (;;) {
		uint32_t seen = event_prepare(&j->written);
		if (!durable_any_behind(rt, &next))
			return 0;
		int r = handle_runtime_gone(rt);
		if (r < 0)
			return r;
		if (clock_ns() >= deadline || sh_load(&j->trouble))
			return why(
			    -ETIMEDOUT, "the journal in %s has not written all yet", j->directory);
		/* The process that settled the task may not have told the journal yet. */
		journal_tell(&rt->tables, next);
		sh_store(&j->hurry, 1, "hurry, flush");
		event_post(&j->urgent);
		process_post(&rt->tables, journal_slot(&rt->tables));
		/* The journal gives up its hold after posting, and the scheduler acts on the end of
		 * the hold. */
		uint64_t moment = clock_ns() + FLUSH_LOOK_MS * NS_PER_MS;
		event_sleep(&j->written, seen, moment < deadline ? moment : deadline);
	}
}

/* As the caller of plm_connect_with() said, else as the patience for room is. Patience 0, no
 * waiting for room, says nothing about a disk. */
static uint64_t durable_deadline(const struct plm *rt)
{
	int patience_ms = atomic_load_explicit(&rt->patience_ms, memory_order_relaxed);
	if (rt->answer_ms)
		return deadline_after_ms(rt->answer_ms);
	if (patience_ms >= 0 && patience_ms < WRITE_PATIENCE_MS)
		patience_ms = WRITE_PATIENCE_MS;
	return deadline_after_ms(patience_ms);
}

int durable_await(struct plm *rt, const plm_task *tasks, size_t n, const plm_ref *refs)
{
	struct journal_shm *j = &rt->tables.control->journal;
	struct awaited a = { tasks, refs, n, 0, 0 };
	if (journal_slot(&rt->tables) == 0 || j->durability != DURABILITY_SYNC)
		return 0;
	uint64_t failures = sh_load(&j->failures), deadline_ns = durable_deadline(rt);
	for (;;) {
		uint32_t seen = event_prepare(&j->written);
		if (durable_all_written(rt, &a))
			return 0;
		int r = handle_runtime_gone(rt);
		int trouble = (int)sh_load(&j->trouble);
		/* The trouble may be old: let the journal try once more for us, room may have come
		 * back. */
		if (r == 0 && trouble && sh_load(&j->failures) != failures)
			return durable_give_up(rt, &a, trouble);
		if (r < 0)
			return r;
		if (clock_ns() >= deadline_ns)
			return durable_give_up(rt, &a, ETIMEDOUT);
		sh_store(&j->hurry, 1, "hurry, await");
		event_post(&j->urgent);
		process_post(&rt->tables, journal_slot(&rt->tables));
		event_sleep(&j->written, seen, deadline_ns);
	}
}
