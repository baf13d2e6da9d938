/* web_metrics.h - metrics as text: Prometheus 0.0.4, or OpenMetrics 1.0.
 *
 * A family is a line of HELP, a line of TYPE, and its samples. The formats differ in small things:
 * OpenMetrics names a counter without "_total" in its head, tells units, knows the type info, and
 * ends with "# EOF".
 * Blocks: never. */
#ifndef PLM_WEB_METRICS_H
#define PLM_WEB_METRICS_H

#include "web/web_json.h"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_INFO };

struct metric_text {
	struct json text;
	bool open; /* OpenMetrics */
};

struct metric_label {
	const char *name, *value;
};

/* name: without "_total" and "_info"; it ends with the unit, "" if there is none. */
void metric_family(struct metric_text *metrics, const char *name, enum metric_type type,
    const char *unit, const char *help);
/* labels: a label without a name is the last; NULL: no label. No two samples of a family have the
 * same labels, or Prometheus refuses the whole answer. */
void metric_sample(struct metric_text *metrics, const char *name, enum metric_type type,
    const struct metric_label *labels, double number);
/* A family of a single sample. */
void metric_single(struct metric_text *metrics, const char *name, enum metric_type type,
    const char *unit, const char *help, double number);
void metric_end(struct metric_text *metrics);

/* ---- web_metrics.c ---- */

struct web;
void metrics_put_ourselves(struct metric_text *metrics, const struct web *web);
const char *metrics_type(const struct metric_text *metrics); /* for the header */

#endif
