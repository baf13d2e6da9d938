#include "cli/worker_rows.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "cli/task_row.h"

enum { REF_WIDTH = -27, FUNCTION_WIDTH = -20 };

static void rows_cell_ref(const struct tables *t, struct output *out, uint64_t ref)
{
	char text[VIEW_TEXT_BYTES];
	view_ref(t, ref, text);
	cell_text(out, text);
}

static void rows_cell_text_or_none(struct output *out, const char *text)
{
	if (text[0])
		cell_text(out, text);
	else
		cell_none(out);
}

/* ---- tasks ---- */

void rows_tasks(const struct tables *t, struct output *out)
{
	static struct task_row row;
	struct task_columns columns;
	uint32_t end = pool_fresh(&t->pool);
	task_columns_bare(&columns);
	task_list_begin(out, &columns);
	for (uint32_t i = 0; i < end; i++)
		if (task_row_read(t, i, false, &row))
			task_row_print(t, out, &columns, &row);
}

/* ---- objects ---- */

static const struct column object_columns[] = {
	{ "REF", "ref", REF_WIDTH },
	{ "STATE", "state", -8 },
	{ "BYTES", "bytes", 12 },
	{ "WHERE", "where", -6 },
	{ "HELD", "holders", 4 },
	{ "USES", "uses", 4 },
	{ "AGE", "age_ms", 8 },
	{ "ORIGIN", "origin", -20 },
};

static void rows_object(const struct tables *t, struct output *out, const struct record_view *v)
{
	rows_cell_ref(t, out, v->ref);
	cell_text(out, v->state == RECORD_DONE ? "sealed" : "creating");
	cell_number(out, v->bytes);
	cell_text(out, v->granule ? "store" : "inline");
	cell_number(out, v->holders);
	cell_number(out, v->uses);
	cell_ms(out, v->age_ms);
	cell_text(out, v->function[0] ? v->function : "put");
	row_end(out);
}

/* A value exists, or room for one is being filled. */
static bool rows_is_object(const struct record_view *v)
{
	return v->state == RECORD_DONE || (v->state == RECORD_RESERVED && v->granule != 0);
}

void rows_objects(const struct tables *t, struct output *out)
{
	struct record_view v;
	uint32_t end = pool_fresh(&t->pool);
	list_begin(out, object_columns, COUNT_OF(object_columns));
	for (uint32_t i = 0; i < end; i++)
		if (view_record(t, i, &v) && rows_is_object(&v))
			rows_object(t, out, &v);
}

/* ---- processes ---- */

static const struct column process_columns[] = {
	{ "SLOT", "slot", 4 },
	{ "KIND", "kind", -9 },
	{ "PID", "pid", 7 },
	{ "STATE", "state", -8 },
	{ "AGE", "age_ms", 8 },
	{ "BEAT", "beat_ms", 8 },
	{ "RUNNING", "function", FUNCTION_WIDTH },
	{ "REF", "ref", REF_WIDTH },
	{ "FOR", "run_ms", 8 },
	{ "BLOCKED", "blocked", 7 },
	{ "SPARE", "spare", 5 },
	{ "DONE", "done", 10 },
	{ "FAILED", "failed", 6 },
	{ "QUEUE", "queue", 5 },
	{ "UP", "up", 4 },
	{ "NAME", "name", -12 },
};

static const struct column worker_columns[] = {
	{ "WORKER", "worker", 6 },
	{ "GEN", "generation", 3 },
	{ "SLOTS", "slots", 5 },
	{ "USED", "slots_used", 4 },
	{ "SLOT", "slot", 4 },
	{ "PID", "pid", 7 },
	{ "STATE", "state", -8 },
	{ "AGE", "age_ms", 8 },
	{ "BEAT", "beat_ms", 8 },
	{ "RUNNING", "function", FUNCTION_WIDTH },
	{ "REF", "ref", REF_WIDTH },
	{ "FOR", "run_ms", 8 },
	{ "BLOCKED", "blocked", 7 },
	{ "SPARE", "spare", 5 },
	{ "DONE", "done", 10 },
	{ "FAILED", "failed", 6 },
	{ "QUEUE", "queue", 5 },
	{ "UP", "up", 4 },
};

static const struct column client_columns[] = {
	{ "SLOT", "slot", 4 },
	{ "PID", "pid", 7 },
	{ "STATE", "state", -8 },
	{ "AGE", "age_ms", 8 },
	{ "BEAT", "beat_ms", 8 },
	{ "UP", "up", 4 },
	{ "NAME", "name", -12 },
};

static void rows_cell_running(
    const struct tables *t, struct output *out, const struct process_view *v)
{
	rows_cell_text_or_none(out, v->function);
	if (v->running != 0) {
		rows_cell_ref(t, out, v->running);
		cell_ms(out, v->run_ms);
	} else {
		cell_none(out);
		cell_none(out);
	}
}

