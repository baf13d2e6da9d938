/* task_row.h - a task as one row of a table: the columns in which it can be shown.
 *
 * What costs more than a look at the record (the command, its label, what a log holds) is read only
 * for columns that show it (PLM_LOOK_TEXTS), or when a filter asks for it.
 * Who: plmctl on a living runtime, plmdump on whatever plm_inspect.h can open.
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

/* What is shown when no columns were named: to people, to programs (JSON: all), by plmdump. */
void task_columns_usual(struct task_columns *ret);
void task_columns_all(struct task_columns *ret);
void task_columns_bare(struct task_columns *ret); /* without texts */

/* By its name or its key in JSON; negative if there is none. Adds it to the columns. */
int task_column_find(const char *name, size_t length);
void task_columns_add(struct task_columns *columns, int which);
/* The names of all, with blanks between them. */
void task_columns_names(char *ret, size_t size);

/* To sort by: a number, or a text (then *ret_text is not NULL and lies in the row). */
uint64_t task_column_key(int which, const plm_task_row *row, const char **ret_text);
bool task_column_reads_texts(int which);

void task_list_begin(struct output *out, const struct task_columns *columns);
void task_row_print(
    struct output *out, const struct task_columns *columns, const plm_task_row *row);

#endif
