#include "web/web_sample.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"

enum { PERCENT = 100 };

/* ---- history ---- */

uint64_t sample_records_used(const plm_runtime_row *row)
{
	/* The pool also counts records that were never used. */
	return row->records_max > row->records_pooled ? row->records_max - row->records_pooled : 0;
}

void sample_remember(struct sample *sample, const struct look *look)
{
	const plm_runtime_row *row = &look->runtime;
	if (!sample->looks.measured)
		return;
	sample->point[sample->next] = (struct sample_point){
		.time = (double)clock_of(CLOCK_REALTIME) / (double)NS_PER_S,
		.rate = sample->looks.rate,
		.busy = sample->looks.busy,
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

static void sample_put_worker(
    const struct sample *sample, plm_inspect *in, const plm_work_row *row, struct json *json)
{
	const struct looks_slot *slot = looks_of(&sample->looks, row);
	char what[SAMPLE_TEXT_BYTES];
	looks_what(in, row, what, sizeof what);
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
	for (uint32_t i = 0; i < sample->looks.workers; i++)
		sample_put_worker(sample, in, &sample->looks.row[i], json);
	jsontext_close(json, ']');
}
