/* plot_draw.h - the series of a recording as a picture, drawn by gnuplot.
 *
 * Panels above each other: who was busy, tasks ended a second, running tasks, the queue, the store,
 * percentiles of latency, a histogram for each of the busiest functions. The colours are told apart
 * by colour-blind readers (Okabe and Ito).
 * Who: one thread.  Blocks: while gnuplot runs.  Errors: -errno with a why; -ENOENT: gnuplot is not
 * installed. */
#ifndef PLM_PLOT_DRAW_H
#define PLM_PLOT_DRAW_H

#include "cli/trace/plot_series.h"

enum plot_part {
	PLOT_ALL,
	PLOT_BUSY,
	PLOT_THROUGHPUT,
	PLOT_RUNNING,
	PLOT_QUEUE,
	PLOT_STORE,
	PLOT_LATENCY,
	PLOT_FUNCTIONS,
	PLOT_PARTS
};
#define PLOT_PART_WORDS "all|busy|throughput|running|queue|store|latency|functions"

/* 0; -EINVAL with a why: the name of the picture ends in none of .svg, .pdf, .png. */
int plot_check_name(const char *path);
int plot_draw(const char *path, enum plot_part part, const struct recording_head *head,
    const struct series *series);

#endif
