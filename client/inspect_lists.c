/* inspect_lists.c - processes, values, functions and modules as rows. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"
#include "client/inspect.h"

/* ---- processes ---- */

static uint32_t lists_process_marks(const struct process_view *v)
{
	return (v->blocked ? PLM_MARK_BLOCKED : 0u) | (v->spare ? PLM_MARK_SPARE : 0u);
}

static void lists_process(const plm_inspect *in, const struct process_view *v, plm_process_row *row)
{
	bool worker = v->kind == KIND_WORKER;
	*row = (plm_process_row){ .process = v->slot,
		.kind = (int)v->kind,
		.marks = lists_process_marks(v),
		.generation = v->generation,
		.pid = v->pid,
		.worker = worker ? v->worker : PLM_NOBODY,
		.worker_generation = v->worker_generation,
		.cpus = v->cpus,
		.cpus_used = v->cpus_used,
		.node = v->node,
		.queue = v->down,
		.up = v->up,
		.doubtful = strcmp(v->condition, process_state_name(v->state)) != 0,
		.live = v->state == PROCESS_LIVE,
		.dead = v->state == PROCESS_DEAD,
		.age_ms = v->age_ms,
		.beat_ms = v->beat_ms,
		.running = inspect_ref(in, v->running),
		.run_ms = v->run_ms,
		.done = v->done,
		.failed = v->failed };
	inspect_text(row->condition, sizeof row->condition, v->condition);
	inspect_text(row->name, sizeof row->name, v->name);
	inspect_text(row->python, sizeof row->python, v->python);
	inspect_text(row->function, sizeof row->function, v->function);
}

/* The cursor counts process slots, and behind them the numbers of workers. */
/* A drained worker without a process; PLM_NOBODY: none at the cursor. */
static uint32_t lists_drained_at(const plm_inspect *in, uint32_t kinds, uint64_t cursor)
{
	uint32_t worker = (uint32_t)cursor - in->tables.limits.processes;
	bool listed = kinds >> PLM_KIND_WORKER & 1 && tables_drained(&in->tables, worker);
	return listed ? worker : PLM_NOBODY;
}

typedef bool lists_row_at(const plm_inspect *in, uint32_t kinds, uint64_t cursor, void *row);

static int lists_page(const plm_inspect *in, uint32_t kinds, uint64_t *cursor,
    struct inspect_page *page, lists_row_at *row_at, void *row, size_t row_size)
{
	uint64_t end = (uint64_t)in->tables.limits.processes + WORKERS_MAX;
	for (; *cursor < end && !inspect_page_full(page); ++*cursor)
		if (row_at(in, kinds, *cursor, row))
			inspect_page_add(page, row, row_size);
	return (int)page->filled;
}

static bool lists_process_at(const plm_inspect *in, uint32_t kinds, uint64_t cursor, void *ret)
{
	const struct tables *t = &in->tables;
	plm_process_row *row = ret;
	struct process_view v;
	if (cursor < t->limits.processes) {
		if (!view_process(t, (uint32_t)cursor, &v) || (kinds && !(kinds >> v.kind & 1)))
			return false;
		lists_process(in, &v, row);
		return true;
	}
	*row = (plm_process_row){ .process = PLM_NOBODY,
		.kind = PLM_KIND_WORKER,
		.marks = PLM_MARK_DRAINED,
		.worker = lists_drained_at(in, kinds, cursor),
		.doubtful = 1,
		.condition = "drained" };
	return row->worker != PLM_NOBODY;
}

int plm_inspect_processes(
    plm_inspect *in, uint32_t kinds, uint64_t *cursor, plm_process_row *rows, size_t size, size_t n)
{
	struct inspect_page page = { .n = n };
	plm_process_row row;
	int r = inspect_check_page("plm_inspect_processes", in, cursor, rows, size, &page);
	if (r < 0)
		return r;
	return lists_page(in, kinds, cursor, &page, lists_process_at, &row, sizeof row);
}

/* ---- processes, by a few loads each ---- */

static void lists_work(const plm_inspect *in, uint32_t slot, uint64_t word, plm_work_row *row)
{
	const struct tables *t = &in->tables;
	const struct process *p = &t->process[slot];
	bool worker = process_kind(word) == KIND_WORKER;
	*row = (plm_work_row){ .process = slot,
		.kind = (int)process_kind(word),
		.generation = process_generation(word),
		.pid = p->pid,
		.worker = worker ? p->worker : PLM_NOBODY,
		.live = process_state(word) == PROCESS_LIVE,
		.dead = process_state(word) == PROCESS_DEAD };
	if (!worker)
		return;
	uint64_t now = clock_ns(), since = sh_peek(&p->running_since_ns);
	row->running = inspect_ref(in, sh_peek(&p->running));
	row->run_ms = row->running.id && now > since ? (now - since) / NS_PER_MS : 0;
	row->marks =
	    (sh_peek(&p->blocked) ? PLM_MARK_BLOCKED : 0u) | (p->spare != 0 ? PLM_MARK_SPARE : 0u);
	row->done = sh_peek(&p->done);
	row->failed = sh_peek(&p->failed);
}

