/* place.c - from the task heap to the workers' rings.
 *
 * A ring in front of a worker saves it a wait, and costs order: what stands in it is past the heap.
 * So a ring is filled only as deep as some 20 us of work at the worker's recent pace
 * (process_depth): hundreds of tiny tasks, one or two long ones. What a worker does not get to,
 * because a task turned out long or sleeps, is given to others as well: a hint is an order only for
 * the first who claims the record.
 *
 * A wake takes some 20 us, too: a sleeping worker counts as one with that much work in front of it.
 * And when two workers a core are awake and quick with their tasks (brisk), no other is woken to
 * take processor time from them: 256 workers serve tiny tasks as fast as two. Should the tasks turn
 * out long, the crew that may be awake doubles at each look, a millisecond. */
#include "base/clock.h"
#include "scheduler/scheduler.h"
#include "tables/spin.h"

enum {
	PLACE_BATCH = 64,
	STUCK_LOOK_NS = 1000000,
	PLACED_A_ROUND = 256, /* then the hints have a turn */
	BRISK_DEPTH = 4,      /* tasks so short that a wake takes longer than several of them */
};

/* Key of the worker heap: the free share of its depth, so that one awake and idle is always first;
 * among equals the one that had a task last, whose caches are warm and who may still be spinning.
 * Shares are of SHARE_ALL; a sleeping one comes behind brisk ones with room, before slow ones. */
enum { SHARE_ALL = 1 << 16, ASLEEP_SHIFT = 4, SLOW_SHIFT = 8 };

/* The heaps are ours alone but for the dump tool, which takes no lock. */
static void lock_heap(struct heap *heap)
{
	if (heap_lock(heap) < 0)
		scheduler_give_up();
}

/* ---- into the heap ---- */

void place_ready(struct scheduler *s, uint32_t index)
{
	s->ready[s->ready_count++] = index;
	if (s->ready_count == READY_BATCH)
		place_flush(s);
}

void place_flush(struct scheduler *s)
{
	if (s->ready_count == 0)
		return;
	lock_heap(&s->t->task_heap);
	for (uint32_t i = 0; i < s->ready_count; i++) {
		struct record *r = record_at(s->t, s->ready[i]);
		uint64_t word = sh_load(&r->state);
		if (word_state(word) != RECORD_READY)
			continue;
		heap_remove(&s->t->task_heap,
		    s->ready[i]); /* a doubled hint, or an entry of a former life */
		heap_push(&s->t->task_heap, s->ready[i], word_generation(word), r->key);
	}
	heap_unlock(&s->t->task_heap);
	s->ready_count = 0;
}

void place_remove(struct scheduler *s, uint32_t index)
{
	lock_heap(&s->t->task_heap);
	heap_remove(&s->t->task_heap, index);
	heap_unlock(&s->t->task_heap);
}

/* ---- how much a worker may have in front of it ---- */

uint32_t place_outstanding(const struct scheduler *s, uint32_t process)
{
	struct ring ring = ring_down(s->t, process);
	return ring_used(&ring) + (sh_load(&s->t->process[process].handed) != 0);
}

static bool is_idle(const struct member *m)
{
	return m->depth > 0 && m->room == m->depth;
}

static uint64_t room_key(const struct member *m)
{
	if (m->room == 0)
		return 0;
	uint64_t share = (uint64_t)m->room * SHARE_ALL / m->depth;
	if (!m->awake)
		share >>= ASLEEP_SHIFT;
	else if (!m->brisk && !is_idle(m))
		share >>= SLOW_SHIFT;
	return share << 32 | m->last_given;
}

/* Under the worker heap's lock. */
static void rekey(struct scheduler *s, uint32_t process)
{
	struct member *m = &s->member[process];
	s->brisk -= m->brisk;
	m->awake = process_awake(s->t, process);
	m->brisk = m->awake && !m->stuck && m->depth >= BRISK_DEPTH;
	s->brisk += m->brisk;
	heap_update(&s->t->worker_heap, process, room_key(m));
}

