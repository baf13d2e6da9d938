#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "cli/fleet_door.h"
#include "cli/look.h"
#include "cli/task_filter.h"
#include "cli/watch.h"

enum { NAMES_BYTES = 256, ROWS_LEAST = 256 };
enum { SORT_SUBMITTED = -1 }; /* no column: in the order of submission */

struct list {
	struct task_filter filter;
	struct task_columns columns;
	uint64_t most;                        /* rows */
	const char *sort_word, *column_words; /* NULL: not given */
	int sort;                             /* column, or SORT_SUBMITTED */
	bool falling, unsorted;
	struct watch watch;
};

/* ---- options ---- */

/* The number of a column, or -EINVAL. */
static int tasks_column_word(const char *option, const char *word, size_t length)
{
	char names[NAMES_BYTES];
	int which = task_column_find(word, length);
	if (which >= 0)
		return which;
	task_columns_names(names, sizeof names);
	return why(-EINVAL, "%s: unknown column %.*s; the columns are %s", option, (int)length,
	    word, names);
}

static int tasks_add_column(struct task_columns *columns, const char *word, size_t length)
{
	int which = tasks_column_word("--columns", word, length);
	for (unsigned i = 0; i < columns->n && which >= 0; i++)
		if (columns->which[i] == which)
			return why(-EINVAL, "--columns names %.*s twice", (int)length, word);
	if (which >= 0)
		task_columns_add(columns, which);
	return which;
}

static int tasks_take_columns(struct task_columns *columns, const char *words)
{
	*columns = (struct task_columns){ .n = 0 };
	for (;;) {
		size_t length = strcspn(words, ",");
		int r = tasks_add_column(columns, words, length);
		if (r < 0 || !words[length])
			return r < 0 ? r : 0;
		words += length + 1;
	}
}

static const struct option_row rows[] = {
	{ "limit", NULL, NULL, OPTION_NUMBER, .word = "N", .help = "at most N rows",
	    OPTION_FIELD(struct list, most), .most = LONG_MAX },
	{ "sort", NULL, NULL, OPTION_TEXT, .word = "COLUMN", .standard = "order of submission",
	    .help = "smallest first; -COLUMN: largest first",
	    OPTION_FIELD(struct list, sort_word) },
	{ "unsorted", NULL, NULL, OPTION_FLAG,
	    .help = "rows as they are found: the first of a million comes at once",
	    OPTION_FIELD(struct list, unsorted) },
	{ "columns", NULL, NULL, OPTION_TEXT, .word = "NAME,...",
	    .help = "these columns, in this order: ref id state function priority attempt worker "
		    "submitted age queued ran args pending held kept fails returns exit output "
		    "label command (with --json all of them, unless some are named)",
	    OPTION_FIELD(struct list, column_words) },
	{ 0 },
};

static int tasks_take_sort(struct list *list)
{
	list->falling = list->sort_word[0] == '-';
	const char *word = list->sort_word + list->falling;
	list->sort = tasks_column_word("--sort", word, strlen(word));
	return list->sort < 0 ? list->sort : 0;
}

/* Ids alone with --quiet, all columns for programs, the important ones for people. */
static void tasks_choose_columns(const struct context *context, struct task_columns *columns)
{
	if (context->quiet) {
		*columns = (struct task_columns){ .n = 0 };
		task_columns_add(columns, task_column_find("ref", strlen("ref")));
	} else if (!columns->n && context->json) {
		task_columns_all(columns);
	} else if (!columns->n) {
		task_columns_usual(columns);
	}
}

/* A fleet has columns of its own. */
static void tasks_choose(const struct context *context, struct list *list)
{
	int r = list->sort_word ? tasks_take_sort(list) : 0;
	if (r == 0 && list->column_words)
		r = tasks_take_columns(&list->columns, list->column_words);
	if (r < 0)
		usage_error(context, "%s", why_text());
	tasks_choose_columns(context, &list->columns);
}

/* ---- in the order of the table: first rows are printed before the last record is read ---- */

static int tasks_stream(struct context *context, const struct list *list)
{
	static struct filter_page page;
	struct output *out = &context->out;
	const plm_task_row *row;
	uint64_t found = 0, shown = 0;
	filter_begin(&page, context->in, &list->filter, list->columns.with_texts);
	while (shown < list->most && !ferror(out->file) && !filter_is_over(&list->filter, found) &&
	    (row = filter_next(&page)) != NULL) {
		if (!filter_row(&list->filter, ++found))
			continue;
		table_row(out, row);
		shown++;
	}
	return EXIT_FINE;
}

/* ---- sorted ---- */

struct sorted {
	plm_ref ref;
	int64_t number;
	uint64_t turn; /* of tasks submitted in one millisecond */
	char *text;    /* NULL: by number */
};

