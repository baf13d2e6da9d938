/* task_ending.h - the options and the course of `cancel` and `requeue`, which end tasks. */
#ifndef PLM_CLI_TASK_ENDING_H
#define PLM_CLI_TASK_ENDING_H

#include "cli/fleet_door.h"
#include "cli/task_action.h"

/* For the options of the command, with task_filter_rows between the two tables; `requeue` omits the
 * second table. */
extern const struct option_row task_ending_rows[], task_ending_wait_rows[];

struct task_ending {
	const char *past;   /* "cancelled" */
	const char *states; /* of tasks to end: "in_progress" */
	int (*end)(struct plm *rt, plm_ref ref, int grace_ms);
	enum fleet_action on_fleet;
};

/* Takes the options, selects the tasks and ends them. Returns an exit code. */
int end_tasks(struct context *context, int argc, char **argv, const struct task_ending *ending);

#endif
