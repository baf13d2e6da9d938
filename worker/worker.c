#include "worker/worker.h"

#include "tables/cores.h"
#include "tables/floor.h"
#include "tables/spin.h"
#include "worker/task_events.h"

enum { RESULT_PATIENCE_MS = 1000, LOOKS_A_GLANCE = 32 };

/* When a task sleeps, the scheduler takes back the tasks queued behind. */
static void worker_note_blocked(void *worker, bool blocked)
{
	struct worker *w = worker;
	sh_store(&w->rt.me->blocked, blocked);
	if (eventlog_on(&w->rt.tables))
		task_events_process(w, blocked ? EVENT_BLOCKED : EVENT_UNBLOCKED);
	if (blocked) {
		w->untold = w->urgent = true;
		worker_report(w);
	}
}

static bool worker_call_cancelled(void *worker)
{
	const struct worker *w = worker;
	return w->call && plm_cancelled(w->call);
}

int worker_open(struct worker *w, uint32_t slot)
{
	w->rt.help = worker_help;
	w->rt.blocked = worker_note_blocked;
	w->rt.cancelled = worker_call_cancelled;
	w->rt.deadlocked = worker_deadlocked;
	w->rt.help_context = w;
	w->rt.socket = -1;
	int r = handle_open(&w->rt, slot);
	if (r < 0)
		return r;
	plm_patience(&w->rt, RESULT_PATIENCE_MS);
	w->now_ns = clock_ns();
	w->next = NO_RECORD;
	unfreed_open(w);
	return 0;
}

void worker_close(struct worker *w)
{
	worker_report(w);
	handle_close(&w->rt);
}

/* A report can wait while nobody waits for the effect: the scheduler would only tidy up. But while
 * tasks are queued, the scheduler must know in time about our room. */
static bool worker_report_is_due(const struct worker *w)
{
	return w->urgent ||
	    (w->reports && w->now_ns - w->report_since_ns > REPORT_DELAY_NS &&
		worker_room_is_wanted(w));
}

/* Because of the state in the process slot, or a signal. */
static bool worker_must_leave(const struct worker *w)
{
	return atomic_load_explicit(&w->stop, memory_order_relaxed) ||
	    process_state(sh_load(&w->rt.me->state)) != PROCESS_LIVE;
}

bool worker_may_start(const struct worker *w)
{
	return !worker_must_leave(w) && !tables_paused(&w->rt.tables);
}

static bool worker_run_counted(struct worker *w, uint32_t index)
{
	bool recycles = w->recycling.tasks || w->recycling.growth;
	if (recycles)
		recycle_begin(w);
	bool ran = worker_run_record(w, index);
	if (recycles)
		recycle_if_due(w);
	if (worker_report_is_due(w))
		worker_report(w);
	return ran;
}

/* Tells the scheduler of a task if still READY: for other workers, or for after the pause. */
static void worker_give_back(struct worker *w, uint32_t index)
{
	uint64_t word = sh_load(&record_at(&w->rt.tables, index)->state);
	if (word_state(word) == RECORD_READY)
		worker_tell(w, HINT_LOOK, record_ref(index, word_generation(word)), true);
}

static void worker_run_next(struct worker *w)
{
	while (w->next != NO_RECORD) {
		uint32_t index = w->next;
		w->next = NO_RECORD;
		if (worker_may_start(w))
			worker_run_counted(w, index);
		else
			worker_give_back(w, index);
	}
}

bool worker_names_task(const struct tables *t, uint64_t hint)
{
	return hint_kind(hint) == HINT_LOOK && (uint32_t)hint < t->limits.records &&
	    hint_fits(hint, sh_load(&record_at(t, (uint32_t)hint)->state));
}

bool worker_run_hint(struct worker *w, uint64_t hint)
{
	bool ran = worker_names_task(&w->rt.tables, hint) && worker_run_counted(w, (uint32_t)hint);
	worker_run_next(w);
	return ran;
}

/* Runs a task given to us by ring or hand, or gives the task back. */
static void worker_deal_with(struct worker *w, uint64_t hint)
{
	if (worker_may_start(w))
		worker_run_hint(w, hint);
	else if (worker_names_task(&w->rt.tables, hint))
		worker_give_back(w, (uint32_t)hint);
	w->untold = true;
}

/* Acknowledges a booking of our worker for a task, or the end of a booking. The scheduler may wait
 * for the answer. */
