/* fleet_tasks.c - tasks of a fleet as rows: tasks, sorted or as they come, and info. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/fleet/fleet_cli.h"

/* ---- a row ---- */

struct fleet_task { /* texts belong to the engine, or to a copy */
	plm_ref ref;
	int32_t priority, code, signal;
	uint32_t attempt, retries, crash_retries;
	uint64_t queued_ms, ran_ms, added_ms, began_ms, ended_ms;
	enum engine_state number;
	const char *state, *host, *label, *title, *message, *needs, *after;
	char *copy;
};

static void fleet_task_fill(
    const struct context *context, const struct engine_row *row, struct fleet_task *ret)
{
	*ret = (struct fleet_task){ .ref = engine_ref(context->engine, row->id),
		.priority = row->priority,
		.code = row->code,
		.signal = row->signal,
		.attempt = row->attempt,
		.retries = row->retries,
		.crash_retries = row->crash_retries,
		.queued_ms = row->began_ms > row->added_ms ? row->began_ms - row->added_ms : 0,
		.ran_ms = row->began_ms && row->ended_ms > row->began_ms
		    ? row->ended_ms - row->began_ms
		    : 0,
		.added_ms = row->added_ms,
		.began_ms = row->began_ms,
		.ended_ms = row->ended_ms,
		.number = row->state,
		.state = engine_state_name(row->state),
		.host = row->host,
		.label = row->label,
		.title = row->title,
		.message = row->message,
		.needs = row->needs,
		.after = row->after };
}

/* Texts stay after the next look into the engine. */
static bool fleet_task_keep(struct fleet_task *task)
{
	const char **const texts[] = { &task->host, &task->label, &task->title, &task->message,
		&task->needs, &task->after };
	size_t bytes = 0;
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		bytes += strlen(*texts[i]) + 1;
	char *to = task->copy = malloc(bytes);
	for (size_t i = 0; i < COUNT_OF(texts) && to; i++) {
		const char *from = *texts[i];
		*texts[i] = to;
		to = stpcpy(to, from) + 1;
	}
	return task->copy != NULL;
}

/* ---- columns ---- */

static void fleet_task_state(struct output *out, const void *row)
{
	const struct fleet_task *task = row;
	cell_tinted(out, task->state,
	    task->number == ENGINE_DONE         ? TINT_GOOD
		: task->number == ENGINE_FAILED ? TINT_BAD
						: TINT_NONE);
}

static bool fleet_task_has_code(const void *row)
{
	enum engine_state state = ((const struct fleet_task *)row)->number;
	return state == ENGINE_FAILED || state == ENGINE_DONE;
}

static bool fleet_task_has_signal(const void *row)
{
	return ((const struct fleet_task *)row)->signal != 0;
}

static bool fleet_task_has_begun(const void *row)
{
	return ((const struct fleet_task *)row)->began_ms != 0;
}

static bool fleet_task_has_ended(const void *row)
{
	return ((const struct fleet_task *)row)->ended_ms != 0;
}

static bool fleet_task_has_run(const void *row)
{
	return fleet_task_has_begun(row) && fleet_task_has_ended(row);
}

static void fleet_task_submitted(struct output *out, const void *row)
{
	cell_moment(out, (int64_t)((const struct fleet_task *)row)->added_ms);
}

static void fleet_task_started(struct output *out, const void *row)
{
	cell_moment(out, (int64_t)((const struct fleet_task *)row)->began_ms);
}

static void fleet_task_ended(struct output *out, const void *row)
{
	cell_moment(out, (int64_t)((const struct fleet_task *)row)->ended_ms);
}

#define ROW(name) PLAIN(struct fleet_task, name)
#define ROW_TEXT(name) TEXT_IF_ANY(struct fleet_task, name)

