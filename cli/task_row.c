#include "cli/task_row.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"

static const char *task_row_state(const plm_task_row *row)
{
	return row->marks & PLM_MARK_STOPPING ? "stopping"
	    : row->marks & PLM_MARK_PARKED    ? "parked"
	    : row->marks & PLM_MARK_DEAD      ? "dead"
					      : plm_state_name(row->state);
}

static void task_row_state_cell(struct output *out, const void *any)
{
	const plm_task_row *row = any;
	int state = row->state;
	cell_tinted(out, task_row_state(row),
	    state == PLM_STATE_FAILED || state == PLM_STATE_CANCELLED ? TINT_BAD
		: state == PLM_STATE_RUNNING                          ? TINT_GOOD
								      : TINT_NONE);
}

void task_cell_id(struct output *out, plm_ref ref)
{
	enum { ID_BYTES = 12 };
	char text[ID_BYTES];
	snprintf(text, sizeof text, "%x", (uint32_t)ref.id);
	cell_text(out, text);
}

static void task_row_id(struct output *out, const void *any)
{
	task_cell_id(out, ((const plm_task_row *)any)->ref);
}

int64_t task_moment(uint64_t ago_ms)
{
	enum { MS_PER_S = 1000 };
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / (int64_t)NS_PER_MS - (int64_t)ago_ms;
}

static void task_row_submitted(struct output *out, const void *any)
{
	cell_moment(out, task_moment(((const plm_task_row *)any)->age_ms));
}

static bool task_row_has_run(const void *any)
{
	const plm_task_row *row = any;
	return row->attempt && row->state >= PLM_STATE_RUNNING;
}

static bool task_row_has_worker(const void *row)
{
	return ((const plm_task_row *)row)->worker != PLM_NOBODY;
}

static bool task_row_has_exit(const void *row)
{
	return ((const plm_task_row *)row)->marks & PLM_MARK_EXIT;
}

static bool task_row_has_output(const void *row)
{
	return ((const plm_task_row *)row)->marks & PLM_MARK_OUTPUT;
}

enum {
	USUAL = 1, /* shown to people who name no columns */
	BARE = 2,  /* shown by plmdump */
	READS = 4, /* needs PLM_LOOK_TEXTS */
};

static const struct {
	const char *name; /* for options; the key in JSON is a synonym */
	unsigned traits;
	struct column column;
} all[] = {
	{ "ref", USUAL | BARE, { "REF", "ref", -27, PLAIN(plm_task_row, ref) } },
	{ "id", USUAL, { "ID", "id", -2, PLAIN(plm_task_row, ref), .cell = task_row_id } },
	{ "state", USUAL | BARE, { "STATE", "state", -9, .cell = task_row_state_cell } },
	{ "function", BARE, { "FUNCTION", "function", -20, TEXT_IF_ANY(plm_task_row, function) } },
	{ "priority", USUAL | BARE, { "PRIO", "priority", 6, PLAIN(plm_task_row, priority) } },
	{ "attempt", USUAL | BARE, { "TRY", "attempt", 3, PLAIN(plm_task_row, attempt) } },
	{ "worker", BARE,
	    { "WORKER", "worker", 6, PLAIN(plm_task_row, worker), .known = task_row_has_worker } },
	{ "submitted", USUAL,
	    { "SUBMITTED", "submitted", -19, MS(plm_task_row, age_ms),
		.cell = task_row_submitted } },
	{ "age", BARE, { "AGE", "age_ms", 8, MS(plm_task_row, age_ms) } },
	{ "queued", USUAL, { "QUEUED", "queue_ms", 8, MS(plm_task_row, queue_ms) } },
	{ "ran", USUAL | BARE,
	    { "RAN", "run_ms", 8, MS(plm_task_row, run_ms), .known = task_row_has_run } },
	{ "args", BARE, { "ARGS", "args", 5, PLAIN(plm_task_row, args) } },
	{ "pending", BARE, { "PENDING", "pending", 7, PLAIN(plm_task_row, pending) } },
	{ "held", BARE, { "HELD", "holders", 4, PLAIN(plm_task_row, holders) } },
	{ "kept", 0, { "KEPT", "kept", 4, FLAG(plm_task_row, marks), .mask = PLM_MARK_KEPT } },
	{ "fails", BARE, { "FAILS", "failures", 5, PLAIN(plm_task_row, failures) } },
	{ "returns", 0, { "RETURNS", "returned", 7, PLAIN(plm_task_row, returned) } },
	{ "exit", USUAL | READS,
	    { "EXIT", "exit", 4, PLAIN(plm_task_row, exit), .known = task_row_has_exit } },
	{ "output", USUAL | READS,
	    { "OUTPUT", "output_bytes", 9, SIZE(plm_task_row, output_bytes),
		.known = task_row_has_output } },
	{ "label", USUAL | READS, { "LABEL", "label", -8, TEXT_IF_ANY(plm_task_row, label) } },
	{ "command", USUAL | READS,
	    { "COMMAND", "command", -20, TEXT_IF_ANY(plm_task_row, command) } },
};

_Static_assert(COUNT_OF(all) <= TASK_COLUMNS_MAX, "room for all columns");

void task_columns_add(struct task_columns *columns, int which)
{
	CHECK(which >= 0 && (size_t)which < COUNT_OF(all) && columns->n < TASK_COLUMNS_MAX);
	columns->which[columns->n] = (unsigned char)which;
	columns->column[columns->n++] = all[which].column;
	columns->with_texts |= task_column_reads_texts(which);
}

static void task_columns_choose(struct task_columns *ret, unsigned traits)
{
	*ret = (struct task_columns){ .n = 0 };
	for (int i = 0; i < (int)COUNT_OF(all); i++)
		if ((all[i].traits & traits) == traits)
			task_columns_add(ret, i);
}

void task_columns_usual(struct task_columns *ret)
{
	task_columns_choose(ret, USUAL);
}

void task_columns_all(struct task_columns *ret)
{
	task_columns_choose(ret, 0);
}

void task_columns_bare(struct task_columns *ret)
{
	task_columns_choose(ret, BARE);
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

int64_t task_column_key(int which, const plm_task_row *row, const char **ret_text)
{
	int64_t number = column_key(&all[which].column, row, ret_text);
	if (all[which].column.cell == task_row_state_cell)
		*ret_text = task_row_state(row);
	return all[which].column.cell == task_row_submitted ? -number : number;
}

bool task_column_reads_texts(int which)
{
	return all[which].traits & READS;
}
