/* inspect_parts.c - the structures below the tables as rows, and what their checkers say. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/why.h"
#include "client/inspect.h"

enum { TRIES_MAX = 50, PAUSE_NS = 2000000, CHECKS_MAX = 16 + ARENAS_MAX };

/* ---- checkers ---- */

struct verdicts {
	plm_check_row row[CHECKS_MAX];
	unsigned n, unsound;
};

static plm_check_row *parts_find_verdict(struct verdicts *all, const char *structure)
{
	for (unsigned i = 0; i < all->n; i++)
		if (strcmp(all->row[i].structure, structure) == 0)
			return &all->row[i];
	return NULL;
}

/* A structure that was sound once stays so: a later finding is of a moment between two steps. */
static void parts_note(void *context, const char *structure, const char *reason)
{
	struct verdicts *all = context;
	plm_check_row *v = parts_find_verdict(all, structure);
	if (!v) {
		CHECK(all->n < CHECKS_MAX);
		v = &all->row[all->n++];
		*v = (plm_check_row){ .structure = "" };
		inspect_text(v->structure, sizeof v->structure, structure);
		inspect_text(v->reason, sizeof v->reason, reason ? reason : "");
		all->unsound += reason != NULL;
	} else if (!reason && v->reason[0]) {
		v->reason[0] = 0;
		all->unsound--;
	}
}

int plm_inspect_check(plm_inspect *in, plm_check_row *rows, size_t size, size_t n)
{
	static const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct verdicts all = { .n = 0 };
	struct inspect_page page = { .n = n };
	uint64_t none = 0;
	int r = inspect_check_page("plm_inspect_check", in, &none, rows, size, &page);
	if (r < 0)
		return r;
	parts_note(&all, "header", NULL); /* opening has judged the header */
	tables_check_each(&in->tables, parts_note, &all);
	for (int tries = 1; in->moving && all.unsound > 0 && tries < TRIES_MAX; tries++) {
		nanosleep(&pause, NULL);
		tables_check_each(&in->tables, parts_note, &all);
	}
	for (unsigned i = 0; i < all.n && !inspect_page_full(&page); i++)
		inspect_page_add(&page, &all.row[i], sizeof all.row[i]);
	return (int)all.n;
}

/* ---- heaps ---- */

int plm_inspect_heap(
    plm_inspect *in, int which, uint64_t *cursor, plm_heap_row *rows, size_t size, size_t n)
{
	struct inspect_page page = { .n = n };
	int r = inspect_check_page("plm_inspect_heap", in, cursor, rows, size, &page);
	if (r < 0)
		return r;
	bool tasks = which == PLM_HEAP_TASKS;
	const struct heap *heap = tasks ? &in->tables.task_heap : &in->tables.worker_heap;
	uint32_t end = heap_length(heap);
	for (; *cursor < end && !inspect_page_full(&page); ++*cursor) {
		struct heap_entry e = heap_entry_at(heap, (uint32_t)*cursor);
		plm_heap_row row = {
			.place = (uint32_t)*cursor, .id = e.id, .tag = e.tag, .key = e.key
		};
		if (tasks) {
			row.priority = key_priority(e.key);
			row.ref = (plm_ref){ .id = record_ref(e.id, e.tag),
				.runtime = in->tables.control->runtime };
		}
		inspect_page_add(&page, &row, sizeof row);
	}
	return (int)page.filled;
}

/* ---- rings: the cursor counts two for each process slot ---- */

static bool parts_ring_at(const struct tables *t, uint64_t cursor, plm_ring_row *row)
{
	uint32_t process = (uint32_t)(cursor / 2);
	uint64_t word = sh_load(&t->process[process].state);
	struct ring up = ring_up(t, process), down = ring_down(t, process);
	if (process_state(word) == PROCESS_FREE && !ring_used(&up) && !ring_used(&down))
		return false;
	const struct ring *ring = cursor % 2 ? &down : &up;
	const char *reason = ring_check(ring);
	*row = (plm_ring_row){ .process = process,
		.kind = (int)process_kind(word),
		.up = cursor % 2 == 0,
		.used = ring_used(ring),
		.entries = ring->size,
		.head = sh_peek(&ring->shm->head),
		.tail = sh_peek(&ring->shm->tail) };
	inspect_text(row->verdict, sizeof row->verdict, reason ? reason : "");
	return true;
}

int plm_inspect_rings(plm_inspect *in, uint64_t *cursor, plm_ring_row *rows, size_t size, size_t n)
{
	struct inspect_page page = { .n = n };
	plm_ring_row row;
	int r = inspect_check_page("plm_inspect_rings", in, cursor, rows, size, &page);
	if (r < 0)
		return r;
	uint64_t end = (uint64_t)in->tables.limits.processes * 2;
	for (; *cursor < end && !inspect_page_full(&page); ++*cursor)
		if (parts_ring_at(&in->tables, *cursor, &row))
			inspect_page_add(&page, &row, sizeof row);
	return (int)page.filled;
}

/* ---- locks ---- */

enum { LOCKS_FIRST = 4 }; /* and behind those two for each arena */

static const struct lock_shm *parts_lock_at(const struct tables *t, uint64_t cursor, char name[64])
{
	static const char *const names[] = { "pool", "task heap", "worker heap", "registry" };
	const struct lock *const locks[LOCKS_FIRST] = { &t->pool.lock, &t->task_heap.lock,
		&t->worker_heap.lock, &t->registry.lock };
	if (cursor < LOCKS_FIRST) {
		snprintf(name, 64, "%s", names[cursor]);
		return locks[cursor]->shm;
	}
	unsigned arena = (unsigned)(cursor - LOCKS_FIRST) / 2;
	bool grow = (cursor - LOCKS_FIRST) % 2;
	snprintf(name, 64, "arena %u%s", arena, grow ? " grow" : "");
	return grow ? t->arena[arena].grow_lock.shm : t->arena[arena].lock.shm;
}

int plm_inspect_locks(plm_inspect *in, uint64_t *cursor, plm_lock_row *rows, size_t size, size_t n)
{
	struct inspect_page page = { .n = n };
	int r = inspect_check_page("plm_inspect_locks", in, cursor, rows, size, &page);
	if (r < 0)
		return r;
	uint64_t end = LOCKS_FIRST + (uint64_t)in->tables.limits.nodes * 2;
	for (; *cursor < end && !inspect_page_full(&page); ++*cursor) {
		plm_lock_row row = { .lock = "" };
		const struct lock_shm *shm = parts_lock_at(&in->tables, *cursor, row.lock);
		lock_describe(shm, row.state, sizeof row.state);
		inspect_page_add(&page, &row, sizeof row);
	}
	return (int)page.filled;
}
