#include "cli/top/top_layout.h"

#include <stdlib.h>
#include <string.h>

#include "cli/top/top_header.h"
#include "cli/top/top_keys_help.h"

enum {
	HEADER_ROWS = 7, /* with a line of trouble */
	PANE_ROWS = 3,   /* names, about, titles */
	BOTTOM_ROWS = 1,
	ROWS_LEAST = 3, /* of a pane, before the header shrinks */
	ONCE_ROWS = 20,
	CELL_BYTES = 512,
	ABOUT_BYTES = 160,
};

/* ---- a pane ---- */

static int layout_width(const struct canvas *canvas, int at, int width)
{
	return width != 0 ? width : -(canvas->columns > at ? canvas->columns - at : 0);
}

static void layout_titles(
    struct canvas *canvas, int row, const struct facts *facts, enum pane_number number)
{
	const struct pane_column *columns = pane_columns(facts, number);
	int at = 0;
	for (unsigned i = 0; i < panes[number].n; i++) {
		at = canvas_put_field(canvas, row, at, layout_width(canvas, at, columns[i].width),
			 PAINT_HEAD, columns[i].title) +
		    1;
	}
}

static enum paint layout_paint(const struct cell *cell)
{
	static const char *const bad[] = { "failed", "dead", "stopped", "suspect", "drained" };
	for (size_t i = 0; cell->form == CELL_TEXT && i < sizeof bad / sizeof bad[0]; i++)
		if (strcmp(cell->text, bad[i]) == 0)
			return PAINT_BAD;
	return PAINT_PLAIN;
}

static void layout_row(
    struct canvas *canvas, int row, const struct facts *facts, enum pane_number number, size_t of)
{
	const struct pane *pane = &panes[number];
	const struct pane_column *columns = pane_columns(facts, number);
	char text[CELL_BYTES];
	int at = 0;
	for (unsigned i = 0; i < pane->n && at < canvas->columns; i++) {
		struct cell cell = pane->cell(facts, of, i);
		cell_print(&cell, text, sizeof text);
		at = canvas_put_field(canvas, row, at, layout_width(canvas, at, columns[i].width),
			 layout_paint(&cell), text) +
		    1;
	}
}

static void layout_about(
    struct canvas *canvas, int row, const struct frame *frame, enum pane_number number)
{
	const struct pane *pane = &panes[number];
	const struct pane_view *of = &frame->view->of[number];
	char about[ABOUT_BYTES] = "";
	if (frame->facts->in)
		pane->about(frame->facts, about, sizeof about);
	const struct pane_column *column = &pane_columns(frame->facts, number)[of->sorted_by];
	int at = canvas_putf(canvas, row, 0, PAINT_DIM, "by %s%s", column->title,
	    column->downward != of->upward ? ", largest first" : "");
	if (of->filter[0])
		at =
		    canvas_putf(canvas, row, at, PAINT_WARN, "; only rows with \"%s\"", of->filter);
	canvas_putf(canvas, row, at, PAINT_DIM, "; %s", about);
}

/* The pane shows tasks, and the first pass over the tasks goes on. */
static bool layout_counting(const struct facts *facts, enum pane_number number)
{
	const struct counting *c = &facts->counting;
	bool first = !c->last || c->last->ended_ns == 0;
	return number != PANE_WORKERS &&
	    (first || (number == PANE_REASONS && reasons_going(&facts->reasons)));
}

/* Rows that fit from `row` to before `end`; `chosen` marks the chosen row. */
static void layout_rows(struct canvas *canvas, int row, int end, const struct frame *frame,
    enum pane_number number, bool chosen)
{
	const struct pane *pane = &panes[number];
	const struct pane_view *of = &frame->view->of[number];
	if (of->n == 0 && row < end) {
		canvas_put(canvas, row, 0, PAINT_DIM,
		    !frame->facts->in                           ? "no runtime"
			: of->filter[0]                         ? "no row passes the filter"
			: layout_counting(frame->facts, number) ? "the tasks are being counted"
								: pane->empty);
		return;
	}
	for (size_t i = of->first; i < of->n && row < end; i++, row++) {
		if (pane->look_close)
			pane->look_close(frame->facts, of->order[i]);
		layout_row(canvas, row, frame->facts, number, of->order[i]);
		if (chosen && i == of->chosen)
			canvas_paint_row(canvas, row, PAINT_CHOSEN);
	}
}

/* ---- the lines around ---- */