static bool lists_work_at(const plm_inspect *in, uint32_t kinds, uint64_t cursor, void *ret)
{
	const struct tables *t = &in->tables;
	plm_work_row *row = ret;
	if (cursor < t->limits.processes) {
		uint64_t word = sh_load(&t->process[cursor].state);
		if (process_state(word) == PROCESS_FREE ||
		    (kinds && !(kinds >> process_kind(word) & 1)))
			return false;
		lists_work(in, (uint32_t)cursor, word, row);
		return true;
	}
	*row = (plm_work_row){ .process = PLM_NOBODY,
		.kind = PLM_KIND_WORKER,
		.marks = PLM_MARK_DRAINED,
		.worker = lists_drained_at(in, kinds, cursor) };
	return row->worker != PLM_NOBODY;
}

int plm_inspect_work(
    plm_inspect *in, uint32_t kinds, uint64_t *cursor, plm_work_row *rows, size_t size, size_t n)
{
	struct inspect_page page = { .n = n };
	plm_work_row row;
	int r = inspect_check_page("plm_inspect_work", in, cursor, rows, size, &page);
	if (r < 0)
		return r;
	return lists_page(in, kinds, cursor, &page, lists_work_at, &row, sizeof row);
}

/* ---- values ---- */

/* A value exists, or room for a value is being filled. */
static bool lists_is_value(const struct record_view *v)
{
	return v->state == RECORD_DONE || (v->state == RECORD_RESERVED && v->granule != 0);
}

int plm_inspect_objects(
    plm_inspect *in, uint64_t *cursor, plm_object_row *rows, size_t size, size_t n)
{
	struct inspect_page page = { .n = n };
	struct record_view v;
	int r = inspect_check_page("plm_inspect_objects", in, cursor, rows, size, &page);
	if (r < 0)
		return r;
	const struct tables *t = &in->tables;
	uint64_t end = pool_fresh(&t->pool);
	for (; *cursor < end && *cursor < t->limits.records && !inspect_page_full(&page);
	     ++*cursor) {
		if (!view_record(t, (uint32_t)*cursor, &v) || !lists_is_value(&v))
			continue;
		plm_object_row row = { .ref = inspect_ref(in, v.ref),
			.sealed = v.state == RECORD_DONE,
			.stored = v.granule != 0,
			.marks =
			    (v.damaged ? PLM_MARK_DAMAGED : 0u) | (v.moved ? PLM_MARK_MOVED : 0u),
			.holders = v.holders,
			.uses = v.uses,
			.bytes = v.bytes,
			.age_ms = v.age_ms };
		inspect_text(row.origin, sizeof row.origin, v.function);
		inspect_page_add(&page, &row, sizeof row);
	}
	return (int)page.filled;
}

/* ---- functions and modules ---- */

/* Number 1 is the first function. */
int plm_inspect_functions(
    plm_inspect *in, uint64_t *cursor, plm_function_row *rows, size_t size, size_t n)
{
	struct inspect_page page = { .n = n };
	struct function_entry entry;
	char path[MODULE_PATH_BYTES];
	uint32_t first, count;
	int r = inspect_check_page("plm_inspect_functions", in, cursor, rows, size, &page);
	if (r < 0)
		return r;
	const struct registry *registry = &in->tables.registry;
	for (; *cursor < FUNCTIONS_MAX && !inspect_page_full(&page) &&
	     registry_function(registry, (uint32_t)*cursor + 1, &entry);
	     ++*cursor) {
		plm_function_row row = { .number = (uint32_t)*cursor + 1 };
		inspect_text(row.function, sizeof row.function, entry.name);
		if (registry_module(registry, entry.module, path, &first, &count))
			inspect_text(row.path, sizeof row.path, path);
		else
			row.marks = PLM_MARK_DAMAGED;
		inspect_page_add(&page, &row, sizeof row);
	}
	return (int)page.filled;
}

/* The name of a module is the part before the dot in the names of its functions. */
static void lists_module_name(
    const struct registry *registry, uint32_t first, char *ret, size_t size)
{
	struct function_entry entry = { .name = "?" };
	registry_function(registry, first, &entry);
	snprintf(ret, size, "%.*s", (int)strcspn(entry.name, "."), entry.name);
}

int plm_inspect_modules(
    plm_inspect *in, uint64_t *cursor, plm_module_row *rows, size_t size, size_t n)
{
	struct inspect_page page = { .n = n };
	char path[MODULE_PATH_BYTES];
	uint32_t first, count;
	int r = inspect_check_page("plm_inspect_modules", in, cursor, rows, size, &page);
	if (r < 0)
		return r;
	const struct registry *registry = &in->tables.registry;
	uint32_t end = registry_modules(registry);
	for (; *cursor < end && !inspect_page_full(&page); ++*cursor) {
		if (!registry_module(registry, (uint32_t)*cursor, path, &first, &count))
			continue;
		plm_module_row row = { .functions = count };
		lists_module_name(registry, first, row.module, sizeof row.module);
		inspect_text(row.path, sizeof row.path, path);
		inspect_page_add(&page, &row, sizeof row);
	}
	return (int)page.filled;
}
