/* fleet_list.c - tasks of a fleet: lists, selections, and what is done to a selection. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/fleet/fleet_cli.h"

/* ---- rows ---- */

static const int list_states[ENGINE_STATES] = { [ENGINE_NONE] = PLM_STATE_FREE,
	[ENGINE_WAITING] = PLM_STATE_WAITING,
	[ENGINE_READY] = PLM_STATE_READY,
	[ENGINE_PAUSE] = PLM_STATE_WAITING,
	[ENGINE_RUNNING] = PLM_STATE_RUNNING,
	[ENGINE_DONE] = PLM_STATE_DONE,
	[ENGINE_FAILED] = PLM_STATE_FAILED,
	[ENGINE_CANCELLED] = PLM_STATE_CANCELLED };

/* Failed after retries: a dead letter. */
static bool fleet_list_is_dead(const struct engine_row *row)
{
	return row->state == ENGINE_FAILED && row->attempt > 1;
}

void fleet_as_task(const struct context *context, const struct engine_row *row, plm_task_row *ret)
{
	*ret = (plm_task_row){ .ref = engine_ref(context->engine, row->id),
		.state = list_states[row->state],
		.marks = fleet_list_is_dead(row) ? PLM_MARK_DEAD : 0 };
	snprintf(ret->command, sizeof ret->command, "%s", row->title);
	snprintf(ret->label, sizeof ret->label, "%s", row->label);
}

/* Calls act() for each task that passes the filter, in the order of submission. */
typedef bool fleet_list_f(struct context *context, const struct engine_row *row, void *argument);

static int fleet_list_each(
    struct context *context, const struct task_filter *filter, fleet_list_f *act, void *argument)
{
	static struct engine_row row[FLEET_PAGE];
	static plm_task_row task;
	uint64_t from = 1, found = 0;
	int code = fleet_open(context);
	while (code == EXIT_FINE && from) {
		int n = engine_list(context->engine, &from, row, FLEET_PAGE);
		if (n < 0)
			return failed(n, "tasks");
		for (int i = 0; i < n; i++) {
			fleet_as_task(context, &row[i], &task);
			if (!filter_fits(filter, &task) || !filter_row(filter, ++found))
				continue;
			if (!act(context, &row[i], argument) || filter_is_over(filter, found))
				return EXIT_FINE;
		}
	}
	return code;
}

/* ---- tasks, info ---- */

struct fleet_task { /* a row */
	plm_ref ref;
	const struct engine_row *row;
	uint64_t left;
};

static void fleet_list_state(struct output *out, const void *row)
{
	enum engine_state state = ((const struct fleet_task *)row)->row->state;
	cell_tinted(out, engine_state_name(state),
	    state == ENGINE_DONE         ? TINT_GOOD
		: state == ENGINE_FAILED ? TINT_BAD
					 : TINT_NONE);
}

#define FLEET_TEXT(name)                                                            \
	static void fleet_list_##name(struct output *out, const void *row)          \
	{                                                                           \
		cell_text_if_any(out, ((const struct fleet_task *)row)->row->name); \
	}
#define FLEET_NUMBER(name)                                                              \
	static void fleet_list_##name(struct output *out, const void *row)              \
	{                                                                               \
		cell_signed(out, (int64_t)((const struct fleet_task *)row)->row->name); \
	}
FLEET_TEXT(host)
FLEET_TEXT(label)
FLEET_TEXT(title)
FLEET_TEXT(message)
FLEET_TEXT(needs)
FLEET_TEXT(after)
FLEET_NUMBER(priority)
FLEET_NUMBER(attempt)
FLEET_NUMBER(retries)
FLEET_NUMBER(crash_retries)
FLEET_NUMBER(code)
FLEET_NUMBER(signal)
FLEET_NUMBER(added_ms)
FLEET_NUMBER(began_ms)
FLEET_NUMBER(ended_ms)

static bool fleet_list_has_failed(const void *row)
{
	return ((const struct fleet_task *)row)->row->state == ENGINE_FAILED;
}

