/* task_row.h - a task as a row of a table, and the columns of that table.
 *
 * Texts cost a look into the store (PLM_LOOK_TEXTS), so only columns or filters that need
 * texts read texts.
 * Who: plmctl on a living runtime, plmdump on everything plm_inspect.h can open.
 * Blocks: in stdio.  Allocates: never. */
#ifndef PLM_CLI_TASK_ROW_H
#define PLM_CLI_TASK_ROW_H

#include "cli/output.h"
#include "client/plm_inspect.h"

enum { TASK_COLUMNS_MAX = 24 };

struct task_columns { /* which are shown, in which order */
	unsigned n;
	unsigned char which[TASK_COLUMNS_MAX];
	bool with_texts; /* a column needs PLM_LOOK_TEXTS */
	struct column column[TASK_COLUMNS_MAX];
};

/* The columns without --columns: for people, for programs (JSON: all), of plmdump. */
void task_columns_usual(struct task_columns *ret);
void task_columns_all(struct task_columns *ret);
void task_columns_bare(struct task_columns *ret); /* without texts */

/* A column by name or by key in JSON; negative: no such column. */
int task_column_find(const char *name, size_t length);
void task_columns_add(struct task_columns *columns, int which);
/* The names of all, with blanks between them. */
void task_columns_names(char *ret, size_t size);

/* The sort key: a number, or a text in the row (then *ret_text is not NULL). */
int64_t task_column_key(int which, const plm_task_row *row, const char **ret_text);
bool task_column_reads_texts(int which);

/* The wall-clock time, in milliseconds since 1970, of what was so long ago. */
int64_t task_moment(uint64_t ago_ms);
/* A cell: the part of a reference that is enough for plmctl. */
void task_cell_id(struct output *out, plm_ref ref);

#endif