void place_refresh(struct scheduler *s, uint32_t process)
{
	struct member *m = &s->member[process];
	if (m->generation == 0)
		return;
	uint32_t outstanding = place_outstanding(s, process);
	s->blocked -= m->blocked;
	m->depth = process_depth(&s->t->process[process]);
	m->room = m->depth > outstanding ? m->depth - outstanding : 0;
	m->blocked = m->depth == 0;
	s->blocked += m->blocked;
	lock_heap(&s->t->worker_heap);
	rekey(s, process);
	heap_unlock(&s->t->worker_heap);
	if (m->depth == 0 && outstanding > 1)
		place_withdraw(
		    s, process); /* its task sleeps in a wait: others may have the rest */
}

/* ---- out of the heap ---- */

struct pick {
	uint32_t worker;
	uint64_t hint;
};

/* A worker that waits may have run it in place, or a client cancelled it. */
static bool still_ready(const struct tables *t, const struct heap_entry *task)
{
	if (task->id >= t->limits.records)
		return false;
	uint64_t word = sh_load(&record_at(t, task->id)->state);
	return word_state(word) == RECORD_READY && word_generation(word) == task->tag;
}

/* The top of the worker heap, unless it has no room or should be left asleep. */
static bool pick_worker(struct scheduler *s, struct heap_entry *ret)
{
	struct member *m;
	for (;;) {
		if (!heap_peek(&s->t->worker_heap, ret) || s->member[ret->id].room == 0)
			return false;
		m = &s->member[ret->id];
		if (m->awake == process_awake(s->t, ret->id))
			break;
		rekey(s, ret->id); /* it parked since, or was woken */
	}
	return m->awake || s->brisk < s->crew;
}

/* Claims nothing: the record stays READY until the worker takes it. */
static bool pick_one(struct scheduler *s, struct pick *ret)
{
	struct heap_entry worker, task;
	struct tables *t = s->t;
	if (!pick_worker(s, &worker))
		return false;
	do
		if (!heap_pop(&t->task_heap, &task))
			return false;
	while (!still_ready(t, &task));
	struct member *m = &s->member[worker.id];
	m->room--;
	m->last_given = ++s->gifts;
	process_set_awake(t, worker.id, true); /* it will be, by send_picks() */
	rekey(s, worker.id);
	*ret = (struct pick){ worker.id, hint_make(HINT_SUBMITTED, record_ref(task.id, task.tag)) };
	return true;
}

static uint32_t pick_some(struct scheduler *s, struct pick *picks)
{
	uint32_t n = 0;
	lock_heap(&s->t->task_heap);
	lock_heap(&s->t->worker_heap);
	while (n < PLACE_BATCH && pick_one(s, &picks[n]))
		n++;
	heap_unlock(&s->t->worker_heap);
	heap_unlock(&s->t->task_heap);
	return n;
}

/* All picks for one worker at once: one wake for many. */
static void send_picks(struct scheduler *s, struct pick *picks, uint32_t n)
{
	uint64_t hints[PLACE_BATCH];
	for (uint32_t i = 0; i < n; i++) {
		uint32_t worker = picks[i].worker, count = 0;
		if (worker == SLOT_MANAGER)
			continue; /* sent with an earlier one */
		for (uint32_t k = i; k < n; k++)
			if (picks[k].worker == worker) {
				hints[count++] = picks[k].hint;
				picks[k].worker = SLOT_MANAGER;
			}
		struct ring ring = ring_down(s->t, worker);
		/* Other workers hand on to it, too. What finds no room goes back: it is READY
		 * still. */
		for (uint32_t sent = ring_push(&ring, hints, count); sent < count; sent++)
			place_ready(s, (uint32_t)hints[sent]);
		process_post(s->t, worker);
	}
}

/* Every worker waits inside a task, and something is ready: it may be what they wait for. */
static void wake_blocked(struct scheduler *s)
{
	for (uint32_t p = SLOT_FIRST_MEMBER; p < s->t->limits.processes; p++)
		if (s->member[p].generation && sh_peek(&s->t->process[p].blocked))
			process_post_all(s->t, p);
}

