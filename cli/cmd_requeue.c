#include "cli/task_action.h"

enum { OWN_GRACE = OPTION_OF_FILTERED, OWN_ALL };

static const struct option options[] = {
	{ "grace", required_argument, NULL, OWN_GRACE },
	{ "all", no_argument, NULL, OWN_ALL },
	TASK_FILTER_OPTIONS, COMMON_OPTIONS, { 0 },
};

static int requeue(struct context *context, plm_ref ref, void *argument)
{
	const int *flags = argument;
	return plm_requeue(context->rt, ref, *flags);
}

static int run_requeue(struct context *context, int argc, char **argv)
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
	filter_only(context, &filter, "in_progress");
	const struct task_action action = { "requeued", requeue, &flags };
	return select_and_act(context, argc, argv, &filter, &action);
}

const struct command cmd_requeue = {
	.name = "requeue",
	.usage = "[OPTION]... @REF...  |  [OPTION]... FILTER...",
	.help = "end tasks that run, to run again when their turn comes",
	.details =
	    "  --grace TIME       how long each may go on after it was asked to stop\n"
	    "  --all              every task that runs\n"
	    TASK_FILTER_HELP
	    "\nA task is ended as if cancelled, with all that a command has started; what it has\n"
	    "done is thrown away, and it waits in the queue again. That is no failure and spends\n"
	    "no retry. A filter finds running tasks only; of one that is named and waits in the\n"
	    "queue there is nothing to be done; one that is settled is passed over with a word.\n",
	.run = run_requeue,
};
