/* task_row.h - a task as one row: a private copy of it, and the columns it can be shown in.
 *
 * What costs more than a look at the record (text, label, what a log holds) is read only for
 * columns that show it, or when it is asked for.
 * Who: plmctl on a live runtime, plmdump on any control segment (without a store: no texts).
 * Blocks: in stdio.  Allocates: never. */
#ifndef PLM_CLI_TASK_ROW_H
#define PLM_CLI_TASK_ROW_H

#include "cli/output.h"
#include "cli/view.h"
#include "tables/command_block.h"

enum { TASK_TEXT_BYTES = 1024, TASK_COLUMNS_MAX = 24 };

struct task_row {
	struct record_view view;
	bool kept;     /* by the runtime: PLM_KEEP */
	bool has_exit; /* it ran, is settled, and ended in a way that has a number */
	int32_t exit;  /* exit code; 128 + a signal; of a function that failed its code */
	bool has_output;
	uint64_t output_bytes;      /* to stdout; of a function the value's */
	uint64_t queue_ms;          /* until the last attempt began, or until now */
	char text[TASK_TEXT_BYTES]; /* the words of a command, the name of a function */
	char label[COMMAND_LABEL_MAX + 1];
};

/* False: there is no task at this index. */
bool task_row_read(const struct tables *t, uint32_t index, bool with_texts, struct task_row *ret);

struct task_columns { /* which are shown, in which order */
	unsigned n;
	unsigned char which[TASK_COLUMNS_MAX];
	bool with_texts; /* one of them needs what is read with texts */
	struct column column[TASK_COLUMNS_MAX];
};

/* What is shown when nothing was said: to people, to programs (JSON: all), by plmdump. */
void task_columns_usual(struct task_columns *ret);
void task_columns_all(struct task_columns *ret);
void task_columns_bare(struct task_columns *ret); /* without texts */

/* By its name or its key in JSON; negative if there is none. Adds it to the columns. */
int task_column_find(const char *name, size_t length);
void task_columns_add(struct task_columns *columns, int which);
/* The names of all, with blanks between them. */
void task_columns_names(char *ret, size_t size);

/* To sort by: a number, or a text (then *ret_text is not NULL and lies in the row). */
uint64_t task_column_key(int which, const struct task_row *row, const char **ret_text);
bool task_column_reads_texts(int which);

void task_list_begin(struct output *out, const struct task_columns *columns);
void task_row_print(const struct tables *t, struct output *out, const struct task_columns *columns,
    const struct task_row *row);

#endif
