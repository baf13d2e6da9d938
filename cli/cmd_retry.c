#include "cli/fleet_door.h"
#include "cli/retry_tasks.h"

static int retry_run(struct context *context, int argc, char **argv)
{
	struct task_filter filter = { .kept = true };
	struct selection selection;
	take_options(context, argc, argv, (void *[]){ &filter });
	filter_only(context, &filter, "failed");
	int code = select_tasks(context, argc, argv, &filter, &selection);
	if (code == EXIT_FINE && context->fleet)
		code = fleet_act(context, &selection, FLEET_RETRY);
	else if (code == EXIT_FINE)
		code = retry_tasks(context, &selection, &filter);
	selection_free(&selection);
	return code;
}

const struct command cmd_retry = {
	.name = "retry",
	.usage = "[OPTION]... @REF...  |  [OPTION]... FILTER...",
	.help = "submit failed tasks again",
	.options = { task_filter_rows },
	.notes =
	    "A failed task is submitted again with the same function, arguments, limits and\n"
	    "retries. Its new reference is printed and kept; the old reference is forgotten. A\n"
	    "task that failed because another one did is retried together with that one: name\n"
	    "both, or use a filter. A filter finds failed tasks that are kept.\n"
	    "A task of several replicas cannot be retried.\n",
	.run = retry_run,
	.fleet = true,
	.visits = true,
};
