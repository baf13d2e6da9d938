/* fleet_list.c - the tasks of a fleet one by one, selections, and what is done to a selection. */
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
	[ENGINE_PARKED] = PLM_STATE_READY,
	[ENGINE_RUNNING] = PLM_STATE_RUNNING,
	[ENGINE_DONE] = PLM_STATE_DONE,
	[ENGINE_FAILED] = PLM_STATE_FAILED,
	[ENGINE_CANCELLED] = PLM_STATE_CANCELLED };

bool fleet_is_dead(const struct engine_row *row)
{
	return row->state == ENGINE_FAILED && row->attempt > 1;
}

void fleet_as_task(const struct context *context, const struct engine_row *row, plm_task_row *ret)
{
	*ret = (plm_task_row){ .ref = engine_ref(context->engine, row->id),
		.state = list_states[row->state],
		.marks = fleet_is_dead(row)       ? PLM_MARK_DEAD
		    : row->state == ENGINE_PARKED ? PLM_MARK_PARKED
						  : 0 };
	snprintf(ret->command, sizeof ret->command, "%s", row->title);
	snprintf(ret->label, sizeof ret->label, "%s", row->label);
}

int fleet_each(
    struct context *context, const struct task_filter *filter, fleet_each_f *act, void *argument)
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
	return fleet_each(context, filter, fleet_list_select, ret);
}

typedef int fleet_act_f(struct engine *e, const uint64_t *ids, size_t n, int8_t *ret);

/* Acts on the tasks for which nothing was to be done so far. */
static int fleet_list_rest(
    struct engine *e, const uint64_t *ids, size_t n, int8_t *ret, fleet_act_f *act)
{
	uint64_t others[FLEET_PAGE];
	size_t at[FLEET_PAGE], m = 0;
	int8_t outcome[FLEET_PAGE];
	for (size_t i = 0; i < n; i++)
		if (ret[i] == 0) {
			at[m] = i;
			others[m++] = ids[i];
		}
	int r = m ? act(e, others, m, outcome) : 0;
	for (size_t i = 0; i < m && r == 0; i++)
		ret[at[i]] = outcome[i];
	return r;
}

static int fleet_list_back(struct engine *e, const uint64_t *ids, size_t n, int8_t *ret)
{
	return engine_move(e, ids, n, PLACE_BACK, 0, ret);
}

static int fleet_list_move(struct engine *e, const uint64_t *ids, size_t n, int8_t *ret)
{
	int r = engine_retry(e, ids, n, ret);
	if (r == 0)
		r = fleet_list_rest(e, ids, n, ret, fleet_list_back);
	return r == 0 ? fleet_list_rest(e, ids, n, ret, engine_requeue) : r;
}

static const struct {
	const char *past, *refused;
	fleet_act_f *act;        /* NULL: another place */
	enum engine_place place; /* then */
} list_actions[] = {
	[FLEET_CANCEL] = { "cancelled", "it has ended before", engine_cancel },
	[FLEET_REQUEUE] = { "requeued", "it has ended, or is being ended", engine_requeue },
	[FLEET_RETRY] = { "queued again", "it has not failed", engine_retry },
	[FLEET_MOVE] = { "moved to todo", "it has not failed, does not run and is not parked",
	    fleet_list_move },
	[FLEET_FRONT] = { "moved", "a host has it, or it has ended", .place = PLACE_FRONT },
	[FLEET_PARK] = { "moved", "a host has it, or it has ended", .place = PLACE_PARKED },
	[FLEET_PRIORITY] = { "moved", "a host has it, or it has ended", .place = PLACE_PRIORITY },
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
		: outcome == -2 ? "a task that it waits for is not done, or has not ended as it "
				  "has to: retry that one, too"
				: list_actions[action].refused);
	return outcome == 0 && action == FLEET_CANCEL ? EXIT_FINE : EXIT_DATA;
}

static int fleet_list_act(
    struct context *context, const struct selection *s, enum fleet_action action, int priority)
{
	fleet_act_f *act = list_actions[action].act;
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
		int r = act ? act(context->engine, ids, n, outcome)
			    : engine_move(context->engine, ids, n, list_actions[action].place,
				  priority, outcome);
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

int fleet_act(struct context *context, const struct selection *s, enum fleet_action action)
{
	return fleet_list_act(context, s, action, 0);
}

int fleet_set_priority(struct context *context, const struct selection *s, int priority)
{
	return fleet_list_act(context, s, FLEET_PRIORITY, priority);
}
