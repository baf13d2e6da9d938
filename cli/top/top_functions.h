/* top_functions.h - the rows of the pane of functions: counts of tasks beside rates and run times.
 *
 * Tasks are counted in the record table (top_count.h), runs in the event log (top_flow.h). A
 * function may be in one of the two alone: tasks that wait have not run, and the record of a task
 * that nobody holds is free at once.
 * Blocks, allocates: never. */
#ifndef PLM_CLI_TOP_FUNCTIONS_H
#define PLM_CLI_TOP_FUNCTIONS_H

#include "cli/top/top_count.h"
#include "cli/top/top_flow.h"

struct function_row {
	const char *name;
	const struct count_group *counted; /* NULL: no task is in the record table */
	const struct runs_of *runs;        /* NULL: no run in the log */
};

struct functions {
	struct function_row row[GROUPS_MAX + RUNS_FUNCTIONS];
	size_t n;
};

/* The rows as of now; they point into count and flow. */
void functions_join(
    struct functions *functions, const struct count *count, const struct flow *flow);

#endif
