/* floor.c - the scheduler's side of the priority floor (tables/floor.h).
 *
 * The floor rises when a task is queued. The floor sinks when the next task of the heap is below it
 * and no higher task stands unclaimed behind another task in front of a worker. Until then the next
 * task stays in the heap; an idle worker steals the higher tasks (worker/steal.c), or gets them
 * from the look for stuck queues (worker_room.c). So priorities hold across workers, too.
 * For a quick worker (a task takes QUICK_NS at most), a higher task in the ring is claimed soon
 * enough if no lower task and at most AHEAD_NS of work stand before it: so a ring is deep among
 * tasks of one priority alone. If the task in front turns out long after all, the look for stuck
 * queues takes the higher task back. Without this exception each task with a priority different
 * from the last would cost a round trip. Rings are read only while the next task is below the
 * floor: a few times for each change of priority.
 * Tasks with needs wait longer than for a turn, and booking.c orders them; the floor ignores them.
 */
#include "scheduler/queues.h"
#include "tables/floor.h"

void floor_raise(struct scheduler *s, const struct record *r, uint64_t key)
{
	if (key_rank(key) <= sh_peek(&s->t->control->floor) || record_needs(s->t, r))
		return;
	sh_store(&s->t->control->floor, key_rank(key), "floor, raised");
}

void floor_rebuild(struct scheduler *s)
{
	const struct heap *heap = &s->t->task_heap;
	uint32_t n = heap_length(heap);
	sh_store(&s->t->control->floor, 0, "floor, rebuilt");
	for (uint32_t i = 0; i < n; i++) {
		struct heap_entry task = heap_entry_at(heap, i);
		if (task.id < s->t->limits.records)
			floor_raise(s, record_at(s->t, task.id), task.key);
	}
}

enum { QUICK_NS = 100000, AHEAD_NS = 20000 };

/* A free worker may claim the task: it is READY, and waits for nothing else. */
static bool floor_is_unclaimed(const struct tables *t, uint64_t hint, uint32_t *ret_rank)
{
	uint32_t index = (uint32_t)hint;
	if (hint_kind(hint) != HINT_LOOK || index >= t->limits.records)
		return false;
	const struct record *r = record_at(t, index);
	uint64_t word = sh_load(&r->state);
	*ret_rank = key_rank(sh_once(r->key));
	return hint_fits(hint, word) && word_state(word) == RECORD_READY &&
	    !(word_flags(word) & FLAGS_KEPT_BACK) && !record_needs(t, r) &&
	    !due_is_resting(t, r, word);
}

/* True: a task above this rank stands behind another in front of the worker; for a quick worker,
 * behind a lower task, or behind AHEAD_NS of work above the rank. The first task in a ring never
 * counts: it runs, or is claimed at once. */
static bool floor_waits_behind(
    const struct scheduler *s, uint32_t process, uint32_t rank, bool quick)
{
	uint64_t hints[DOWN_RING_ENTRIES + 1];
	struct ring ring = ring_down(s->t, process);
	hints[0] = sh_load(&s->t->process[process].handed);
	uint32_t n = hints[0] != 0, lowest = UINT32_MAX, own;
	uint64_t ahead_ns = 0, average_ns = sh_peek(&s->t->process[process].average_ns);
	n += ring_look(&ring, hints + n, DOWN_RING_ENTRIES);
	for (uint32_t i = 0; i < n; i++) {
		if (!floor_is_unclaimed(s->t, hints[i], &own))
			continue;
		if (own > rank && (quick ? own > lowest || ahead_ns > AHEAD_NS : i > 0))
			return true;
		ahead_ns += own > rank ? average_ns : 0;
		lowest = own < lowest ? own : lowest;
	}
	return false;
}

static bool floor_is_quick(const struct scheduler *s, uint32_t process)
{
	uint32_t average_ns = sh_peek(&s->t->process[process].average_ns);
	return average_ns && average_ns <= QUICK_NS && !s->worker_process[process].stuck;
}

static bool floor_has_outranking(const struct scheduler *s, uint32_t process, uint32_t rank)
{
	const struct worker_process *w = &s->worker_process[process];
	if (w->generation == 0 || w->leaving || ready_outstanding(s, process) < 2)
		return false;
	return floor_waits_behind(s, process, rank, floor_is_quick(s, process));
}

static bool floor_is_outranked(const struct scheduler *s, uint32_t rank)
{
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (floor_has_outranking(s, p, rank))
			return true;
	return false;
}

bool floor_is_ignored(const struct scheduler *s, uint32_t process)
{
	return floor_waits_behind(s, process, sh_peek(&s->t->control->floor), false);
}

bool floor_lets_go(struct scheduler *s, const struct heap_entry *task, bool all_sent)
{
	if (!floor_is_above(s->t, task->key) || !ready_still(s->t, task) ||
	    record_needs(s->t, record_at(s->t, task->id)))
		return true;
	s->floor.kept_back = !all_sent || floor_is_outranked(s, key_rank(task->key));
	if (s->floor.kept_back)
		return false;
	sh_store(&s->t->control->floor, key_rank(task->key), "floor, let go");
	return true;
}

/* Runs before the last look for claimable tasks (floor_may_sink): a worker with a later claim sees
 * the word. */
void floor_tell_kept(struct scheduler *s)
{
	if (sh_peek(&s->t->control->kept_back) != s->floor.kept_back)
		sh_store(&s->t->control->kept_back, s->floor.kept_back);
}

bool floor_may_sink(const struct scheduler *s)
{
	const struct heap *heap = &s->t->task_heap;
	return s->floor.kept_back && heap_length(heap) > 0 &&
	    !floor_is_outranked(s, key_rank(heap_entry_at(heap, 0).key));
}
