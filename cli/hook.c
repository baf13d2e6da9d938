#include "cli/hook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/why.h"
#include "cli/shell_line.h"

const char *hook_line(struct context *context, const char *asked)
{
	static char line[ON_FINISH_BYTES];
	if (!asked && plm_on_finish(context->rt, line, sizeof line) == 0)
		asked = line;
	return asked && asked[0] ? asked : NULL;
}

int hook_make(struct hook *hook, const char *line, const plm_command_options *of,
    const plm_command *like, const plm_task *task)
{
	const plm_command_future after = { PLM_COMMAND_AFTER_ANY, NULL, PLM_PREVIOUS };
	const plm_command_options options = { .size = sizeof options,
		.directory = of->directory,
		.variables = of->variables,
		.variable_count = of->variable_count,
		.no_environment = of->no_environment,
		.label = HOOK_LABEL,
		.futures = &after,
		.future_count = 1 };
	/* Functions of bash come with the environment alone. */
	const char *const shell = of->no_environment ? SHELL_STANDARD : shell_line_program(line);
	const char *const words[] = { shell, "-c", line };
	hook->task = (plm_task){ .priority = task->priority,
		.flags = (task->flags & PLM_KEEP) | PLM_PAIRED };
	int r = plm_command_make(&hook->command, &options, like);
	if (r < 0)
		return r;
	hook->args = calloc(plm_command_nargs(hook->command, COUNT_OF(words)), sizeof(plm_arg));
	if (!hook->args)
		return why(-ENOMEM, "no memory for the line of --on-finish");
	r = plm_command_task(hook->command, words, COUNT_OF(words), NULL, hook->args, &hook->task);
	memset(hook->task.identity, 0, sizeof hook->task.identity); /* each command has its own */
	return r;
}

void hook_free(struct hook *hook)
{
	plm_command_free(NULL, &hook->command);
	free(hook->args);
	*hook = (struct hook){ .command = NULL };
}
