#include "cli/trace/plot_series.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"

enum { WINDOWS = 300, WINDOW_LEAST_NS = 1000 };

static int series_no_memory(struct series *series)
{
	series->error = why(-ENOMEM, "no memory for the series of a plot");
	return series->error;
}

/* ---- windows ---- */

/* 1, 2 or 5 times a power of ten, at least the length. */
static uint64_t series_round(uint64_t ns)
{
	static const uint64_t steps[] = { 1, 2, 5 };
	for (uint64_t power = 1; power < UINT64_MAX / 100; power *= 10)
		for (int i = 0; i < 3; i++)
			if (steps[i] * power >= ns)
				return steps[i] * power;
	return ns;
}

static struct series_row *series_row_of(struct series *series, uint32_t worker, uint32_t process)
{
	for (uint32_t i = series->rows; i-- > 0;)
		if (series->row[i].worker == worker && series->row[i].process == process)
			return &series->row[i];
	if (series->rows == SERIES_ROWS)
		return NULL;
	if ((series->rows & (series->rows - 1)) == 0) {
		uint32_t room = series->rows ? 2 * series->rows : 1;
		struct series_row *grown = realloc(series->row, room * sizeof *grown);
		if (!grown) {
			series_no_memory(series);
			return NULL;
		}
		series->row = grown;
	}
	struct series_row *row = &series->row[series->rows];
	*row = (struct series_row){ .worker = worker,
		.process = process,
		.busy_ns = calloc(series->windows, sizeof *row->busy_ns) };
	if (!row->busy_ns) {
		series_no_memory(series);
		return NULL;
	}
	series->rows++;
	return row;
}

int series_open(struct series *series, const struct survey *survey, uint64_t window_ns)
{
	uint64_t span_ns = survey->last_ns - survey->first_ns;
	*series = (struct series){ .begin_ns = survey->first_ns, .end_ns = survey->last_ns };
	if (window_ns == 0)
		window_ns = series_round(span_ns / WINDOWS + 1);
	if (window_ns < WINDOW_LEAST_NS)
		window_ns = WINDOW_LEAST_NS;
	if (span_ns / window_ns >= SERIES_WINDOWS_MOST)
		return why(-EINVAL, "%g s are more than %d windows of %g s: give a longer --window",
		    (double)span_ns * 1e-9, SERIES_WINDOWS_MOST, (double)window_ns * 1e-9);
	series->window_ns = window_ns;
	series->windows = (uint32_t)(span_ns / window_ns) + 1;
	series->level_ns = series->begin_ns;
	series->ended = calloc(series->windows, sizeof *series->ended);
	series->failed = calloc(series->windows, sizeof *series->failed);
	series->function = calloc(SERIES_FUNCTIONS, sizeof *series->function);
	bool memory = series->ended && series->failed && series->function;
	for (uint32_t i = 0; i < survey->tracks && memory; i++)
		if (survey->track[i].worker != PLM_NOBODY)
			series_row_of(series, survey->track[i].worker, survey->track[i].process);
	for (int i = 0; i < SERIES_LEVELS; i++) {
		series->mean[i] = calloc(series->windows, sizeof *series->mean[i]);
		series->greatest[i] = calloc(series->windows, sizeof *series->greatest[i]);
		memory = memory && series->mean[i] && series->greatest[i];
	}
	return memory ? series->error : series_no_memory(series);
}

void series_close(struct series *series)
{
	free(series->ended);
	free(series->failed);
	free(series->function);
	for (int i = 0; i < SERIES_LEVELS; i++) {
		free(series->mean[i]);
		free(series->greatest[i]);
	}
	for (uint32_t i = 0; i < series->rows; i++)
		free(series->row[i].busy_ns);
	free(series->row);
	*series = (struct series){ .rows = 0 };
}

static uint32_t series_window_of(const struct series *series, uint64_t ns)
{
	if (ns <= series->begin_ns)
		return 0;
	uint64_t window = (ns - series->begin_ns) / series->window_ns;
	return window < series->windows ? (uint32_t)window : series->windows - 1;
}

uint64_t series_window(const struct series *series, uint32_t window)
{
	uint64_t from = series->begin_ns + window * series->window_ns;
	uint64_t left = series->end_ns > from ? series->end_ns - from : 0;
	return left < series->window_ns && left > 0 ? left : series->window_ns;
}

double series_busy(const struct series *series, uint32_t row, uint32_t window)
{
	double share =
	    (double)series->row[row].busy_ns[window] / (double)series_window(series, window);
	return share < 1 ? share : 1;
}

/* ---- rows ---- */

static int series_compare_rows(const void *one, const void *two)
{
	const struct series_row *a = one, *b = two;
	if (a->worker != b->worker)
		return a->worker < b->worker ? -1 : 1;
	return (a->process > b->process) - (a->process < b->process);
}

