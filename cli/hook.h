/* hook.h - the task of --on-finish: a line for a shell, which comes after any end of a command.
 * Both are submitted in one step (PLM_PAIRED), on a fleet, too, so the hook runs whoever dies. Who:
 * submit and load.  Blocks: never. */
#ifndef PLM_CLI_HOOK_H
#define PLM_CLI_HOOK_H

#include "cli/command_request.h"

/* --on-finish, a row of the tables of submit and load. */
#define HOOK_ROW(type, field)                                                                   \
	{                                                                                       \
		"on-finish", NULL, NULL, OPTION_TEXT,                                           \
		    .word = "LINE", .standard = "as plm --on-finish says",                      \
		    .help =                                                                     \
			"run LINE in a shell as a task of its own when the command has "        \
			"ended, in whatever way; LINE finds PLM_AFTER (the reference of the "   \
			"command), PLM_AFTER_STATE and PLM_AFTER_CODE; an empty LINE: nothing", \
		    OPTION_FIELD(type, field)                                                   \
	}

#define HOOK_LABEL "on-finish"

struct hook { /* zeroes: none */
	plm_command *command;
	plm_arg *args;
	plm_task task; /* to be submitted right behind the command */
};

/* The line for a command. `asked` is the value of --on-finish; NULL: not given, then the line of
 * the runtime. Returns NULL for no hook. Valid until the next call. */
const char *hook_line(struct context *context, const char *asked);
/* Makes a task with directory, variables and environment of the command behind `task`; `like` lends
 * the environment. 0 or -errno with a why; call hook_free() after either. */
int hook_make(struct hook *hook, const char *line, const plm_command_options *of,
    const plm_command *like, const plm_task *task);
void hook_free(struct hook *hook);

#endif
