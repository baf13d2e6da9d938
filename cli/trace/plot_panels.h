/* plot_panels.h - the panels of a picture, in the language of gnuplot.
 * Who: plot_draw.c.  Blocks, allocates: never, but for the text. */
#ifndef PLM_PLOT_PANELS_H
#define PLM_PLOT_PANELS_H

#include <stdio.h>

#include "cli/trace/plot_series.h"

struct plot_panel {
	/* Pixels, without the space for the axis; 0: there is nothing to draw. */
	unsigned (*height)(const struct series *series);
	void (*draw)(FILE *script, const struct series *series);
	const char *title;
};

enum { PANELS = 6, PLOT_FUNCTIONS_MOST = 9 };
extern const struct plot_panel
    plot_panels[PANELS]; /* by plot_part - 1: PLOT_BUSY to PLOT_LATENCY */

/* The functions with the most time in runs, the busiest first; returns their number. */
unsigned plot_busiest(const struct series *series, uint32_t ret[PLOT_FUNCTIONS_MOST]);
void plot_function_panel(FILE *script, const struct series *series, uint32_t function);

/* A text in quotes: names are texts of users, and gnuplot would run what some of them say. */
void plot_text(FILE *script, const char *text);

#define BLUE "#0072B2"
#define ORANGE "#E69F00"
#define GREEN "#009E73"
#define VERMILION "#D55E00"
#define PURPLE "#CC79A7"
#define GREY "#666666"

#endif
