/* trace_json.c - traces as Chrome's JSON, for chrome://tracing and ui.perfetto.dev.
 *
 * A line an event. Times are microseconds of CLOCK_MONOTONIC, with three decimals. A run is a
 * complete event ("X"), so that readers need no partner for it. A flow begins in the last
 * nanosecond of the run that made the value, because viewers tie a flow to the run around its time.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl_command.h"
#include "cli/output.h"
#include "cli/trace/trace_form.h"

enum { LINE_BYTES = 1024, NS_PER_US = 1000, QUOTED_BYTES = 2 * RUN_NAME_BYTES };

struct trace_json {
	bool begun;
	uint64_t told[TRACE_COUNTERS];
	uint32_t told_any; /* a bit a counter */
};

static void json_line(struct trace_out *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void json_line(struct trace_out *out, const char *format, ...)
{
	struct trace_json *json = out->state;
	char line[LINE_BYTES];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (json->begun)
		trace_file_write(out->file, ",\n", 2);
	json->begun = true;
	trace_file_write(out->file, line, n < LINE_BYTES ? (size_t)n : LINE_BYTES - 1);
}

/* For strings of JSON: names are texts of users. */
static const char *json_quote(const char *text, char ret[QUOTED_BYTES])
{
	char plain[RUN_NAME_BYTES];
	size_t at = 0;
	make_printable(text, plain, sizeof plain);
	for (const char *c = plain; *c; c++) {
		if (*c == '"' || *c == '\\')
			ret[at++] = '\\';
		ret[at++] = *c;
	}
	ret[at] = 0;
	return ret;
}

#define US_FORMAT "%" PRIu64 ".%03u"
#define US(ns) (uint64_t)(ns) / NS_PER_US, (unsigned)((ns) % NS_PER_US)

static void json_name(
    struct trace_out *out, const char *what, uint32_t pid, uint32_t tid, const char *name)
{
	char quoted[QUOTED_BYTES];
	json_line(out,
	    "{\"ph\":\"M\",\"name\":\"%s\",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32
	    ",\"args\":{\"name\":\"%s\"}}",
	    what, pid, tid, json_quote(name, quoted));
}

static void json_begin(struct trace_out *out)
{
	char quoted[QUOTED_BYTES], head[LINE_BYTES];
	const struct recording_head *h = out->head;
	out->state = calloc(1, sizeof(struct trace_json));
	if (!out->state)
		exit(failed(-ENOMEM, "trace"));
	snprintf(head, sizeof head,
	    "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"runtime\":\"%s\",\"boot\":\"%" PRIx64
	    "\",\"plm\":\"%.15s\",\"clock\":\"%s\",\"wall_offset_ns\":\"%" PRId64
	    "\",\"events\":%" PRIu64 ",\"events_lost\":%" PRIu64
	    ",\"recording_cut\":%s},\"traceEvents\":[\n",
	    json_quote(h->name, quoted), h->runtime, PLM_VERSION,
	    h->begin_ns ? "CLOCK_MONOTONIC" : "Redis", h->wall_offset_ns, out->survey->events,
	    out->survey->lost, out->survey->cut ? "true" : "false");
	trace_file_write(out->file, head, strlen(head));
}

static void json_host(struct trace_out *out)
{
	struct trace_json *json = out->state;
	char name[TRACE_TEXT_BYTES];
	trace_runtime_text(out, name, sizeof name);
	json_name(out, "process_name", trace_runtime_pid(out), 0, name);
	json_line(out,
	    "{\"ph\":\"M\",\"name\":\"process_sort_index\",\"pid\":%" PRIu32 ",\"tid\":0,"
	    "\"args\":{\"sort_index\":%d}}",
	    trace_runtime_pid(out), (int)out->hosts - TRACE_HOSTS_MOST);
	json->told_any = 0;
}

static void json_track(struct trace_out *out, const struct run_track *track)
{
	char name[TRACE_TEXT_BYTES];
	uint32_t pid = trace_pid(out, track->worker), tid = trace_tid(track);
	trace_worker_text(out, track->worker, name, sizeof name);
	json_name(out, "process_name", pid, tid, name);
	trace_track_text(track, name, sizeof name);
	json_name(out, "thread_name", pid, tid, name);
	json_line(out,
	    "{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32
	    ",\"args\":{\"sort_index\":%" PRIu32 "}}",
	    pid, tid, track->track);
}

static const struct run_track *json_track_of(const struct trace_out *out, uint32_t track)
{
	return track < out->survey->tracks ? &out->survey->track[track] : NULL;
}

static const char *json_colour(enum run_ending ending)
{
	static const char *const colours[RUN_ENDINGS] = {
		[RUN_DONE] = "",
		[RUN_FAILED] = ",\"cname\":\"terrible\"",
		[RUN_CANCELLED] = ",\"cname\":\"grey\"",
		[RUN_RETURNED] = ",\"cname\":\"bad\"",
		[RUN_OPEN] = "",
		[RUN_LOST] = ",\"cname\":\"white\"",
	};
	return colours[ending];
}

static void json_flow(
    struct trace_out *out, char phase, uint64_t id, uint32_t pid, uint32_t tid, uint64_t ns)
{
	json_line(out,
	    "{\"ph\":\"%c\",\"id\":%" PRIu64 ",\"name\":\"value\",\"cat\":\"depends\"%s,"
	    "\"pid\":%" PRIu32 ",\"tid\":%" PRIu32 ",\"ts\":" US_FORMAT "}",
	    phase, id, phase == 'f' ? ",\"bp\":\"e\"" : "", pid, tid, US(ns));
}

static void json_run(struct trace_out *out, const struct run *run, const struct trace_flows *flows)
{
	const struct run_track *track = json_track_of(out, run->track);
	char name[QUOTED_BYTES], function[QUOTED_BYTES], ref[PLM_REF_TEXT_BYTES];
	uint32_t pid, tid;
	if (!track)
		return;
	pid = trace_pid(out, track->worker);
	tid = trace_tid(track);
	uint64_t waited =
	    run->ready_ns && run->ready_ns < run->start_ns ? run->start_ns - run->ready_ns : 0;
	plm_ref_print(run->ref, ref);
	json_line(out,
	    "{\"ph\":\"X\",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32 ",\"ts\":" US_FORMAT
	    ",\"dur\":" US_FORMAT ",\"name\":\"%s\",\"cat\":\"task%s%s\"%s,\"args\":{\"task\":"
	    "\"%s\",\"attempt\":%" PRIu32 ",\"ended\":\"%s\",\"function\":\"%s\","
	    "\"priority\":%" PRId64 ",\"queued_us\":" US_FORMAT ",\"counted_ns\":%" PRIu64 "}}",
	    pid, tid, US(run->start_ns), US(run->end_ns - run->start_ns),
	    json_quote(run->name[0] ? run->name : "task", name), run->ending ? "," : "",
	    run->ending ? run_ending_name(run->ending) : "", json_colour(run->ending), ref,
	    run->attempt, trace_ending_text(run), json_quote(run->function_name, function),
	    run->priority, US(waited), run->counted_ns);
	for (size_t i = 0; i < flows->ins; i++)
		json_flow(out, 'f', flows->in[i], pid, tid, run->start_ns);
	for (size_t i = 0; i < flows->outs; i++)
		json_flow(out, 's', flows->out[i], pid, tid, run->end_ns - 1);
}

static void json_wait(struct trace_out *out, const struct run_wait *wait)
{
	const struct run_track *track = json_track_of(out, wait->track);
	if (track)
		json_line(out,
		    "{\"ph\":\"X\",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32 ",\"ts\":" US_FORMAT
		    ",\"dur\":" US_FORMAT
		    ",\"name\":\"waits\",\"cat\":\"wait\",\"cname\":\"grey\"}",
		    trace_pid(out, track->worker), trace_tid(track), US(wait->start_ns),
		    US(wait->end_ns - wait->start_ns));
}

static void json_mark(struct trace_out *out, const struct run_mark *mark)
{
	char text[TRACE_TEXT_BYTES];
	trace_mark_text(mark, text, sizeof text);
	json_line(out,
	    "{\"ph\":\"i\",\"s\":\"%s\",\"pid\":%" PRIu32 ",\"tid\":0,\"ts\":" US_FORMAT
	    ",\"name\":\"%s\",\"cat\":\"runtime\"}",
	    mark->kind == PLM_EVENT_NONE ? "g" : "p", trace_runtime_pid(out), US(mark->time_ns),
	    text);
}

static void json_counters(
    struct trace_out *out, uint64_t time_ns, const struct run_counters *counters)
{
	struct trace_json *json = out->state;
	for (int i = 0; i < TRACE_COUNTERS; i++) {
		uint64_t value;
		if (!trace_counter_value((enum trace_counter)i, counters, &value) ||
		    (json->told_any >> i & 1 && json->told[i] == value))
			continue;
		json->told[i] = value;
		json->told_any |= 1u << i;
		json_line(out,
		    "{\"ph\":\"C\",\"pid\":%" PRIu32 ",\"tid\":0,\"ts\":" US_FORMAT
		    ",\"name\":\"%s\",\"args\":{\"%s\":%" PRIu64 "}}",
		    trace_runtime_pid(out), US(time_ns), trace_counter_name((enum trace_counter)i),
		    trace_counter_is_bytes((enum trace_counter)i) ? "bytes" : "tasks", value);
	}
}

static void json_end(struct trace_out *out)
{
	trace_file_write(out->file, "\n]}\n", 4);
	free(out->state);
}

static const char *const json_suffixes[] = { ".json", NULL };

const struct trace_form trace_form_json = { json_suffixes, json_begin, json_host, json_track,
	json_run, json_wait, json_mark, json_counters, json_end };
