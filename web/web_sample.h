/* web_sample.h - what changes from moment to moment: rates, busy shares, what each worker runs, and
 * a short history for the plots.
 *
 * A runtime keeps no busy times, so the share comes from looks: `busy in 8 of 10 looks` is 80 %.
 * Looks are taken while a page is open. A look reads a few words of each process slot.
 * Who: one thread.  Blocks: never. */
#ifndef PLM_WEB_SAMPLE_H
#define PLM_WEB_SAMPLE_H

#include <stdbool.h>

#include "web/web_json.h"
#include "web/web_look.h"

enum { SAMPLE_POINTS = 600, SAMPLE_TEXT_BYTES = 96 };

struct sample_slot { /* a process slot since the last measure */
	uint32_t generation;
	uint32_t looks, busy;
	uint64_t finished, finished_since;
	double busy_share, rate;
	bool measured;
};

struct sample_point { /* of the plots */
	double time;  /* seconds since 1970 */
	double rate, busy, queued;
	double store, store_reserved, memory_free, records;
};

struct sample {
	struct sample_slot *slot; /* one for each process slot */
	plm_work_row *row;        /* of the last look: all workers */
	uint32_t slots, workers, rooms;
	uint32_t clients, cpus, busy_now, drained;
	uint64_t finished, looks, looks_since, busy_since, began_ns;
	double rate, busy;
	bool measured;
	struct sample_point point[SAMPLE_POINTS]; /* a ring */
	unsigned points, next;
};

/* For another boot; the points stay. 0, or -ENOMEM with a why. */
int sample_begin(struct sample *sample, const struct look *look);
void sample_end(struct sample *sample);
void sample_look(struct sample *sample, plm_inspect *in);
/* Computes rates since the measure before. */
void sample_measure(struct sample *sample);
/* Adds a point to the history. */
void sample_remember(struct sample *sample, const struct look *look);

/* Tasks and objects in the table. */
uint64_t sample_records_used(const plm_runtime_row *row);
/* The worker's share, "busy" and the like. */
const char *sample_condition(const plm_work_row *row);
/* What a worker runs: a function, or the words of a command. */
void sample_what(plm_inspect *in, const plm_work_row *row, char *ret, size_t size);
/* "workers": [[number, pid, condition, busy, rate, done, failed, ref, what, run_ms], ...] */
void sample_put_workers(const struct sample *sample, plm_inspect *in, struct json *json);
/* Of at least one. */
const struct sample_point *sample_latest(const struct sample *sample);
/* [time, rate, busy, queued, records, store, store_reserved, memory_free] */
void sample_put_point(const struct sample_point *point, const char *key, struct json *json);
void sample_put_history(const struct sample *sample, struct json *json);

#endif