struct found {
	struct sorted *row;
	size_t n, room;
};

static int tasks_compare(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	int order = x->text && y->text ? strcmp(x->text, y->text)
				       : (x->number > y->number) - (x->number < y->number);
	uint32_t i = (uint32_t)x->ref.id, j = (uint32_t)y->ref.id;
	order = order ? order : (x->turn > y->turn) - (x->turn < y->turn);
	return order ? order : (i > j) - (i < j);
}

static bool tasks_add_found(struct found *all, int column, const plm_task_row *row)
{
	const char *text = NULL;
	if (all->n == all->room) {
		size_t room = all->room ? all->room * 2 : ROWS_LEAST;
		struct sorted *more = realloc(all->row, room * sizeof *more);
		if (!more)
			return false;
		all->row = more;
		all->room = room;
	}
	struct sorted *new = &all->row[all->n];
	*new = (struct sorted){ .ref = row->ref };
	if (column == SORT_SUBMITTED) {
		new->number = -(int64_t)row->age_ms;
		new->turn = row->turn;
	} else {
		new->number = task_column_key(column, row, &text);
	}
	if (text && !(new->text = strdup(text)))
		return false;
	all->n++;
	return true;
}

static int tasks_find_all(struct context *context, const struct list *list, struct found *ret)
{
	static struct filter_page page;
	const plm_task_row *row;
	filter_begin(&page, context->in, &list->filter,
	    list->sort >= 0 && task_column_reads_texts(list->sort));
	while ((row = filter_next(&page)) != NULL)
		if (!tasks_add_found(ret, list->sort, row))
			return failed(-ENOMEM, "sorting");
	if (ret->n)
		qsort(ret->row, ret->n, sizeof *ret->row, tasks_compare);
	return EXIT_FINE;
}

/* A task that went meanwhile, or fits no longer, is left out; no later task takes the number. */
static void tasks_print_found(
    struct context *context, const struct list *list, const struct found *all)
{
	static plm_task_row row;
	struct output *out = &context->out;
	uint64_t shown = 0;
	for (size_t i = 0; i < all->n && shown < list->most && !ferror(out->file); i++) {
		plm_ref ref = all->row[list->falling ? all->n - 1 - i : i].ref;
		if (!filter_row(&list->filter, i + 1) ||
		    !filter_task(context->in, ref, &list->filter, list->columns.with_texts, &row))
			continue;
		table_row(out, &row);
		shown++;
	}
}

static int tasks_sort(struct context *context, const struct list *list)
{
	struct found all = { .n = 0 };
	int code = tasks_find_all(context, list, &all);
	if (code == EXIT_FINE)
		tasks_print_found(context, list, &all);
	for (size_t i = 0; i < all.n; i++)
		free(all.row[i].text);
	free(all.row);
	return code;
}

static int tasks_show(struct context *context, void *argument)
{
	const struct list *list = argument;
	if (context->fleet)
		return fleet_tasks(
		    context, &list->filter, list->most, list->sort_word, list->column_words);
	int code = look_open(context);
	if (code != EXIT_FINE)
		return code;
	table_begin(&context->out, list->columns.column, list->columns.n);
	return list->unsorted ? tasks_stream(context, list) : tasks_sort(context, list);
}

static int tasks_run(struct context *context, int argc, char **argv)
{
	struct list list = { .most = UINT64_MAX, .sort = SORT_SUBMITTED };
	take_options(context, argc, argv, (void *[]){ &list.filter, &list, &list.watch });
	expect_operands(context, argc, 0, 0);
	if (list.unsorted && list.sort_word)
		usage_error(context, "--unsorted cannot be combined with --sort");
	if (!context->fleet)
		tasks_choose(context, &list);
	return watch_run(context, &list.watch, tasks_show, &list);
}

const struct command cmd_tasks = {
	.name = "tasks",
	.usage = "[OPTION]...",
	.help = "list the tasks: those that wait or run, and those that are kept",
	.options = { task_filter_rows, rows, watch_rows },
	.notes =
	    "Rows come in the order of submission; ID is the part of REF that plmctl needs.\n"
	    "EXIT is the exit code of a command, 128+N of\n"
	    "signal N, the code of another failure; OUTPUT the size of its stdout; COMMAND its\n"
	    "words, or the function of a task that is no command. Of the words the first thousand\n"
	    "bytes count, after the end of the task the first 239; a task that was cancelled\n"
	    "before it began has none. On a fleet, in the order of submission,\n"
	    "the columns are ref state priority attempt host ran exit label command needs after\n"
	    "retries crash_retries signal message submitted began ended.\n",
	.run = tasks_run,
	.fleet = true,
	.visits = true,
};
