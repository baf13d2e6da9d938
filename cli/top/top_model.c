#include "cli/top/top_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"

void model_end(struct model *model)
{
	looks_end(&model->looks);
	free(model->worker);
	*model = (struct model){ .worker = NULL };
}

int model_begin(struct model *model, plm_inspect *in)
{
	model_end(model);
	int r = plm_inspect_runtime(in, &model->runtime, sizeof model->runtime);
	if (r == 0)
		r = looks_begin(&model->looks, model->runtime.processes_max);
	if (r < 0)
		return r;
	model->worker = calloc(model->looks.rooms, sizeof *model->worker);
	if (model->worker)
		return 0;
	model_end(model);
	return why(-ENOMEM, "no memory for %u processes", model->runtime.processes_max);
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

static void model_frame_worker(
    const struct model *model, plm_inspect *in, const plm_work_row *row, struct model_worker *ret)
{
	const struct looks_slot *slot = looks_of(&model->looks, row);
	*ret = (struct model_worker){ .row = *row,
		.measured = slot->measured,
		.busy = slot->busy_share,
		.rate = slot->rate };
	snprintf(ret->condition, sizeof ret->condition, "%s", model_condition(row));
	looks_what(in, row, ret->what, sizeof ret->what);
}

static void model_remember(struct model *model)
{
	if (model->histories == MODEL_HISTORY) {
		memmove(model->history, model->history + 1,
		    (MODEL_HISTORY - 1) * sizeof model->history[0]);
		model->histories--;
	}
	model->history[model->histories++] = model->looks.rate;
}

void model_frame(struct model *model, plm_inspect *in, bool measure)
{
	plm_inspect_runtime(in, &model->runtime, sizeof model->runtime);
	bool measured = measure && looks_measure(&model->looks);
	model->shown = model->looks.workers;
	for (size_t i = 0; i < model->shown; i++)
		model_frame_worker(model, in, &model->looks.row[i], &model->worker[i]);
	if (measured)
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
