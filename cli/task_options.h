/* task_options.h - the options of any task, whatever the task calls: of `call`, `submit`, `map` and
 * `load`. A command that submits lists task_rows in its options, with a struct task_request as
 * target, and settles the request after the options. */
#ifndef PLM_CLI_TASK_OPTIONS_H
#define PLM_CLI_TASK_OPTIONS_H

#include "cli/arguments.h"

extern const struct option_row task_rows[];

enum { TIME_MAX_MS = 1 << 30 }; /* libplm accepts no longer times */

#define TASK_TIMES_HELP \
	"A TIME has ms, s, m or h behind the number. When --timeout runs out the task is cancelled.\n"

struct task_request {
	plm_task task;
	plm_terms terms; /* the task points here if the options asked for any */
	bool detach;
};

/* Puts terms and flags into the task. --keep needs a result that the runtime keeps: a usage error
 * without --detach. */
void task_request_settle(const struct context *context, struct task_request *request);

#endif
