#include "worker/worker.h"

#include "tables/spin.h"

enum { RESULT_PATIENCE_MS = 1000 };

/* The scheduler takes back what it had queued behind a task that sleeps. */
static void note_blocked(void *worker, bool blocked)
{
	struct worker *w = worker;
	sh_store(&w->rt.me->blocked, blocked);
	if (blocked) {
		w->untold = w->urgent = true;
		worker_report(w);
	}
}

static bool call_cancelled(void *worker)
{
	const struct worker *w = worker;
	return w->call && plm_cancelled(w->call);
}

int worker_open(struct worker *w, uint32_t slot)
{
	w->rt.help = worker_help;
	w->rt.blocked = note_blocked;
	w->rt.cancelled = call_cancelled;
	w->rt.deadlocked = worker_deadlocked;
	w->rt.help_context = w;
	w->rt.socket = -1;
	int r = handle_open(&w->rt, slot);
	if (r < 0)
		return r;
	plm_patience(&w->rt, RESULT_PATIENCE_MS);
	w->now_ns = clock_ns();
	w->next = NO_RECORD;
	return 0;
}

void worker_close(struct worker *w)
{
	worker_report(w);
	handle_close(&w->rt);
}

/* A report can wait when nobody waits for it: the scheduler then only tidies up. While it has tasks
 * to give it must know in time that we have room. */
static bool report_is_due(const struct worker *w)
{
	return w->urgent || (w->reports && heap_length(&w->rt.tables.task_heap) > 0 &&
	    w->now_ns - w->report_since_ns > REPORT_DELAY_NS);
}

static bool run(struct worker *w, uint32_t index)
{
	bool ran = worker_run_record(w, index);
	if (report_is_due(w))
		worker_report(w);
	return ran;
}

bool worker_run_hint(struct worker *w, uint64_t hint)
{
	struct tables *t = &w->rt.tables;
	uint32_t index = (uint32_t)hint;
	bool fits = hint_kind(hint) == HINT_SUBMITTED && index < t->limits.records &&
	    hint_fits(hint, sh_load(&record_at(t, index)->state));
	bool ran = fits && run(w, index);
	while (w->next != NO_RECORD) {
		index = w->next;
		w->next = NO_RECORD;
		run(w, index);
	}
	return ran;
}

/* Taken off when dealt with, also when it was stale: what stands in the ring is what we still have.
 */
static void deal_with(struct worker *w, struct ring *ring, uint64_t hint)
{
	worker_run_hint(w, hint);
	ring_done(ring, 1);
	w->untold = true;
}

/* Whether this slot is kept for a task, or free again. Somebody may wait for its word. */
static void see_booking(struct worker *w)
{
	struct process *me = w->rt.me;
	uint64_t booked = sh_load(&me->booked);
	if (booked == sh_peek(&me->booked_seen))
		return;
	sh_store(&me->booked_seen, booked);
	w->untold = true;
	w->urgent |= booked && sh_peek(&me->booked_way) == 0;
	worker_report(w);
}

uint32_t worker_step(struct worker *w)
{
	uint64_t hints[WORKER_BATCH];
	see_booking(w);
	struct ring ring = ring_down(&w->rt.tables, w->rt.self);
	uint64_t handed = sh_load(&w->rt.me->handed);
	if (handed) {
		worker_run_hint(w, handed);
		sh_store(&w->rt.me->handed, 0);
		w->untold = true;
		return 1;
	}
	uint32_t n = ring_look(&ring, hints, WORKER_BATCH);
	for (uint32_t i = 0; i < n; i++) {
		if (i + 1 < n)
			__builtin_prefetch(&w->rt.tables.record[(uint32_t)hints[i + 1] %
			    w->rt.tables.limits.records], 1);
		deal_with(w, &ring, hints[i]);
	}
	return n;
}

/* The scheduler has tasks to give and may not know that we have room. */
static bool report_is_missed(const struct worker *w)
{
	return (w->reports || w->untold) && heap_length(&w->rt.tables.task_heap) > 0;
}

static bool work_waits(void *worker)
{
	const struct worker *w = worker;
	struct ring ring = ring_down(&w->rt.tables, w->rt.self);
	return ring_ready(&ring) || sh_load(&w->rt.me->handed) || report_is_missed(w) ||
	    sh_load(&w->rt.me->booked) != sh_peek(&w->rt.me->booked_seen);
}

static void rest(struct worker *w)
{
	struct plm *rt = &w->rt;
	if (report_is_missed(w))
		worker_report(w);
	if (worker_steal(w))
		return;
	if (spin_until(&rt->tables, work_waits, w))
		return;
	worker_report(w); /* what could wait while we were at it */
	uint32_t seen = event_prepare(&rt->me->event);
	if (work_waits(w) || atomic_load(&w->stop))
		return;
	process_set_awake(&rt->tables, rt->self, false);
	event_sleep(&rt->me->event, seen, DEADLINE_NEVER);
	process_set_awake(&rt->tables, rt->self, true);
	sh_poke(&rt->me->beat_ns, clock_coarse_ns());
}

void worker_run(struct worker *w)
{
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed) &&
	    sh_load(&w->rt.tables.control->mode) != MODE_STOPPED) {
		w->now_ns = clock_ns();
		if (worker_step(w) > 0)
			continue;
		rest(w);
	}
}
