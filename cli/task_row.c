#include "cli/task_row.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/check.h"
#include "base/clock.h"
#include "cli/command_text.h"

enum { LOOKS_MAX = 8 };

/* ---- reading ---- */

/* The granules texts are read from: what is freed while we read is 0 afterwards. */
struct places {
	uint32_t args, log;
};

static struct places task_row_places_of(const struct tables *t, const struct record *r)
{
	const struct record *part = command_log_part(t, r);
	return (
	    struct places){ .args = sh_load(&r->args), .log = part ? sh_load(&part->value) : 0 };
}

static void task_row_read_log(const struct tables *t, const struct record *r, struct task_row *row)
{
	const struct record *part = command_log_part(t, r);
	uint64_t length = 0;
	struct command_log log;
	struct command_texts texts;
	const void *data = part && sh_load(&part->value) ? record_value(t, part, &length) : NULL;
	if (!command_log_read(data, length, &log, &texts))
		return;
	snprintf(row->text, sizeof row->text, "%.*s", (int)log.text_bytes, texts.command);
	snprintf(row->label, sizeof row->label, "%.*s", (int)log.label_bytes, texts.label);
	row->has_output = true;
	row->output_bytes = log.out_bytes;
	if (log.status < 0)
		return;
	row->has_exit = true;
	row->exit = WIFSIGNALED(log.status) ? COMMAND_SIGNALLED + WTERMSIG(log.status)
					    : WEXITSTATUS(log.status);
}

static void task_row_read_texts(
    const struct tables *t, struct record *r, uint64_t word, struct task_row *row)
{
	if (!command_is(t, r, word))
		return;
	row->text[0] = 0;
	if (state_settled(word_state(word)))
		task_row_read_log(t, r, row);
	if (row->text[0] || (state_settled(word_state(word)) && !word_dead(word)))
		return;
	command_words(t, r, row->text, sizeof row->text);
	command_label(t, r, word, row->label);
}

/* What failed before it began, because of another or of a limit, has ended in no way of its own. */
static void task_row_read_end(const struct record *r, struct task_row *row)
{
	if (row->view.state == RECORD_FAILED && row->view.attempt > 0) {
		row->has_exit = true;
		row->exit =
		    r->failure.signal ? COMMAND_SIGNALLED + r->failure.signal : r->failure.code;
	} else if (row->view.state == RECORD_DONE) {
		row->has_exit = row->has_output = true;
		row->output_bytes = r->value_bytes;
	}
}

static void task_row_read_queue(
    const struct tables *t, const struct record *r, struct task_row *row)
{
	uint32_t now = (uint32_t)((clock_ns() - t->control->boot_ns) / NS_PER_MS);
	uint32_t until = row->view.attempt   ? r->start_ms
	    : state_settled(row->view.state) ? r->end_ms
					     : now;
	row->queue_ms = tables_ms_between(r->submit_ms, until);
}

static void task_row_read_once(
    const struct tables *t, uint32_t index, uint64_t word, bool with_texts, struct task_row *row)
{
	struct record *r = &t->record[index];
	row->kept = hold_test(t, index, SLOT_MANAGER);
	row->has_exit = row->has_output = false;
	row->exit = 0;
	row->label[0] = 0;
	snprintf(row->text, sizeof row->text, "%s", row->view.function);
	task_row_read_end(r, row);
	task_row_read_queue(t, r, row);
	if (with_texts)
		task_row_read_texts(t, r, word, row);
}

/* RESERVED records are slots that some process has at hand: no tasks yet. */
static bool task_row_is_task(const struct record_view *v)
{
	return !v->object && !v->part && v->state != RECORD_RESERVED;
}

bool task_row_read(const struct tables *t, uint32_t index, bool with_texts, struct task_row *ret)
{
	struct record *r = &t->record[index];
	for (int look = 0; look < LOOKS_MAX; look++) {
		uint64_t word = sh_load(&r->state);
		if (!view_record(t, index, &ret->view) || !task_row_is_task(&ret->view))
			return false;
		struct places before = task_row_places_of(t, r);
		task_row_read_once(t, index, word, with_texts, ret);
		sh_fence();
		struct places after = task_row_places_of(t, r);
		if (before.args == after.args && before.log == after.log &&
		    word_without_flags(sh_load(&r->state)) == word_without_flags(word))
			return true;
	}
	ret->text[0] = ret->label[0] = 0; /* it keeps moving: what was read may be another's */
	return true;
}

/* ---- columns ---- */

static void task_row_show_ref(
    const struct tables *t, struct output *out, const struct task_row *row)
{
	char text[VIEW_TEXT_BYTES];
	view_ref(t, row->view.ref, text);
	cell_text(out, text);
}

