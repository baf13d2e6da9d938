/* place.c - from the task heap to the workers' rings.
 *
 * A ring in front of a worker saves the worker a wait, and costs order: a task in a ring is past
 * the heap. So a ring is filled only as deep as a millisecond of work at the worker's recent pace
 * (process_depth): hundreds of tiny tasks, four short commands, one long task. The worker asks for
 * more at half of that, so that a wake of the scheduler serves many tasks. Priorities hold all the
 * same: a claim looks at the floor (tables/floor.h), and gives back a task below the floor. If a
 * worker does not get to a task, because the task before turned out long or sleeps, the scheduler
 * gives the task to another worker as well: a hint is an order only for the first worker that
 * claims the record. */
#include "scheduler/placing.h"

enum {
	PLACE_BATCH = EVENTLOG_BATCH,
	PLACED_A_ROUND = 256, /* then the hints have a turn */
};

/* ---- into the heap ---- */

/* False: the task pauses or waits for memory; task_limits.c notes it as READY again. Or the task is
 * parked; move.c notes it again. */
static bool place_may_queue(struct scheduler *s, uint32_t index)
{
	const struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state);
	if (r->terms || word_flags(word) & FLAG_MEMORY)
		limits_look(s, index);
	return !(word_flags(word) & FLAG_PARKED) && !due_is_resting(s->t, r, word) &&
	    !pressure_keeps(s, r);
}

/* Under the task heap's lock. */
static void place_queue(struct scheduler *s, uint32_t index)
{
	struct heap *heap = &s->t->task_heap;
	struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state), key = r->key;
	if (word_state(word) != RECORD_READY)
		return;
	if (r->terms)
		seats_returned(s, record_ref(index, word_generation(word)), word);
	heap_remove(heap, index); /* from a doubled hint or a former life */
	ageing_queued(s, key, heap_length(heap) == 0 && shelf_empty(s));
	heap_push(heap, index, word_generation(word), key);
	floor_raise(s, r, key);
	s->room.fresh = true;
}

/* Limits have a heap of their own, whose lock is never taken inside the task heap's: so the batch
 * is judged first. seats_returned() may note further tasks while the batch is queued. */
static void place_flush_some(struct scheduler *s, const uint32_t *ready, uint32_t n)
{
	uint32_t queued[READY_BATCH], count = 0;
	for (uint32_t i = 0; i < n; i++)
		if (place_may_queue(s, ready[i]))
			queued[count++] = ready[i];
	if (count == 0)
		return;
	scheduler_lock_heap(&s->t->task_heap);
	for (uint32_t i = 0; i < count; i++)
		place_queue(s, queued[i]);
	heap_unlock(&s->t->task_heap);
}

void place_flush(struct scheduler *s)
{
	struct ready *ready = &s->ready;
	for (uint32_t done = 0, n; done < ready->n; done += n) {
		n = ready->n - done < READY_BATCH ? ready->n - done : READY_BATCH;
		place_flush_some(s, ready->task + done, n);
	}
	ready->n = 0;
}

/* ---- out of the heap ---- */

struct pick {
	uint32_t process;
	uint64_t hint;
};

/* A task with needs waits for booking.c. */
static bool place_put_on_shelf(struct scheduler *s, const struct heap_entry *task)
{
	uint32_t terms = record_needs(s->t, record_at(s->t, task->id));
	if (!terms)
		return false;
	shelf_put(s, terms, *task);
	return true;
}

/* Not the worker of the failed attempt, if another worker is idle. */
static void place_avoid_failed(
    struct scheduler *s, const struct heap_entry *task, uint32_t *process)
{
	uint64_t word = sh_load(&record_at(s->t, task->id)->state);
	if (word_attempt(word) &&
	    record_failed_by(s->t, word) == s->worker_process[*process].worker)
		room_choose_other(s, s->worker_process[*process].worker, process);
}

/* Takes the next task by priority and turn, or a due task; none while a higher task
 * stands unclaimed behind another in front of a worker (floor.c). */
static bool place_take_next(struct scheduler *s, bool all_sent, struct heap_entry *ret)
{
	struct heap *heap = &s->t->task_heap;
	struct heap_entry top;
	return heap_peek(heap, &top) && floor_lets_go(s, &top, all_sent) &&
	    (ageing_pop(s, ret) || heap_pop(heap, ret));
}

/* Claims nothing: the record stays READY until the worker takes it. */
static bool place_pick_one(struct scheduler *s, bool all_sent, struct pick *ret)
{
	struct heap_entry task;
	struct tables *t = s->t;
	uint32_t process;
	if (!room_choose(s, &process))
		return false;
	do
		if (!place_take_next(s, all_sent, &task))
			return false;
	while (!ready_still(t, &task) || !pressure_lets_go(s, record_at(t, task.id)) ||
	    place_put_on_shelf(s, &task));
	near_choose(s, record_at(t, task.id), &process);
	place_avoid_failed(s, &task, &process);
	room_take(s, process);
	if (key_turn(task.key) > s->turn)
		s->turn = key_turn(task.key);
	*ret = (struct pick){ process, hint_make(HINT_LOOK, record_ref(task.id, task.tag)) };
	return true;
}