static void layout_names(struct canvas *canvas, int row, enum pane_number chosen)
{
	int at = 0;
	for (int i = 0; i < PANES; i++)
		at = canvas_putf(canvas, row, at, i == (int)chosen ? PAINT_CHOSEN : PAINT_PLAIN,
			 i == (int)chosen ? "[%s]" : " %s ", panes[i].name) +
		    1;
}

static void layout_bottom(struct canvas *canvas, int row, const struct view *view)
{
	if (view->mode == VIEW_QUESTION)
		canvas_putf(canvas, row, 0, PAINT_WARN, "%s (y/n)", view->question);
	else if (view->mode == VIEW_FILTER)
		canvas_putf(canvas, row, 0, PAINT_WARN, "filter: %s_  (Enter keeps, Esc removes)",
		    view->input);
	else if (view->message[0])
		canvas_put(canvas, row, 0, PAINT_WARN, view->message);
	else
		canvas_put(canvas, row, 0, PAINT_DIM, KEYS_BAR);
}

static void layout_help(struct canvas *canvas)
{
	static const char *const lines[] = { KEYS_HELP(KEYS_AS_LINE) };
	canvas_put(canvas, 0, 0, PAINT_BOLD, "plmctl top: keys (any key goes back)");
	for (int i = 0; i < (int)(sizeof lines / sizeof lines[0]); i++)
		canvas_put(canvas, i + 1, 0, PAINT_PLAIN, lines[i]);
}

/* ---- frames ---- */

static int layout_header_rows(const struct canvas *canvas)
{
	int rows = canvas->rows - PANE_ROWS - BOTTOM_ROWS - ROWS_LEAST;
	return rows < 0 ? 0 : rows > HEADER_ROWS ? HEADER_ROWS : rows;
}

/* Where the rows of the pane begin. A terminal too low for names and titles shows rows alone. */
static int layout_above(const struct canvas *canvas, int header_end)
{
	int left = canvas->rows - header_end - BOTTOM_ROWS;
	return left > PANE_ROWS ? PANE_ROWS : left > 1 ? 1 : 0;
}

void layout_draw(struct canvas *canvas, const struct frame *frame)
{
	struct view *view = frame->view;
	canvas_clear(canvas);
	if (view->mode == VIEW_HELP) {
		layout_help(canvas);
		return;
	}
	int row = header_draw(
	    canvas, 0, layout_header_rows(canvas), frame->facts, frame->name, frame->trouble);
	int above = layout_above(canvas, row), end = canvas->rows - BOTTOM_ROWS;
	view_arrange(view, frame->facts, view->pane);
	if (above > 0)
		layout_names(canvas, row, view->pane);
	if (above == PANE_ROWS) {
		layout_about(canvas, row + 1, frame, view->pane);
		layout_titles(canvas, row + 2, frame->facts, view->pane);
	}
	row += above;
	view_scroll(&view->of[view->pane], end > row ? (size_t)(end - row) : 0);
	layout_rows(canvas, row, end, frame, view->pane, true);
	layout_bottom(canvas, canvas->rows - 1, view);
}

size_t layout_visible(const struct canvas *canvas)
{
	int header = layout_header_rows(canvas);
	int rows = canvas->rows - BOTTOM_ROWS - header - layout_above(canvas, header);
	return rows > 1 ? (size_t)rows : 1;
}

int layout_once_rows(void)
{
	return HEADER_ROWS + PANES * (ONCE_ROWS + PANE_ROWS + 2);
}

void layout_draw_once(struct canvas *canvas, const struct frame *frame)
{
	int row = header_draw(canvas, 0, HEADER_ROWS, frame->facts, frame->name, frame->trouble);
	for (int i = 0; i < PANES; i++) {
		enum pane_number number = (enum pane_number)i;
		struct pane_view *of = &frame->view->of[i];
		view_arrange(frame->view, frame->facts, number);
		int at = canvas_put(canvas, ++row, 0, PAINT_BOLD, panes[i].name);
		canvas_put(canvas, row++, at, PAINT_BOLD, ":");
		layout_about(canvas, row++, frame, number);
		if (of->n > 0)
			layout_titles(canvas, row++, frame->facts, number);
		layout_rows(canvas, row, row + ONCE_ROWS, frame, number, false);
		row += of->n == 0 ? 1 : of->n < ONCE_ROWS ? (int)of->n : ONCE_ROWS;
		if (of->n > ONCE_ROWS)
			canvas_putf(canvas, row++, 0, PAINT_DIM, "and %zu more", of->n - ONCE_ROWS);
	}
}
