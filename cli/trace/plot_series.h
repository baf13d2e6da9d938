/* plot_series.h - what plots and tables show of a recording: numbers for each window of time,
 * lengths of time as histograms, rows for workers and functions.
 *
 * Memory: windows times rows, and a histogram for each of the first SERIES_FUNCTIONS functions; the
 * further functions are summed up in the last.
 * Who: one thread. */
#ifndef PLM_PLOT_SERIES_H
#define PLM_PLOT_SERIES_H

#include "cli/runs/replay.h"
#include "cli/trace/plot_histogram.h"

enum { SERIES_FUNCTIONS = 256, SERIES_ROWS = 4096, SERIES_WINDOWS_MOST = 20000 };

/* Numbers over time, each as the mean of a window and as the greatest. */
enum series_level {
	LEVEL_QUEUED,
	LEVEL_WAITING,
	LEVEL_RUNNING,
	LEVEL_STORE,
	LEVEL_MEMORY,
	SERIES_LEVELS
};

enum series_latency { LATENCY_START, LATENCY_RUN, LATENCY_END, SERIES_LATENCIES };

struct series_row { /* a process slot of a worker, whatever process was in it */
	uint32_t worker, process;
	uint64_t *busy_ns; /* a window each: of the outermost runs */
	uint64_t all_ns, runs;
};

struct series_function {
	char name[RUN_NAME_BYTES];
	uint64_t failed, cancelled, returned;
	struct histogram run;
};

struct series {
	uint64_t begin_ns, end_ns, window_ns;
	uint32_t windows;
	uint64_t *ended, *failed; /* tasks settled in the window: all; those not done */
	double *mean[SERIES_LEVELS];
	uint64_t *greatest[SERIES_LEVELS];
	uint32_t known; /* COUNTER_ bits */
	struct series_row *row;
	uint32_t rows;
	struct histogram latency[SERIES_LATENCIES]; /* of tasks that are done */
	uint64_t unsubmitted; /* done, but the submission was not seen: in LATENCY_RUN alone */
	struct series_function *function;
	uint32_t functions;
	uint64_t runs, never_started;
	/* The counters since level_ns. */
	uint64_t level_ns, level[SERIES_LEVELS];
	int error;                                          /* -ENOMEM */
	void (*each)(void *context, const struct run *run); /* NULL: none; is told every run */
	void *context;
};

/* window_ns 0: about 300 windows of a round length. 0; -EINVAL: too many windows; -ENOMEM. */
int series_open(struct series *series, const struct survey *survey, uint64_t window_ns);
/* Plays the recording. 0 or -errno with a why. */
int series_take(struct series *series, struct recording *recording, const struct survey *survey);
void series_close(struct series *series);

/* Share of the window that the row was busy, 0 to 1. */
double series_busy(const struct series *series, uint32_t row, uint32_t window);
/* The length of the window: the last may be shorter. */
uint64_t series_window(const struct series *series, uint32_t window);

#endif
