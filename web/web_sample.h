/* web_sample.h - what changes from moment to moment: rates, busy shares, what each worker runs
 * (cli/work_looks.h), and a short history for the plots. Looks are taken while a page is open.
 * Who: one thread.  Blocks: never. */
#ifndef PLM_WEB_SAMPLE_H
#define PLM_WEB_SAMPLE_H

#include <stdbool.h>

#include "cli/work_looks.h"
#include "web/web_json.h"
#include "web/web_look.h"

enum { SAMPLE_POINTS = 600, SAMPLE_TEXT_BYTES = 96 };

struct sample_point { /* of the plots */
	double time;  /* seconds since 1970 */
	double rate, busy, queued;
	double store, store_reserved, memory_free, records;
};

struct sample {
	struct looks looks;
	struct sample_point point[SAMPLE_POINTS]; /* a ring */
	unsigned points, next;
};

/* Adds a point to the history. */
void sample_remember(struct sample *sample, const struct look *look);

/* Tasks and objects in the table. */
uint64_t sample_records_used(const plm_runtime_row *row);
/* The worker's share, "busy" and the like. */
const char *sample_condition(const plm_work_row *row);
/* "workers": [[number, pid, condition, busy, rate, done, failed, ref, what, run_ms], ...] */
void sample_put_workers(const struct sample *sample, plm_inspect *in, struct json *json);
/* Of at least one. */
const struct sample_point *sample_latest(const struct sample *sample);
/* [time, rate, busy, queued, records, store, store_reserved, memory_free] */
void sample_put_point(const struct sample_point *point, const char *key, struct json *json);
void sample_put_history(const struct sample *sample, struct json *json);

#endif
