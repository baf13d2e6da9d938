#include "cli/top/top_view.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_BYTES = 512, ROOM_LEAST = 64 };

struct ranked { /* a row with the cell that decides */
	struct cell cell;
	uint32_t row;
};

void view_begin(struct view *view)
{
	*view = (struct view){ .pane = PANE_WORKERS };
	for (int i = 0; i < PANES; i++)
		view->of[i].sorted_by = panes[i].sorted_by;
}

void view_end(struct view *view)
{
	for (int i = 0; i < PANES; i++)
		free(view->of[i].order);
}

void view_say(struct view *view, const char *format, ...)
{
	va_list words;
	va_start(words, format);
	vsnprintf(view->message, sizeof view->message, format, words);
	va_end(words);
}

/* ---- order ---- */

static bool view_passes(
    const struct facts *facts, const struct pane *pane, size_t row, const char *filter)
{
	char text[CELL_BYTES];
	if (!filter[0])
		return true;
	for (unsigned column = 0; column < pane->n; column++) {
		struct cell cell = pane->cell(facts, row, column);
		if (cell.form != CELL_TEXT && cell.form != CELL_REF)
			continue;
		cell_print(&cell, text, sizeof text);
		if (strcasestr(text, filter))
			return true;
	}
	return false;
}

/* Rows without a cell come last in either order, so a number is above them. */
static int view_compare_cells(const struct cell *a, const struct cell *b)
{
	bool texts = a->form == CELL_TEXT && b->form == CELL_TEXT;
	if (texts && a->number == b->number)
		return strcmp(a->text, b->text);
	if (texts)
		return a->number < b->number ? -1 : 1;
	if (a->form == CELL_TEXT || b->form == CELL_TEXT)
		return a->form == CELL_TEXT ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

static int view_compare(const void *x, const void *y, void *downward)
{
	const struct ranked *a = x, *b = y;
	bool a_none = a->cell.form == CELL_NONE, b_none = b->cell.form == CELL_NONE;
	if (a_none != b_none)
		return a_none - b_none;
	int order = a_none ? 0 : view_compare_cells(&a->cell, &b->cell);
	if (order == 0)
		return (a->row > b->row) - (a->row < b->row);
	return *(bool *)downward ? -order : order;
}

static bool view_make_room(struct pane_view *of, size_t rows)
{
	if (rows <= of->room)
		return true;
	size_t room = rows > ROOM_LEAST ? rows : ROOM_LEAST;
	uint32_t *order = realloc(of->order, room * sizeof *order);
	if (!order)
		return false;
	of->order = order;
	of->room = room;
	return true;
}

static void view_find_chosen(
    struct pane_view *of, const struct facts *facts, const struct pane *pane)
{
	for (size_t i = 0; of->chosen_known && i < of->n; i++)
		if (pane->id(facts, of->order[i]) == of->chosen_id) {
			of->chosen = i;
			return;
		}
	if (of->chosen >= of->n)
		of->chosen = of->n ? of->n - 1 : 0;
	if (of->chosen_known && of->n)
		of->chosen_id = pane->id(facts, of->order[of->chosen]);
}

void view_arrange(struct view *view, const struct facts *facts, enum pane_number number)
{
	const struct pane *pane = &panes[number];
	struct pane_view *of = &view->of[number];
	size_t rows = facts->in ? pane->rows(facts) : 0;
	struct ranked *ranked = malloc((rows + 1) * sizeof *ranked);
	bool downward = pane_columns(facts, number)[of->sorted_by].downward != of->upward;
	of->n = 0;
	if (!ranked || !view_make_room(of, rows)) {
		free(ranked);
		return;
	}
	for (size_t row = 0; row < rows; row++)
		if (view_passes(facts, pane, row, of->filter))
			ranked[of->n++] =
			    (struct ranked){ .cell = pane->cell(facts, row, of->sorted_by),
				    .row = (uint32_t)row };
	qsort_r(ranked, of->n, sizeof *ranked, view_compare, &downward);
	for (size_t i = 0; i < of->n; i++)
		of->order[i] = ranked[i].row;
	free(ranked);
	view_find_chosen(of, facts, pane);
}

/* ---- the choice ---- */

void view_move(struct view *view, const struct facts *facts, long rows)
{
	struct pane_view *of = &view->of[view->pane];
	if (of->n == 0)
		return;
	long chosen = (long)of->chosen + rows, last = (long)of->n - 1;
	of->chosen = (size_t)(chosen < 0 ? 0 : chosen > last ? last : chosen);
	of->chosen_known = true;
	of->chosen_id = panes[view->pane].id(facts, of->order[of->chosen]);
}

void view_scroll(struct pane_view *of, size_t visible)
{
	if (visible == 0)
		visible = 1;
	if (of->chosen < of->first)
		of->first = of->chosen;
	if (of->chosen >= of->first + visible)
		of->first = of->chosen - visible + 1;
	if (of->first + visible > of->n)
		of->first = of->n > visible ? of->n - visible : 0;
}

bool view_chosen(const struct view *view, size_t *ret_row)
{
	const struct pane_view *of = &view->of[view->pane];
	if (of->chosen >= of->n)
		return false;
	*ret_row = of->order[of->chosen];
	return true;
}
