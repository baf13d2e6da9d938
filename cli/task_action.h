/* task_action.h - the same done to many tasks: what `cancel`, `requeue`, `forget` and `move` share.
 *
 * A task that was selected by a filter is judged by it once more before it is touched: the list was
 * made a moment ago, and `cancel --todo` must not cancel what has begun since. What is gone or got
 * to its end meanwhile is passed over, what was named is an error.
 * Prints with --quiet and --json what was done to which; without, how many a filter has found. */
#ifndef PLM_CLI_TASK_ACTION_H
#define PLM_CLI_TASK_ACTION_H

#include "cli/task_filter.h"

/* 0; -EALREADY: there was nothing to do; another -errno. */
typedef int task_act_f(struct context *context, plm_ref ref, void *argument);

struct task_action {
	const char *past; /* "cancelled" */
	task_act_f *act;
	void *argument;
};

/* EXIT_FINE, or the exit code of what went wrong last, each of them said. */
int act_on_tasks(struct context *context, const struct selection *selection,
    const struct task_filter *filter, const struct task_action *action);

/* Holds all that is selected, as long as we are connected; what a filter has found and is gone is
 * left out. EXIT_FINE, or an exit code after a message. */
int hold_selection(struct context *context, struct selection *selection);

/* The usual course of such a command: select, act, free. */
int select_and_act(struct context *context, int argc, char **argv, const struct task_filter *filter,
    const struct task_action *action);

#endif
