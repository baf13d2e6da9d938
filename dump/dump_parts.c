/* dump_parts.c - the parts of the control segment that only plmdump shows. */
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "dump/dump.h"

enum { NUMBER_BYTES = 24, PAGE_ROWS = 256, CHECKS_MAX = 64 };

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

void dump_header(plm_inspect *in, struct output *out)
{
	plm_runtime_row row;
	char text[NUMBER_BYTES];
	if (plm_inspect_runtime(in, &row, sizeof row) < 0)
		return;
	snprintf(text, sizeof text, "%" PRIx64, row.runtime);
	out->upright = true;
	list_begin(out, header_columns, COUNT_OF(header_columns));
	cell_text(out, row.name);
	cell_text(out, plm_mode_name(row.mode));
	cell_text(out, text);
	cell_ms(out, row.uptime_ms);
	cell_number(out, row.cores);
	cell_number(out, row.processes_max);
	cell_number(out, row.workers_wanted);
	cell_number(out, row.records_max);
	cell_number(out, row.records_fresh);
	cell_number(out, row.records_pooled);
	cell_number(out, row.store_parts);
	cell_size(out, row.store_bytes);
	cell_number(out, row.turn);
	cell_number(out, row.restarts);
	cell_flag(out, row.room_wanted);
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

/* In the heap's own order. What id and key mean depends on the heap: records and priorities in the
 * task heap, process slots and free room in the worker heap. */
void dump_heap(plm_inspect *in, struct output *out, int heap)
{
	static plm_heap_row rows[PAGE_ROWS];
	char ref[PLM_REF_TEXT_BYTES];
	uint64_t cursor = 0;
	int n;
	list_begin(out, heap_columns, COUNT_OF(heap_columns));
	while ((n = plm_inspect_heap(in, heap, &cursor, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++) {
			cell_number(out, rows[i].place);
			cell_number(out, rows[i].id);
			cell_number(out, rows[i].tag);
			cell_number(out, rows[i].key);
			if (heap == PLM_HEAP_TASKS) {
				plm_ref_print(rows[i].ref, ref);
				cell_signed(out, rows[i].priority);
				cell_text(out, ref);
			} else {
				cell_none(out);
				cell_none(out);
			}
			row_end(out);
		}
}

/* ---- locks ---- */

void dump_locks(plm_inspect *in, struct output *out)
{
	static const struct column columns[] = { { "LOCK", "lock", -14 },
		{ "STATE", "state", -20 } };
	plm_lock_row row;
	uint64_t cursor = 0;
	list_begin(out, columns, COUNT_OF(columns));
	while (plm_inspect_locks(in, &cursor, &row, sizeof row, 1) > 0) {
		cell_text(out, row.lock);
		cell_text(out, row.state);
		row_end(out);
	}
}

/* ---- rings ---- */

static const struct column ring_columns[] = {
	{ "PROC", "process_slot", 4 },
	{ "KIND", "kind", -9 },
	{ "RING", "ring", -4 },
	{ "USED", "used", 5 },
	{ "SIZE", "size", 5 },
	{ "HEAD", "head", 10 },
	{ "TAIL", "tail", 10 },
	{ "VERDICT", "verdict", -20 },
};

void dump_rings(plm_inspect *in, struct output *out)
{
	plm_ring_row row;
	uint64_t cursor = 0;
	list_begin(out, ring_columns, COUNT_OF(ring_columns));
	while (plm_inspect_rings(in, &cursor, &row, sizeof row, 1) > 0) {
		cell_number(out, row.process);
		cell_text(out, plm_kind_name(row.kind));
		cell_text(out, row.up ? "up" : "down");
		cell_number(out, row.used);
		cell_number(out, row.entries);
		cell_number(out, row.head);
		cell_number(out, row.tail);
		cell_text(out, row.verdict[0] ? row.verdict : "sound");
		row_end(out);
	}
}

/* ---- checkers ---- */

bool dump_check(plm_inspect *in, struct output *out)
{
	static const struct column columns[] = {
		{ "STRUCTURE", "structure", -14 },
		{ "VERDICT", "verdict", -40 },
	};
	static plm_check_row rows[CHECKS_MAX];
	int n = plm_inspect_check(in, rows, sizeof rows[0], CHECKS_MAX);
	bool sound = n > 0;
	list_begin(out, columns, COUNT_OF(columns));
	for (int i = 0; i < n && i < CHECKS_MAX; i++) {
		bool good = rows[i].reason[0] == 0;
		cell_text(out, rows[i].structure);
		cell_tinted(out, good ? "sound" : rows[i].reason, good ? TINT_GOOD : TINT_BAD);
		row_end(out);
		sound = sound && good;
	}
	return sound;
}
