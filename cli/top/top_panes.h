/* top_panes.h - the panes of plmctl top as tables: rows, columns, cells.
 *
 * Each pane gives for a row and a column one cell, which is a number or a text with a form. Sorting
 * compares cells, a filter looks into their texts, and drawing prints the texts: so what is seen is
 * what is sorted and found. A new column is a line in a table and a case in a function.
 * Blocks, allocates: never. */
#ifndef PLM_CLI_TOP_PANES_H
#define PLM_CLI_TOP_PANES_H

#include "cli/top/top_functions.h"
#include "cli/top/top_model.h"
#include "cli/top/top_reasons.h"

struct facts { /* all that panes show */
	plm_inspect *in;
	struct model model;
	struct counting counting;
	struct reasons reasons;
	struct flow flow;
	struct functions functions;
};

enum cell_form {
	CELL_NONE, /* "-" */
	CELL_TEXT,
	CELL_NUMBER,
	CELL_ABOUT,   /* a number that is estimated: "~120" */
	CELL_RATE,    /* "1.2k" */
	CELL_PERCENT, /* of 1 */
	CELL_MS,
	CELL_NS,
	CELL_REF,
};

struct cell {
	enum cell_form form;
	double number;    /* of a text: its rank among texts; equal ones go by the alphabet */
	const char *text; /* in the row */
	plm_ref ref;
};

struct pane_column {
	const char *title;
	int width;     /* negative: to the left; 0: to the right edge */
	bool downward; /* sorted by this column, the largest comes first */
};

enum pane_number { PANE_WORKERS, PANE_FUNCTIONS, PANE_REASONS, PANE_PRIORITIES, PANE_TASKS, PANES };

struct pane {
	const char *name;
	const char *empty; /* instead of rows */
	/* While the event log is read, the others: as many. */
	const struct pane_column *columns, *logged_columns;
	unsigned n;
	unsigned sorted_by; /* at the start */
	size_t (*rows)(const struct facts *facts);
	struct cell (*cell)(const struct facts *facts, size_t row, unsigned column);
	/* A number that stays with the subject of the row while rows move. */
	uint64_t (*id)(const struct facts *facts, size_t row);
	/* Reads a row on the screen more closely; NULL: no need. */
	void (*look_close)(struct facts *facts, size_t row);
	/* Words about the whole pane. */
	void (*about)(const struct facts *facts, char *ret, size_t size);
};

extern const struct pane panes[PANES];

const struct pane_column *pane_columns(const struct facts *facts, enum pane_number pane);

void cell_print(const struct cell *cell, char *ret, size_t size);
/* 1200 as "1.2k". */
void rate_print(double rate, char *ret, size_t size);

/* What the keys act on; false: the row has none. */
bool pane_task(const struct facts *facts, enum pane_number pane, size_t row, plm_ref *ret,
    const char **ret_what);
bool pane_worker(
    const struct facts *facts, enum pane_number pane, size_t row, uint32_t *ret, bool *ret_drained);

#endif
