/* retry_tasks.h - failed tasks once more, for `retry` and `move --to todo`.
 *
 * Of several, those that failed because another of them did take its retry in its place: a failed
 * graph is submitted anew as a graph. Each failed one is let go when its retry was accepted. */
#ifndef PLM_CLI_RETRY_TASKS_H
#define PLM_CLI_RETRY_TASKS_H

#include "cli/task_filter.h"

/* Prints the new references. EXIT_FINE, or the exit code of what went wrong last, each said. */
int retry_tasks(
    struct context *context, const struct selection *selection, const struct task_filter *filter);

#endif
