#include "cli/trace/trace_write.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/trace/trace_place.h"

enum { COUNTER_POINTS = 20000 }; /* of a counter, at most */
enum { FLOW_HOST_SHIFT = 32 };

static const struct trace_form *const trace_forms[TRACE_KINDS] = {
	[TRACE_JSON] = &trace_form_json,
	[TRACE_PERFETTO] = &trace_form_perfetto,
};

/* ---- which form ---- */

static bool trace_ends_in(const char *path, size_t length, const char *suffix)
{
	size_t n = strlen(suffix);
	return length > n && strncmp(path + length - n, suffix, n) == 0;
}

static int trace_kind_of(const char *path, size_t length)
{
	for (int kind = 0; kind < TRACE_RECORDING; kind++)
		for (const char *const *s = trace_forms[kind]->suffixes; *s; s++)
			if (trace_ends_in(path, length, *s))
				return kind;
	return trace_ends_in(path, length, RECORDING_SUFFIX) ? TRACE_RECORDING : -1;
}

int trace_target_of(const char *path, int forced, struct trace_target *ret)
{
	size_t length = strlen(path);
	ret->path = path;
	ret->packed = trace_ends_in(path, length, ".gz");
	if (ret->packed)
		length -= strlen(".gz");
	int kind = forced >= 0 ? forced : trace_kind_of(path, length);
	if (kind < 0)
		return why(-EINVAL,
		    "%s: the form of a trace comes from the end of its name, .json, .pftrace "
		    "(Perfetto) or " RECORDING_SUFFIX " (for later), each also with .gz; or from "
		    "--format",
		    path);
	ret->kind = (enum trace_kind)kind;
	return 0;
}

/* ---- a trace ---- */

struct trace_writing {
	const struct trace_form *form;
	struct trace_out out;
	const struct trace_part *part;
	struct trace_edges *across; /* NULL: none */
	struct trace_flows flows, across_flows;
	struct trace_told *told;
	int error;
};

static void trace_mark_run(void *context, const struct run *run)
{
	edges_mark(context, run);
}

/* Each host counts its flows from the same number on; the fleet has numbers behind all hosts. */
static void trace_number_flows(struct trace_writing *w)
{
	uint64_t before = (uint64_t)w->out.hosts << FLOW_HOST_SHIFT;
	for (size_t i = 0; i < w->flows.outs; i++)
		w->flows.out[i] += before;
	for (size_t i = 0; i < w->flows.ins; i++)
		w->flows.in[i] += before;
}

static int trace_find_flows(struct trace_writing *w, const struct run *run, struct run *shown)
{
	int r = edges_flows(w->part->edges, run, &w->flows);
	trace_number_flows(w);
	if (r < 0 || !w->part->rename || !w->part->rename(w->part, &shown->ref) || !w->across)
		return r;
	r = edges_flows(w->across, shown, &w->across_flows);
	return r < 0 ? r
		     : flows_append(&w->flows, &w->across_flows,
			   (uint64_t)TRACE_HOSTS_MOST << FLOW_HOST_SHIFT);
}

static void trace_take_run(void *context, const struct run *run)
{
	struct trace_writing *w = context;
	struct run shown = *run;
	if (w->error || !run->started)
		return;
	w->error = trace_find_flows(w, run, &shown);
	if (w->error)
		return;
	w->told->runs += run->track != RUN_NO_TRACK;
	shown.start_ns += (uint64_t)w->part->shift_ns;
	shown.end_ns += (uint64_t)w->part->shift_ns;
	shown.ready_ns += run->ready_ns ? (uint64_t)w->part->shift_ns : 0;
	w->form->run(&w->out, &shown, &w->flows);
}

static void trace_take_wait(void *context, const struct run_wait *wait)
{
	struct trace_writing *w = context;
	struct run_wait shown = *wait;
	shown.start_ns += (uint64_t)w->part->shift_ns;
	shown.end_ns += (uint64_t)w->part->shift_ns;
	w->form->wait(&w->out, &shown);
}

static void trace_take_mark(void *context, const struct run_mark *mark)
{
	struct trace_writing *w = context;
	struct run_mark shown = *mark;
	shown.time_ns += (uint64_t)w->part->shift_ns;
	w->form->mark(&w->out, &shown);
}

