/* durable.c - a submission that returns when the journal has it on the disk (--durability sync).
 *
 * The tasks are visible before they are written, and may run meanwhile: so the one wait at the end
 * of a batch is for one group of the journal, or two, however many tasks it has. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"
#include "client/handle.h"

enum { FLUSH_LOOK_MS = 5, WRITE_PATIENCE_MS = 60000 };

struct awaited {
	const plm_task *tasks;
	const plm_ref *refs;
	size_t n, next; /* tasks; all before this one are written */
	size_t at;      /* where its references begin */
};

static bool durable_is_kind(const struct plm *rt, const plm_task *task)
{
	const struct journal_shm *j = &rt->tables.control->journal;
	return task->flags & PLM_KEEP && j->durability == DURABILITY_SYNC &&
	    journal_slot(&rt->tables) && journal_slot(&rt->tables) != rt->self;
}

/* Written; or so long settled and dropped by others that there is another life in its place. */
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

/* What was not promised must not be done by and by: the caller is told that it failed. */
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

/* Of this record the journal is still to write something that can be seen already. */
static bool durable_is_behind(const struct plm *rt, uint32_t index)
{
	const struct tables *t = &rt->tables;
	const struct record *r = record_at(t, index);
	enum record_state state = word_state(sh_load(&r->state));
	bool accepts = t->control->journal.durability != DURABILITY_NONE;
	return journal_wants(t, r) && state >= RECORD_WAITING && state != RECORD_PART &&
	    (state_settled(state) || (accepts && !journal_recorded(t, index)));
}

/* From *next on: the first one is next. */
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
		journal_tell(&rt->tables, next); /* who settled it may be about to */
		sh_store(&j->hurry, 1, "hurry, flush");
		event_post(&j->urgent);
		process_post(&rt->tables, journal_slot(&rt->tables));
		/* The journal gives its hold up after it has posted: the scheduler takes it. */
		uint64_t moment = clock_ns() + FLUSH_LOOK_MS * NS_PER_MS;
		event_sleep(&j->written, seen, moment < deadline ? moment : deadline);
	}
}

/* As the caller of plm_connect_with() said, or as its patience for room is; but the patience of one
 * who does not wait for room (0) says nothing of a disk. */
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
		/* A trouble of before: it is tried for us once, there may be room again. */
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
