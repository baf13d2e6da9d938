#include "cli/task_row.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

static void task_row_show_ref(struct output *out, const plm_task_row *row)
{
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(row->ref, text);
	cell_text(out, text);
}

static const char *task_row_state_shown(const plm_task_row *row)
{
	return row->marks & PLM_MARK_STOPPING ? "stopping"
	    : row->marks & PLM_MARK_DEAD      ? "dead"
					      : plm_state_name(row->state);
}

static void task_row_show_state(struct output *out, const plm_task_row *row)
{
	int state = row->state;
	cell_tinted(out, task_row_state_shown(row),
	    state == PLM_STATE_FAILED || state == PLM_STATE_CANCELLED ? TINT_BAD
		: state == PLM_STATE_RUNNING                          ? TINT_GOOD
								      : TINT_NONE);
}

static void task_row_show_priority(struct output *out, const plm_task_row *row)
{
	cell_signed(out, row->priority);
}

static void task_row_show_kept(struct output *out, const plm_task_row *row)
{
	cell_flag(out, row->marks & PLM_MARK_KEPT);
}

static void task_row_show_exit(struct output *out, const plm_task_row *row)
{
	if (row->marks & PLM_MARK_EXIT)
		cell_signed(out, row->exit);
	else
		cell_none(out);
}

static bool task_row_has_run(const plm_task_row *row)
{
	return row->attempt && row->state >= PLM_STATE_RUNNING;
}

static uint64_t task_row_by_ref(const plm_task_row *row)
{
	return (uint32_t)row->ref.id;
}
static uint64_t task_row_by_attempt(const plm_task_row *row)
{
	return row->attempt;
}
static uint64_t task_row_by_worker(const plm_task_row *row)
{
	return row->worker;
}
static uint64_t task_row_by_age(const plm_task_row *row)
{
	return row->age_ms;
}
static uint64_t task_row_by_ran(const plm_task_row *row)
{
	return row->run_ms;
}
static uint64_t task_row_by_queued(const plm_task_row *row)
{
	return row->queue_ms;
}
static uint64_t task_row_by_args(const plm_task_row *row)
{
	return row->args;
}
static uint64_t task_row_by_pending(const plm_task_row *row)
{
	return row->pending;
}
static uint64_t task_row_by_held(const plm_task_row *row)
{
	return row->holders;
}
static uint64_t task_row_by_fails(const plm_task_row *row)
{
	return row->failures;
}
static uint64_t task_row_by_returns(const plm_task_row *row)
{
	return row->returned;
}
static uint64_t task_row_by_kept(const plm_task_row *row)
{
	return (row->marks & PLM_MARK_KEPT) != 0;
}
static uint64_t task_row_by_exit(const plm_task_row *row)
{
	return (uint32_t)row->exit;
}
static uint64_t task_row_by_output(const plm_task_row *row)
{
	return row->output_bytes;
}
static uint64_t task_row_by_priority(const plm_task_row *row)
{
	return (uint64_t)((int64_t)row->priority - INT32_MIN);
}

static const char *task_row_text_state(const plm_task_row *row)
{
	return task_row_state_shown(row);
}
static const char *task_row_text_function(const plm_task_row *row)
{
	return row->function;
}
static const char *task_row_text_command(const plm_task_row *row)
{
	return row->command;
}
static const char *task_row_text_label(const plm_task_row *row)
{
	return row->label;
}

static bool task_row_has_worker(const plm_task_row *row)
{
	return row->worker != PLM_NOBODY;
}
static bool task_row_has_output(const plm_task_row *row)
{
	return row->marks & PLM_MARK_OUTPUT;
}

enum dress { DRESS_NUMBER, DRESS_MS, DRESS_SIZE };

