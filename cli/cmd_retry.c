#include "cli/retry_tasks.h"

static const struct option options[] = { TASK_FILTER_OPTIONS, COMMON_OPTIONS, { 0 } };

static int run_retry(struct context *context, int argc, char **argv)
{
	struct task_filter filter = { .kept = true };
	struct selection selection;
	int option;
	while ((option = next_option(context, argc, argv, "", options)) != -1)
		filter_option(context, option, &filter);
	filter_only(context, &filter, "failed");
	int code = select_tasks(context, argc, argv, &filter, &selection);
	if (code == EXIT_FINE)
		code = retry_tasks(context, &selection, &filter);
	selection_free(&selection);
	return code;
}

const struct command cmd_retry = {
	.name = "retry",
	.usage = "[OPTION]... @REF...  |  [OPTION]... FILTER...",
	.help = "submit failed tasks anew",
	.details =
	    TASK_FILTER_HELP
	    "\nA failed task is submitted again with the same function, arguments, limits and\n"
	    "retries, and is no longer kept itself; the new reference is printed, kept until\n"
	    "`plmctl drop`. One that failed because another did is retried with that one: name\n"
	    "both, or use a filter. A filter finds failed tasks that are kept.\n"
	    "Not to be retried: a task of several replicas.\n",
	.run = run_retry,
	.visits = true,
};
