#include "cli/worker_rows.h"

#include "base/check.h"
#include "cli/task_row.h"

enum { REF_WIDTH = -27, FUNCTION_WIDTH = -20, PAGE_ROWS = 64 };

static void rows_cell_ref(struct output *out, plm_ref ref)
{
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(ref, text);
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

void rows_tasks(plm_inspect *in, struct output *out)
{
	static plm_task_row rows[PAGE_ROWS];
	struct task_columns columns;
	uint64_t cursor = 0;
	int n;
	task_columns_bare(&columns);
	task_list_begin(out, &columns);
	while (
	    (n = plm_inspect_tasks(in, NULL, 0, 0, &cursor, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++)
			task_row_print(out, &columns, &rows[i]);
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

static void rows_object(struct output *out, const plm_object_row *row)
{
	rows_cell_ref(out, row->ref);
	cell_text(out, row->sealed ? "sealed" : "creating");
	cell_number(out, row->bytes);
	cell_text(out, row->stored ? "store" : "inline");
	cell_number(out, row->holders);
	cell_number(out, row->uses);
	cell_ms(out, row->age_ms);
	cell_text(out, row->origin[0] ? row->origin : "put");
	row_end(out);
}

void rows_objects(plm_inspect *in, struct output *out)
{
	static plm_object_row rows[PAGE_ROWS];
	uint64_t cursor = 0;
	int n;
	list_begin(out, object_columns, COUNT_OF(object_columns));
	while ((n = plm_inspect_objects(in, &cursor, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++)
			rows_object(out, &rows[i]);
}

/* ---- processes ---- */

static const struct column process_columns[] = {
	{ "PROC", "process_slot", 4 },
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
	{ "CPUS", "cpus", 5 },
	{ "USED", "cpus_used", 4 },
	{ "PROC", "process_slot", 4 },
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
	{ "PROC", "process_slot", 4 },
	{ "PID", "pid", 7 },
	{ "STATE", "state", -8 },
	{ "AGE", "age_ms", 8 },
	{ "BEAT", "beat_ms", 8 },
	{ "UP", "up", 4 },
	{ "NAME", "name", -12 },
};

static void rows_cell_running(struct output *out, const plm_process_row *row)
{
	rows_cell_text_or_none(out, row->function);
	if (row->running.id != 0) {
		rows_cell_ref(out, row->running);
		cell_ms(out, row->run_ms);
	} else {
		cell_none(out);
		cell_none(out);
	}
}

static void rows_cells_life(struct output *out, const plm_process_row *row)
{
	cell_signed(out, row->pid);
	cell_tinted(out, row->condition, row->dead || row->doubtful ? TINT_BAD : TINT_NONE);
	cell_ms(out, row->age_ms);
	cell_ms(out, row->beat_ms);
}

static void rows_cells_work(struct output *out, const plm_process_row *row)
{
	rows_cell_running(out, row);
	cell_flag(out, row->marks & PLM_MARK_BLOCKED);
	cell_flag(out, row->marks & PLM_MARK_SPARE);
	cell_number(out, row->done);
	cell_number(out, row->failed);
	cell_number(out, row->queue);
	cell_number(out, row->up);
}

static void rows_process(struct output *out, const plm_process_row *row)
{
	cell_number(out, row->process);
	cell_text(out, plm_kind_name(row->kind));
	rows_cells_life(out, row);
	rows_cells_work(out, row);
	cell_text(out, row->name);
	row_end(out);
}

/* A drained worker has no process: only the number is known. */
static void rows_drained(struct output *out, const plm_process_row *row)
{
	enum { BEFORE_STATE = 5, NUMBER = 1 };
	cell_number(out, row->worker);
	for (unsigned i = NUMBER; i < COUNT_OF(worker_columns); i++)
		if (i == NUMBER + BEFORE_STATE)
			cell_tinted(out, row->condition, TINT_BAD);
		else
			cell_none(out);
	row_end(out);
}

static void rows_worker(struct output *out, const plm_process_row *row)
{
	if (row->marks & PLM_MARK_DRAINED) {
		rows_drained(out, row);
		return;
	}
	cell_number(out, row->worker);
	cell_number(out, row->worker_generation);
	cell_number(out, row->cpus);
	cell_number(out, row->cpus_used);
	cell_number(out, row->process);
	rows_cells_life(out, row);
	rows_cells_work(out, row);
	row_end(out);
}

static void rows_client(struct output *out, const plm_process_row *row)
{
	cell_number(out, row->process);
	rows_cells_life(out, row);
	cell_number(out, row->up);
	cell_text(out, row->name);
	row_end(out);
}

static void rows_each_process(plm_inspect *in, struct output *out, uint32_t kinds,
    void (*print)(struct output *out, const plm_process_row *row))
{
	static plm_process_row rows[PAGE_ROWS];
	uint64_t cursor = 0;
	int n;
	while ((n = plm_inspect_processes(in, kinds, &cursor, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++)
			print(out, &rows[i]);
}

void rows_processes(plm_inspect *in, struct output *out)
{
	list_begin(out, process_columns, COUNT_OF(process_columns));
	rows_each_process(in, out, 0, rows_process);
}

void rows_workers(plm_inspect *in, struct output *out)
{
	list_begin(out, worker_columns, COUNT_OF(worker_columns));
	rows_each_process(in, out, 1u << PLM_KIND_WORKER, rows_worker);
}

void rows_clients(plm_inspect *in, struct output *out)
{
	list_begin(out, client_columns, COUNT_OF(client_columns));
	rows_each_process(in, out, 1u << PLM_KIND_CLIENT, rows_client);
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

void rows_modules(plm_inspect *in, struct output *out)
{
	plm_module_row row;
	uint64_t cursor = 0;
	list_begin(out, module_columns, COUNT_OF(module_columns));
	while (plm_inspect_modules(in, &cursor, &row, sizeof row, 1) > 0) {
		cell_text(out, row.module);
		cell_number(out, row.functions);
		rows_cell_text_or_none(out, row.path);
		row_end(out);
	}
}

void rows_functions(plm_inspect *in, struct output *out)
{
	plm_function_row row;
	uint64_t cursor = 0;
	list_begin(out, function_columns, COUNT_OF(function_columns));
	while (plm_inspect_functions(in, &cursor, &row, sizeof row, 1) > 0) {
		cell_text(out, row.function);
		cell_number(out, row.number);
		rows_cell_text_or_none(out, row.path);
		row_end(out);
	}
}
