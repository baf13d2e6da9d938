#include <stdio.h>
#include <string.h>

#include "web/web_metrics.h"

enum { LINE_BYTES = 512, LABEL_BYTES = 160 };

static const char *metric_suffix(enum metric_type type)
{
	return type == METRIC_COUNTER ? "_total" : type == METRIC_INFO ? "_info" : "";
}

void metric_family(struct metric_text *metrics, const char *name, enum metric_type type,
    const char *unit, const char *help)
{
	static const char *const types[] = { "gauge", "counter", "info" };
	const char *suffix = metrics->open ? "" : metric_suffix(type);
	const char *word = !metrics->open && type == METRIC_INFO ? "gauge" : types[type];
	char line[LINE_BYTES];
	snprintf(line, sizeof line, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name,
	    suffix, word);
	jsontext_words(&metrics->text, line);
	if (!metrics->open || !unit[0])
		return;
	snprintf(line, sizeof line, "# UNIT %s %s\n", name, unit);
	jsontext_words(&metrics->text, line);
}

/* A label's value: backslash, quote and line feed are escaped. */
static void metric_escape(const char *value, char ret[LABEL_BYTES])
{
	size_t to = 0;
	for (; *value && to + 3 < LABEL_BYTES; value++) {
		unsigned char c = (unsigned char)*value;
		if (c == '\\' || c == '"' || c == '\n')
			ret[to++] = '\\';
		ret[to++] = c == '\n' ? 'n' : c < ' ' || c >= 0x7f ? '?' : (char)c;
	}
	ret[to] = 0;
}

void metric_sample(struct metric_text *metrics, const char *name, enum metric_type type,
    const struct metric_label *labels, double number)
{
	char line[LINE_BYTES], escaped[LABEL_BYTES];
	const char *before = "{";
	jsontext_words(&metrics->text, name);
	jsontext_words(&metrics->text, metric_suffix(type));
	for (; labels && labels->name; labels++) {
		metric_escape(labels->value, escaped);
		snprintf(line, sizeof line, "%s%s=\"%s\"", before, labels->name, escaped);
		jsontext_words(&metrics->text, line);
		before = ",";
	}
	snprintf(line, sizeof line, "%s %.15g\n", before[0] == ',' ? "}" : "", number);
	jsontext_words(&metrics->text, line);
}

void metric_single(struct metric_text *metrics, const char *name, enum metric_type type,
    const char *unit, const char *help, double number)
{
	metric_family(metrics, name, type, unit, help);
	metric_sample(metrics, name, type, NULL, number);
}

void metric_end(struct metric_text *metrics)
{
	if (metrics->open)
		jsontext_words(&metrics->text, "# EOF\n");
}
