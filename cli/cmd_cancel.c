#include "cli/task_ending.h"

static int cancel_run(struct context *context, int argc, char **argv)
{
	static const struct task_ending ending = { "cancelled", "todo,in_progress", plm_cancel,
		.may_wait = true };
	return end_tasks(context, argc, argv, &ending);
}

const struct command cmd_cancel = {
	.name = "cancel",
	.usage = "[OPTION]... @REF...  |  [OPTION]... FILTER...",
	.help = "cancel tasks",
	.details =
	    "  --grace TIME       how long a task that runs may go on, such as 100ms (default: as\n"
	    "                     `call --grace` said, else 1s)\n"
	    "  --wait             return when nothing of them runs any more (--timeout: 124)\n"
	    "  --all              every task that is not settled\n" TASK_FILTER_HELP
	    "\nA task that waits is cancelled at once; one that runs is asked to stop,\n"
	    "interrupted after half of the grace, and ended with its worker after it. Whoever\n"
	    "waits for it learns at once. A task that was settled before is no error.\n",
	.run = cancel_run,
	.visits = true,
};