static const char *task_row_state_shown(const struct record_view *v)
{
	return v->stopping ? "stopping" : v->dead ? "dead" : record_state_name(v->state);
}

static void task_row_show_state(
    const struct tables *t, struct output *out, const struct task_row *row)
{
	(void)t;
	enum record_state state = row->view.state;
	cell_tinted(out, task_row_state_shown(&row->view),
	    state == RECORD_FAILED || state == RECORD_CANCELLED ? TINT_BAD
		: state == RECORD_RUNNING                       ? TINT_GOOD
								: TINT_NONE);
}

static void task_row_show_priority(
    const struct tables *t, struct output *out, const struct task_row *row)
{
	(void)t;
	cell_signed(out, row->view.priority);
}

static void task_row_show_kept(
    const struct tables *t, struct output *out, const struct task_row *row)
{
	(void)t;
	cell_flag(out, row->kept);
}

static void task_row_show_exit(
    const struct tables *t, struct output *out, const struct task_row *row)
{
	(void)t;
	if (row->has_exit)
		cell_signed(out, row->exit);
	else
		cell_none(out);
}

static bool task_row_has_run(const struct task_row *row)
{
	return row->view.attempt &&
	    (row->view.state == RECORD_RUNNING || state_settled(row->view.state));
}

static uint64_t task_row_by_ref(const struct task_row *row)
{
	return ref_index(row->view.ref);
}
static uint64_t task_row_by_attempt(const struct task_row *row)
{
	return row->view.attempt;
}
static uint64_t task_row_by_owner(const struct task_row *row)
{
	return row->view.owner;
}
static uint64_t task_row_by_age(const struct task_row *row)
{
	return row->view.age_ms;
}
static uint64_t task_row_by_ran(const struct task_row *row)
{
	return row->view.run_ms;
}
static uint64_t task_row_by_queued(const struct task_row *row)
{
	return row->queue_ms;
}
static uint64_t task_row_by_args(const struct task_row *row)
{
	return row->view.nargs;
}
static uint64_t task_row_by_pending(const struct task_row *row)
{
	return row->view.pending;
}
static uint64_t task_row_by_held(const struct task_row *row)
{
	return row->view.holders;
}
static uint64_t task_row_by_fails(const struct task_row *row)
{
	return row->view.failures;
}
static uint64_t task_row_by_returns(const struct task_row *row)
{
	return row->view.returned;
}
static uint64_t task_row_by_kept(const struct task_row *row)
{
	return row->kept;
}
static uint64_t task_row_by_exit(const struct task_row *row)
{
	return (uint32_t)row->exit;
}
static uint64_t task_row_by_output(const struct task_row *row)
{
	return row->output_bytes;
}
static uint64_t task_row_by_priority(const struct task_row *row)
{
	return (uint64_t)(row->view.priority - PRIORITY_MIN);
}

static const char *task_row_text_state(const struct task_row *row)
{
	return task_row_state_shown(&row->view);
}
static const char *task_row_text_function(const struct task_row *row)
{
	return row->view.function;
}
static const char *task_row_text_command(const struct task_row *row)
{
	return row->text;
}
static const char *task_row_text_label(const struct task_row *row)
{
	return row->label;
}

static bool task_row_runs(const struct task_row *row)
{
	return row->view.state == RECORD_RUNNING;
}
static bool task_row_has_output(const struct task_row *row)
{
	return row->has_output;
}

enum dress { DRESS_NUMBER, DRESS_MS, DRESS_SIZE };

static const struct {
	const char *name; /* as an option says it; the key in JSON is another one for it */
	struct column column;
	uint64_t (*key)(const struct task_row *row);
	const char *(*text)(const struct task_row *row); /* in the place of a number */
	bool (*known)(const struct task_row *row);       /* NULL: always */
	void (*show)(const struct tables *t, struct output *out, const struct task_row *row);
	enum dress dress;
	bool reads; /* what is read with texts */
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
	{ "owner", { "OWNER", "owner", 5 }, .key = task_row_by_owner, .known = task_row_runs,
	    .bare = true },
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

uint64_t task_column_key(int which, const struct task_row *row, const char **ret_text)
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

static void task_row_cell(
    const struct tables *t, struct output *out, int which, const struct task_row *row)
{
	if (all[which].show) {
		all[which].show(t, out, row);
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

void task_row_print(const struct tables *t, struct output *out, const struct task_columns *columns,
    const struct task_row *row)
{
	for (unsigned i = 0; i < columns->n; i++)
		task_row_cell(t, out, columns->which[i], row);
	row_end(out);
}
