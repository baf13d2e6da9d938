/* top_header.h - the upper part of a frame: name, meters, rates, sums.
 * Blocks, allocates: never. */
#ifndef PLM_CLI_TOP_HEADER_H
#define PLM_CLI_TOP_HEADER_H

#include "cli/top/top_canvas.h"
#include "cli/top/top_panes.h"

/* Draws from this row on, in `rows` rows at most; returns the row behind. `trouble`: "" or why the
 * numbers may be old; shown first. */
int header_draw(struct canvas *canvas, int row, int rows, const struct facts *facts,
    const char *name, const char *trouble);

/* ---- parts, also of the frame of a fleet ---- */

enum { METER_TEXT_BYTES = 64 };

struct meter {
	const char *label;
	double used, all;
	enum paint paint; /* of the bar */
	char text[METER_TEXT_BYTES];
};

/* "cpus    [||||||      1.9/4]" */
void header_meter(struct canvas *canvas, int row, int column, int width, const struct meter *meter);
void header_bytes(struct meter *ret, const char *label, uint64_t used, uint64_t all);
/* The newest rate of n is at the right edge. */
void header_history(struct canvas *canvas, int row, double rate, const double *history, unsigned n);

#endif
