/* command_request.h - the options of a command line as a task, beyond those of any task
 * (task_options.h), and the plm_command made of them.
 *
 * A command of plmctl that submits commands lists command_rows in its options. For many commands
 * one request is made and shared: the common part is then stored once.
 * Futures that commands take, and files that become futures: command_objects.h. */
#ifndef PLM_CLI_COMMAND_REQUEST_H
#define PLM_CLI_COMMAND_REQUEST_H

#include "cli/task_options.h"

/* --dir, --env and the like; the target is a struct command_request. A command that takes futures,
 * too, lists command_object_rows (command_objects.h) instead of command_stdin_rows. */
extern const struct option_row command_rows[], command_stdin_rows[];

/* libplm refuses more (plm_command_check()). */
enum { LABEL_MAX = 64 };
#define CAP_MAX ((uint64_t)1 << 40)
#define MEMORY_MAX ((uint64_t)1 << 50)

struct command_request { /* zeroes ask for nothing */
	struct task_request task;
	bool
	    by_job; /* texts may hold replacement strings of `plmctl map`: no check of references */
	plm_command_options options;
	char *input_path;           /* memory for options.input, if plmctl's own descriptor */
	const char **variable;      /* options.variables */
	plm_command_future *future; /* options.futures; owns the names */
	plm_command *command;       /* NULL before command_request_make() */
};

/* Adds NAME=VALUE, which must stay. 0, or -ENOMEM with a why. */
int command_request_add_variable(struct command_request *request, const char *variable);
/* After all options. EXIT_FINE, or an exit code after a message. */
int command_request_make(struct command_request *request);
/* Stores the common part of the commands in the runtime. EXIT_FINE, or an exit code after a
 * message. */
int command_request_share(struct context *context, struct command_request *request);
void command_request_free(struct context *context, struct command_request *request);

#endif
