/* library_table.c - the tasks that a program holds, by number. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/check.h"
#include "fleet/library/library.h"

enum { TABLE_LEAST = 256 };

static size_t table_home(const struct plm_fleet *f, uint64_t id)
{
	return (size_t)(id * 0x9e3779b97f4a7c15u >> 20) & (f->places - 1);
}

struct held *library_find(const struct plm_fleet *f, uint64_t id)
{
	if (f->places == 0)
		return NULL;
	size_t at = table_home(f, id);
	while (f->held[at].id && f->held[at].id != id)
		at = (at + 1) & (f->places - 1);
	return f->held[at].id ? &f->held[at] : NULL;
}

static void table_grow(struct plm_fleet *f)
{
	struct held *old = f->held;
	size_t n = f->places;
	f->places = n ? n * 2 : TABLE_LEAST;
	f->held = calloc(f->places, sizeof *f->held);
	CHECK(f->held);
	for (size_t i = 0; i < n; i++) {
		if (!old[i].id)
			continue;
		size_t at = table_home(f, old[i].id);
		while (f->held[at].id)
			at = (at + 1) & (f->places - 1);
		f->held[at] = old[i];
	}
	free(old);
}

struct held *library_enter(struct plm_fleet *f, uint64_t id)
{
	struct held *found = library_find(f, id);
	if (found)
		return found;
	if (f->used * 2 >= f->places)
		table_grow(f);
	size_t at = table_home(f, id);
	while (f->held[at].id)
		at = (at + 1) & (f->places - 1);
	f->held[at] = (struct held){ .id = id };
	f->used++;
	return &f->held[at];
}

/* Entries behind the free place move up where their search would stop there. */
void library_remove(struct plm_fleet *f, struct held *h)
{
	size_t hole = (size_t)(h - f->held), mask = f->places - 1;
	f->pending -= h->submitted && h->state == HELD_OPEN;
	f->value_bytes -= h->value_bytes;
	free(h->value);
	for (size_t at = (hole + 1) & mask; f->held[at].id; at = (at + 1) & mask) {
		size_t home = table_home(f, f->held[at].id);
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			f->held[hole] = f->held[at];
			hole = at;
		}
	}
	f->held[hole] = (struct held){ .id = 0 };
	f->used--;
}

void library_end(struct plm_fleet *f, struct held *h, enum engine_state state)
{
	if (h->state == HELD_OPEN) {
		f->pending -= h->submitted;
		h->state = (uint8_t)(state == ENGINE_NONE ? HELD_GONE : state);
	}
	if (!h->submitted || h->holds)
		return;
	if (h->forgettable)
		library_forget(f, h->id);
	library_remove(f, h);
}

void library_keep(struct plm_fleet *f, struct held *h, const void *value, size_t bytes)
{
	if (h->value || bytes > LIBRARY_VALUE_BYTES - f->value_bytes)
		return;
	h->value = malloc(bytes + 1);
	if (!h->value)
		return;
	memcpy(h->value, value, bytes);
	h->value_bytes = (uint32_t)bytes;
	f->value_bytes += bytes;
}

void *library_take(struct plm_fleet *f, uint64_t id, size_t *ret_bytes)
{
	struct held *h = library_find(f, id);
	void *value = h ? h->value : NULL;
	if (!value)
		return NULL;
	*ret_bytes = h->value_bytes;
	f->value_bytes -= h->value_bytes;
	h->value_bytes = 0;
	h->value = NULL;
	return value;
}

void library_forget(struct plm_fleet *f, uint64_t id)
{
	if (f->forgets == f->forget_room) {
		f->forget_room = f->forget_room ? f->forget_room * 2 : TABLE_LEAST;
		f->forget = realloc(f->forget, f->forget_room * sizeof *f->forget);
		CHECK(f->forget);
	}
	if (f->forgets == 0)
		eventfd_write(f->wake, 1);
	f->forget[f->forgets++] = id;
}

size_t library_open_ids(const struct plm_fleet *f, size_t *from, uint64_t *ids, size_t n)
{
	size_t found = 0;
	for (; *from < f->places && found < n; ++*from)
		if (f->held[*from].id && f->held[*from].state == HELD_OPEN)
			ids[found++] = f->held[*from].id;
	return found;
}
