#include "web/web_sample.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"

enum { PAGE_ROWS = 64, PERCENT = 100 };

#define ALL_KINDS UINT32_MAX /* drained workers, too */

void sample_end(struct sample *sample)
{
	free(sample->slot);
	free(sample->row);
	sample->slot = NULL;
	sample->row = NULL;
	sample->slots = sample->workers = sample->rooms = 0;
}

int sample_begin(struct sample *sample, const struct look *look)
{
	sample_end(sample);
	sample->slots = look->runtime.processes_max;
	sample->rooms = 2 * sample->slots + 1; /* drained workers have no process slot */
	sample->slot = calloc((size_t)sample->slots + 1, sizeof *sample->slot);
	sample->row = calloc(sample->rooms, sizeof *sample->row);
	sample->finished = sample->looks = sample->looks_since = sample->busy_since = 0;
	sample->rate = sample->busy = 0;
	sample->measured = false;
	sample->began_ns = clock_ns();
	if (sample->slot && sample->row)
		return 0;
	sample_end(sample);
	return why(-ENOMEM, "no memory for %u processes", look->runtime.processes_max);
}

static bool sample_works(const plm_work_row *row)
{
	return row->running.id != 0 && !(row->marks & PLM_MARK_BLOCKED);
}

/* A new process in the slot counts from 0, but a process that we see for the first time may have
 * worked for hours. */
static void sample_look_worker(struct sample *sample, const plm_work_row *row)
{
	struct sample_slot *slot = &sample->slot[row->process];
	uint64_t finished = row->done + row->failed;
	if (slot->generation != row->generation || slot->finished > finished)
		*slot = (struct sample_slot){ .generation = row->generation,
			.finished = sample->looks == 0 ? finished : 0 };
	slot->finished_since += finished - slot->finished;
	sample->finished += finished - slot->finished;
	slot->finished = finished;
	slot->looks++;
	slot->busy += sample_works(row);
	sample->cpus += !(row->marks & PLM_MARK_SPARE);
	sample->busy_now += sample_works(row);
}

static void sample_look_row(struct sample *sample, const plm_work_row *row)
{
	sample->clients += row->kind == PLM_KIND_CLIENT;
	if (row->kind != PLM_KIND_WORKER)
		return;
	sample->drained += (row->marks & PLM_MARK_DRAINED) != 0;
	if (row->process < sample->slots && !row->dead)
		sample_look_worker(sample, row);
	if (sample->workers < sample->rooms)
		sample->row[sample->workers++] = *row;
}

