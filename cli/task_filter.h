/* task_filter.h - which tasks a command is about: options, and the judgement of tasks.
 *
 * `tasks` shows them, `cancel`, `requeue`, `retry`, `forget`, `move` and `wait` act on them. A
 * command lists task_filter_rows in its options. A task passes if all options hold; of several
 * states or labels any is enough. Commands that act want references or a filter: a forgotten
 * word on the command line must not mean "all tasks".
 * Blocks: never.  Allocates: selections. */
#ifndef PLM_CLI_TASK_FILTER_H
#define PLM_CLI_TASK_FILTER_H

#include "cli/arguments.h"
#include "cli/task_row.h"

/* The target is a struct task_filter. */
extern const struct option_row task_filter_rows[];

enum { FILTER_TEXTS_MAX = 16 };

struct filter_texts {
	unsigned n;
	const char *text[FILTER_TEXTS_MAX];
};

struct task_filter {     /* zeroes: all tasks */
	uint32_t states; /* bits; 0: any */
	struct filter_texts include, exclude, label;
	uint64_t from, to; /* rows; 0: no such bound */
	bool kept;         /* only kept tasks; set by commands, not by an option */
	bool given;        /* some option was given */
};

/* Restricts the filter to some states ("todo,in_progress"). A filter for other states is a usage
 * error. */
void filter_only(const struct context *context, struct task_filter *filter, const char *states);

/* Does a row that was read pass the filter, apart from its rows? */
bool filter_fits(const struct task_filter *filter, const plm_task_row *row);
/* Does the task pass the filter, apart from its rows? Also false: the task is gone. */
bool filter_task(plm_inspect *in, plm_ref ref, const struct task_filter *filter, bool with_texts,
    plm_task_row *ret);

/* The tasks that pass the filter, apart from its rows, one by one. */
enum { FILTER_PAGE_ROWS = 64 };
struct filter_page {
	plm_inspect *in;
	const struct task_filter *filter;
	plm_task_filter states;
	unsigned flags;
	uint64_t cursor;
	int at, n;
	plm_task_row row[FILTER_PAGE_ROWS];
};
void filter_begin(
    struct filter_page *page, plm_inspect *in, const struct task_filter *filter, bool with_texts);
const plm_task_row *filter_next(struct filter_page *page); /* NULL: no more */

/* Is row n, counted from 1, among the rows of the filter; is n beyond the last of these rows? */
bool filter_row(const struct task_filter *filter, uint64_t n);
bool filter_is_over(const struct task_filter *filter, uint64_t n);

/* Selected by reference or by filter. */
struct selection {
	size_t n;
	plm_ref *ref;
	bool named; /* by reference: a missing task is an error */
};

/* Selects by the operands, or by the filter. Connects. EXIT_FINE, or an exit code after a message;
 * the caller frees in each case. */
int select_tasks(struct context *context, int argc, char **argv, const struct task_filter *filter,
    struct selection *ret);
void selection_free(struct selection *selection);

#endif
