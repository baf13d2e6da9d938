#include "cli/command_task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/why.h"
#include "cli/command_objects.h"
#include "cli/identity.h"
#include "tables/inherited.h"

enum { PATH_BYTES = 4096, NUMBER_BYTES = 24 };

/* ---- options ---- */

static int command_task_take_env(void *target, const struct option_given *given)
{
	struct command_request *request = target;
	if (given->text[0] == '=' || !strchr(given->text, '='))
		return why(-EINVAL, "%s wants NAME=VALUE, not \"%s\"", given->what, given->text);
	const char **more =
	    realloc(request->variable, (request->variables + 1) * sizeof *request->variable);
	if (!more)
		exit(failed(-ENOMEM, given->what));
	request->variable = more;
	request->variable[request->variables++] = given->text;
	return 0;
}

static int command_task_take_label(void *target, const struct option_given *given)
{
	size_t length = strlen(given->text);
	if (length == 0 || length > COMMAND_LABEL_MAX)
		return why(-EINVAL, "%s wants 1 to %d bytes, not \"%s\"", given->what,
		    COMMAND_LABEL_MAX, given->text);
	((struct command_request *)target)->label = given->text;
	return 0;
}

const struct option_row command_stdin_rows[] = {
	{ "stdin", NULL, NULL, OPTION_FILE, .word = "FILE", .standard = "empty",
	    .help = "read FILE as standard input", OPTION_FIELD(struct command_request, input) },
	{ 0 },
};

const struct option_row command_rows[] = {
	{ "dir", NULL, NULL, OPTION_DIRECTORY, .word = "DIR", .standard = "the current directory",
	    .help = "run the command in DIR", OPTION_FIELD(struct command_request, directory) },
	{ "env", NULL, NULL, OPTION_TEXT, .word = "NAME=VALUE",
	    .help = "set one more variable; may be repeated", .take = command_task_take_env },
	{ "no-env", NULL, NULL, OPTION_FLAG,
	    .help = "use the environment, umask, nice value and limits of the worker, not the "
		    "submitter's (saves memory)",
	    OPTION_FIELD(struct command_request, no_environment) },
	{ "output-cap", NULL, NULL, OPTION_SIZE, .word = "SIZE",
	    .standard = "16M with --detach, else all",
	    .help =
		"keep only SIZE of stdout, and of stderr; the command goes on, and exit code 74 "
		"says that output was cut",
	    OPTION_FIELD(struct command_request, cap), 1, COMMAND_CAP_MAX },
	{ "mem-limit", NULL, NULL, OPTION_SIZE, .word = "SIZE",
	    .help = "kill the command, and let it fail, when it and all processes it has started "
		    "use more memory than SIZE; checked twenty times a second",
	    OPTION_FIELD(struct command_request, memory), 1, COMMAND_MEMORY_MAX },
	{ "label", NULL, NULL, OPTION_TEXT, .word = "TEXT",
	    .help = "a name to find the task by, of up to 64 bytes",
	    .take = command_task_take_label },
	{ 0 },
};

/* ---- what its commands have in common ---- */

/* Where we are, which is not where the worker is. */
static const char *command_task_absolute(const char *path, char ret[PATH_BYTES])
{
	size_t n = 0;
	if (!path || path[0] != '/') {
		if (!getcwd(ret, PATH_BYTES))
			return NULL;
		n = strlen(ret);
		if (path)
			ret[n++] = '/';
	}
	if (n + (path ? strlen(path) : 0) >= PATH_BYTES) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	strcpy(ret + n, path ? path : "");
	return ret;
}

static size_t command_task_add_number(
    char *fields, size_t length, size_t room, enum command_field field, uint64_t number)
{
	char text[NUMBER_BYTES];
	snprintf(text, sizeof text, "%llu", (unsigned long long)number);
	return number ? command_add(fields, length, room, field, text) : length;
}

/* Somebody has removed the directory we stand in, or a path is too long for one. */
static int command_task_say_no_directory(int error)
{
	if (error == ENOENT)
		fprintf(stderr,
		    "plmctl: the current directory no longer exists: go to another "
		    "one, or give --dir (and --stdin) as a path from /\n");
	else
		fprintf(stderr, "plmctl: the directory of the command: %s\n", strerror(error));
	return EXIT_INPUT;
}

