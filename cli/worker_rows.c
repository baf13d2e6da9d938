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

/* A drained worker has no process: only number and condition are known. */
#define CELL(name, statement)                                             \
	static void rows_cell_##name(struct output *out, const void *any) \
	{                                                                 \
		const plm_process_row *row = any;                         \
		if (row->marks & PLM_MARK_DRAINED)                        \
			cell_none(out);                                   \
		else                                                      \
			statement;                                        \
	}

CELL(process, cell_number(out, row->process))
CELL(kind, cell_text(out, plm_kind_name(row->kind)))
CELL(pid, cell_signed(out, row->pid))
CELL(age, cell_ms(out, row->age_ms))
CELL(beat, cell_ms(out, row->beat_ms))
CELL(function, rows_cell_text_or_none(out, row->function))
CELL(blocked, cell_flag(out, (row->marks & PLM_MARK_BLOCKED) != 0))
CELL(spare, cell_flag(out, (row->marks & PLM_MARK_SPARE) != 0))
CELL(done, cell_number(out, row->done))
CELL(failed, cell_number(out, row->failed))
CELL(queue, cell_number(out, row->queue))
CELL(up, cell_number(out, row->up))
CELL(name, cell_text(out, row->name))
CELL(generation, cell_number(out, row->worker_generation))
CELL(cpus, cell_number(out, row->cpus))
CELL(cpus_used, cell_number(out, row->cpus_used))

static void rows_cell_worker(struct output *out, const void *any)
{
	cell_number(out, ((const plm_process_row *)any)->worker);
}

static void rows_cell_condition(struct output *out, const void *any)
{
	const plm_process_row *row = any;
	bool bad = row->dead || row->doubtful || row->marks & PLM_MARK_DRAINED;
	cell_tinted(out, row->condition, bad ? TINT_BAD : TINT_NONE);
}

static void rows_cell_running(struct output *out, const void *any)
{
	const plm_process_row *row = any;
	if (row->running.id != 0)
		rows_cell_ref(out, row->running);
	else
		cell_none(out);
}

static void rows_cell_run_ms(struct output *out, const void *any)
{
	const plm_process_row *row = any;
	if (row->running.id != 0)
		cell_ms(out, row->run_ms);
	else
		cell_none(out);
}

/* The columns that several lists have in common. */
#define LIFE                                                                                       \
	{ { "PID", "pid", 7 }, rows_cell_pid }, { { "STATE", "state", -8 }, rows_cell_condition }, \
	    { { "AGE", "age_ms", 8 }, rows_cell_age },                                             \
	{                                                                                          \
		{ "BEAT", "beat_ms", 8 }, rows_cell_beat                                           \
	}
#define WORK                                                               \
	{ { "RUNNING", "function", FUNCTION_WIDTH }, rows_cell_function }, \
	    { { "REF", "ref", REF_WIDTH }, rows_cell_running },            \
	    { { "FOR", "run_ms", 8 }, rows_cell_run_ms },                  \
	    { { "BLOCKED", "blocked", 7 }, rows_cell_blocked },            \
	    { { "SPARE", "spare", 5 }, rows_cell_spare },                  \
	    { { "DONE", "done", 10 }, rows_cell_done },                    \
	    { { "FAILED", "failed", 6 }, rows_cell_failed },               \
	    { { "QUEUE", "queue", 5 }, rows_cell_queue },                  \
	{                                                                  \
		{ "UP", "up", 4 }, rows_cell_up                            \
	}

static const struct table_column process_columns[] = {
	{ { "PROC", "process_slot", 4 }, rows_cell_process },
	{ { "KIND", "kind", -9 }, rows_cell_kind },
	LIFE,
	WORK,
	{ { "NAME", "name", -12 }, rows_cell_name },
};

static const struct table_column worker_columns[] = {
	{ { "WORKER", "worker", 6 }, rows_cell_worker },
	{ { "GEN", "generation", 3 }, rows_cell_generation },
	{ { "CPUS", "cpus", 5 }, rows_cell_cpus },
	{ { "USED", "cpus_used", 4 }, rows_cell_cpus_used },
	{ { "PROC", "process_slot", 4 }, rows_cell_process },
	LIFE,
	WORK,
};

static const struct table_column client_columns[] = {
	{ { "PROC", "process_slot", 4 }, rows_cell_process },
	LIFE,
	{ { "UP", "up", 4 }, rows_cell_up },
	{ { "NAME", "name", -12 }, rows_cell_name },
};

static void rows_each_process(plm_inspect *in, struct output *out, uint32_t kinds)
{
	static plm_process_row rows[PAGE_ROWS];
	uint64_t cursor = 0;
	int n;
	while ((n = plm_inspect_processes(in, kinds, &cursor, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++)
			table_row(out, &rows[i]);
}

void rows_processes(plm_inspect *in, struct output *out)
{
	table_begin(out, process_columns, COUNT_OF(process_columns));
	rows_each_process(in, out, 0);
}

void rows_workers(plm_inspect *in, struct output *out)
{
	table_begin(out, worker_columns, COUNT_OF(worker_columns));
	rows_each_process(in, out, 1u << PLM_KIND_WORKER);
}

void rows_clients(plm_inspect *in, struct output *out)
{
	table_begin(out, client_columns, COUNT_OF(client_columns));
	rows_each_process(in, out, 1u << PLM_KIND_CLIENT);
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
