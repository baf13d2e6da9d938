#include "cli/task_ending.h"

enum { OWN_GRACE = OPTION_OF_FILTERED, OWN_ALL };

static const struct option options[] = {
	{ "grace", required_argument, NULL, OWN_GRACE },
	{ "all", no_argument, NULL, OWN_ALL },
	TASK_FILTER_OPTIONS, COMMON_OPTIONS, { 0 },
};

struct asked {
	const struct task_ending *ending;
	int grace_ms;
};

static int end_one(struct context *context, plm_ref ref, void *argument)
{
	const struct asked *asked = argument;
	return asked->ending->end(context->rt, ref, asked->grace_ms);
}

int end_tasks(struct context *context, int argc, char **argv, const struct task_ending *ending)
{
	struct task_filter filter = { .states = 0 };
	struct asked asked = { .ending = ending, .grace_ms = PLM_GRACE_OF_TASK };
	int option;
	while ((option = next_option(context, argc, argv, "", options)) != -1) {
		if (option == OWN_GRACE)
			asked.grace_ms = duration_word(context, "--grace", optarg);
		else if (option == OWN_ALL)
			filter.given = true;
		else
			filter_option(context, option, &filter);
	}
	filter_only(context, &filter, ending->states);
	const struct task_action action = { ending->past, end_one, &asked };
	return select_and_act(context, argc, argv, &filter, &action);
}
