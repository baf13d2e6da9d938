#include "cli/work_looks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/why.h"

enum { PAGE_ROWS = 64 };

#define ALL_KINDS UINT32_MAX /* drained workers, too */

void looks_end(struct looks *looks)
{
	free(looks->slot);
	free(looks->row);
	*looks = (struct looks){ .slot = NULL };
}

int looks_begin(struct looks *looks, uint32_t processes_max)
{
	looks_end(looks);
	looks->slots = processes_max;
	looks->rooms = 2 * processes_max + 1; /* drained workers have no process slot */
	looks->slot = calloc((size_t)looks->slots + 1, sizeof *looks->slot);
	looks->row = calloc(looks->rooms, sizeof *looks->row);
	looks->began_ns = clock_ns();
	if (looks->slot && looks->row)
		return 0;
	looks_end(looks);
	return why(-ENOMEM, "no memory for %u processes", processes_max);
}

static bool looks_works(const plm_work_row *row)
{
	return row->running.id != 0 && !(row->marks & PLM_MARK_BLOCKED);
}

/* Counts of a new process in the slot begin at 0, but at our first look the process may have run
 * tasks for hours. */
static void looks_take_worker(struct looks *looks, const plm_work_row *row)
{
	struct looks_slot *slot = &looks->slot[row->process];
	uint64_t finished = row->done + row->failed;
	if (slot->generation != row->generation || slot->finished > finished)
		*slot = (struct looks_slot){ .generation = row->generation,
			.finished = looks->taken == 0 ? finished : 0 };
	slot->finished_since += finished - slot->finished;
	looks->finished += finished - slot->finished;
	slot->finished = finished;
	slot->looks++;
	slot->busy += looks_works(row);
	looks->cpus += !(row->marks & PLM_MARK_SPARE);
	looks->busy_now += looks_works(row);
}

static void looks_take_row(struct looks *looks, const plm_work_row *row)
{
	bool there = row->process != PLM_NOBODY && row->process < looks->slots;
	looks->processes += there;
	looks->clients += row->kind == PLM_KIND_CLIENT;
	if (row->kind != PLM_KIND_WORKER)
		return;
	looks->drained += (row->marks & PLM_MARK_DRAINED) != 0;
	if (there && !row->dead)
		looks_take_worker(looks, row);
	if (looks->workers < looks->rooms)
		looks->row[looks->workers++] = *row;
}

void looks_take(struct looks *looks, plm_inspect *in)
{
	plm_work_row rows[PAGE_ROWS];
	uint64_t cursor = 0;
	int n;
	if (!looks->slot)
		return;
	looks->processes = looks->clients = looks->cpus = looks->busy_now = looks->drained = 0;
	looks->workers = 0;
	while ((n = plm_inspect_work(in, ALL_KINDS, &cursor, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++)
			looks_take_row(looks, &rows[i]);
	looks->taken++;
	looks->looks_since++;
	looks->busy_since += looks->busy_now;
}

/* The last interval of the process, whose counts begin anew. */
static void looks_measure_slot(struct looks_slot *slot, double seconds)
{
	if (slot->looks == 0)
		return;
	slot->measured = true;
	slot->busy_share = (double)slot->busy / slot->looks;
	slot->rate = (double)slot->finished_since / seconds;
	slot->looks = slot->busy = 0;
	slot->finished_since = 0;
}

bool looks_measure(struct looks *looks)
{
	uint64_t now = clock_ns();
	double seconds = (double)(now - looks->began_ns) / (double)NS_PER_S;
	if (!looks->slot || looks->looks_since == 0 || seconds <= 0)
		return false;
	for (uint32_t i = 0; i < looks->slots; i++)
		looks_measure_slot(&looks->slot[i], seconds);
	looks->measured = true;
	looks->busy = (double)looks->busy_since / (double)looks->looks_since;
	looks->rate = (double)looks->finished / seconds;
	looks->busy_since = looks->looks_since = looks->finished = 0;
	looks->began_ns = now;
	return true;
}

const struct looks_slot *looks_of(const struct looks *looks, const plm_work_row *row)
{
	static const struct looks_slot none;
	return row->process < looks->slots ? &looks->slot[row->process] : &none;
}

void looks_what(plm_inspect *in, const plm_work_row *row, char *ret, size_t size)
{
	static plm_task_row task;
	ret[0] = 0;
	if (row->running.id &&
	    plm_inspect_task(in, row->running, PLM_LOOK_TEXTS, &task, sizeof task) == 0)
		snprintf(ret, size, "%s", task.command[0] ? task.command : task.function);
}