static void worker_see_booking(struct worker *w)
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
	worker_see_booking(w);
	struct ring ring = ring_down(&w->rt.tables, w->rt.self);
	uint64_t handed = sh_load(&w->rt.me->handed);
	if (handed) {
		worker_deal_with(w, handed);
		/* Use a compare-and-swap: the client may have withdrawn the task from our hand, and
		 * another client may have put its own there. */
		sh_cas(&w->rt.me->handed, &handed, 0);
		task_events_flush(w);
		return 1;
	}
	uint32_t n = ring_look(&ring, hints, WORKER_BATCH);
	for (uint32_t i = 0; i < n; i++) {
		if (i + 1 < n)
			__builtin_prefetch(
			    &w->rt.tables
				 .record[(uint32_t)hints[i + 1] % w->rt.tables.limits.records],
			    1);
		worker_deal_with(w, hints[i]);
		cores_part_at_work(&w->rt.tables, &w->cores_look, w->now_ns);
		ring_done(&ring, 1); /* not earlier: hints in the ring count as still ours */
	}
	task_events_flush(w);
	return n;
}

/* The scheduler has tasks to give and may not know of our room. */
static bool worker_report_is_missed(const struct worker *w)
{
	return (w->reports || w->untold) && heap_length(&w->rt.tables.task_heap) > 0;
}

/* A worker that queued a successor in its own ring found all hands full or closed. */
static bool worker_sees_task_to_steal(struct worker *w)
{
	if (w->dry.missed || ++w->dry.looks % LOOKS_A_GLANCE != 0)
		return false;
	w->dry.saw_task = steal_would_succeed(w);
	return w->dry.saw_task;
}

static bool worker_work_waits(void *worker)
{
	struct worker *w = worker;
	struct ring ring = ring_down(&w->rt.tables, w->rt.self);
	return ring_ready(&ring) || sh_load(&w->rt.me->handed) || worker_report_is_missed(w) ||
	    sh_load(&w->rt.me->booked) != sh_peek(&w->rt.me->booked_seen) ||
	    worker_sees_task_to_steal(w);
}

/* A make could borrow our cpu. Fence, then look: either the scheduler has seen us idle, or we see
 * the scheduler's vain search. */
static void worker_tell_if_wanted(struct worker *w)
{
	sh_fence();
	if (sh_load(&w->rt.tables.control->cpus_wanted) && !sh_load(&w->rt.me->booked))
		w->untold = w->urgent = true;
}

/* Looks for a task of another worker, and spins a moment for a task of our own. */
static bool worker_finds_task(struct worker *w)
{
	if (worker_steal(w)) {
		task_events_flush(w);
		w->dry = (struct dry){ 0 };
		return true;
	}
	w->dry.missed |= w->dry.saw_task;
	return spin_until(&w->rt.tables, worker_work_waits, w);
}

static void worker_rest(struct worker *w)
{
	struct plm *rt = &w->rt;
	if (worker_report_is_missed(w))
		worker_report(w);
	if (floor_keeps_queue(&rt->tables)) /* its reason may have been claimed just now */
		tell_scheduler(&rt->tables, rt->self, NULL, 0, true);
	if (!worker_makes_way(w) && worker_finds_task(w))
		return;
	if (rt->tables.control->jobserver)
		worker_tell_if_wanted(w);
	worker_report(w); /* reports could wait while we were busy */
	uint32_t seen = event_prepare(&rt->me->event);
	if (worker_work_waits(w) || worker_must_leave(w))
		return;
	w->task_sleep.parks++;
	process_set_awake(&rt->tables, rt->self, false);
	if (eventlog_on(&rt->tables) && !w->log.rests)
		task_events_process(w, EVENT_IDLE);
	event_sleep(&rt->me->event, seen, DEADLINE_NEVER);
	process_set_awake(&rt->tables, rt->self, true);
	cores_part_after_wake(&rt->tables);
	sh_poke(&rt->me->beat_ns, clock_coarse_ns());
}

void worker_run(struct worker *w)
{
	while (!worker_must_leave(w) && sh_load(&w->rt.tables.control->mode) != MODE_STOPPED) {
		w->now_ns = clock_ns();
		if (worker_step(w) > 0) {
			w->dry = (struct dry){ 0 };
			continue;
		}
		worker_rest(w);
	}
}
