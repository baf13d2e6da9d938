/* hook.h - a line for a shell that runs after a command: a task of its own, which comes after any
 * end of the command and is submitted with the command in one step (PLM_PAIRED), so that it runs
 * whoever dies.
 * Who: submit and load.  Blocks: never. */
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

struct hook { /* zeroes: none */
	plm_command *command;
	plm_arg *args;
	plm_task task; /* to be submitted right behind the command */
};

/* The line of a command whose --on-finish is `asked`, NULL if it was not given: the given line, or
 * that of the runtime. NULL: no line. Valid until the next call. */
const char *hook_line(struct context *context, const char *asked);
/* Makes the task, with directory, variables and environment of the command that `task` runs; `like`
 * lends its environment. 0 or -errno with a why; hook_free() ends it either way. */
int hook_make(struct hook *hook, const char *line, const plm_command_options *of,
    const plm_command *like, const plm_task *task);
void hook_free(struct hook *hook);

#endif
