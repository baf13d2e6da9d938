#include "cli/task_ending.h"

static int run_requeue(struct context *context, int argc, char **argv)
{
	static const struct task_ending ending = { "requeued", "in_progress", plm_requeue };
	return end_tasks(context, argc, argv, &ending);
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
	.visits = true,
};