void sample_look(struct sample *sample, plm_inspect *in)
{
	plm_work_row rows[PAGE_ROWS];
	uint64_t cursor = 0;
	int n;
	if (!sample->slot)
		return;
	sample->workers = sample->clients = sample->cpus = sample->busy_now = sample->drained = 0;
	while ((n = plm_inspect_work(in, ALL_KINDS, &cursor, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++)
			sample_look_row(sample, &rows[i]);
	sample->looks++;
	sample->looks_since++;
	sample->busy_since += sample->busy_now;
}

static void sample_measure_slot(struct sample_slot *slot, double seconds)
{
	if (slot->looks == 0)
		return;
	slot->measured = true;
	slot->busy_share = (double)slot->busy / slot->looks;
	slot->rate = (double)slot->finished_since / seconds;
	slot->looks = slot->busy = 0;
	slot->finished_since = 0;
}

void sample_measure(struct sample *sample)
{
	uint64_t now = clock_ns();
	double seconds = (double)(now - sample->began_ns) / (double)NS_PER_S;
	if (!sample->slot || sample->looks_since == 0 || seconds <= 0)
		return;
	for (uint32_t i = 0; i < sample->slots; i++)
		sample_measure_slot(&sample->slot[i], seconds);
	sample->busy = (double)sample->busy_since / (double)sample->looks_since;
	sample->rate = (double)sample->finished / seconds;
	sample->measured = true;
	sample->busy_since = sample->looks_since = sample->finished = 0;
	sample->began_ns = now;
}

/* ---- history ---- */

uint64_t sample_records_used(const plm_runtime_row *row)
{
	/* The pool also counts records that were never used. */
	return row->records_max > row->records_pooled ? row->records_max - row->records_pooled : 0;
}

void sample_remember(struct sample *sample, const struct look *look)
{
	const plm_runtime_row *row = &look->runtime;
	if (!sample->measured)
		return;
	sample->point[sample->next] = (struct sample_point){
		.time = (double)clock_of(CLOCK_REALTIME) / (double)NS_PER_S,
		.rate = sample->rate,
		.busy = sample->busy,
		.queued = (double)row->queued,
		.store = (double)row->store_used,
		.store_reserved = (double)row->store_reserved,
		.memory_free = (double)row->memory_free,
		.records = (double)sample_records_used(row),
	};
	sample->next = (sample->next + 1) % SAMPLE_POINTS;
	sample->points += sample->points < SAMPLE_POINTS;
}

const struct sample_point *sample_latest(const struct sample *sample)
{
	return &sample->point[(sample->next + SAMPLE_POINTS - 1) % SAMPLE_POINTS];
}

void sample_put_point(const struct sample_point *point, const char *key, struct json *json)
{
	jsontext_open(json, key, '[');
	jsontext_real(json, NULL, point->time);
	jsontext_real(json, NULL, point->rate);
	jsontext_real(json, NULL, point->busy);
	jsontext_number(json, NULL, (uint64_t)point->queued);
	jsontext_number(json, NULL, (uint64_t)point->records);
	jsontext_number(json, NULL, (uint64_t)point->store);
	jsontext_number(json, NULL, (uint64_t)point->store_reserved);
	jsontext_number(json, NULL, (uint64_t)point->memory_free);
	jsontext_close(json, ']');
}

void sample_put_history(const struct sample *sample, struct json *json)
{
	unsigned first = sample->points < SAMPLE_POINTS ? 0 : sample->next;
	jsontext_open(json, NULL, '[');
	for (unsigned i = 0; i < sample->points; i++)
		sample_put_point(&sample->point[(first + i) % SAMPLE_POINTS], NULL, json);
	jsontext_close(json, ']');
}

/* ---- workers ---- */

const char *sample_condition(const plm_work_row *row)
{
	return row->marks & PLM_MARK_DRAINED ? "drained"
	    : row->dead                      ? "dead"
	    : row->marks & PLM_MARK_BLOCKED  ? "blocked"
	    : !row->live                     ? "leaving"
	    : row->running.id                ? "busy"
	    : row->marks & PLM_MARK_SPARE    ? "spare"
					     : "idle";
}

void sample_what(plm_inspect *in, const plm_work_row *row, char *ret, size_t size)
{
	static plm_task_row task;
	ret[0] = 0;
	if (!row->running.id ||
	    plm_inspect_task(in, row->running, PLM_LOOK_TEXTS, &task, sizeof task) < 0)
		return;
	bool words = task.marks & PLM_MARK_COMMAND && task.command[0];
	snprintf(ret, size, "%s", words ? task.command : task.function);
}

static void sample_put_worker(
    const struct sample *sample, plm_inspect *in, const plm_work_row *row, struct json *json)
{
	static const struct sample_slot none;
	const struct sample_slot *slot =
	    row->process < sample->slots ? &sample->slot[row->process] : &none;
	char what[SAMPLE_TEXT_BYTES];
	sample_what(in, row, what, sizeof what);
	jsontext_open(json, NULL, '[');
	jsontext_signed(json, NULL, row->worker == PLM_NOBODY ? -1 : (int64_t)row->worker);
	jsontext_signed(json, NULL, row->process == PLM_NOBODY ? -1 : (int64_t)row->process);
	jsontext_signed(json, NULL, row->pid);
	jsontext_text(json, NULL, sample_condition(row));
	jsontext_number(json, NULL, (uint64_t)(slot->busy_share * PERCENT + 0.5));
	jsontext_real(json, NULL, slot->rate);
	jsontext_number(json, NULL, row->done);
	jsontext_number(json, NULL, row->failed);
	jsontext_ref(json, NULL, row->running);
	jsontext_text(json, NULL, what);
	jsontext_number(json, NULL, row->run_ms);
	jsontext_close(json, ']');
}

void sample_put_workers(const struct sample *sample, plm_inspect *in, struct json *json)
{
	jsontext_open(json, "workers", '[');
	for (uint32_t i = 0; i < sample->workers; i++)
		sample_put_worker(sample, in, &sample->row[i], json);
	jsontext_close(json, ']');
}
