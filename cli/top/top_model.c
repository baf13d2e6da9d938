#include "cli/top/top_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"

enum { PAGE_ROWS = 64 };

#define ALL_KINDS UINT32_MAX /* drained workers, too */

void model_end(struct model *model)
{
	free(model->slot);
	free(model->row);
	free(model->worker);
	*model = (struct model){ .slot = NULL };
}

int model_begin(struct model *model, plm_inspect *in)
{
	model_end(model);
	int r = plm_inspect_runtime(in, &model->runtime, sizeof model->runtime);
	if (r < 0)
		return r;
	model->slots = model->runtime.processes_max;
	model->workers_max = model->slots;
	model->slot = calloc((size_t)model->slots + 1, sizeof *model->slot);
	model->row = calloc(model->workers_max + 1, sizeof *model->row);
	model->worker = calloc(model->workers_max + 1, sizeof *model->worker);
	model->began_ns = clock_ns();
	if (model->slot && model->row && model->worker)
		return 0;
	model_end(model);
	return why(-ENOMEM, "no memory for %u processes", model->slots);
}

static bool model_works(const plm_work_row *row)
{
	return row->running.id != 0 && !(row->marks & PLM_MARK_BLOCKED);
}

/* Counts of a new process in the slot begin at 0, but at our first look the process may have run
 * tasks for hours. */
static void model_look_worker(struct model *model, const plm_work_row *row)
{
	struct model_slot *slot = &model->slot[row->process];
	uint64_t finished = row->done + row->failed;
	if (slot->generation != row->generation || slot->finished > finished)
		*slot = (struct model_slot){ .generation = row->generation,
			.finished = model->looks == 0 ? finished : 0 };
	slot->finished_since += finished - slot->finished;
	model->finished += finished - slot->finished;
	slot->finished = finished;
	slot->looks++;
	slot->busy += model_works(row);
	bool spare = row->marks & PLM_MARK_SPARE;
	model->cpus += !spare;
	model->busy_now += model_works(row);
}

static void model_look_row(struct model *model, const plm_work_row *row)
{
	bool there = row->process != PLM_NOBODY && row->process < model->slots;
	model->processes += there;
	model->clients += row->kind == PLM_KIND_CLIENT;
	if (row->kind == PLM_KIND_MANAGER)
		model->manager_pid = row->pid;
	else if (row->kind == PLM_KIND_SCHEDULER)
		model->scheduler_pid = row->pid;
	if (row->kind != PLM_KIND_WORKER)
		return;
	if (there && !row->dead)
		model_look_worker(model, row);
	if (model->workers < model->workers_max)
		model->row[model->workers++] = *row;
}

void model_look(struct model *model, plm_inspect *in)
{
	plm_work_row rows[PAGE_ROWS];
	uint64_t cursor = 0;
	int n;
	model->processes = model->clients = model->cpus = model->busy_now = 0;
	model->manager_pid = model->scheduler_pid = 0;
	model->workers = 0;
	while ((n = plm_inspect_work(in, ALL_KINDS, &cursor, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++)
			model_look_row(model, &rows[i]);
	model->looks++;
	model->looks_since++;
	model->busy_since += model->busy_now;
}

static const char *model_condition(const plm_work_row *row)
{
	return row->marks & PLM_MARK_DRAINED ? "drained"
	    : row->dead                      ? "dead"
	    : row->marks & PLM_MARK_BLOCKED  ? "blocked"
	    : row->marks & PLM_MARK_SPARE    ? "spare"
	    : row->live                      ? "live"
					     : "leaving";
}

/* The last interval of the process, whose counts begin anew. */
static void model_measure(struct model_slot *slot, double seconds)
{
	if (slot->looks == 0)
		return;
	slot->measured = true;
	slot->busy_share = (double)slot->busy / slot->looks;
	slot->rate = (double)slot->finished_since / seconds;
	slot->looks = slot->busy = 0;
	slot->finished_since = 0;
}

static void model_frame_worker(
    const struct model *model, plm_inspect *in, const plm_work_row *row, struct model_worker *ret)
{
	static plm_task_row task;
	const struct model_slot *slot =
	    row->process < model->slots ? &model->slot[row->process] : NULL;
	*ret = (struct model_worker){ .row = *row };
	snprintf(ret->condition, sizeof ret->condition, "%s", model_condition(row));
	if (row->running.id &&
	    plm_inspect_task(in, row->running, PLM_LOOK_TEXTS, &task, sizeof task) == 0)
		snprintf(ret->what, sizeof ret->what, "%.*s", MODEL_TEXT_BYTES - 1,
		    task.command[0] ? task.command : task.function);
	if (!slot || !slot->measured)
		return;
	ret->measured = true;
	ret->busy = slot->busy_share;
	ret->rate = slot->rate;
}

static void model_remember(struct model *model)
{
	if (model->histories == MODEL_HISTORY) {
		memmove(model->history, model->history + 1,
		    (MODEL_HISTORY - 1) * sizeof model->history[0]);
		model->histories--;
	}
	model->history[model->histories++] = model->rate;
}

void model_frame(struct model *model, plm_inspect *in, bool measure)
{
	uint64_t now = clock_ns();
	double seconds = (double)(now - model->began_ns) / (double)NS_PER_S;
	plm_inspect_runtime(in, &model->runtime, sizeof model->runtime);
	measure = measure && model->looks_since > 0 && seconds > 0;
	for (uint32_t i = 0; measure && i < model->slots; i++)
		model_measure(&model->slot[i], seconds);
	model->shown = model->workers;
	for (size_t i = 0; i < model->shown; i++)
		model_frame_worker(model, in, &model->row[i], &model->worker[i]);
	if (!measure)
		return;
	model->measured = true;
	model->busy = (double)model->busy_since / (double)model->looks_since;
	model->rate = (double)model->finished / seconds;
	model->busy_since = model->looks_since = model->finished = 0;
	model->began_ns = now;
	model_remember(model);
}

void model_look_close(struct model_worker *worker, plm_inspect *in)
{
	static plm_process_row row;
	uint64_t cursor = worker->row.process;
	if (worker->row.process == PLM_NOBODY || worker->row.marks & PLM_MARK_BLOCKED ||
	    plm_inspect_processes(in, 0, &cursor, &row, sizeof row, 1) != 1 ||
	    row.process != worker->row.process || row.generation != worker->row.generation)
		return;
	if (row.doubtful || !(row.marks & PLM_MARK_SPARE))
		snprintf(worker->condition, sizeof worker->condition, "%s", row.condition);
}
