#include "cli/worker_rows.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "cli/task_row.h"

enum { REF_WIDTH = -27, PAGE_ROWS = 64 };

/* ---- tasks ---- */

void rows_tasks(plm_inspect *in, struct output *out)
{
	static plm_task_row rows[PAGE_ROWS];
	struct task_columns columns;
	uint64_t cursor = 0;
	int n;
	task_columns_bare(&columns);
	table_begin(out, columns.column, columns.n);
	while (
	    (n = plm_inspect_tasks(in, NULL, 0, 0, &cursor, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++)
			table_row(out, &rows[i]);
}

/* ---- objects ---- */

static void rows_object_state(struct output *out, const void *row)
{
	cell_text(out, ((const plm_object_row *)row)->sealed ? "sealed" : "creating");
}

static void rows_object_where(struct output *out, const void *row)
{
	cell_text(out, ((const plm_object_row *)row)->stored ? "store" : "inline");
}

static void rows_object_origin(struct output *out, const void *row)
{
	const char *origin = ((const plm_object_row *)row)->origin;
	cell_text(out, origin[0] ? origin : "put");
}

static const struct column object_columns[] = {
	{ "REF", "ref", REF_WIDTH, PLAIN(plm_object_row, ref) },
	{ "STATE", "state", -8, .cell = rows_object_state },
	{ "BYTES", "bytes", 12, PLAIN(plm_object_row, bytes) },
	{ "WHERE", "where", -6, .cell = rows_object_where },
	{ "HELD", "holders", 4, PLAIN(plm_object_row, holders) },
	{ "USES", "uses", 4, PLAIN(plm_object_row, uses) },
	{ "AGE", "age_ms", 8, MS(plm_object_row, age_ms) },
	{ "ORIGIN", "origin", -20, .cell = rows_object_origin },
};

void rows_objects(plm_inspect *in, struct output *out)
{
	static plm_object_row rows[PAGE_ROWS];
	uint64_t cursor = 0;
	int n;
	table_begin(out, object_columns, COUNT_OF(object_columns));
	while ((n = plm_inspect_objects(in, &cursor, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++)
			table_row(out, &rows[i]);
}

/* ---- processes ---- */

/* A drained worker has no process: only number and condition are known. */
static bool rows_has_process(const void *row)
{
	return !(((const plm_process_row *)row)->marks & PLM_MARK_DRAINED);
}

static bool rows_has_task(const void *row)
{
	return ((const plm_process_row *)row)->running.id != 0;
}

static void rows_kind(struct output *out, const void *row)
{
	cell_text(out, plm_kind_name(((const plm_process_row *)row)->kind));
}

static void rows_condition(struct output *out, const void *any)
{
	const plm_process_row *row = any;
	bool bad = row->dead || row->doubtful || row->marks & PLM_MARK_DRAINED;
	cell_tinted(out, row->condition, bad ? TINT_BAD : TINT_NONE);
}

/* For the cells of one list at a time. */
static plm_inspect *rows_in;

/* The words of a running command; of another task its function. */
static const char *rows_command(const plm_process_row *row)
{
	static plm_task_row task;
	bool command = strcmp(row->function, PLM_COMMAND_FUNCTION) == 0;
	return command && rows_in &&
		plm_inspect_task(rows_in, row->running, PLM_LOOK_TEXTS, &task, sizeof task) == 0
	    ? task.command
	    : row->function;
}

static void rows_running(struct output *out, const void *row)
{
	enum { SHOWN = 30 };
	char text[SHOWN + 1];
	snprintf(text, sizeof text, "%s", rows_command(row));
	cell_text_if_any(out, out->json ? ((const plm_process_row *)row)->function : text);
}

static void rows_command_cell(struct output *out, const void *row)
{
	cell_text_if_any(out, rows_command(row));
}

enum {
	PROCESSES = 1, /* the lists with the column */
	WORKERS = 2,
	CLIENTS = 4,
	ALL = PROCESSES | WORKERS | CLIENTS,
	PROGRAMS = 16, /* in JSON alone */
	SHORT = 32,    /* of workers, for 80 columns */
	DRAINED = 8,   /* known of a drained worker, too, which has no process */
};

static const struct {
	unsigned lists;
	struct column column;
} process_columns[] = {
	{ SHORT | WORKERS | DRAINED, { "WORKER", "worker", 6, PLAIN(plm_process_row, worker) } },
	{ WORKERS, { "GEN", "generation", 3, PLAIN(plm_process_row, worker_generation) } },
	{ WORKERS, { "CPUS", "cpus", 5, PLAIN(plm_process_row, cpus) } },
	{ WORKERS, { "USED", "cpus_used", 4, PLAIN(plm_process_row, cpus_used) } },
	{ ALL, { "PROC", "process_slot", 4, PLAIN(plm_process_row, process) } },
	{ PROCESSES, { "KIND", "kind", -9, .cell = rows_kind } },
	{ ALL, { "PID", "pid", 7, PLAIN(plm_process_row, pid) } },
	{ SHORT | ALL | DRAINED, { "STATE", "state", -8, .cell = rows_condition } },
	{ ALL, { "AGE", "age_ms", 8, MS(plm_process_row, age_ms) } },
	{ ALL, { "BEAT", "beat_ms", 8, MS(plm_process_row, beat_ms) } },
	{ SHORT | PROCESSES | WORKERS, { "RUNNING", "function", -30, .cell = rows_running } },
	{ WORKERS | PROGRAMS, { "COMMAND", "command", -20, .cell = rows_command_cell } },
	{ PROCESSES | WORKERS | DRAINED,
	    { "REF", "ref", REF_WIDTH, PLAIN(plm_process_row, running), .known = rows_has_task } },
	{ SHORT | PROCESSES | WORKERS | DRAINED,
	    { "FOR", "run_ms", 8, MS(plm_process_row, run_ms), .known = rows_has_task } },
	{ PROCESSES | WORKERS,
	    { "BLOCKED", "blocked", 7, FLAG(plm_process_row, marks), .mask = PLM_MARK_BLOCKED } },
	{ PROCESSES | WORKERS,
	    { "SPARE", "spare", 5, FLAG(plm_process_row, marks), .mask = PLM_MARK_SPARE } },
	{ SHORT | PROCESSES | WORKERS, { "DONE", "done", 10, PLAIN(plm_process_row, done) } },
	{ SHORT | PROCESSES | WORKERS, { "FAILED", "failed", 6, PLAIN(plm_process_row, failed) } },
	{ PROCESSES | WORKERS, { "QUEUE", "queue", 5, PLAIN(plm_process_row, queue) } },
	{ ALL, { "UP", "up", 4, PLAIN(plm_process_row, up) } },
	{ WORKERS, { "PYTHON", "python", -6, TEXT_IF_ANY(plm_process_row, python) } },
	{ PROCESSES | CLIENTS, { "NAME", "name", -12, PLAIN(plm_process_row, name) } },
};

static void rows_list(plm_inspect *in, struct output *out, unsigned list, uint32_t kinds)
{
	static plm_process_row rows[PAGE_ROWS];
	struct column columns[COUNT_OF(process_columns)];
	unsigned n_columns = 0;
	uint64_t cursor = 0;
	int n;
	for (size_t i = 0; i < COUNT_OF(process_columns); i++) {
		if (!(process_columns[i].lists & list) ||
		    (process_columns[i].lists & PROGRAMS && !out->json))
			continue;
		columns[n_columns] = process_columns[i].column;
		if (!(process_columns[i].lists & DRAINED))
			columns[n_columns].known = rows_has_process;
		n_columns++;
	}
	table_begin(out, columns, n_columns);
	rows_in = list & (WORKERS | SHORT) ? in : NULL;
	while ((n = plm_inspect_processes(in, kinds, &cursor, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++)
			table_row(out, &rows[i]);
}

void rows_processes(plm_inspect *in, struct output *out)
{
	rows_list(in, out, PROCESSES, 0);
}

void rows_workers(plm_inspect *in, struct output *out)
{
	rows_list(in, out, WORKERS, 1u << PLM_KIND_WORKER);
}

void rows_workers_short(plm_inspect *in, struct output *out)
{
	rows_list(in, out, SHORT, 1u << PLM_KIND_WORKER);
}

void rows_clients(plm_inspect *in, struct output *out)
{
	rows_list(in, out, CLIENTS, 1u << PLM_KIND_CLIENT);
}

/* ---- modules ---- */

static const struct column module_columns[] = {
	{ "MODULE", "module", -16, PLAIN(plm_module_row, module) },
	{ "FUNCTIONS", "functions", 9, PLAIN(plm_module_row, functions) },
	{ "PATH", "path", -20, TEXT_IF_ANY(plm_module_row, path) },
};
static const struct column function_columns[] = {
	{ "FUNCTION", "function", -28, PLAIN(plm_function_row, function) },
	{ "NUMBER", "number", 6, PLAIN(plm_function_row, number) },
	{ "PATH", "path", -20, TEXT_IF_ANY(plm_function_row, path) },
};

void rows_modules(plm_inspect *in, struct output *out)
{
	plm_module_row row;
	uint64_t cursor = 0;
	table_begin(out, module_columns, COUNT_OF(module_columns));
	while (plm_inspect_modules(in, &cursor, &row, sizeof row, 1) > 0)
		table_row(out, &row);
}

void rows_functions(plm_inspect *in, struct output *out)
{
	plm_function_row row;
	uint64_t cursor = 0;
	table_begin(out, function_columns, COUNT_OF(function_columns));
	while (plm_inspect_functions(in, &cursor, &row, sizeof row, 1) > 0)
		table_row(out, &row);
}
