#include "cli/task_action.h"

enum { OWN_GRACE = OPTION_OF_FILTERED, OWN_ALL };

static const struct option options[] = {
	{ "grace", required_argument, NULL, OWN_GRACE },
	{ "all", no_argument, NULL, OWN_ALL },
	TASK_FILTER_OPTIONS, COMMON_OPTIONS, { 0 },
};

static int cancel(struct context *context, plm_ref ref, void *argument)
{
	const int *flags = argument;
	return plm_cancel(context->rt, ref, *flags);
}

static int run_cancel(struct context *context, int argc, char **argv)
{
	struct task_filter filter = { .states = 0 };
	int option, flags = 0;
	while ((option = next_option(context, argc, argv, "", options)) != -1) {
		if (option == OWN_GRACE)
			flags = PLM_GRACE(duration_word(context, "--grace", optarg));
		else if (option == OWN_ALL)
			filter.given = true;
		else
			filter_option(context, option, &filter);
	}
	filter_only(context, &filter, "todo,in_progress");
	const struct task_action action = { "cancelled", cancel, &flags };
	return select_and_act(context, argc, argv, &filter, &action);
}

const struct command cmd_cancel = {
	.name = "cancel",
	.usage = "[OPTION]... @REF...  |  [OPTION]... FILTER...",
	.help = "cancel tasks",
	.details =
	    "  --grace TIME       how long a task that runs may go on, such as 100ms (default: as\n"
	    "                     `call --grace` said, else 1s)\n"
	    "  --all              every task that is not settled\n"
	    TASK_FILTER_HELP
	    "\nA task that waits is cancelled at once; one that runs is asked to stop,\n"
	    "interrupted after half of the grace, and ended with its worker after it. Whoever\n"
	    "waits for it learns at once. A task that was settled before is no error.\n",
	.run = run_cancel,
};