uint32_t place_tasks(struct scheduler *s)
{
	struct pick picks[PLACE_BATCH];
	uint32_t total = 0, n;
	if (heap_length(&s->t->task_heap) == 0)
		return 0;
	do {
		n = pick_some(s, picks);
		send_picks(s, picks, n);
		total += n;
	} while (n == PLACE_BATCH && total < PLACED_A_ROUND);
	if (s->blocked && heap_length(&s->t->task_heap))
		wake_blocked(s);
	return total;
}

/* ---- what was given and is not taken ---- */

void place_forget(struct scheduler *s, uint32_t process)
{
	const struct member *m = &s->member[process];
	s->brisk -= m->brisk;
	s->blocked -= m->blocked;
	lock_heap(&s->t->worker_heap);
	heap_remove(&s->t->worker_heap, process);
	heap_unlock(&s->t->worker_heap);
}

void place_rebuild(struct scheduler *s)
{
	lock_heap(&s->t->task_heap);
	heap_rebuild(&s->t->task_heap);
	heap_unlock(&s->t->task_heap);
	lock_heap(&s->t->worker_heap);
	heap_rebuild(&s->t->worker_heap);
	heap_unlock(&s->t->worker_heap);
}

void place_withdraw(struct scheduler *s, uint32_t process)
{
	uint64_t hints[DOWN_RING_ENTRIES + 1];
	struct ring ring = ring_down(s->t, process);
	uint32_t n = ring_look(&ring, hints, DOWN_RING_ENTRIES);
	hints[n] = sh_load(&s->t->process[process].handed);
	n += hints[n] != 0;
	for (uint32_t i = 0; i < n; i++)
		if (hint_kind(hints[i]) == HINT_SUBMITTED &&
		    (uint32_t)hints[i] < s->t->limits.records)
			place_ready(s, (uint32_t)hints[i]); /* if it is READY still */
	place_flush(s);
}

static bool somebody_is_idle(const struct scheduler *s)
{
	for (uint32_t p = SLOT_FIRST_MEMBER; p < s->t->limits.processes; p++)
		if (s->member[p].generation && is_idle(&s->member[p]))
			return true;
	return false;
}

/* A worker that took nothing since the last look, with hints in front of it: it sleeps in a wait,
 * or its task is long. Others may have what stands behind that. */
static bool look_at(struct scheduler *s, uint32_t process, bool wanted)
{
	struct member *m = &s->member[process];
	struct ring ring = ring_down(s->t, process);
	uint32_t position = ring_position(&ring), outstanding = place_outstanding(s, process);
	bool queued = outstanding > 1 ||
	    (outstanding && sh_peek(&s->t->process[process].blocked));
	bool was_stuck = m->stuck;
	m->stuck = outstanding && position == m->seen_position;
	m->seen_position = position;
	if (m->stuck && queued && wanted)
		place_withdraw(s, process);
	if (m->stuck && !was_stuck)
		s->newly_stuck++;
	place_refresh(s, process);
	return queued;
}

void place_look_for_stuck(struct scheduler *s)
{
	bool wanted = somebody_is_idle(s), queued = heap_length(&s->t->task_heap) > 0;
	s->newly_stuck = 0;
	for (uint32_t p = SLOT_FIRST_MEMBER; p < s->t->limits.processes; p++)
		if (s->member[p].generation)
			queued |= look_at(s, p, wanted);
	if (!s->newly_stuck)
		s->crew = SPIN_CROWD * s->t->control->cores;
	else if (s->crew < s->t->limits.processes)
		s->crew *= 2;
	/* Nobody could take them: whoever becomes free reports, and we look again. */
	s->next_look_ns = queued && wanted ? clock_ns() + STUCK_LOOK_NS : DEADLINE_NEVER;
}

bool place_idle(const struct scheduler *s)
{
	if (heap_length(&s->t->task_heap))
		return false;
	for (uint32_t p = SLOT_FIRST_MEMBER; p < s->t->limits.processes; p++)
		if (s->member[p].generation && place_outstanding(s, p))
			return false;
	return true;
}