static const struct column task_columns[] = {
	{ "REF", "ref", -24, ROW(ref) },
	{ "STATE", "state", -9, ROW(state), .cell = fleet_task_state },
	{ "PRIO", "priority", 5, ROW(priority) },
	{ "TRY", "attempt", 3, ROW(attempt) },
	{ "HOST", "host", -16, ROW_TEXT(host) },
	{ "RAN", "run_ms", 6, MS(struct fleet_task, ran_ms), .known = fleet_task_has_run },
	{ "EXIT", "exit", 4, ROW(code), .known = fleet_task_has_code },
	{ "LABEL", "label", -8, ROW_TEXT(label) },
	{ "COMMAND", "command", -1, ROW_TEXT(title) },
	{ "NEEDS", "needs", -8, ROW_TEXT(needs) },
	{ "WAITS FOR", "after", -8, ROW_TEXT(after) },
	{ "RETRIES LEFT", "retries", 3, ROW(retries) },
	{ "CRASH RETRIES LEFT", "crash_retries", 3, ROW(crash_retries) },
	{ "SIGNAL", "signal", 3, ROW(signal), .known = fleet_task_has_signal },
	{ "MESSAGE", "message", -16, ROW_TEXT(message) },
	{ "SUBMITTED", "submitted", -19, ROW(added_ms), .cell = fleet_task_submitted },
	{ "STARTED", "started", -19, ROW(began_ms), .cell = fleet_task_started },
	{ "ENDED", "ended", -19, ROW(ended_ms), .cell = fleet_task_ended },
};
enum { COLUMNS_USUAL = 9, COLUMNS_ALL = COUNT_OF(task_columns) };

/* Names are the keys in JSON or the titles, as on a runtime. */
static const struct column *fleet_task_column(
    const struct context *context, const char *option, const char *word, size_t length)
{
	char names[256] = "";
	for (size_t i = 0; i < COLUMNS_ALL; i++) {
		const char *key = task_columns[i].key;
		const char *title = task_columns[i].title;
		if ((strncmp(key, word, length) == 0 && !key[length]) ||
		    (strncasecmp(title, word, length) == 0 && !title[length]))
			return &task_columns[i];
		size_t n = strlen(names);
		snprintf(names + n, sizeof names - n, " %s", key);
	}
	usage_error(context, "%s: a fleet has no column %.*s; its columns are%s", option,
	    (int)length, word, names);
}

static unsigned fleet_task_columns(
    const struct context *context, const char *words, struct column ret[COLUMNS_ALL])
{
	unsigned n = 0;
	if (!words || context->quiet) {
		n = context->quiet ? 1 : COLUMNS_USUAL;
		memcpy(ret, task_columns, n * sizeof *ret);
		return n;
	}
	for (;;) {
		size_t length = strcspn(words, ",");
		const struct column *column =
		    fleet_task_column(context, "--columns", words, length);
		for (unsigned i = 0; i < n; i++)
			if (ret[i].key == column->key)
				usage_error(
				    context, "--columns names %.*s twice", (int)length, words);
		ret[n++] = *column;
		if (!words[length])
			return n;
		words += length + 1;
	}
}

/* ---- tasks ---- */

struct fleet_rows {
	uint64_t left; /* to be shown */
	struct fleet_task *task;
	size_t n, room;
};

static bool fleet_tasks_print(struct context *context, const struct engine_row *row, void *argument)
{
	struct fleet_rows *rows = argument;
	struct fleet_task task;
	if (rows->left == 0)
		return false;
	rows->left--;
	fleet_task_fill(context, row, &task);
	table_row(&context->out, &task);
	return !ferror(context->out.file);
}

static bool fleet_tasks_collect(
    struct context *context, const struct engine_row *row, void *argument)
{
	struct fleet_rows *rows = argument;
	if (rows->n == rows->room) {
		size_t room = rows->room ? rows->room * 2 : FLEET_PAGE;
		struct fleet_task *more = realloc(rows->task, room * sizeof *more);
		if (!more)
			exit(failed(-ENOMEM, "sorting"));
		rows->task = more;
		rows->room = room;
	}
	fleet_task_fill(context, row, &rows->task[rows->n]);
	if (!fleet_task_keep(&rows->task[rows->n++]))
		exit(failed(-ENOMEM, "sorting"));
	return true;
}

static const struct column *fleet_tasks_key; /* for the comparison below */

