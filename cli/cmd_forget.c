#include "cli/fleet_door.h"
#include "cli/task_action.h"

static const struct option_row rows[] = {
	{ "all", NULL, NULL, OPTION_FLAG, .help = "every task that is kept",
	    OPTION_FIELD(struct task_filter, given) },
	{ 0 },
};

static int forget_one(struct context *context, plm_ref ref, void *argument)
{
	(void)argument;
	return plm_forget(context->rt, ref);
}

static int forget_on_fleet(
    struct context *context, int argc, char **argv, struct task_filter *filter)
{
	struct selection selection;
	filter_only(context, filter, "done,failed,cancelled");
	int code = select_tasks(context, argc, argv, filter, &selection);
	if (code == EXIT_FINE)
		code = fleet_act(context, &selection, FLEET_FORGET);
	selection_free(&selection);
	return code;
}

static int forget_run(struct context *context, int argc, char **argv)
{
	struct task_filter filter = { .kept = true };
	take_options(context, argc, argv, (void *[]){ &filter, &filter });
	if (context->fleet)
		return forget_on_fleet(context, argc, argv, &filter);
	const struct task_action action = { "forgotten", forget_one, NULL };
	int code = select_and_act(context, argc, argv, &filter, &action);
	if (context->rt)
		plm_sync(context->rt); /* lists made from now on omit forgotten tasks */
	return code;
}

const struct command cmd_forget = {
	.name = "forget",
	.usage = "[OPTION]... @REF...  |  [OPTION]... FILTER...",
	.help = "stop keeping tasks: their results and logs are removed",
	.options = { rows, task_filter_rows },
	.notes =
	    "Tasks of `submit --detach`, `load` and `retry` are kept after their end. Once\n"
	    "forgotten, a task leaves when it has ended and no program or other task needs it:\n"
	    "its result and log are removed. A task that waits or runs goes on. A filter finds\n"
	    "only tasks that are kept.\n",
	.run = forget_run,
	.fleet = true,
	.visits = true,
};
