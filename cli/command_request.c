#include "cli/command_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/why.h"

int command_request_add_variable(struct command_request *request, const char *variable)
{
	size_t n = request->options.variable_count;
	const char **more = realloc(request->variable, (n + 1) * sizeof *more);
	if (!more)
		return why(-ENOMEM, "no memory for variables");
	more[n] = variable;
	request->variable = more;
	request->options.variables = more;
	request->options.variable_count++;
	return 0;
}

/* NAME=VALUE of plmctl's own environment; NULL: there is no such variable. */
static const char *command_task_own_variable(const char *name)
{
	size_t n = strlen(name);
	for (char **v = environ; *v; v++)
		if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
			return *v;
	return NULL;
}

static int command_task_take_env(void *target, const struct option_given *given)
{
	struct command_request *request = target;
	const char *text = given->text;
	if (request->by_job && text[0] && !strchr(text, '=')) {
		text = command_task_own_variable(text);
		return text ? command_request_add_variable(request, text) : 0;
	}
	if (given->text[0] == '=' || !strchr(given->text, '='))
		return why(-EINVAL, "%s wants NAME=VALUE, not \"%s\"", given->what, given->text);
	return command_request_add_variable(request, text);
}

static int command_task_take_label(void *target, const struct option_given *given)
{
	size_t length = strlen(given->text);
	if (length == 0 || length > LABEL_MAX)
		return why(-EINVAL, "%s wants 1 to %d bytes, not \"%s\"", given->what, LABEL_MAX,
		    given->text);
	((struct command_request *)target)->options.label = given->text;
	return 0;
}

const struct option_row command_stdin_rows[] = {
	{ "stdin", NULL, NULL, OPTION_FILE, .word = "FILE", .standard = "empty",
	    .help = "read FILE as standard input",
	    OPTION_FIELD(struct command_request, options.input) },
	{ 0 },
};

const struct option_row command_rows[] = {
	{ "dir", NULL, NULL, OPTION_DIRECTORY, .word = "DIR", .standard = "the current directory",
	    .help = "run the command in DIR",
	    OPTION_FIELD(struct command_request, options.directory) },
	{ "env", NULL, NULL, OPTION_TEXT, .word = "NAME=VALUE",
	    .help = "set one more variable; may be repeated. In map NAME alone takes the value "
		    "that plmctl has (for --no-env)",
	    .take = command_task_take_env },
	{ "no-env", NULL, NULL, OPTION_FLAG,
	    .help = "use the environment, umask, nice value and limits of the worker, not the "
		    "submitter's (saves memory)",
	    OPTION_FIELD(struct command_request, options.no_environment) },
	{ "output-cap", NULL, NULL, OPTION_SIZE, .word = "SIZE",
	    .standard = "16M with --detach, else all",
	    .help =
		"keep only SIZE of stdout, and of stderr; the command goes on, and exit code 74 "
		"says that output was cut",
	    OPTION_FIELD(struct command_request, options.output_cap), 1, CAP_MAX },
	{ "mem-limit", NULL, NULL, OPTION_SIZE, .word = "SIZE",
	    .help = "kill the command, and let it fail, when it and all processes it has started "
		    "use more memory than SIZE; checked twenty times a second",
	    OPTION_FIELD(struct command_request, options.memory_limit), 1, MEMORY_MAX },
	{ "label", NULL, NULL, OPTION_TEXT, .word = "TEXT",
	    .help = "a name to find the task by, of up to 64 bytes",
	    .take = command_task_take_label },
	{ 0 },
};

int command_request_make(struct command_request *request)
{
	request->options.size = sizeof request->options;
	int r = plm_command_make(&request->command, &request->options, NULL);
	if (r == -ENOENT)
		fprintf(stderr,
		    "plmctl: the current directory no longer exists: go to another one, or give "
		    "--dir (and --stdin) as a path from /\n");
	else if (r < 0)
		failed(r, "the command");
	return r == 0 ? EXIT_FINE : r == -ENOMEM ? EXIT_OURS : EXIT_INPUT;
}

int command_request_share(struct context *context, struct command_request *request)
{
	int r = plm_command_share(context->rt, request->command);
	return r < 0 ? failed(r, "storing the environment") : EXIT_FINE;
}

void command_request_free(struct context *context, struct command_request *request)
{
	plm_command_free(context->rt, &request->command);
	for (size_t i = 0; i < request->options.future_count; i++)
		free((void *)(uintptr_t)request->future[i].name);
	free(request->future);
	free(request->variable);
	free(request->input_path);
}
