#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "cli/fleet_door.h"
#include "cli/task_action.h"

struct wait {
	struct task_filter filter;
	bool any, no_fail;
};

static int wait_take_all(void *target, const struct option_given *given)
{
	(void)given;
	((struct wait *)target)->any = false;
	return 0;
}

static int wait_take_all_kept(void *target, const struct option_given *given)
{
	struct wait *wait = target;
	(void)given;
	wait->filter.kept = wait->filter.given = true;
	return 0;
}

static const struct option_row rows[] = {
	{ "all", NULL, NULL, OPTION_FLAG, .help = "until all are settled (default)",
	    .take = wait_take_all },
	{ "any", NULL, NULL, OPTION_FLAG, .help = "until one is settled",
	    OPTION_FIELD(struct wait, any) },
	{ "no-fail", NULL, NULL, OPTION_FLAG, .help = "exit code 0 also if some did not succeed",
	    OPTION_FIELD(struct wait, no_fail) },
	{ "all-kept", NULL, NULL, OPTION_FLAG, .help = "every task that is kept (submit --detach)",
	    .take = wait_take_all_kept },
	{ 0 },
};

struct ended {
	plm_ref ref;
	const char *state; /* the end of a settled future, as a word */
};

static const char *wait_outcome(plm *rt, plm_ref ref)
{
	int r = plm_outcome(rt, ref);
	return r == 0              ? "done"
	    : r == -PLM_EFAILED    ? "failed"
	    : r == -PLM_ECANCELLED ? "cancelled"
				   : "?";
}

static bool wait_is_good(const struct ended *ended)
{
	return ended->state[0] == 'd';
}

static void wait_state(struct output *out, const void *row)
{
	const struct ended *ended = row;
	cell_tinted(out, ended->state, wait_is_good(ended) ? TINT_GOOD : TINT_BAD);
}

static const struct column columns[] = {
	{ "REF", "ref", -24, PLAIN(struct ended, ref) },
	{ "STATE", "state", -9, .cell = wait_state },
};

/* Prints a row for each settled future; returns the number of failures as an exit code. */
static int wait_print_settled(
    struct context *context, const struct selection *s, const uint8_t *ready)
{
	struct output *out = &context->out;
	size_t bad = 0;
	table_begin(out, columns, COUNT_OF(columns));
	for (size_t i = 0; i < s->n; i++) {
		if (!ready[i])
			continue;
		const struct ended ended = { s->ref[i], wait_outcome(context->rt, s->ref[i]) };
		bad += !wait_is_good(&ended);
		table_row(out, &ended);
	}
	return bad > EXIT_COUNT_MAX ? EXIT_COUNT_MAX + 1 : (int)bad;
}

static int wait_for(struct context *context, struct selection *s, const struct wait *wait)
{
	int code = hold_selection(context, s);
	if (code != EXIT_FINE)
		return code;
	uint8_t *ready = calloc(s->n ? s->n : 1, sizeof *ready);
	if (!ready)
		return failed(-ENOMEM, "wait");
	size_t want = wait->any && s->n ? 1 : s->n;
	int r = plm_wait_ended(context->rt, s->ref, s->n, want, context->timeout_ms, ready);
	code = r < 0 ? failed(r, "waiting")
		     : EXIT_FINE; /* now, before a later call replaces the reason */
	int bad = r >= 0 || r == -ETIMEDOUT ? wait_print_settled(context, s, ready) : 0;
	free(ready);
	return r < 0 || wait->no_fail ? code : bad;
}

static int wait_run(struct context *context, int argc, char **argv)
{
	struct wait wait = { .any = false };
	struct selection selection;
	take_options(context, argc, argv, (void *[]){ &wait, &wait.filter });
	int code = select_tasks(context, argc, argv, &wait.filter, &selection);
	if (code == EXIT_FINE && context->fleet)
		code = fleet_wait(context, &selection, wait.any, wait.no_fail);
	else if (code == EXIT_FINE)
		code = wait_for(context, &selection, &wait);
	selection_free(&selection);
	return code;
}

const struct command cmd_wait = {
	.name = "wait",
	.usage = "[OPTION]... @REF...  |  [OPTION]... FILTER...",
	.help = "wait until tasks have ended and say what became of them",
	.options = { rows, task_filter_rows },
	.notes =
	    "A cancelled task counts when no process of it runs any more. Prints a row for each\n"
	    "settled future: done, failed or cancelled. A filter finds the tasks of the moment,\n"
	    "and none that come later.\n"
	    "Exit code: how many tasks did not succeed, up to 100; 101: more; 124: time ran out.\n",
	.run = wait_run,
	.fleet = true,
};
