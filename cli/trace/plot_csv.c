#include "cli/trace/plot_csv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/why.h"
#include "cli/output.h"
#include "cli/trace/trace_form.h"

enum { CSV_LINE_BYTES = 1024, CSV_PATH_BYTES = 4096, QUOTED_BYTES = 2 * RUN_NAME_BYTES + 3 };

static void csv_line(struct trace_file *file, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void csv_line(struct trace_file *file, const char *format, ...)
{
	char line[CSV_LINE_BYTES];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	trace_file_write(file, line, n < CSV_LINE_BYTES ? (size_t)n : CSV_LINE_BYTES - 1);
}

static const char *csv_quote(const char *text, char ret[QUOTED_BYTES])
{
	char plain[RUN_NAME_BYTES];
	size_t at = 0;
	make_printable(text, plain, sizeof plain);
	ret[at++] = '"';
	for (const char *c = plain; *c; c++) {
		if (*c == '"')
			ret[at++] = '"';
		ret[at++] = *c;
	}
	ret[at++] = '"';
	ret[at] = 0;
	return ret;
}

/* Seconds since the beginning, or nothing. */
static const char *csv_time(const struct plot_csv *csv, uint64_t ns, char ret[32])
{
	int64_t since = (int64_t)(ns - csv->begin_ns);
	uint64_t size = since < 0 ? (uint64_t)-since : (uint64_t)since;
	ret[0] = 0;
	if (ns)
		snprintf(ret, 32, "%s%" PRIu64 ".%09" PRIu64, since < 0 ? "-" : "",
		    size / 1000000000, size % 1000000000);
	return ret;
}

static const char *csv_who(uint32_t who, char ret[16])
{
	ret[0] = 0;
	if (who != PLM_NOBODY)
		snprintf(ret, 16, "%" PRIu32, who);
	return ret;
}

static const char *csv_ref(plm_ref ref, char ret[PLM_REF_TEXT_BYTES])
{
	ret[0] = 0;
	if (ref.id)
		plm_ref_print(ref, ret);
	return ret;
}

static int csv_file(const struct plot_csv *csv, const char *name, struct trace_file **ret)
{
	char path[CSV_PATH_BYTES];
	snprintf(path, sizeof path, "%.4000s/%s", csv->directory, name);
	return trace_file_open(ret, path, false);
}

/* ---- events, runs ---- */

int csv_open(struct plot_csv *csv, const char *directory, const struct survey *survey)
{
	*csv = (struct plot_csv){ .directory = directory, .begin_ns = survey->first_ns };
	if (mkdir(directory, 0777) < 0 && errno != EEXIST)
		return why(-errno, "%s: cannot make the directory: %s", directory, strerror(errno));
	int r = csv_file(csv, "runs.csv", &csv->runs);
	if (r == 0)
		csv_line(csv->runs,
		    "task,attempt,name,function,worker,process,depth,priority,ended,submitted_s,"
		    "ready_s,placed_s,start_s,end_s,counted_s\n");
	return r;
}

void csv_run(void *context, const struct run *run)
{
	const struct plot_csv *csv = context;
	char ref[PLM_REF_TEXT_BYTES], name[QUOTED_BYTES], function[QUOTED_BYTES], worker[16],
	    process[16], submitted[32], ready[32], placed[32], start[32], end[32];
	csv_line(csv->runs,
	    "%s,%" PRIu32 ",%s,%s,%s,%s,%" PRIu32 ",%" PRId64 ",\"%s\",%s,%s,%s,%s,%s,%" PRIu64
	    ".%09" PRIu64 "\n",
	    csv_ref(run->ref, ref), run->attempt, csv_quote(run->name, name),
	    csv_quote(run->function_name, function), csv_who(run->worker, worker),
	    csv_who(run->process, process), run->depth, run->priority, trace_ending_text(run),
	    csv_time(csv, run->submitted_ns, submitted), csv_time(csv, run->ready_ns, ready),
	    csv_time(csv, run->placed_ns, placed),
	    csv_time(csv, run->started ? run->start_ns : 0, start), csv_time(csv, run->end_ns, end),
	    run->counted_ns / 1000000000, run->counted_ns % 1000000000);
}

int csv_transitions(struct plot_csv *csv, struct recording *recording)
{
	struct trace_file *file = NULL;
	struct recording_item item;
	int r = csv_file(csv, "transitions.csv", &file);
	if (r == 0)
		r = recording_rewind(recording);
	if (r == 0)
		csv_line(file,
		    "time_s,event,task,attempt,function,process,worker,other,"
		    "argument\n");
	while (r == 0 && (r = recording_next(recording, &item)) > 0) {
		const plm_event *e = &item.event;
		char time[32], ref[PLM_REF_TEXT_BYTES], other[PLM_REF_TEXT_BYTES],
		    function[QUOTED_BYTES], process[16], worker[16];
		r = trace_file_error(file);
		if (item.kind != ITEM_EVENT)
			continue;
		csv_line(file, "%s,%s,%s,%" PRIu32 ",%s,%s,%s,%s,%" PRId64 "\n",
		    csv_time(csv, e->time_ns, time), plm_event_name(e->kind), csv_ref(e->ref, ref),
		    e->attempt, csv_quote(e->function_name, function), csv_who(e->process, process),
		    csv_who(e->worker, worker), csv_ref(e->other, other), (int64_t)e->argument);
	}
	int closed = trace_file_close(&file, r == 0);
	return r < 0 ? r : closed;
}

int csv_close(struct plot_csv *csv, bool keep)
{
	return trace_file_close(&csv->runs, keep);
}

/* ---- series ---- */

static void csv_busy(struct trace_file *file, const struct series *series)
{
	char worker[16], process[16];
	csv_line(file, "from_s,to_s,worker,process,busy_share\n");
	for (uint32_t i = 0; i < series->rows; i++)
		for (uint32_t w = 0; w < series->windows; w++) {
			double from = (double)w * (double)series->window_ns * 1e-9;
			csv_line(file, "%.9f,%.9f,%s,%s,%.6f\n", from,
			    from + (double)series_window(series, w) * 1e-9,
			    csv_who(series->row[i].worker, worker),
			    csv_who(series->row[i].process, process), series_busy(series, i, w));
		}
}

static void csv_windows(struct trace_file *file, const struct series *series)
{
	csv_line(file, "from_s,to_s,ended,not_done,ended_per_s");
	static const char *const levels[SERIES_LEVELS] = { "queued", "waiting", "running",
		"store_bytes", "memory_free_bytes" };
	static const uint32_t known[SERIES_LEVELS] = { COUNTER_TASKS, COUNTER_TASKS, COUNTER_TASKS,
		COUNTER_STORE, COUNTER_MEMORY };
	for (int i = 0; i < SERIES_LEVELS; i++)
		csv_line(file, ",%s_mean,%s_most", levels[i], levels[i]);
	csv_line(file, "\n");
	for (uint32_t w = 0; w < series->windows; w++) {
		double from = (double)w * (double)series->window_ns * 1e-9;
		double length = (double)series_window(series, w) * 1e-9;
		csv_line(file, "%.9f,%.9f,%" PRIu64 ",%" PRIu64 ",%.6g", from, from + length,
		    series->ended[w], series->failed[w], (double)series->ended[w] / length);
		for (int i = 0; i < SERIES_LEVELS; i++)
			if (series->known & known[i])
				csv_line(file, ",%.6g,%" PRIu64, series->mean[i][w],
				    series->greatest[i][w]);
			else
				csv_line(file, ",,");
		csv_line(file, "\n");
	}
}

static void csv_latency(struct trace_file *file, const struct series *series)
{
	static const double shares[] = { 0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999,
		1 };
	csv_line(file, "percentile,submit_to_start_s,run_s,submit_to_end_s\n");
	for (unsigned i = 0; i < sizeof shares / sizeof shares[0]; i++) {
		csv_line(file, "%g", shares[i] * 100);
		for (int l = 0; l < SERIES_LATENCIES; l++)
			if (series->latency[l].n)
				csv_line(file, ",%.9f",
				    (double)histogram_at(&series->latency[l], shares[i]) * 1e-9);
			else
				csv_line(file, ",");
		csv_line(file, "\n");
	}
}

static void csv_functions(struct trace_file *file, const struct series *series)
{
	char name[QUOTED_BYTES];
	csv_line(file,
	    "name,runs,failed,cancelled,returned,total_s,mean_s,p50_s,p90_s,p99_s,"
	    "longest_s\n");
	for (uint32_t i = 0; i < series->functions; i++) {
		const struct series_function *f = &series->function[i];
		double total = (double)f->run.sum_ns * 1e-9;
		if (!f->name[0])
			continue;
		csv_line(file,
		    "%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.9f,%.9f,%.9f,%.9f,%.9f,"
		    "%.9f\n",
		    csv_quote(f->name, name), f->run.n, f->failed, f->cancelled, f->returned, total,
		    f->run.n ? total / (double)f->run.n : 0,
		    (double)histogram_at(&f->run, 0.5) * 1e-9,
		    (double)histogram_at(&f->run, 0.9) * 1e-9,
		    (double)histogram_at(&f->run, 0.99) * 1e-9, (double)f->run.greatest_ns * 1e-9);
	}
}

static void csv_histogram(struct trace_file *file, const struct series *series)
{
	char name[QUOTED_BYTES];
	csv_line(file, "name,from_s,to_s,runs\n");
	for (uint32_t i = 0; i < series->functions; i++)
		for (unsigned cell = 0; cell < HISTOGRAM_CELLS; cell++)
			if (series->function[i].run.cell[cell])
				csv_line(file, "%s,%.9f,%.9f,%" PRIu64 "\n",
				    csv_quote(series->function[i].name, name),
				    (double)histogram_floor(cell) * 1e-9,
				    (double)histogram_floor(cell + 1) * 1e-9,
				    series->function[i].run.cell[cell]);
}

int csv_series(struct plot_csv *csv, const struct series *series)
{
	static const struct {
		const char *name;
		void (*write)(struct trace_file *file, const struct series *series);
	} tables[] = {
		{ "busy.csv", csv_busy },
		{ "series.csv", csv_windows },
		{ "latency.csv", csv_latency },
		{ "functions.csv", csv_functions },
		{ "histogram.csv", csv_histogram },
	};
	int r = 0;
	for (unsigned i = 0; i < sizeof tables / sizeof tables[0] && r == 0; i++) {
		struct trace_file *file = NULL;
		r = csv_file(csv, tables[i].name, &file);
		if (r < 0)
			break;
		tables[i].write(file, series);
		r = trace_file_close(&file, true);
	}
	return r;
}
