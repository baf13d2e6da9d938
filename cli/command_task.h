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

enum {
	OPTION_DIR = OPTION_OF_COMMAND,
	OPTION_ENV,
	OPTION_NO_ENV,
	OPTION_STDIN,
	OPTION_CAP,
	OPTION_MEM_LIMIT,
	OPTION_IN,
	OPTION_OUT,
	OPTION_AFTER,
	OPTION_LABEL,
	OPTION_OF_SUBMIT, /* its own */
};

#define COMMAND_OPTIONS                                                 \
	{ "dir", required_argument, NULL, OPTION_DIR },                 \
	    { "env", required_argument, NULL, OPTION_ENV },             \
	    { "no-env", no_argument, NULL, OPTION_NO_ENV },             \
	    { "stdin", required_argument, NULL, OPTION_STDIN },         \
	    { "output-cap", required_argument, NULL, OPTION_CAP },      \
	    { "mem-limit", required_argument, NULL, OPTION_MEM_LIMIT }, \
	    { "label", required_argument, NULL, OPTION_LABEL }, TASK_OPTIONS

#define COMMAND_OPTIONS_HELP                                                                       \
	"  --dir DIR          run in DIR (default: the current directory)\n"                       \
	"  --env NAME=VALUE   set one more variable; may be repeated\n"                            \
	"  --no-env           use the environment, umask, nice value and limits of the worker,\n"  \
	"                     not the submitter's (saves memory)\n"                                \
	"  --stdin FILE       read FILE as standard input (default: empty); - is the stdin of\n"   \
	"                     plmctl, read to its end first\n"                                     \
	"  --output-cap SIZE  keep only SIZE of stdout, and of stderr (default: 16M with\n"        \
	"                     --detach, else all); the command goes on, and exit code 74 says\n"   \
	"                     that output was cut\n"                                               \
	"  --mem-limit SIZE   kill it, and let it fail, when it and all it has started use more\n" \
	"                     memory than SIZE; checked twenty times a second\n"                   \
	"  --label TEXT       a name to find it by, of up to 64 bytes\n" TASK_OPTIONS_HELP

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

/* Takes one of COMMAND_OPTIONS, with its value in optarg. */
void command_option(const struct context *context, int option, struct command_request *request);

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
