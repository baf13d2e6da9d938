/* retry_tasks.h - submits failed tasks again, for `retry` and `move --to todo`.
 *
 * A task that failed because one of its arguments failed takes the retry of the argument instead,
 * so a failed graph is submitted again as a graph. A failed task is forgotten when its retry was
 * accepted. */
#ifndef PLM_CLI_RETRY_TASKS_H
#define PLM_CLI_RETRY_TASKS_H

#include "cli/task_filter.h"

/* Prints the new references. EXIT_FINE, or the exit code of the last error; each has a message. */
int retry_tasks(
    struct context *context, const struct selection *selection, const struct task_filter *filter);

#endif