static const struct {
	const char *name; /* for options; the key in JSON is a synonym */
	struct column column;
	uint64_t (*key)(const plm_task_row *row);
	const char *(*text)(const plm_task_row *row); /* instead of a number */
	bool (*known)(const plm_task_row *row);       /* NULL: always */
	void (*show)(struct output *out, const plm_task_row *row);
	enum dress dress;
	bool reads; /* needs PLM_LOOK_TEXTS */
	bool usual, bare;
} all[] = {
	{ "ref", { "REF", "ref", -27 }, .key = task_row_by_ref, .show = task_row_show_ref,
	    .usual = true, .bare = true },
	{ "state", { "STATE", "state", -9 }, .text = task_row_text_state,
	    .show = task_row_show_state, .usual = true, .bare = true },
	{ "function", { "FUNCTION", "function", -20 }, .text = task_row_text_function,
	    .bare = true },
	{ "priority", { "PRIO", "priority", 6 }, .key = task_row_by_priority,
	    .show = task_row_show_priority, .usual = true, .bare = true },
	{ "attempt", { "TRY", "attempt", 3 }, .key = task_row_by_attempt, .usual = true,
	    .bare = true },
	{ "worker", { "WORKER", "worker", 6 }, .key = task_row_by_worker,
	    .known = task_row_has_worker, .bare = true },
	{ "age", { "AGE", "age_ms", 8 }, .key = task_row_by_age, .dress = DRESS_MS, .usual = true,
	    .bare = true },
	{ "queued", { "QUEUED", "queue_ms", 8 }, .key = task_row_by_queued, .dress = DRESS_MS,
	    .usual = true },
	{ "ran", { "RAN", "run_ms", 8 }, .key = task_row_by_ran, .known = task_row_has_run,
	    .dress = DRESS_MS, .usual = true, .bare = true },
	{ "args", { "ARGS", "args", 5 }, .key = task_row_by_args, .bare = true },
	{ "pending", { "PENDING", "pending", 7 }, .key = task_row_by_pending, .bare = true },
	{ "held", { "HELD", "holders", 4 }, .key = task_row_by_held, .bare = true },
	{ "kept", { "KEPT", "kept", 4 }, .key = task_row_by_kept, .show = task_row_show_kept },
	{ "fails", { "FAILS", "failures", 5 }, .key = task_row_by_fails, .bare = true },
	{ "returns", { "RETURNS", "returned", 7 }, .key = task_row_by_returns },
	{ "exit", { "EXIT", "exit", 4 }, .key = task_row_by_exit, .show = task_row_show_exit,
	    .reads = true, .usual = true },
	{ "output", { "OUTPUT", "output_bytes", 9 }, .key = task_row_by_output,
	    .known = task_row_has_output, .dress = DRESS_SIZE, .reads = true, .usual = true },
	{ "label", { "LABEL", "label", -8 }, .text = task_row_text_label, .reads = true },
	{ "command", { "COMMAND", "command", -20 }, .text = task_row_text_command, .reads = true,
	    .usual = true },
};

_Static_assert(COUNT_OF(all) <= TASK_COLUMNS_MAX, "room for all columns");

void task_columns_add(struct task_columns *columns, int which)
{
	CHECK(which >= 0 && (size_t)which < COUNT_OF(all) && columns->n < TASK_COLUMNS_MAX);
	columns->which[columns->n] = (unsigned char)which;
	columns->column[columns->n++] = all[which].column;
	columns->with_texts |= all[which].reads;
}

void task_columns_usual(struct task_columns *ret)
{
	*ret = (struct task_columns){ .n = 0 };
	for (int i = 0; i < (int)COUNT_OF(all); i++)
		if (all[i].usual)
			task_columns_add(ret, i);
}

void task_columns_all(struct task_columns *ret)
{
	*ret = (struct task_columns){ .n = 0 };
	for (int i = 0; i < (int)COUNT_OF(all); i++)
		task_columns_add(ret, i);
}

void task_columns_bare(struct task_columns *ret)
{
	*ret = (struct task_columns){ .n = 0 };
	for (int i = 0; i < (int)COUNT_OF(all); i++)
		if (all[i].bare)
			task_columns_add(ret, i);
}

static bool task_row_is_word(const char *name, const char *text, size_t length)
{
	return strlen(name) == length && memcmp(name, text, length) == 0;
}

int task_column_find(const char *name, size_t length)
{
	for (int i = 0; i < (int)COUNT_OF(all); i++)
		if (task_row_is_word(all[i].name, name, length) ||
		    task_row_is_word(all[i].column.key, name, length))
			return i;
	return -1;
}

void task_columns_names(char *ret, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < COUNT_OF(all) && n < size; i++)
		n += (size_t)snprintf(ret + n, size - n, "%s%s", i ? " " : "", all[i].name);
}

uint64_t task_column_key(int which, const plm_task_row *row, const char **ret_text)
{
	*ret_text = all[which].text ? all[which].text(row) : NULL;
	return all[which].key ? all[which].key(row) : 0;
}

bool task_column_reads_texts(int which)
{
	return all[which].reads;
}

void task_list_begin(struct output *out, const struct task_columns *columns)
{
	list_begin(out, columns->column, columns->n);
}

static void task_row_cell(struct output *out, int which, const plm_task_row *row)
{
	if (all[which].show) {
		all[which].show(out, row);
	} else if (all[which].known && !all[which].known(row)) {
		cell_none(out);
	} else if (all[which].text) {
		const char *text = all[which].text(row);
		if (text[0])
			cell_text(out, text);
		else
			cell_none(out);
	} else if (all[which].dress == DRESS_MS) {
		cell_ms(out, all[which].key(row));
	} else if (all[which].dress == DRESS_SIZE) {
		cell_size(out, all[which].key(row));
	} else {
		cell_number(out, all[which].key(row));
	}
}

void task_row_print(struct output *out, const struct task_columns *columns, const plm_task_row *row)
{
	for (unsigned i = 0; i < columns->n; i++)
		task_row_cell(out, columns->which[i], row);
	row_end(out);
}
