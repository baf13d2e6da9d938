/* dump_parts.c - the parts of the control segment that only plmdump shows. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "dump/dump.h"
#include "cli/view.h"

enum { LOCK_TEXT_BYTES = 64 };

/* ---- header ---- */

static const struct column header_columns[] = {
	{ "name", "name", -1 },
	{ "mode", "mode", -1 },
	{ "runtime", "runtime", -1 },
	{ "up", "uptime_ms", -1 },
	{ "cores", "cores", -1 },
	{ "process slots", "processes", -1 },
	{ "workers wanted", "workers", -1 },
	{ "records", "records", -1 },
	{ "  ever used", "records_fresh", -1 },
	{ "  in the pool", "records_pooled", -1 },
	{ "arenas", "nodes", -1 },
	{ "store", "store_bytes", -1 },
	{ "turn", "turn", -1 },
	{ "restarts", "restarts", -1 },
	{ "room wanted", "room_wanted", -1 },
};

static const char *dump_parts_mode_name(uint32_t mode)
{
	static const char *const names[] = { [MODE_STARTING] = "starting",
		[MODE_UP] = "up",
		[MODE_DRAINING] = "draining",
		[MODE_STOPPED] = "stopped" };
	return mode < COUNT_OF(names) ? names[mode] : "?";
}

void dump_header(const struct tables *t, struct output *out)
{
	struct control *c = t->control;
	char name[RUNTIME_NAME_BYTES + 1] = "", text[VIEW_TEXT_BYTES];
	uint64_t now = clock_ns();
	memcpy(name, c->name, RUNTIME_NAME_BYTES);
	snprintf(text, sizeof text, "%" PRIx64, c->runtime);
	out->upright = true;
	list_begin(out, header_columns, COUNT_OF(header_columns));
	cell_text(out, name);
	cell_text(out, dump_parts_mode_name(sh_peek(&c->mode)));
	cell_text(out, text);
	cell_ms(out, now > c->boot_ns ? (now - c->boot_ns) / NS_PER_MS : 0);
	cell_number(out, c->cores);
	cell_number(out, t->limits.processes);
	cell_number(out, t->limits.workers);
	cell_number(out, t->limits.records);
	cell_number(out, pool_fresh(&t->pool));
	cell_number(out, pool_free_count(&t->pool));
	cell_number(out, t->limits.nodes);
	cell_size(out, t->limits.store_bytes);
	cell_number(out, sh_peek(&c->turn));
	cell_number(out, sh_peek(&c->restarts));
	cell_flag(out, sh_peek(&c->room_wanted) != 0);
	row_end(out);
	out->upright = false;
}

/* ---- heaps ---- */

static const struct column heap_columns[] = {
	{ "PLACE", "place", 8 },
	{ "ID", "id", 8 },
	{ "TAG", "tag", 8 },
	{ "KEY", "key", 20 },
	{ "PRIO", "priority", 6 },
	{ "REF", "ref", -27 },
};

/* In the heap's own order. What id and key mean is known by its owner: records and priorities in
 * the task heap, process slots and free room in the worker heap. */
void dump_heap(const struct tables *t, struct output *out, const struct heap *heap)
{
	bool tasks = heap == &t->task_heap;
	uint32_t n = heap_length(heap);
	char ref[VIEW_TEXT_BYTES];
	list_begin(out, heap_columns, COUNT_OF(heap_columns));
	for (uint32_t i = 0; i < n; i++) {
		struct heap_entry e = heap_entry_at(heap, i);
		cell_number(out, i);
		cell_number(out, e.id);
		cell_number(out, e.tag);
		cell_number(out, e.key);
		if (tasks) {
			view_ref(t, record_ref(e.id, e.tag), ref);
			cell_signed(out, key_priority(e.key));
			cell_text(out, ref);
		} else {
			cell_none(out);
			cell_none(out);
		}
		row_end(out);
	}
}

/* ---- locks ---- */

static void dump_parts_lock_row(struct output *out, const char *name, const struct lock_shm *shm)
{
	char text[LOCK_TEXT_BYTES];
	cell_text(out, name);
	cell_text(out, lock_describe(shm, text, sizeof text));
	row_end(out);
}

void dump_locks(const struct tables *t, struct output *out)
{
	static const struct column columns[] = { { "LOCK", "lock", -14 },
		{ "STATE", "state", -20 } };
	char name[LOCK_TEXT_BYTES];
	list_begin(out, columns, COUNT_OF(columns));
	dump_parts_lock_row(out, "pool", t->pool.lock.shm);
	dump_parts_lock_row(out, "task heap", t->task_heap.lock.shm);
	dump_parts_lock_row(out, "worker heap", t->worker_heap.lock.shm);
	dump_parts_lock_row(out, "registry", t->registry.lock.shm);
	for (uint32_t i = 0; i < t->limits.nodes; i++) {
		snprintf(name, sizeof name, "arena %u", i);
		dump_parts_lock_row(out, name, t->arena[i].lock.shm);
		snprintf(name, sizeof name, "arena %u grow", i);
		dump_parts_lock_row(out, name, t->arena[i].grow_lock.shm);
	}
}

/* ---- rings ---- */

static const struct column ring_columns[] = {
	{ "SLOT", "slot", 4 },
	{ "KIND", "kind", -9 },
	{ "RING", "ring", -4 },
	{ "USED", "used", 5 },
	{ "SIZE", "size", 5 },
	{ "HEAD", "head", 10 },
	{ "TAIL", "tail", 10 },
	{ "VERDICT", "verdict", -20 },
};

static void dump_parts_ring_row(
    struct output *out, uint32_t slot, const char *kind, const char *name, const struct ring *ring)
{
	const char *why = ring_check(ring);
	cell_number(out, slot);
	cell_text(out, kind);
	cell_text(out, name);
	cell_number(out, ring_used(ring));
	cell_number(out, ring->size);
	cell_number(out, sh_peek(&ring->shm->head));
	cell_number(out, sh_peek(&ring->shm->tail));
	cell_text(out, why ? why : "sound");
	row_end(out);
}

void dump_rings(const struct tables *t, struct output *out)
{
	list_begin(out, ring_columns, COUNT_OF(ring_columns));
	for (uint32_t slot = 0; slot < t->limits.processes; slot++) {
		uint64_t word = sh_load(&t->process[slot].state);
		struct ring up = ring_up(t, slot), down = ring_down(t, slot);
		if (process_state(word) == PROCESS_FREE && !ring_used(&up) && !ring_used(&down))
			continue;
		const char *kind = process_kind_name(process_kind(word));
		dump_parts_ring_row(out, slot, kind, "up", &up);
		dump_parts_ring_row(out, slot, kind, "down", &down);
	}
}
