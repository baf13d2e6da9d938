#include "cli/task_ending.h"

enum { OWN_GRACE = OPTION_OF_FILTERED, OWN_ALL, OWN_WAIT };

#define SHARED_OPTIONS                                                                          \
	{ "grace", required_argument, NULL, OWN_GRACE }, { "all", no_argument, NULL, OWN_ALL }, \
	    TASK_FILTER_OPTIONS, COMMON_OPTIONS,                                                \
	{                                                                                       \
		0                                                                               \
	}

static const struct option options[] = { SHARED_OPTIONS };
static const struct option with_wait[] = {
	{ "wait", no_argument, NULL, OWN_WAIT },
	SHARED_OPTIONS,
};

struct asked {
	const struct task_ending *ending;
	int grace_ms;
};

static int task_ending_end_one(struct context *context, plm_ref ref, void *argument)
{
	const struct asked *asked = argument;
	return asked->ending->end(context->rt, ref, asked->grace_ms);
}

/* Held before they are asked to end: after that they may be gone at once. */
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

int end_tasks(struct context *context, int argc, char **argv, const struct task_ending *ending)
{
	struct task_filter filter = { .states = 0 };
	struct asked asked = { .ending = ending, .grace_ms = PLM_GRACE_OF_TASK };
	struct selection selection;
	bool wait = false;
	int option;
	while ((option = next_option(
		    context, argc, argv, "", ending->may_wait ? with_wait : options)) != -1) {
		if (option == OWN_WAIT)
			wait = true;
		else if (option == OWN_GRACE)
			asked.grace_ms = duration_word(context, "--grace", optarg);
		else if (option == OWN_ALL)
			filter.given = true;
		else
			filter_option(context, option, &filter);
	}
	filter_only(context, &filter, ending->states);
	const struct task_action action = { ending->past, task_ending_end_one, &asked };
	if (!wait)
		return select_and_act(context, argc, argv, &filter, &action);
	int code = select_tasks(context, argc, argv, &filter, &selection);
	if (code == EXIT_FINE)
		code = task_ending_end_and_wait(context, &selection, &filter, &action);
	selection_free(&selection);
	return code;
}
