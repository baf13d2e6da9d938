#include "cli/trace/trace_fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/amount_text.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"
#include "cli/arguments.h"
#include "cli/fleet_door.h"
#include "cli/trace/trace_across.h"
#include "cli/trace/trace_source.h"

struct host_trace {
	struct trace_part part; /* the first member: trace_part.rename finds the host by it */
	const struct context *context;
	struct survey survey;
	struct trace_edges edges;
	char name[100];
	int64_t offset_ns;
	uint64_t uncertain_ns;
	struct fleet_pair *pair; /* by the reference of the host */
	size_t pairs;
};

struct fleet_trace {
	struct context *context;
	struct host_trace **host;
	size_t hosts;
	unsigned without; /* hosts that answered and have no recording */
};

/* ---- parts ---- */

static int fleet_trace_by_ref(const void *one, const void *two)
{
	const struct fleet_pair *a = one, *b = two;
	return (a->ref > b->ref) - (a->ref < b->ref);
}

static bool fleet_trace_rename(const struct trace_part *part, plm_ref *ref)
{
	const struct host_trace *h = (const struct host_trace *)part;
	const struct fleet_pair key = { .ref = ref->id };
	const struct fleet_pair *pair =
	    bsearch(&key, h->pair, h->pairs, sizeof key, fleet_trace_by_ref);
	if (pair)
		*ref = fleet_ref(h->context, pair->id);
	return pair;
}

static int fleet_trace_open(struct host_trace *h, const struct fleet_part *part)
{
	FILE *file = tmpfile();
	int fd = -1;
	if (file && fwrite(part->recording, 1, part->bytes, file) == part->bytes &&
	    fflush(file) == 0)
		fd = dup(fileno(file));
	int error = errno;
	if (file)
		fclose(file);
	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return why(-error, "a file for a recording: %s", strerror(error));
	int r = recording_open(&h->part.recording, fd, h->name);
	return r < 0 ? r : trace_survey(h->part.recording, &h->survey, &h->edges);
}

static void fleet_trace_say(const struct host_trace *h, const struct fleet_part *part)
{
	char last[32];
	ms_print(part->last_ms, last, sizeof last);
	if (part->last_ms != part->asked_ms)
		fprintf(stderr, "plmctl: trace: of host %s only the last %s fit into a message\n",
		    h->name, last);
	if (h->survey.lost)
		fprintf(stderr,
		    "plmctl: trace: %" PRIu64
		    " events of host %s are missing: they were overwritten before anybody read "
		    "them (plm --event-ring N makes the rings larger)\n",
		    h->survey.lost, h->name);
}

static int fleet_trace_take(void *argument, struct fleet_part *part)
{
	struct fleet_trace *t = argument;
	if (part->trouble[0] || t->hosts == TRACE_HOSTS_MOST) {
		fprintf(stderr, "plmctl: trace: host %s: %s\n", part->host,
		    part->trouble[0] ? part->trouble : "too many hosts for one trace");
		t->without++;
		free(part->pair);
		return 0;
	}
	struct host_trace *h = calloc(1, sizeof *h);
	t->host = realloc(t->host, (t->hosts + 1) * sizeof(struct host_trace *));
	CHECK(h && t->host);
	t->host[t->hosts++] = h;
	h->context = t->context;
	h->offset_ns = part->offset_ns;
	h->uncertain_ns = part->uncertain_ns;
	h->pair = part->pair;
	h->pairs = part->pairs;
	memcpy(h->name, part->host, sizeof h->name);
	qsort(h->pair, h->pairs, sizeof *h->pair, fleet_trace_by_ref);
	int r = fleet_trace_open(h, part);
	if (r == 0)
		fleet_trace_say(h, part);
	return r;
}

static void fleet_trace_free(struct fleet_trace *t)
{
	for (size_t i = 0; i < t->hosts; i++) {
		struct host_trace *h = t->host[i];
		recording_close(&h->part.recording);
		survey_free(&h->survey);
		edges_free(&h->edges);
		free(h->pair);
		free(h);
	}
	free(t->host);
}