static int fleet_tasks_compare(const void *a, const void *b)
{
	const struct fleet_task *x = a, *y = b;
	const char *text_x, *text_y;
	int64_t number_x = column_key(fleet_tasks_key, x, &text_x),
		number_y = column_key(fleet_tasks_key, y, &text_y);
	int order = text_x && text_y ? strcmp(text_x, text_y)
				     : (number_x > number_y) - (number_x < number_y);
	return order ? order : (x->added_ms > y->added_ms) - (x->added_ms < y->added_ms);
}

static int fleet_tasks_sort(struct context *context, const struct task_filter *filter,
    uint64_t most, const struct column *key, bool falling)
{
	struct fleet_rows rows = { .n = 0 };
	int code = fleet_each(context, filter, fleet_tasks_collect, &rows);
	fleet_tasks_key = key;
	if (rows.n)
		qsort(rows.task, rows.n, sizeof *rows.task, fleet_tasks_compare);
	for (size_t i = 0; i < rows.n; i++) {
		struct fleet_task *task = &rows.task[falling ? rows.n - 1 - i : i];
		if (i < most && code == EXIT_FINE)
			table_row(&context->out, task);
		free(task->copy);
	}
	free(rows.task);
	return code;
}

int fleet_tasks(struct context *context, const struct task_filter *filter, uint64_t most,
    const char *sort, const char *columns)
{
	static struct column shown[COLUMNS_ALL];
	struct fleet_rows rows = { .left = most };
	bool falling = sort && sort[0] == '-';
	const char *word = falling ? sort + 1 : sort;
	const struct column *key =
	    word ? fleet_task_column(context, "--sort", word, strlen(word)) : NULL;
	table_begin(&context->out, shown, fleet_task_columns(context, columns, shown));
	return key ? fleet_tasks_sort(context, filter, most, key, falling)
		   : fleet_each(context, filter, fleet_tasks_print, &rows);
}

/* ---- info ---- */

static const struct column info_columns[] = {
	{ "REF", "ref", -1, ROW(ref) },
	{ "COMMAND", "command", -1, ROW_TEXT(title) },
	{ "LABEL", "label", -1, ROW_TEXT(label) },
	{ "STATE", "state", -1, .cell = fleet_task_state },
	{ "HOST", "host", -1, ROW_TEXT(host) },
	{ "PRIORITY", "priority", 0, ROW(priority) },
	{ "NEEDS", "needs", -1, ROW_TEXT(needs) },
	{ "WAITS FOR", "after", -1, ROW_TEXT(after) },
	{ "ATTEMPT", "attempt", 0, ROW(attempt) },
	{ "RETRIES LEFT", "retries", 0, ROW(retries) },
	{ "CRASH RETRIES LEFT", "crash_retries", 0, ROW(crash_retries) },
	{ "EXIT CODE", "exit_code", 0, ROW(code), .known = fleet_task_has_code },
	{ "SIGNAL", "signal", 0, ROW(signal), .known = fleet_task_has_signal },
	{ "MESSAGE", "message", -1, ROW_TEXT(message) },
	{ "SUBMITTED", "submitted", -1, .cell = fleet_task_submitted },
	{ "STARTED", "started", -1, .cell = fleet_task_started },
	{ "ENDED", "ended", -1, .cell = fleet_task_ended },
	{ "QUEUED", "queue_ms", 0, MS(struct fleet_task, queued_ms),
	    .known = fleet_task_has_begun },
	{ "RAN", "run_ms", 0, MS(struct fleet_task, ran_ms), .known = fleet_task_has_run },
};

int fleet_info(struct context *context, const plm_ref *refs, size_t n)
{
	int worst = fleet_open(context);
	context->out.upright = true;
	table_begin(&context->out, info_columns, COUNT_OF(info_columns));
	for (size_t i = 0; i < n && context->engine; i++) {
		char text[PLM_REF_TEXT_BYTES];
		struct engine_row row;
		struct fleet_task task;
		uint64_t id;
		int code = fleet_id(context, refs[i], &id);
		int r = code == EXIT_FINE ? engine_row(context->engine, id, &row) : 0;
		plm_ref_print(refs[i], text);
		if (r < 0)
			code = failed(r, text);
		if (code == EXIT_FINE) {
			fleet_task_fill(context, &row, &task);
			table_row(&context->out, &task);
		} else {
			worst = code;
		}
	}
	return worst;
}
