#include "cli/task_ending.h"

static int requeue_run(struct context *context, int argc, char **argv)
{
	static const struct task_ending ending = { "requeued", "in_progress", plm_requeue,
		FLEET_REQUEUE };
	return end_tasks(context, argc, argv, &ending);
}

const struct command cmd_requeue = {
	.name = "requeue",
	.usage = "[OPTION]... @REF...  |  [OPTION]... FILTER...",
	.help = "end running tasks and put them back into the queue",
	.options = { task_ending_rows, task_filter_rows },
	.notes =
	    "A running task is ended as if it were cancelled, with all that its command has\n"
	    "started, and waits in the queue again; its output so far is thrown away. A requeue\n"
	    "is no failure and spends no retry. A filter finds running tasks only. A named task\n"
	    "that waits stays as it is; for a task that has ended there is a message.\n",
	.run = requeue_run,
	.fleet = true,
	.visits = true,
};