/* ---- one trace ---- */

static int fleet_trace_by_name(const void *one, const void *two)
{
	const struct host_trace *const *a = one, *const *b = two;
	return strcmp((*a)->name, (*b)->name);
}

/* The trace begins with the first event of any host. Its head and survey are of the whole. */
static void fleet_trace_sum(
    const struct fleet_trace *t, struct recording_head *ret_head, struct survey *ret)
{
	int64_t first_ns = INT64_MAX, last_ns = 0;
	*ret = (struct survey){ .track = NULL };
	for (size_t i = 0; i < t->hosts; i++) {
		const struct host_trace *h = t->host[i];
		int64_t begin_ns = (int64_t)h->survey.first_ns + h->offset_ns;
		int64_t end_ns = (int64_t)h->survey.last_ns + h->offset_ns;
		first_ns = begin_ns < first_ns ? begin_ns : first_ns;
		last_ns = end_ns > last_ns ? end_ns : last_ns;
		ret->events += h->survey.events;
		ret->lost += h->survey.lost;
		ret->cut |= h->survey.cut;
	}
	ret->last_ns = (uint64_t)(last_ns - first_ns);
	*ret_head = (struct recording_head){ .name = "fleet", .wall_offset_ns = first_ns };
}

static int fleet_trace_write(struct fleet_trace *t, const struct trace_target *target,
    struct trace_told *told, struct survey *whole)
{
	struct recording_head head;
	struct trace_edges across = { .n = 0 };
	const struct trace_part **parts = calloc(t->hosts, sizeof(struct trace_part *));
	CHECK(parts);
	qsort(t->host, t->hosts, sizeof(struct host_trace *), fleet_trace_by_name);
	fleet_trace_sum(t, &head, whole);
	for (size_t i = 0; i < t->hosts; i++) {
		struct host_trace *h = t->host[i];
		h->part.survey = &h->survey;
		h->part.edges = &h->edges;
		h->part.host = h->name;
		h->part.shift_ns = h->offset_ns - head.wall_offset_ns;
		h->part.rename = fleet_trace_rename;
		parts[i] = &h->part;
	}
	int r = across_find(t->context, parts, t->hosts, &across);
	if (r == 0)
		r = trace_write_parts(&head, whole, parts, t->hosts, &across, target, told);
	edges_free(&across);
	free(parts);
	return r;
}

static void fleet_trace_tell_clocks(const struct fleet_trace *t)
{
	uint64_t uncertain_ns = 0;
	for (size_t i = 0; i < t->hosts; i++)
		if (t->host[i]->uncertain_ns > uncertain_ns)
			uncertain_ns = t->host[i]->uncertain_ns;
	fprintf(stderr, "plmctl: trace: %zu hosts, whose clocks are known to %.3f ms or better\n",
	    t->hosts, (double)uncertain_ns / (double)NS_PER_MS);
}

int trace_fleet(struct context *context, uint64_t last_ms, const struct trace_target *target,
    struct trace_told *told, struct survey *whole)
{
	struct fleet_trace t = { .context = context };
	unsigned missing = 0;
	if (target->kind == TRACE_RECORDING)
		usage_error(context,
		    "a recording is of one runtime: a trace of a fleet is a .json or .pftrace");
	int code = fleet_parts(context, last_ms, fleet_trace_take, &t, &missing);
	if (code == EXIT_FINE && t.hosts == 0) {
		fputs("plmctl: trace: no host gave a part, so there is no trace\n", stderr);
		code = EXIT_INPUT;
	}
	if (code == EXIT_FINE) {
		int r = fleet_trace_write(&t, target, told, whole);
		code = r < 0               ? source_failed(context, r)
		    : missing || t.without ? EXIT_CUT
					   : EXIT_FINE;
		if (r == 0 && !context->quiet)
			fleet_trace_tell_clocks(&t);
	}
	fleet_trace_free(&t);
	return code;
}
