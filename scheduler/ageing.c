/* ageing.c - nothing starves behind higher priorities.
 *
 * A task that has waited for the time of --ageing is due. Of every eight tasks placed, one is a due
 * task, the earliest turn first. So high priorities keep seven parts of eight, and the n-th due
 * task starts within 8 n placements. Tasks with needs are counted apart, by the same rule.
 *
 * To find due tasks, the scheduler looks through all queued tasks a few times an ageing period, but
 * only while several priorities are queued: behind its equals no task starves. */
#include <stdlib.h>

#include "base/clock.h"
#include "scheduler/queues.h"
#include "tables/floor.h"

enum { SHARE = 8, LOOKS_A_PERIOD = 4 };

void ageing_open(struct scheduler *s)
{
	s->ageing =
	    (struct ageing){ .period_ms = s->t->control->ageing_ms, .next_ns = DEADLINE_NEVER };
}

void ageing_queued(struct scheduler *s, uint64_t key, bool first)
{
	struct ageing *a = &s->ageing;
	if (first && a->next_ns == DEADLINE_NEVER)
		a->priority = key_priority(key);
	if (key_priority(key) == a->priority || a->next_ns != DEADLINE_NEVER || !a->period_ms)
		return;
	a->next_ns = clock_ns() + a->period_ms * NS_PER_MS / LOOKS_A_PERIOD;
}

/* ---- looking ---- */

/* Keeps the earliest turns; they mostly come first, since neither heap puts them far down. */
static void ageing_keep_early(struct due *due, const struct heap_entry *task)
{
	uint64_t turn = key_turn(task->key);
	uint32_t place = due->n;
	if (place == DUE_MAX && turn >= key_turn(due->task[DUE_MAX - 1].key))
		return;
	place -= place == DUE_MAX;
	for (; place > 0 && key_turn(due->task[place - 1].key) > turn; place--)
		due->task[place] = due->task[place - 1];
	due->task[place] = *task;
	due->n += due->n < DUE_MAX;
}

static void ageing_drop_young(const struct scheduler *s, struct due *due)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < due->n; i++)
		if (due->task[i].id < s->t->limits.records &&
		    floor_is_due(s->t, record_at(s->t, due->task[i].id)))
			due->task[n++] = due->task[i];
	due->n = n;
	due->next = 0;
}

static int ageing_highest_on_shelves(const struct scheduler *s)
{
	int highest = PRIORITY_MIN;
	for (uint32_t i = 0; i < s->shelves.n; i++) {
		const struct shelf *shelf = &s->shelves.shelf[i];
		int priority = shelf->n ? key_priority(shelf->entry[0].key) : PRIORITY_MIN;
		highest = priority > highest ? priority : highest;
	}
	return highest;
}

/* In the task heap. True: several priorities are queued. */
static bool ageing_find_queued(struct scheduler *s)
{
	const struct heap *heap = &s->t->task_heap;
	uint32_t n = heap_length(heap);
	bool mixed = false;
	s->ageing.priority =
	    n ? key_priority(heap_entry_at(heap, 0).key) : ageing_highest_on_shelves(s);
	for (uint32_t i = 1; i < n; i++) {
		struct heap_entry task = heap_entry_at(heap, i);
		if (key_priority(task.key) == s->ageing.priority)
			continue;
		mixed = true;
		ageing_keep_early(&s->ageing.queued, &task);
	}
	return mixed;
}

static bool ageing_find_shelved(struct scheduler *s)
{
	int highest = ageing_highest_on_shelves(s);
	bool mixed = false;
	for (uint32_t i = 0; i < s->shelves.n; i++)
		for (uint32_t k = 0; k < s->shelves.shelf[i].n; k++)
			if (key_priority(s->shelves.shelf[i].entry[k].key) != highest) {
				mixed = true;
				ageing_keep_early(
				    &s->ageing.shelved, &s->shelves.shelf[i].entry[k]);
			}
	return mixed;
}

void ageing_look(struct scheduler *s)
{
	struct ageing *a = &s->ageing;
	uint64_t now = a->next_ns == DEADLINE_NEVER ? 0 : clock_ns();
	if (now < a->next_ns)
		return;
	a->queued.n = a->shelved.n = 0;
	scheduler_lock_heap(&s->t->task_heap);
	bool mixed = ageing_find_queued(s);
	heap_unlock(&s->t->task_heap);
	mixed |= ageing_find_shelved(s);
	ageing_drop_young(s, &a->queued);
	ageing_drop_young(s, &a->shelved);
	a->next_ns = mixed ? now + a->period_ms * NS_PER_MS / LOOKS_A_PERIOD : DEADLINE_NEVER;
}

/* ---- taking ---- */

static const struct heap_entry *ageing_first_due(struct scheduler *s, struct due *due)
{
	for (; due->next < due->n; due->next++)
		if (ready_still(s->t, &due->task[due->next]))
			return &due->task[due->next];
	return NULL;
}

bool ageing_pop(struct scheduler *s, struct heap_entry *ret)
{
	struct due *due = &s->ageing.queued;
	const struct heap_entry *task;
	if (due->next == due->n || ++due->others < SHARE)
		return false;
	while ((task = ageing_first_due(s, due))) {
		due->next++;
		if (!heap_remove(&s->t->task_heap, task->id))
			continue; /* given to a worker meanwhile */
		*ret = *task;
		due->others = 0;
		return true;
	}
	return false;
}

bool ageing_peek_shelved(struct scheduler *s, struct heap_entry *ret)
{
	struct due *due = &s->ageing.shelved;
	const struct heap_entry *task = due->others + 1 < SHARE ? NULL : ageing_first_due(s, due);
	if (task)
		*ret = *task;
	return task != NULL;
}

void ageing_began(struct scheduler *s, const struct heap_entry *task)
{
	struct due *due = &s->ageing.shelved;
	bool was_due = due->next < due->n && due->task[due->next].id == task->id;
	due->next += was_due;
	due->others = was_due ? 0 : due->others + 1;
}
