/* top_layout.h - what stands where in a frame.
 *
 * Header, names of the panes, a line about the pane, titles, rows; at the bottom keys, message or
 * question. A low terminal loses the meters first, then the header, and keeps the rows.
 * Allocates: view_arrange().  Blocks: never. */
#ifndef PLM_CLI_TOP_LAYOUT_H
#define PLM_CLI_TOP_LAYOUT_H

#include "cli/top/top_canvas.h"
#include "cli/top/top_view.h"

struct frame { /* what a frame is drawn from */
	struct facts *facts;
	struct view *view;
	const char *name, *trouble;
};

/* For a terminal, in the size of the canvas. */
void layout_draw(struct canvas *canvas, const struct frame *frame);
/* For --once: the header and the first rows of each pane, below each other; the canvas has
 * layout_once_rows() rows. */
int layout_once_rows(void);
void layout_draw_once(struct canvas *canvas, const struct frame *frame);
/* How many rows of a pane layout_draw() shows on a canvas of this size. */
size_t layout_visible(const struct canvas *canvas);

#endif
