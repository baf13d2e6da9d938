/* plot_csv.h - the events and the series of a plot as tables, a file each, in a directory.
 *
 *	transitions.csv	every event
 *	runs.csv	every attempt: where, and the time of each step
 *	busy.csv	the busy share of each process of a worker in each window
 *	series.csv	tasks ended, and queued, waiting, running, store, memory, in each window
 *	latency.csv	percentiles
 *	functions.csv	a row a function
 *	histogram.csv	lengths of runs of each function
 *
 * Times are seconds since the first event; empty: unknown. Texts stand in quotes.
 * Who: one thread.  Errors: -errno with a why; each file is there as a whole or not at all. */
#ifndef PLM_PLOT_CSV_H
#define PLM_PLOT_CSV_H

#include "cli/trace/plot_series.h"
#include "cli/trace/trace_file.h"

struct plot_csv {
	const char *directory;
	uint64_t begin_ns;
	struct trace_file *runs;
};

/* Makes the directory, and opens runs.csv. */
int csv_open(struct plot_csv *csv, const char *directory, const struct survey *survey);
void csv_run(void *csv, const struct run *run); /* series.each */
int csv_transitions(struct plot_csv *csv, struct recording *recording);
int csv_series(struct plot_csv *csv, const struct series *series);
/* With keep: runs.csv gets its name. 0 or -errno. */
int csv_close(struct plot_csv *csv, bool keep);

#endif
