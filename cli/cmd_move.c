#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "cli/fleet_door.h"
#include "cli/retry_tasks.h"
#include "cli/task_action.h"

static int move_take_to(void *target, const struct option_given *given)
{
	*(bool *)target = true;
	if (strcmp(given->text, "todo") == 0)
		return 0;
	return why(-EINVAL,
	    "--to accepts only `todo`, not %s (`plmctl cancel` ends tasks, `plmctl forget` removes "
	    "finished ones)",
	    given->text);
}

static const struct option_row rows[] = {
	{ "to", NULL, NULL, OPTION_CHOICE, .choices = "todo",
	    .help = "put the tasks into the queue", .take = move_take_to },
	{ 0 },
};

static int move_requeue(struct context *context, plm_ref ref, void *argument)
{
	(void)argument;
	return plm_requeue(context->rt, ref, PLM_GRACE_OF_TASK);
}

static bool move_has_failed(struct context *context, plm_ref ref)
{
	return plm_outcome(context->rt, ref) == -PLM_EFAILED;
}

/* Moves failed tasks to the back of the array; returns how many stay in front. */
static size_t move_part(struct context *context, const struct selection *all)
{
	size_t front = 0;
	for (size_t i = 0; i < all->n; i++) {
		plm_ref ref = all->ref[i];
		if (move_has_failed(context, ref))
			continue;
		all->ref[i] = all->ref[front];
		all->ref[front++] = ref;
	}
	return front;
}

static int move_move(
    struct context *context, const struct selection *all, const struct task_filter *filter)
{
	const struct task_action action = { "requeued", move_requeue, NULL };
	size_t n = move_part(context, all);
	const struct selection run = { .n = n, .ref = all->ref, .named = all->named };
	const struct selection failed_ones = {
		.n = all->n - n, .ref = all->ref + n, .named = all->named
	};
	int code = EXIT_FINE, other = EXIT_FINE;
	if (run.n)
		code = act_on_tasks(context, &run, filter, &action);
	if (failed_ones.n)
		other = retry_tasks(context, &failed_ones, filter);
	if (!all->n)
		fputs("plmctl: 0 tasks moved\n", stderr);
	return other == EXIT_FINE ? code : other;
}

static int move_run(struct context *context, int argc, char **argv)
{
	struct task_filter filter = { .states = 0 };
	struct selection selection;
	bool to = false;
	take_options(context, argc, argv, (void *[]){ &to, &filter });
	if (!to)
		usage_error(context,
		    "--to accepts only `todo`, and must be given (`plmctl cancel` ends tasks, "
		    "`plmctl forget` removes finished ones)");
	filter_only(context, &filter, "in_progress,failed");
	int code = select_tasks(context, argc, argv, &filter, &selection);
	if (code == EXIT_FINE && context->fleet)
		code = fleet_act(context, &selection, FLEET_MOVE);
	else if (code == EXIT_FINE)
		code = move_move(context, &selection, &filter);
	selection_free(&selection);
	return code;
}

const struct command cmd_move = {
	.name = "move",
	.usage = "--to todo @REF...  |  --to todo FILTER...",
	.help = "put tasks that run or failed back into the queue: requeue and retry in one",
	.options = { rows, task_filter_rows },
	.notes =
	    "A running task is ended and waits in the queue again, under its reference (`plmctl\n"
	    "requeue`). A failed task is submitted again: its new reference is printed, the old\n"
	    "reference is forgotten (`plmctl retry`). A filter finds only running and failed\n"
	    "tasks.\n",
	.run = move_run,
	.fleet = true,
	.visits = true,
};
