#include "cli/task_ending.h"

static int cancel_run(struct context *context, int argc, char **argv)
{
	static const struct task_ending ending = { "cancelled", "todo,in_progress", plm_cancel,
		FLEET_CANCEL };
	return end_tasks(context, argc, argv, &ending);
}

const struct command cmd_cancel = {
	.name = "cancel",
	.usage = "[OPTION]... @REF...  |  [OPTION]... FILTER...",
	.help = "cancel tasks",
	.options = { task_ending_rows, task_filter_rows, task_ending_wait_rows },
	.notes =
	    "A task that waits is cancelled at once. A running task is asked to stop, interrupted\n"
	    "after half of the grace, and ended with its worker after the whole. Clients that\n"
	    "wait for the task learn at once. Cancelling a settled task is no error.\n",
	.run = cancel_run,
	.fleet = true,
	.visits = true,
};
