/* task_ending.h - ending tasks on request: what `cancel` and `requeue` share, their options and
 * course. */
#ifndef PLM_CLI_TASK_ENDING_H
#define PLM_CLI_TASK_ENDING_H

#include "cli/task_action.h"

struct task_ending {
	const char *past;   /* "cancelled" */
	const char *states; /* what a filter without a state of its own finds: "in_progress" */
	int (*end)(struct plm *rt, plm_ref ref, int grace_ms);
	bool may_wait; /* it has an option --wait */
};

/* Of --grace TIME, --all, the filter's options and the references: an exit code. */
int end_tasks(struct context *context, int argc, char **argv, const struct task_ending *ending);

#endif
