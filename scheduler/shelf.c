/* shelf.c - tasks waiting for resources, apart from tasks waiting for a cpu alone.
 *
 * Each number of terms has a shelf: when one task on a shelf cannot have its resources, no task on
 * this shelf can. So finding the next fitting task costs as much as the number of shelves, not of
 * tasks. Private and derived: a new scheduler finds the tasks in the task heap again. As in every
 * heap here an entry may be stale: look at the record before using an entry. */
#include <stdlib.h>

#include "base/check.h"
#include "base/why.h"
#include "scheduler/queues.h"

enum { SHELF_FIRST_ROOM = 64 };

static bool shelf_before(const struct heap_entry *a, const struct heap_entry *b)
{
	return a->key > b->key;
}

static void shelf_sift_up(struct heap_entry *entry, uint32_t place, struct heap_entry moving)
{
	for (uint32_t parent; place > 0 && shelf_before(&moving, &entry[parent = (place - 1) / 2]);
	     place = parent)
		entry[place] = entry[parent];
	entry[place] = moving;
}

static void shelf_sift_down(struct heap_entry *entry, uint32_t n, struct heap_entry moving)
{
	uint32_t place = 0;
	for (uint32_t child; (child = 2 * place + 1) < n; place = child) {
		child += child + 1 < n && shelf_before(&entry[child + 1], &entry[child]);
		if (!shelf_before(&entry[child], &moving))
			break;
		entry[place] = entry[child];
	}
	entry[place] = moving;
}

static void shelf_grow(struct shelf *shelf)
{
	uint32_t room = shelf->room ? shelf->room * 2 : SHELF_FIRST_ROOM;
	void *larger = realloc(shelf->entry, room * sizeof shelf->entry[0]);
	if (!larger) {
		why(-ENOMEM, "no memory for %u tasks that wait for resources", room);
		scheduler_give_up();
	}
	shelf->entry = larger;
	shelf->room = room;
}

void shelf_put(struct scheduler *s, uint32_t terms, struct heap_entry task)
{
	CHECK(terms > 0 && terms <= TERMS_MAX);
	struct shelf *shelf = &s->shelves.shelf[terms - 1];
	if (shelf->n == shelf->room)
		shelf_grow(shelf);
	shelf_sift_up(shelf->entry, shelf->n++, task);
	if (terms > s->shelves.n)
		s->shelves.n = terms;
}

bool shelf_peek(struct scheduler *s, uint32_t terms, struct heap_entry *ret)
{
	struct shelf *shelf = &s->shelves.shelf[terms - 1];
	while (shelf->n > 0 && !ready_still(s->t, &shelf->entry[0]))
		shelf_drop(s, terms);
	if (shelf->n == 0)
		return false;
	*ret = shelf->entry[0];
	return true;
}

void shelf_drop(struct scheduler *s, uint32_t terms)
{
	struct shelf *shelf = &s->shelves.shelf[terms - 1];
	shelf->n--;
	if (shelf->n > 0)
		shelf_sift_down(shelf->entry, shelf->n, shelf->entry[shelf->n]);
}

bool shelf_empty(const struct scheduler *s)
{
	for (uint32_t i = 0; i < s->shelves.n; i++)
		if (s->shelves.shelf[i].n)
			return false;
	return true;
}

void shelf_close(struct scheduler *s)
{
	for (uint32_t i = 0; i < s->shelves.n; i++)
		free(s->shelves.shelf[i].entry);
}
