/* top_view.h - what the user of plmctl top has chosen: pane, row, order, filter, question.
 *
 * The chosen row stays with its subject while rows move, because a key may cancel the task. A key
 * acts on what was chosen when the frame was drawn: a question keeps the reference itself.
 * Allocates: view_arrange().  Blocks: never. */
#ifndef PLM_CLI_TOP_VIEW_H
#define PLM_CLI_TOP_VIEW_H

#include "cli/top/top_panes.h"

enum { FILTER_BYTES = 64, SAYING_BYTES = 256 };

struct pane_view {
	unsigned sorted_by;
	bool upward; /* the order of the column turned around */
	char filter[FILTER_BYTES];
	size_t chosen, first; /* among the rows in order; the first one on the screen */
	uint64_t chosen_id;
	bool chosen_known; /* the user has moved; before, the first row is chosen */
	uint32_t *order;   /* rows that pass the filter, sorted */
	size_t n, room;
};

enum view_mode { VIEW_ROWS, VIEW_HELP, VIEW_FILTER, VIEW_QUESTION };

enum deed { DEED_NONE, DEED_CANCEL, DEED_DRAIN_WORKER, DEED_DRAIN };

struct view {
	enum pane_number pane;
	struct pane_view of[PANES];
	enum view_mode mode;
	char input[FILTER_BYTES]; /* VIEW_FILTER: what is typed */
	enum deed deed;           /* VIEW_QUESTION: done after a yes */
	plm_ref deed_task;
	uint32_t deed_worker;
	char question[SAYING_BYTES];
	char message[SAYING_BYTES]; /* until the next key */
	bool quits;
};

void view_begin(struct view *view);
void view_end(struct view *view);
/* Filters and sorts the rows of the pane anew, and finds the chosen row again. */
void view_arrange(struct view *view, const struct facts *facts, enum pane_number pane);
/* Moves the choice by rows; scrolls so that the choice is among `visible` rows. */
void view_move(struct view *view, const struct facts *facts, long rows);
void view_scroll(struct pane_view *of, size_t visible);
/* The row of the table that is chosen; false: there is none. */
bool view_chosen(const struct view *view, size_t *ret_row);
__attribute__((format(printf, 2, 3))) void view_say(struct view *view, const char *format, ...);

#endif