int command_request_fields(struct command_request *request)
{
	char directory[PATH_BYTES], input[PATH_BYTES];
	size_t room = sizeof directory + sizeof input + 2 * NUMBER_BYTES + COMMAND_LABEL_MAX + 4,
	       n = 0;
	if (!command_task_absolute(request->directory, directory) ||
	    (request->input && !command_task_absolute(request->input, input)))
		return command_task_say_no_directory(errno);
	for (size_t i = 0; i < request->variables; i++)
		room += strlen(request->variable[i]) + 2;
	room += command_objects_fields(request, NULL, 0, 0);
	request->fields = malloc(room);
	if (!request->fields)
		return failed(-ENOMEM, "the command");
	n = command_add(request->fields, n, room, COMMAND_DIRECTORY, directory);
	if (request->input)
		n = command_add(request->fields, n, room, COMMAND_STDIN, input);
	n = command_task_add_number(request->fields, n, room, COMMAND_CAP, request->cap);
	n = command_task_add_number(request->fields, n, room, COMMAND_MEMORY, request->memory);
	if (request->label)
		n = command_add(request->fields, n, room, COMMAND_LABEL, request->label);
	for (size_t i = 0; i < request->variables; i++)
		n = command_add(request->fields, n, room, COMMAND_VARIABLE, request->variable[i]);
	if (request->outlet)
		n = command_add(request->fields, n, room, COMMAND_OUTLET, "");
	n = command_objects_fields(request, request->fields, n, room);
	request->fields_bytes = n;
	request->common[COMMAND_ARG_FIELDS] = PLM_BYTES(request->fields, n);
	return EXIT_FINE;
}

static int command_task_make_environment(struct command_request *request)
{
	char inherited[INHERITED_TEXT_BYTES];
	size_t n = 0;
	if (!request->no_environment) {
		inherited_print(inherited);
		n = strlen(inherited) + 1;
	}
	size_t variables = n;
	for (char **v = environ; *v && !request->no_environment; v++)
		n += strlen(*v) + 1;
	request->environment = malloc(n + 1);
	if (!request->environment)
		return failed(-ENOMEM, "the environment of the command");
	request->environment_bytes = n;
	request->common[COMMAND_ARG_ENVIRONMENT] = PLM_BYTES(request->environment, n);
	memcpy(request->environment, inherited, variables);
	n = variables;
	for (char **v = environ; *v && !request->no_environment; v++) {
		size_t bytes = strlen(*v) + 1;
		memcpy(request->environment + n, *v, bytes);
		n += bytes;
	}
	return EXIT_FINE;
}

int command_request_make(struct command_request *request)
{
	int code = command_request_fields(request);
	return code == EXIT_FINE ? command_task_make_environment(request) : code;
}

int command_request_share(struct context *context, struct command_request *request)
{
	for (size_t i = 0; i < COMMAND_ARG_WORDS; i++) {
		plm_arg *arg = &request->common[i];
		plm_ref ref;
		if (arg->future.id)
			continue;
		int r = plm_put(context->rt, arg->data, arg->len, &ref);
		if (r < 0)
			return failed(r, "storing the environment");
		*arg = PLM_FUTURE(ref);
	}
	return EXIT_FINE;
}

int command_request_pack(
    struct context *context, const struct command_request *request, bool shell, plm_arg *ret)
{
	static const char shell_field[] = { COMMAND_SHELL, 0 };
	size_t fields = request->fields_bytes, environment = request->environment_bytes;
	size_t more = shell ? sizeof shell_field : 0;
	void *data;
	plm_ref ref;
	int r = plm_create(context->rt, fields + more + 1 + environment, &data, &ref);
	if (r < 0)
		return failed(r, "storing the environment");
	char *to = mempcpy(data, request->fields, fields);
	to = mempcpy(to, shell_field, more);
	*to++ = 0;
	memcpy(to, request->environment, environment);
	r = plm_seal(context->rt, ref);
	*ret = PLM_FUTURE(ref);
	return r < 0 ? failed(r, "storing the environment") : EXIT_FINE;
}

void command_request_free(struct context *context, struct command_request *request)
{
	for (size_t i = 0; i < COMMAND_ARG_WORDS; i++)
		if (request->common[i].future.id)
			plm_drop(context->rt, request->common[i].future);
	free(request->variable);
	command_objects_free(request);
	free(request->fields);
	free(request->environment);
	free(request->input_path);
}

/* ---- one command ---- */

size_t command_nargs(const struct command_request *request, size_t count)
{
	return COMMAND_ARG_WORDS + count + request->futures + request->outlet;
}

void command_arguments(
    const struct command_request *request, const char *const *word, size_t count, plm_arg *ret)
{
	for (size_t i = 0; i < COMMAND_ARG_WORDS; i++)
		ret[i] = request->common[i];
	for (size_t i = 0; i < count; i++)
		ret[COMMAND_ARG_WORDS + i] = PLM_BYTES(word[i], strlen(word[i]));
	ret += COMMAND_ARG_WORDS + count;
	for (size_t i = 0; i < request->objects; i++)
		if (request->object[i].ref.id)
			*ret++ = PLM_FUTURE(request->object[i].ref);
}

plm_task command_task(const struct command_request *request, const plm_arg *args, size_t nargs)
{
	plm_task task = request->task.task;
	task.function = COMMAND_FUNCTION;
	task.args = args;
	task.nargs = nargs;
	/* of several replicas nobody asks for the log */
	task.results = request->task.terms.replicas > 1 ? 1 : COMMAND_RESULTS + request->outputs;
	identity_make(&task, request->fields, request->fields_bytes, COMMAND_ARG_WORDS);
	return task;
}