static bool fleet_list_has_begun(const void *row)
{
	return ((const struct fleet_task *)row)->row->began_ms != 0;
}

static bool fleet_list_has_ended(const void *row)
{
	return ((const struct fleet_task *)row)->row->ended_ms != 0;
}

static void fleet_list_ran(struct output *out, const void *row)
{
	const struct engine_row *task = ((const struct fleet_task *)row)->row;
	cell_ms(out, task->ended_ms > task->began_ms ? task->ended_ms - task->began_ms : 0);
}

static const struct column task_columns[] = {
	{ "REF", "ref", -24, PLAIN(struct fleet_task, ref) },
	{ "STATE", "state", -9, .cell = fleet_list_state },
	{ "PRIO", "priority", 5, .cell = fleet_list_priority },
	{ "TRY", "attempt", 3, .cell = fleet_list_attempt },
	{ "HOST", "host", -16, .cell = fleet_list_host },
	{ "RAN", "ran_ms", 6, .cell = fleet_list_ran, .known = fleet_list_has_ended },
	{ "EXIT", "exit", 4, .cell = fleet_list_code, .known = fleet_list_has_failed },
	{ "LABEL", "label", -8, .cell = fleet_list_label },
	{ "COMMAND", "command", -1, .cell = fleet_list_title },
};

static bool fleet_list_print(struct context *context, const struct engine_row *row, void *argument)
{
	struct fleet_task *shown = argument;
	if (shown->left == 0)
		return false;
	shown->left--;
	shown->ref = engine_ref(context->engine, row->id);
	shown->row = row;
	table_row(&context->out, shown);
	return !ferror(context->out.file);
}

int fleet_tasks(struct context *context, const struct task_filter *filter, uint64_t most)
{
	struct fleet_task shown = { .left = most };
	table_begin(
	    &context->out, task_columns, context->quiet ? 1 : (unsigned)COUNT_OF(task_columns));
	return fleet_list_each(context, filter, fleet_list_print, &shown);
}

static const struct column info_columns[] = {
	{ "REF", "ref", -1, PLAIN(struct fleet_task, ref) },
	{ "COMMAND", "command", -1, .cell = fleet_list_title },
	{ "LABEL", "label", -1, .cell = fleet_list_label },
	{ "STATE", "state", -1, .cell = fleet_list_state },
	{ "HOST", "host", -1, .cell = fleet_list_host },
	{ "PRIORITY", "priority", 0, .cell = fleet_list_priority },
	{ "NEEDS", "needs", -1, .cell = fleet_list_needs },
	{ "WAITS FOR", "after", -1, .cell = fleet_list_after },
	{ "ATTEMPT", "attempt", 0, .cell = fleet_list_attempt },
	{ "RETRIES LEFT", "retries", 0, .cell = fleet_list_retries },
	{ "CRASH RETRIES LEFT", "crash_retries", 0, .cell = fleet_list_crash_retries },
	{ "CODE", "code", 0, .cell = fleet_list_code, .known = fleet_list_has_failed },
	{ "SIGNAL", "signal", 0, .cell = fleet_list_signal, .known = fleet_list_has_failed },
	{ "MESSAGE", "message", -1, .cell = fleet_list_message },
	{ "SUBMITTED", "submitted", 0, .cell = fleet_list_added_ms },
	{ "BEGAN", "began", 0, .cell = fleet_list_began_ms, .known = fleet_list_has_begun },
	{ "ENDED", "ended", 0, .cell = fleet_list_ended_ms, .known = fleet_list_has_ended },
};

int fleet_info(struct context *context, const plm_ref *refs, size_t n)
{
	int worst = fleet_open(context);
	context->out.upright = true;
	table_begin(&context->out, info_columns, COUNT_OF(info_columns));
	for (size_t i = 0; i < n && context->engine; i++) {
		char text[PLM_REF_TEXT_BYTES];
		struct engine_row row;
		uint64_t id;
		int code = fleet_id(context, refs[i], &id);
		int r = code == EXIT_FINE ? engine_row(context->engine, id, &row) : 0;
		plm_ref_print(refs[i], text);
		if (r < 0)
			code = failed(r, text);
		if (code == EXIT_FINE)
			table_row(
			    &context->out, &(struct fleet_task){ .ref = refs[i], .row = &row });
		else
			worst = code;
	}
	return worst;
}