static void series_add_busy(struct series *series, const struct run *run)
{
	struct series_row *row = series_row_of(series, run->worker, run->process);
	if (!row)
		return;
	row->runs++;
	row->all_ns += run->end_ns - run->start_ns;
	uint64_t at = run->start_ns < series->begin_ns ? series->begin_ns : run->start_ns;
	for (uint32_t w = series_window_of(series, at); at < run->end_ns; w++) {
		uint64_t end = series->begin_ns + (w + 1) * series->window_ns;
		if (end > run->end_ns || w + 1 == series->windows)
			end = run->end_ns;
		row->busy_ns[w] += end - at;
		at = end;
	}
}

/* ---- functions, latencies ---- */

static struct series_function *series_function_of(struct series *series, const char *name)
{
	for (uint32_t i = 0; i < series->functions; i++)
		if (strcmp(series->function[i].name, name) == 0)
			return &series->function[i];
	bool last = series->functions >= SERIES_FUNCTIONS - 1;
	uint32_t at = last ? SERIES_FUNCTIONS - 1 : series->functions;
	struct series_function *function = &series->function[at];
	series->functions = at + 1;
	snprintf(function->name, sizeof function->name, "%s", last ? "all others" : name);
	return function;
}

static void series_add_function(struct series *series, const struct run *run)
{
	struct series_function *f =
	    series_function_of(series, run->name[0] ? run->name : "unknown");
	f->failed += run->ending == RUN_FAILED;
	f->cancelled += run->ending == RUN_CANCELLED;
	f->returned += run->ending == RUN_RETURNED;
	if (run->ending <= RUN_RETURNED)
		histogram_add(&f->run, run->end_ns - run->start_ns);
}

/* A task has a length alone if it was submitted before the window, or if the event was lost. */
static void series_add_latency(struct series *series, const struct run *run)
{
	if (run->ending != RUN_DONE)
		return;
	histogram_add(&series->latency[LATENCY_RUN], run->end_ns - run->start_ns);
	if (run->submitted_ns == 0 || run->submitted_ns > run->start_ns) {
		series->unsubmitted++;
		return;
	}
	histogram_add(&series->latency[LATENCY_START], run->start_ns - run->submitted_ns);
	histogram_add(&series->latency[LATENCY_END], run->end_ns - run->submitted_ns);
}

/* The task was handed to an idle worker at once. */
static void series_late(void *context, uint64_t ran_ns)
{
	struct series *series = context;
	series->unsubmitted--;
	histogram_add(&series->latency[LATENCY_START], 0);
	histogram_add(&series->latency[LATENCY_END], ran_ns);
}

static void series_run(void *context, const struct run *run)
{
	struct series *series = context;
	bool settled = run->ending <= RUN_CANCELLED;
	if (series->error)
		return;
	if (series->each)
		series->each(series->context, run);
	if (settled) {
		uint32_t window = series_window_of(series, run->end_ns);
		series->ended[window]++;
		series->failed[window] += run->ending != RUN_DONE;
	}
	if (!run->started) {
		series->never_started++;
		return;
	}
	series->runs++;
	series_add_function(series, run);
	series_add_latency(series, run);
	if (run->depth == 0 && run->process != PLM_NOBODY)
		series_add_busy(series, run);
}

/* ---- levels ---- */

static void series_hold_level(struct series *series, uint64_t until_ns)
{
	uint64_t at = series->level_ns;
	for (uint32_t w = series_window_of(series, at); at < until_ns; w++) {
		uint64_t end = series->begin_ns + (w + 1) * series->window_ns;
		if (end > until_ns || w + 1 >= series->windows)
			end = until_ns;
		for (int i = 0; i < SERIES_LEVELS; i++) {
			series->mean[i][w] += (double)series->level[i] * (double)(end - at) /
			    (double)series_window(series, w);
			if (series->level[i] > series->greatest[i][w])
				series->greatest[i][w] = series->level[i];
		}
		at = end;
	}
	if (until_ns > series->level_ns)
		series->level_ns = until_ns;
}

static void series_counters(void *context, uint64_t time_ns, const struct run_counters *counters)
{
	struct series *series = context;
	if (time_ns > series->end_ns)
		time_ns = series->end_ns;
	series_hold_level(series, time_ns);
	series->known |= counters->known;
	series->level[LEVEL_QUEUED] = counters->queued;
	series->level[LEVEL_WAITING] = counters->waiting;
	series->level[LEVEL_RUNNING] = counters->running;
	series->level[LEVEL_STORE] = counters->store_bytes;
	series->level[LEVEL_MEMORY] = counters->memory_free;
}

int series_take(struct series *series, struct recording *recording, const struct survey *survey)
{
	static const struct runs_sink sink = {
		.run = series_run, .late = series_late, .counters = series_counters
	};
	int r = replay_run(recording, survey, 0, &sink, series);
	series_hold_level(series, series->end_ns);
	if (series->rows > 1)
		qsort(series->row, series->rows, sizeof *series->row, series_compare_rows);
	return r < 0 ? r : series->error;
}
