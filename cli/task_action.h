/* task_action.h - one action on many tasks, for `cancel`, `requeue`, `forget` and `move`.
 *
 * A task selected by a filter is judged by the filter again just before the action: the list was
 * made a moment ago, and `cancel --todo` must not cancel a task that has begun since. A selected
 * task that is gone or has ended is skipped; for a task named by reference that is an error. Prints
 * each task with --quiet and --json; otherwise how many tasks a filter has found. */
#ifndef PLM_CLI_TASK_ACTION_H
#define PLM_CLI_TASK_ACTION_H

#include "cli/task_filter.h"

/* 0; -EALREADY: nothing to do; another -errno. */
typedef int task_act_f(struct context *context, plm_ref ref, void *argument);

struct task_action {
	const char *past; /* "cancelled" */
	task_act_f *act;
	void *argument;
};

/* EXIT_FINE, or the exit code of the last error; each has a message. */
int act_on_tasks(struct context *context, const struct selection *selection,
    const struct task_filter *filter, const struct task_action *action);

/* Holds all selected tasks until plmctl disconnects; leaves out tasks found by a filter that are
 * gone by now. EXIT_FINE, or an exit code after a message. */
int hold_selection(struct context *context, struct selection *selection);

/* The usual course of a command: select, act, free. */
int select_and_act(struct context *context, int argc, char **argv, const struct task_filter *filter,
    const struct task_action *action);

#endif