/* ---- selections ---- */

static bool fleet_list_select(struct context *context, const struct engine_row *row, void *argument)
{
	struct selection *s = argument;
	/* Room grows by powers of two: it is full when the count is one. */
	if (s->n == 0 || (s->n >= 64 && (s->n & (s->n - 1)) == 0)) {
		plm_ref *more = realloc(s->ref, (s->n ? s->n * 2 : 64) * sizeof *more);
		if (!more)
			exit(failed(-ENOMEM, "choosing tasks"));
		s->ref = more;
	}
	s->ref[s->n++] = engine_ref(context->engine, row->id);
	return true;
}

int fleet_select(struct context *context, const struct task_filter *filter, struct selection *ret)
{
	return fleet_list_each(context, filter, fleet_list_select, ret);
}

static const struct {
	const char *past, *refused;
	int (*act)(struct engine *e, const uint64_t *ids, size_t n, int8_t *ret);
} list_actions[] = {
	[FLEET_CANCEL] = { "cancelled", "it has ended before", engine_cancel },
	[FLEET_RETRY] = { "queued again", "it has not failed", engine_retry },
	[FLEET_FORGET] = { "forgotten", "it has not ended; cancel it first", engine_forget },
};

struct fleet_acted { /* a row */
	plm_ref ref;
	const char *past;
};

static const struct column acted_columns[] = {
	{ "REF", "ref", -27, PLAIN(struct fleet_acted, ref) },
	{ "DONE", "done", -9, PLAIN(struct fleet_acted, past) },
};

/* Tells one outcome; returns an exit code. Of a filter only successes are told. */
static int fleet_list_tell(struct context *context, const struct selection *s, plm_ref ref,
    enum fleet_action action, int8_t outcome)
{
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(ref, text);
	if (outcome == 1) {
		if (context->json || context->quiet)
			table_row(
			    &context->out, &(struct fleet_acted){ ref, list_actions[action].past });
		return EXIT_FINE;
	}
	if (!s->named)
		return EXIT_FINE;
	fprintf(stderr, "plmctl: %s: %s\n", text,
	    outcome == -1       ? "there is no such task any more"
		: outcome == -2 ? "a task that it waits for is not done: retry that one, too"
				: list_actions[action].refused);
	return outcome == 0 && action == FLEET_CANCEL ? EXIT_FINE : EXIT_DATA;
}

int fleet_act(struct context *context, const struct selection *s, enum fleet_action action)
{
	uint64_t ids[FLEET_PAGE];
	int8_t outcome[FLEET_PAGE];
	size_t done = 0;
	int worst = EXIT_FINE;
	if (context->json || context->quiet)
		table_begin(&context->out, acted_columns, COUNT_OF(acted_columns));
	for (size_t from = 0; from < s->n; from += FLEET_PAGE) {
		size_t n = s->n - from < FLEET_PAGE ? s->n - from : FLEET_PAGE;
		for (size_t i = 0; i < n; i++) {
			int code = fleet_id(context, s->ref[from + i], &ids[i]);
			if (code != EXIT_FINE)
				return code;
		}
		int r = list_actions[action].act(context->engine, ids, n, outcome);
		if (r < 0)
			return failed(r, context->command->name);
		for (size_t i = 0; i < n; i++) {
			int code =
			    fleet_list_tell(context, s, s->ref[from + i], action, outcome[i]);
			done += outcome[i] == 1;
			worst = code == EXIT_FINE ? worst : code;
		}
	}
	if (!s->named && !context->json && !context->quiet)
		fprintf(stderr, "plmctl: %zu %s %s\n", done, done == 1 ? "task" : "tasks",
		    list_actions[action].past);
	return worst;
}