static void trace_take_counters(
    void *context, uint64_t time_ns, const struct run_counters *counters)
{
	struct trace_writing *w = context;
	w->form->counters(&w->out, time_ns + (uint64_t)w->part->shift_ns, counters);
}

int trace_survey(struct recording *recording, struct survey *ret, struct trace_edges *ret_edges)
{
	static const struct runs_sink sink = { .run = trace_mark_run };
	int r = replay_survey(recording, ret, edges_add, ret_edges);
	if (r == 0)
		r = edges_sort(ret_edges);
	if (r == 0 && ret_edges->n > 0)
		r = replay_run(recording, ret, 0, &sink, ret_edges);
	return r;
}

static int trace_write_part(struct trace_writing *w)
{
	static const struct runs_sink sink = { .run = trace_take_run,
		.wait = trace_take_wait,
		.mark = trace_take_mark,
		.counters = trace_take_counters };
	const struct survey *survey = w->part->survey;
	w->out.survey = survey;
	w->out.host = w->part->host;
	w->form->host(&w->out);
	for (uint32_t i = 0; i < survey->tracks; i++)
		if (survey->track[i].process != PLM_NOBODY)
			w->form->track(&w->out, &survey->track[i]);
	uint64_t grain_ns = (survey->last_ns - survey->first_ns) / COUNTER_POINTS;
	int r = replay_run(w->part->recording, survey, grain_ns, &sink, w);
	return r < 0 ? r : w->error;
}

int trace_write_parts(const struct recording_head *head, const struct survey *survey,
    const struct trace_part *const *parts, size_t n, struct trace_edges *across,
    const struct trace_target *target, struct trace_told *ret)
{
	*ret = (struct trace_told){ .runs = 0 };
	struct trace_writing w = { .form = trace_forms[target->kind],
		.out = { .head = head, .survey = survey },
		.across = across,
		.told = ret };
	int r = trace_file_open(&w.out.file, target->path, target->packed);
	if (r < 0)
		return r;
	w.form->begin(&w.out);
	for (size_t i = 0; i < n && r == 0; i++) {
		w.part = parts[i];
		w.out.hosts = (uint32_t)i;
		ret->edges += edges_drawn(parts[i]->edges);
		ret->edges_left_out += parts[i]->edges->left_out;
		r = trace_write_part(&w);
	}
	if (across)
		ret->edges += edges_drawn(across);
	w.form->end(&w.out);
	flows_free(&w.flows);
	flows_free(&w.across_flows);
	int closed = trace_file_close(&w.out.file, r == 0);
	return r < 0 ? r : closed;
}

/* ---- a recording ---- */

static int trace_copy(struct recording *recording, const struct trace_target *target)
{
	struct trace_place place = { .fd = STDOUT_FILENO };
	struct recorder *recorder = NULL;
	struct recording_item item;
	uint64_t last_ns = 0;
	bool whole = false, plain = strcmp(target->path, "-") == 0;
	int r = plain ? 0 : place_open(&place, target->path, false);
	if (r == 0)
		r = recorder_open(
		    &recorder, dup(place.fd), target->packed, recording_head(recording));
	if (r == 0)
		r = recording_rewind(recording);
	while (r == 0 && (r = recording_next(recording, &item)) > 0) {
		whole |= item.kind == ITEM_END;
		last_ns = item.kind == ITEM_END ? item.time_ns : last_ns;
		r = item.kind == ITEM_END ? 0 : recorder_add(recorder, &item);
	}
	int closed = recorder_close(&recorder, whole, last_ns);
	r = r < 0 ? r : closed;
	if (plain)
		return r;
	if (r == 0)
		return place_keep(&place);
	place_drop(&place);
	return r;
}

int trace_write(struct recording *recording, const struct survey *survey, struct trace_edges *edges,
    const struct trace_target *target, struct trace_told *ret)
{
	const struct trace_part part = { .recording = recording, .survey = survey, .edges = edges };
	const struct trace_part *parts = &part;
	if (target->kind != TRACE_RECORDING)
		return trace_write_parts(
		    recording_head(recording), survey, &parts, 1, NULL, target, ret);
	*ret =
	    (struct trace_told){ .edges = edges_drawn(edges), .edges_left_out = edges->left_out };
	return trace_copy(recording, target);
}
