#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/why.h"
#include "cli/fleet_door.h"
#include "cli/look.h"
#include "cli/retry_tasks.h"
#include "cli/task_action.h"

struct move {
	enum plm_place place; /* 0: none was given */
	bool to_todo;
	int priority;
};

/* 0, or -EINVAL: a place was given before. */
static int move_check_first(const struct move *move)
{
	return move->place ? why(-EINVAL, "a task has one place: give --to or --priority, once")
			   : 0;
}

static int move_take_to(void *target, const struct option_given *given)
{
	static const char *const words[] = {
		[PLM_TO_FRONT] = "front", [PLM_ASIDE] = "parked", [PLM_BACK] = "todo"
	};
	struct move *move = target;
	if (move_check_first(move) < 0)
		return -EINVAL;
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (words[i] && strcmp(given->text, words[i]) == 0) {
			move->place = (enum plm_place)i;
			move->to_todo = move->place == PLM_BACK;
			return 0;
		}
	return why(-EINVAL,
	    "--to accepts todo, front and parked, not %s (`plmctl cancel` ends tasks, `plmctl "
	    "forget` removes finished ones)",
	    given->text);
}

static int move_take_priority(void *target, const struct option_given *given)
{
	struct move *move = target;
	uint64_t number;
	int r = option_number(given->what, given->text, PRIORITY_MIN, PRIORITY_MAX, &number);
	if (r < 0 || move_check_first(move) < 0)
		return -EINVAL;
	move->place = PLM_TO_PRIORITY;
	move->priority = (int)number;
	return 0;
}

static const struct option_row rows[] = {
	{ "to", NULL, NULL, OPTION_CHOICE, .choices = "todo|front|parked",
	    .help = "todo: put tasks that run, failed or are parked into the queue; front: let "
		    "queued tasks start before all others of their priority; parked: let queued "
		    "tasks wait until `--to todo`",
	    .take = move_take_to },
	{ "priority", NULL, NULL, OPTION_TEXT, .word = "N",
	    .help = "give queued tasks this priority (-32768 to 32767, larger first)",
	    .take = move_take_priority },
	{ 0 },
};

/* A task that waits in the queue already stays there, and is not kept back any more. */
static int move_to_todo(struct context *context, plm_ref ref, void *argument)
{
	plm_task_row row;
	(void)argument;
	int r = plm_requeue(context->rt, ref, PLM_GRACE_OF_TASK);
	if (r == 0 && look_open(context) == EXIT_FINE &&
	    plm_inspect_task(context->in, ref, 0, &row, sizeof row) == 0 &&
	    row.marks & PLM_MARK_PARKED)
		r = plm_move(context->rt, ref, PLM_BACK, 0);
	return r;
}

static int move_to_place(struct context *context, plm_ref ref, void *argument)
{
	const struct move *move = argument;
	return plm_move(context->rt, ref, move->place, move->priority);
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
	const struct task_action action = { "requeued", move_to_todo, NULL };
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

static int move_in_queue(struct context *context, const struct selection *all,
    const struct task_filter *filter, struct move *move)
{
	const struct task_action action = { "moved", move_to_place, move };
	return act_on_tasks(context, all, filter, &action);
}

static int move_on_fleet(
    struct context *context, const struct selection *all, const struct move *move)
{
	switch (move->place) {
	case PLM_TO_FRONT: return fleet_act(context, all, FLEET_FRONT);
	case PLM_ASIDE: return fleet_act(context, all, FLEET_PARK);
	case PLM_TO_PRIORITY: return fleet_set_priority(context, all, move->priority);
	case PLM_BACK: break;
	}
	return fleet_act(context, all, FLEET_MOVE);
}

static int move_run(struct context *context, int argc, char **argv)
{
	struct task_filter filter = { .states = 0 };
	struct selection selection;
	struct move move = { .to_todo = false };
	take_options(context, argc, argv, (void *[]){ &move, &filter });
	if (!move.place)
		usage_error(context,
		    "--to todo, front or parked, or --priority N, must be given (`plmctl cancel` "
		    "ends tasks, `plmctl forget` removes finished ones)");
	filter_only(context, &filter, move.to_todo ? "in_progress,failed,parked" : "todo");
	int code = select_tasks(context, argc, argv, &filter, &selection);
	if (code == EXIT_FINE && context->fleet)
		code = move_on_fleet(context, &selection, &move);
	else if (code == EXIT_FINE && move.to_todo)
		code = move_move(context, &selection, &filter);
	else if (code == EXIT_FINE)
		code = move_in_queue(context, &selection, &filter, &move);
	selection_free(&selection);
	return code;
}

const struct command cmd_move = {
	.name = "move",
	.usage = "--to PLACE|--priority N @REF...  |  --to PLACE|--priority N FILTER...",
	.help = "give tasks another place: in the queue again, at its front, or parked",
	.options = { rows, task_filter_rows },
	.notes =
	    "A running task is ended and waits in the queue again, under its reference (`plmctl\n"
	    "requeue`). A failed task is submitted again: its new reference is printed, the old\n"
	    "reference is forgotten (`plmctl retry`). A parked task keeps its place in the\n"
	    "queue, its limits of time go on, and `drain` and `stop` wait for it. A filter of\n"
	    "--to todo finds only running, failed and parked tasks, any other filter only\n"
	    "queued ones.\n",
	.run = move_run,
	.fleet = true,
	.visits = true,
};
