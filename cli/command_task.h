/* command_task.h - a command line made into a task: what may be asked for it beyond what may be
 * asked for any task (task_options.h), and the arguments of tables/command_block.h that say so.
 *
 * A command of plmctl that submits commands puts COMMAND_OPTIONS into its table and
 * COMMAND_OPTIONS_HELP into its help, and counts its own options from OPTION_OF_SUBMIT.
 * Who submits many commands with the same options makes the request once, shares it, and then asks
 * for the arguments of each line: what they have in common is stored once.
 * Futures that commands take and files that they make into futures: command_objects.h. */
#ifndef PLM_CLI_COMMAND_TASK_H
#define PLM_CLI_COMMAND_TASK_H

#include "cli/task_options.h"

/* --dir, --env and the like; the target is a struct command_request. A command that takes futures,
 * too, lists command_object_rows (command_objects.h) instead of command_stdin_rows. */
extern const struct option_row command_rows[], command_stdin_rows[];

struct command_request { /* zeroes ask for nothing */
	struct task_request task;
	const char *directory, *input; /* NULL: here; nothing */
	const char *label;             /* NULL: none */
	char *input_path;              /* memory for input, if it is a descriptor of ours */
	uint64_t cap;                  /* 0: none was asked for */
	uint64_t memory;               /* 0: any */
	bool no_environment;
	bool outlet; /* each has one, in the place of its last argument */
	const char **variable;
	size_t variables;
	struct command_object *object; /* command_objects.h */
	size_t objects, futures;       /* of them take a future: */
	unsigned outputs;              /* and the others are further results */
	/* made of them */
	char *fields, *environment;
	size_t fields_bytes, environment_bytes;
	plm_arg common[2]; /* COMMAND_ARG_FIELDS, COMMAND_ARG_ENVIRONMENT */
};

/* Once all options are taken. EXIT_FINE, or an exit code after a message. */
int command_request_make(struct command_request *request);
/* Of that only the fields: for one command that differs from the others in them. fields is then
 * its own, to be freed. */
int command_request_fields(struct command_request *request);
/* Puts what all its commands have in common into the store, once. Needs a runtime. */
int command_request_share(struct context *context, struct command_request *request);
/* The same in one object, *ret, which stands for both its arguments: the environment is then empty.
 * shell: for commands of one word, a line for COMMAND_SHELL_WORDS. The caller drops it. */
int command_request_pack(
    struct context *context, const struct command_request *request, bool shell, plm_arg *ret);
void command_request_free(struct context *context, struct command_request *request);

/* How many arguments a command of count words has: COMMAND_ARG_WORDS + count, and a future for each
 * object it takes, and its outlet. */
size_t command_nargs(const struct command_request *request, size_t count);
/* Writes them; the outlet, if there is one, is the caller's to write as the last. */
void command_arguments(
    const struct command_request *request, const char *const *word, size_t count, plm_arg *ret);
/* The task of it. args must stay until it is submitted. */
plm_task command_task(const struct command_request *request, const plm_arg *args, size_t nargs);

#endif