static uint32_t place_pick_some(struct scheduler *s, struct pick *picks)
{
	uint32_t n = 0;
	scheduler_lock_heap(&s->t->task_heap);
	scheduler_lock_heap(&s->t->worker_heap);
	while (n < PLACE_BATCH && place_pick_one(s, n == 0, &picks[n]))
		n++;
	heap_unlock(&s->t->worker_heap);
	heap_unlock(&s->t->task_heap);
	return n;
}

/* Sends all picks for a worker together: a single wake for many tasks. */
static void place_send_picks(struct scheduler *s, struct pick *picks, uint32_t n)
{
	uint64_t hints[PLACE_BATCH];
	struct eventlog_batch events;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t process = picks[i].process, count = 0;
		if (process == SLOT_MANAGER)
			continue; /* sent with an earlier pick */
		for (uint32_t k = i; k < n; k++)
			if (picks[k].process == process) {
				hints[count++] = picks[k].hint;
				picks[k].process = SLOT_MANAGER;
			}
		events.n = 0;
		if (eventlog_on(s->t))
			task_log_placed(s, hints, count, process, &events);
		struct ring ring = ring_down(s->t, process);
		/* The worker pushes into its own ring, too (worker/successor.c). Tasks without a
		 * place in the ring go back: they are still READY. */
		for (uint32_t sent = ring_push(&ring, hints, count); sent < count; sent++)
			ready_add(s, (uint32_t)hints[sent]);
		process_post(s->t, process);
		if (events.n)
			eventlog_batch_write(s->t, &events, task_log_now(s));
	}
}

/* Workers wait inside tasks, and perhaps for the newly queued task. Wake each worker once;
 * otherwise scheduler and workers would wake each other as long as tasks are queued. */
static void place_wake_blocked(struct scheduler *s)
{
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (s->worker_process[p].generation && sh_load(&s->t->process[p].waiting_ns))
			process_post_all(s->t, p);
}

/* A booking notes the tasks in front of the processes it takes again; these go back to the heap. */
static uint32_t place_booked(struct scheduler *s)
{
	uint32_t begun = booking_place(s);
	place_flush(s);
	return begun;
}

uint32_t place_tasks(struct scheduler *s)
{
	struct pick picks[PLACE_BATCH];
	uint32_t total = 0, n = 0;
	bool paused = s->admission & ADMISSION_PAUSED;
	s->bookings.short_of_processes = s->floor.kept_back = false;
	place_flush(s); /* tasks without a place in a ring go before lower tasks */
	/* Tasks with spares made for them go before tasks in the heap. */
	if (!paused && s->room.spares && (s->shelves.n || s->bookings.n))
		total += place_booked(s);
	if (s->room.spares)
		spares_start(s);
	do {
		if (paused || heap_length(&s->t->task_heap) == 0)
			break;
		n = place_pick_some(s, picks);
		place_send_picks(s, picks, n);
		total += n;
	} while (n == PLACE_BATCH && total < PLACED_A_ROUND);
	if (!paused && (s->shelves.n || s->bookings.n || !s->bookings.adopted))
		total += place_booked(s);
	if (s->room.blocked && s->room.fresh && heap_length(&s->t->task_heap))
		place_wake_blocked(s);
	s->room.fresh = false;
	floor_tell_kept(s);
	return total;
}

/* ---- queued tasks ---- */

void place_rebuild(struct scheduler *s)
{
	scheduler_lock_heap(&s->t->task_heap);
	heap_rebuild(&s->t->task_heap);
	heap_unlock(&s->t->task_heap);
}

void place_tell_demand(struct scheduler *s)
{
	uint32_t wait = heap_length(&s->t->task_heap) || !shelf_empty(s) || seats_pending(s);
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t) && !wait; p++)
		wait = s->worker_process[p].generation && ready_outstanding(s, p) > 1 &&
		    ready_has_queue(s, p);
	wait = wait && !(s->admission & ADMISSION_PAUSED);
	if (sh_peek(&s->t->control->tasks_wait) == wait)
		return;
	sh_store(&s->t->control->tasks_wait, wait);
	if (wait)
		scheduler_ring_manager(s);
}

bool place_idle(const struct scheduler *s)
{
	if (heap_length(&s->t->task_heap) || !shelf_empty(s) || s->bookings.n)
		return false;
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (s->worker_process[p].generation && ready_outstanding(s, p))
			return false;
	return true;
}
