/* dump_parts.c - the parts of the control segment that only plmdump shows. */
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "dump/dump.h"

enum { NUMBER_BYTES = 24, PAGE_ROWS = 256, CHECKS_MAX = 64 };

/* ---- header ---- */

static void dump_mode(struct output *out, const void *row)
{
	cell_text(out, plm_mode_name(((const plm_runtime_row *)row)->mode));
}

static void dump_runtime(struct output *out, const void *row)
{
	char text[NUMBER_BYTES];
	snprintf(text, sizeof text, "%" PRIx64, ((const plm_runtime_row *)row)->runtime);
	cell_text(out, text);
}

static const struct column header_columns[] = {
	{ "name", "name", -1, PLAIN(plm_runtime_row, name) },
	{ "mode", "mode", -1, .cell = dump_mode },
	{ "runtime", "runtime", -1, .cell = dump_runtime },
	{ "up", "uptime_ms", -1, MS(plm_runtime_row, uptime_ms) },
	{ "cores", "cores", -1, PLAIN(plm_runtime_row, cores) },
	{ "process slots", "processes", -1, PLAIN(plm_runtime_row, processes_max) },
	{ "workers wanted", "workers", -1, PLAIN(plm_runtime_row, workers_wanted) },
	{ "records", "records", -1, PLAIN(plm_runtime_row, records_max) },
	{ "  ever used", "records_fresh", -1, PLAIN(plm_runtime_row, records_fresh) },
	{ "  in the pool", "records_pooled", -1, PLAIN(plm_runtime_row, records_pooled) },
	{ "arenas", "nodes", -1, PLAIN(plm_runtime_row, store_parts) },
	{ "store", "store_bytes", -1, SIZE(plm_runtime_row, store_bytes) },
	{ "event ring", "event_ring", -1, PLAIN(plm_runtime_row, event_ring) },
	{ "turn", "turn", -1, PLAIN(plm_runtime_row, turn) },
	{ "restarts", "restarts", -1, PLAIN(plm_runtime_row, restarts) },
	{ "room wanted", "room_wanted", -1, FLAG(plm_runtime_row, room_wanted) },
};

void dump_header(plm_inspect *in, struct output *out)
{
	plm_runtime_row row;
	if (plm_inspect_runtime(in, &row, sizeof row) < 0)
		return;
	out->upright = true;
	table_begin(out, header_columns, COUNT_OF(header_columns));
	table_row(out, &row);
	out->upright = false;
}

/* ---- heaps ---- */

/* The reference of a task names its runtime. In the worker heap an entry is a process slot, with
 * neither priority nor reference. */
static bool dump_is_task(const void *row)
{
	return ((const plm_heap_row *)row)->ref.runtime != 0;
}

static const struct column heap_columns[] = {
	{ "PLACE", "place", 8, PLAIN(plm_heap_row, place) },
	{ "ID", "id", 8, PLAIN(plm_heap_row, id) },
	{ "TAG", "tag", 8, PLAIN(plm_heap_row, tag) },
	{ "KEY", "key", 20, PLAIN(plm_heap_row, key) },
	{ "PRIO", "priority", 6, PLAIN(plm_heap_row, priority), .known = dump_is_task },
	{ "REF", "ref", -27, PLAIN(plm_heap_row, ref), .known = dump_is_task },
};

/* In the heap's own order. What id and key mean depends on the heap: records and priorities in the
 * task heap, process slots and free room in the worker heap. */
void dump_heap(plm_inspect *in, struct output *out, int heap)
{
	static plm_heap_row rows[PAGE_ROWS];
	uint64_t cursor = 0;
	int n;
	table_begin(out, heap_columns, COUNT_OF(heap_columns));
	while ((n = plm_inspect_heap(in, heap, &cursor, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++)
			table_row(out, &rows[i]);
}

/* ---- locks ---- */

void dump_locks(plm_inspect *in, struct output *out)
{
	static const struct column columns[] = {
		{ "LOCK", "lock", -14, PLAIN(plm_lock_row, lock) },
		{ "STATE", "state", -20, PLAIN(plm_lock_row, state) },
	};
	plm_lock_row row;
	uint64_t cursor = 0;
	table_begin(out, columns, COUNT_OF(columns));
	while (plm_inspect_locks(in, &cursor, &row, sizeof row, 1) > 0)
		table_row(out, &row);
}

/* ---- rings ---- */

static void dump_ring_kind(struct output *out, const void *row)
{
	cell_text(out, plm_kind_name(((const plm_ring_row *)row)->kind));
}

static void dump_ring_name(struct output *out, const void *row)
{
	cell_text(out, ((const plm_ring_row *)row)->up ? "up" : "down");
}

static void dump_ring_verdict(struct output *out, const void *row)
{
	const char *verdict = ((const plm_ring_row *)row)->verdict;
	cell_text(out, verdict[0] ? verdict : "sound");
}

static const struct column ring_columns[] = {
	{ "PROC", "process_slot", 4, PLAIN(plm_ring_row, process) },
	{ "KIND", "kind", -9, .cell = dump_ring_kind },
	{ "RING", "ring", -4, .cell = dump_ring_name },
	{ "USED", "used", 5, PLAIN(plm_ring_row, used) },
	{ "SIZE", "size", 5, PLAIN(plm_ring_row, entries) },
	{ "HEAD", "head", 10, PLAIN(plm_ring_row, head) },
	{ "TAIL", "tail", 10, PLAIN(plm_ring_row, tail) },
	{ "VERDICT", "verdict", -20, .cell = dump_ring_verdict },
};

void dump_rings(plm_inspect *in, struct output *out)
{
	plm_ring_row row;
	uint64_t cursor = 0;
	table_begin(out, ring_columns, COUNT_OF(ring_columns));
	while (plm_inspect_rings(in, &cursor, &row, sizeof row, 1) > 0)
		table_row(out, &row);
}

/* ---- checkers ---- */

static bool dump_is_sound(const plm_check_row *row)
{
	return row->reason[0] == 0;
}

static void dump_verdict(struct output *out, const void *any)
{
	const plm_check_row *row = any;
	bool sound = dump_is_sound(row);
	cell_tinted(out, sound ? "sound" : row->reason, sound ? TINT_GOOD : TINT_BAD);
}

bool dump_check(plm_inspect *in, struct output *out)
{
	static const struct column columns[] = {
		{ "STRUCTURE", "structure", -14, PLAIN(plm_check_row, structure) },
		{ "VERDICT", "verdict", -40, .cell = dump_verdict },
	};
	static plm_check_row rows[CHECKS_MAX];
	int n = plm_inspect_check(in, rows, sizeof rows[0], CHECKS_MAX);
	bool sound = n > 0;
	table_begin(out, columns, COUNT_OF(columns));
	for (int i = 0; i < n && i < CHECKS_MAX; i++) {
		table_row(out, &rows[i]);
		sound = sound && dump_is_sound(&rows[i]);
	}
	return sound;
}