/* What a process is, and how it does. */
static void rows_cells_life(struct output *out, const struct process_view *v)
{
	bool doubtful = strcmp(v->condition, process_state_name(v->state)) != 0;
	cell_signed(out, v->pid);
	cell_tinted(out, v->condition, v->state == PROCESS_DEAD || doubtful ? TINT_BAD : TINT_NONE);
	cell_ms(out, v->age_ms);
	cell_ms(out, v->beat_ms);
}

static void rows_cells_work(
    const struct tables *t, struct output *out, const struct process_view *v)
{
	rows_cell_running(t, out, v);
	cell_flag(out, v->blocked);
	cell_flag(out, v->spare);
	cell_number(out, v->done);
	cell_number(out, v->failed);
	cell_number(out, v->down);
	cell_number(out, v->up);
}

void rows_processes(const struct tables *t, struct output *out)
{
	struct process_view v;
	list_begin(out, process_columns, COUNT_OF(process_columns));
	for (uint32_t slot = 0; slot < t->limits.processes; slot++) {
		if (!view_process(t, slot, &v))
			continue;
		cell_number(out, v.slot);
		cell_text(out, process_kind_name(v.kind));
		rows_cells_life(out, &v);
		rows_cells_work(t, out, &v);
		cell_text(out, v.name);
		row_end(out);
	}
}

/* They have no process: nothing but the number is known of them. */
static void rows_drained(const struct tables *t, struct output *out)
{
	enum { BEFORE_STATE = 5, NUMBER = 1 };
	for (uint32_t worker = 0; worker < WORKERS_MAX; worker++) {
		if (!tables_drained(t, worker))
			continue;
		cell_number(out, worker);
		for (unsigned i = NUMBER; i < COUNT_OF(worker_columns); i++)
			if (i == NUMBER + BEFORE_STATE)
				cell_tinted(out, "drained", TINT_BAD);
			else
				cell_none(out);
		row_end(out);
	}
}

void rows_workers(const struct tables *t, struct output *out)
{
	struct process_view v;
	list_begin(out, worker_columns, COUNT_OF(worker_columns));
	for (uint32_t slot = 0; slot < t->limits.processes; slot++) {
		if (!view_process(t, slot, &v) || v.kind != KIND_WORKER)
			continue;
		cell_number(out, v.worker);
		cell_number(out, v.worker_generation);
		cell_number(out, v.slots);
		cell_number(out, v.slots_used);
		cell_number(out, v.slot);
		rows_cells_life(out, &v);
		rows_cells_work(t, out, &v);
		row_end(out);
	}
	rows_drained(t, out);
}

void rows_clients(const struct tables *t, struct output *out)
{
	struct process_view v;
	list_begin(out, client_columns, COUNT_OF(client_columns));
	for (uint32_t slot = 0; slot < t->limits.processes; slot++) {
		if (!view_process(t, slot, &v) || v.kind != KIND_CLIENT)
			continue;
		cell_number(out, v.slot);
		rows_cells_life(out, &v);
		cell_number(out, v.up);
		cell_text(out, v.name);
		row_end(out);
	}
}

/* ---- modules ---- */

static const struct column module_columns[] = {
	{ "MODULE", "module", -16 },
	{ "FUNCTIONS", "functions", 9 },
	{ "PATH", "path", -20 },
};
static const struct column function_columns[] = {
	{ "FUNCTION", "function", -28 },
	{ "NUMBER", "number", 6 },
	{ "PATH", "path", -20 },
};

/* A module's name is what stands before the dot in its functions' names. */
static void rows_module_name(const struct tables *t, uint32_t first, char ret[VIEW_TEXT_BYTES])
{
	struct function_entry entry = { .name = "?" };
	registry_function(&t->registry, first, &entry);
	snprintf(ret, VIEW_TEXT_BYTES, "%.*s", (int)strcspn(entry.name, "."), entry.name);
}

void rows_modules(const struct tables *t, struct output *out)
{
	char path[MODULE_PATH_BYTES], name[VIEW_TEXT_BYTES];
	uint32_t first, count, n = registry_modules(&t->registry);
	list_begin(out, module_columns, COUNT_OF(module_columns));
	for (uint32_t i = 0; i < n; i++) {
		if (!registry_module(&t->registry, i, path, &first, &count))
			continue;
		rows_module_name(t, first, name);
		cell_text(out, name);
		cell_number(out, count);
		rows_cell_text_or_none(out, path);
		row_end(out);
	}
}

void rows_functions(const struct tables *t, struct output *out)
{
	struct function_entry entry;
	char path[MODULE_PATH_BYTES];
	uint32_t first, count;
	list_begin(out, function_columns, COUNT_OF(function_columns));
	for (uint32_t number = 1; registry_function(&t->registry, number, &entry); number++) {
		bool known = registry_module(&t->registry, entry.module, path, &first, &count);
		cell_text(out, entry.name);
		cell_number(out, number);
		rows_cell_text_or_none(out, known ? path : "");
		row_end(out);
	}
}
