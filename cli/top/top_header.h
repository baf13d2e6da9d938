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

#endif
