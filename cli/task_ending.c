#include "cli/task_ending.h"

struct asked {
	const struct task_ending *ending;
	int grace_ms;
	bool wait;
	struct task_filter filter;
};

const struct option_row task_ending_rows[] = {
	{ "grace", NULL, NULL, OPTION_TIME, .word = "TIME",
	    .standard = "as `call --grace` said, else 1s",
	    .help = "how long a running task may go on after it was asked to stop, such as 100ms",
	    OPTION_FIELD(struct asked, grace_ms), .most = INT32_MAX },
	{ "all", NULL, NULL, OPTION_FLAG, .help = "every task that the command can end",
	    OPTION_FIELD(struct asked, filter.given) },
	{ 0 },
};

const struct option_row task_ending_wait_rows[] = {
	{ "wait", NULL, NULL, OPTION_FLAG,
	    .help = "return when nothing of the tasks runs any more (--timeout: 124)",
	    OPTION_FIELD(struct asked, wait) },
	{ 0 },
};

static int task_ending_end_one(struct context *context, plm_ref ref, void *argument)
{
	const struct asked *asked = argument;
	return asked->ending->end(context->rt, ref, asked->grace_ms);
}

/* Holds the tasks first: a task may be gone at once after the request to end. */
static int task_ending_end_and_wait(struct context *context, struct selection *s,
    const struct task_filter *filter, const struct task_action *action)
{
	int code = hold_selection(context, s);
	if (code == EXIT_FINE)
		code = act_on_tasks(context, s, filter, action);
	if (code != EXIT_FINE)
		return code;
	int r = plm_wait_ended(context->rt, s->ref, s->n, s->n, context->timeout_ms, NULL);
	return r < 0 ? failed(r, "waiting for their end") : EXIT_FINE;
}

/* The grace is that of the task, since its host counts the time. */
static int task_ending_on_fleet(
    struct context *context, int argc, char **argv, const struct asked *asked)
{
	struct selection selection;
	if (asked->grace_ms != PLM_GRACE_OF_TASK)
		usage_error(context, "--grace is given when a task of a fleet is submitted");
	int code = select_tasks(context, argc, argv, &asked->filter, &selection);
	if (code == EXIT_FINE)
		code = fleet_act(context, &selection, asked->ending->on_fleet);
	if (code == EXIT_FINE && asked->wait)
		code = fleet_wait(context, &selection, false, true);
	selection_free(&selection);
	return code;
}

int end_tasks(struct context *context, int argc, char **argv, const struct task_ending *ending)
{
	struct asked asked = { .ending = ending, .grace_ms = PLM_GRACE_OF_TASK };
	struct selection selection;
	take_options(context, argc, argv, (void *[]){ &asked, &asked.filter, &asked });
	filter_only(context, &asked.filter, ending->states);
	if (context->fleet)
		return task_ending_on_fleet(context, argc, argv, &asked);
	const struct task_action action = { ending->past, task_ending_end_one, &asked };
	if (!asked.wait)
		return select_and_act(context, argc, argv, &asked.filter, &action);
	int code = select_tasks(context, argc, argv, &asked.filter, &selection);
	if (code == EXIT_FINE)
		code = task_ending_end_and_wait(context, &selection, &asked.filter, &action);
	selection_free(&selection);
	return code;
}
