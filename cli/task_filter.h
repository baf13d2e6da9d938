/* task_filter.h - which tasks a command is about: the options, and the judgement.
 *
 * `tasks` shows the tasks; `cancel`, `requeue`, `retry`, `forget`, `move` and `wait` act on them. A
 * command puts TASK_FILTER_OPTIONS into its option table and TASK_FILTER_HELP into its help, and
 * counts further options from OPTION_OF_FILTERED. A task has to satisfy every option given (but any
 * of several states, or of several labels, is enough). A command that acts requires references or a
 * filter: an empty command line must not mean "all".
 * Blocks: never.  Allocates: selections. */
#ifndef PLM_CLI_TASK_FILTER_H
#define PLM_CLI_TASK_FILTER_H

#include "cli/arguments.h"
#include "cli/task_row.h"

enum {
	OPTION_STATE = OPTION_OWN,
	OPTION_TODO,
	OPTION_IN_PROGRESS,
	OPTION_FINISHED,
	OPTION_FAILED,
	OPTION_INCLUDE,
	OPTION_EXCLUDE,
	OPTION_LABELLED,
	OPTION_ROWS,
	OPTION_OF_FILTERED, /* further options of a command */
};

#define TASK_FILTER_OPTIONS                                           \
	{ "state", required_argument, NULL, OPTION_STATE },           \
	    { "todo", no_argument, NULL, OPTION_TODO },               \
	    { "in-progress", no_argument, NULL, OPTION_IN_PROGRESS }, \
	    { "in_progress", no_argument, NULL, OPTION_IN_PROGRESS }, \
	    { "finished", no_argument, NULL, OPTION_FINISHED },       \
	    { "failed", no_argument, NULL, OPTION_FAILED },           \
	    { "include", required_argument, NULL, OPTION_INCLUDE },   \
	    { "exclude", required_argument, NULL, OPTION_EXCLUDE },   \
	    { "label", required_argument, NULL, OPTION_LABELLED },    \
	{                                                             \
		"rows", required_argument, NULL, OPTION_ROWS          \
	}

#define TASK_FILTER_HELP                                                                           \
	"  --state STATE,...  waiting, ready, running, done, failed, cancelled; dead: failed\n"    \
	"                     after all retries; todo: waiting and ready; in_progress: running;\n" \
	"                     finished: done\n"                                                    \
	"  --todo, --in-progress, --finished, --failed\n"                                          \
	"                     the same as --state todo and so on\n"                                \
	"  --include TEXT     only tasks with TEXT in their command (or function name)\n"          \
	"  --exclude TEXT     only tasks without TEXT there; both may be repeated, and each\n"     \
	"                     of them must hold\n"                                                 \
	"  --label TEXT       only tasks submitted with --label TEXT; if repeated, any of them\n"  \
	"  --rows FROM-TO     of all that is found only these rows of `tasks`, counted from 1:\n"  \
	"                     1-100, 7, 101-\n"

enum { FILTER_TEXTS_MAX = 16 };

struct filter_texts {
	unsigned n;
	const char *text[FILTER_TEXTS_MAX];
};

struct task_filter {     /* zeroes: all tasks */
	uint32_t states; /* bits; 0: any */
	struct filter_texts include, exclude, label;
	uint64_t from, to; /* rows; 0: no bound */
	bool kept;         /* only tasks with PLM_KEEP; no option sets this */
	bool given;        /* some option was given */
};

/* Takes an option of TASK_FILTER_OPTIONS, the value in optarg. False: not such an option. */
bool filter_option(const struct context *context, int option, struct task_filter *filter);

/* Limits the filter to these states ("todo,in_progress"); a filter without any of these states is a
 * usage error. */
void filter_only(const struct context *context, struct task_filter *filter, const char *states);

/* Does the task pass the filter, --rows ignored? Also false: no such task any more. */
bool filter_task(plm_inspect *in, plm_ref ref, const struct task_filter *filter, bool with_texts,
    plm_task_row *ret);

/* The tasks that pass the filter, --rows ignored, one at a time. */
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

/* Is row number n, from 1 on, in --rows; is n the last row or beyond? */
bool filter_row(const struct task_filter *filter, uint64_t n);
bool filter_is_over(const struct task_filter *filter, uint64_t n);

/* Selected by reference or by filter. */
struct selection {
	size_t n;
	plm_ref *ref;
	bool named; /* by reference: a missing task is an error */
};

/* From the operands behind the options, or by the filter. Connects. EXIT_FINE, or an exit code
 * after a message; the caller always frees the selection. */
int select_tasks(struct context *context, int argc, char **argv, const struct task_filter *filter,
    struct selection *ret);
void selection_free(struct selection *selection);

#endif
