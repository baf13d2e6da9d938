/* command_task.c - makes a command line a task: fields and environment for several commands, and
 * the arguments of each command (tables/command_block.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/why.h"
#include "client/plm.h"
#include "client/task_identity.h"
#include "tables/command_block.h"
#include "tables/inherited.h"

enum { PATH_BYTES = 4096, NUMBER_BYTES = 24 };

_Static_assert((int)PLM_COMMAND_STDIN == (int)COMMAND_STDIN_VALUE &&
	(int)PLM_COMMAND_IN == (int)COMMAND_IN && (int)PLM_COMMAND_AFTER == (int)COMMAND_AFTER &&
	(int)PLM_COMMAND_AFTER_ANY == (int)COMMAND_AFTER_ANY &&
	(int)PLM_COMMAND_AFTER_FAILED == (int)COMMAND_AFTER_FAILED &&
	(int)PLM_COMMAND_OUT == (int)COMMAND_OUT &&
	(int)PLM_COMMAND_RESULTS == (int)COMMAND_RESULTS,
    "plm.h repeats the letters of tables/command_block.h");
_Static_assert((int)PLM_COMMAND_NOT_STARTED == (int)COMMAND_OURS &&
	(int)PLM_COMMAND_NOT_FOUND == (int)COMMAND_NOT_FOUND &&
	(int)PLM_COMMAND_SIGNALLED == (int)COMMAND_SIGNALLED &&
	sizeof PLM_COMMAND_SAYS_EXIT == sizeof COMMAND_SAYS_EXIT &&
	sizeof PLM_COMMAND_SAYS_SIGNAL == sizeof COMMAND_SAYS_SIGNAL,
    "plm.h repeats how a command fails");
_Static_assert(sizeof(struct command_outlet) == sizeof(plm_command_outlet), "plm.h holds a copy");

struct plm_command {
	char *fields, *environment; /* NULL environment: that of another command, or none */
	size_t fields_bytes, environment_bytes;
	plm_arg common[COMMAND_ARG_WORDS]; /* fields and environment */
	plm_ref stored;                    /* the environment, as an object of ours */
	plm_ref packed[2];                 /* both in one object; [1]: for a line of the shell */
	plm_arg *future;
	size_t futures;
	unsigned outputs;
	bool outlet;
	bool borrows; /* the environment of another command */
};

/* ---- checking ---- */

static bool command_task_same_variable(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");
	return n > 0 && n == strcspn(b, "=") && strncmp(a, b, n) == 0;
}

static int command_task_check_variable(const char *name)
{
	if (name && command_variable(name))
		return 0;
	return why(-EINVAL,
	    "\"%.*s\" cannot be the name of a variable: use letters, digits and _, no digit first, "
	    "and no name that begins with PLM_",
	    name ? (int)strcspn(name, "=") : 0, name ? name : "");
}

static bool command_task_has_name(const plm_command_future *future)
{
	return future->use == PLM_COMMAND_IN || future->use == PLM_COMMAND_OUT;
}

/* Compares a future with the variables, and with earlier futures. */
static int command_task_check_name(const plm_command_options *options, size_t i)
{
	const plm_command_future *f = &options->futures[i];
	if (command_task_check_variable(f->name) < 0)
		return -EINVAL;
	int length = (int)strcspn(f->name, "=");
	if (f->use == PLM_COMMAND_OUT && !command_out_file(f->name))
		return why(-EINVAL,
		    "an output file is NAME or NAME=FILE, FILE without \"/\", not \"%s\"", f->name);
	for (size_t k = 0; k < options->variable_count; k++)
		if (command_task_same_variable(f->name, options->variables[k]))
			return why(-EINVAL,
			    "the variable %.*s is set twice, by the environment and for a file",
			    length, f->name);
	for (const plm_command_future *other = options->futures; other < f; other++) {
		if (!command_task_has_name(other))
			continue;
		if (command_task_same_variable(f->name, other->name))
			return why(-EINVAL, "the variable %.*s is set twice, for two files", length,
			    f->name);
		if (f->use == PLM_COMMAND_OUT && other->use == PLM_COMMAND_OUT &&
		    strcmp(command_out_file(f->name), command_out_file(other->name)) == 0)
			return why(-EINVAL, "two outputs write the same file: %s",
			    command_out_file(f->name));
	}
	return 0;
}

static int command_task_check_future(const plm_command_options *options, size_t i)
{
	const plm_command_future *f = &options->futures[i];
	switch (f->use) {
	case PLM_COMMAND_IN:
	case PLM_COMMAND_OUT: return command_task_check_name(options, i);
	case PLM_COMMAND_STDIN:
	case PLM_COMMAND_AFTER:
	case PLM_COMMAND_AFTER_ANY:
	case PLM_COMMAND_AFTER_FAILED: return 0;
	default: return why(-EINVAL, "%d is no use of a future by a command", f->use);
	}
}

static int command_task_check_numbers(const plm_command_options *options)
{
	size_t label = options->label ? strlen(options->label) : 1;
	if (label == 0 || label > COMMAND_LABEL_MAX)
		return why(-EINVAL, "a label has 1 to %d bytes, not %zu", COMMAND_LABEL_MAX, label);
	if (options->output_cap > COMMAND_CAP_MAX)
		return why(-EINVAL, "the cap of an output is at most %llu bytes",
		    (unsigned long long)COMMAND_CAP_MAX);
	if (options->memory_limit > COMMAND_MEMORY_MAX)
		return why(-EINVAL, "the memory limit of a command is at most %llu bytes",
		    (unsigned long long)COMMAND_MEMORY_MAX);
	if (options->part_count && !options->input)
		return why(-EINVAL, "parts of an input need the file they are parts of");
	for (size_t i = 0; i < options->variable_count; i++)
		if (options->variables[i][0] == '=' || !strchr(options->variables[i], '='))
			return why(
			    -EINVAL, "a variable is NAME=VALUE, not \"%s\"", options->variables[i]);
	return 0;
}

int plm_command_check(const plm_command_options *options)
{
	if (!options || options->size != sizeof *options)
		return why(-EINVAL, "plm_command_options.size is not that of this libplm");
	unsigned inputs = options->input != NULL, outputs = 0;
	int r = command_task_check_numbers(options);
	for (size_t i = 0; i < options->future_count && r == 0; i++) {
		inputs += options->futures[i].use == PLM_COMMAND_STDIN;
		outputs += options->futures[i].use == PLM_COMMAND_OUT;
		r = command_task_check_future(options, i);
	}
	if (r == 0 && inputs > 1)
		r = why(-EINVAL, "standard input is given twice");
	if (r == 0 && outputs > RESULTS_MAX - COMMAND_RESULTS)
		r = why(-EINVAL, "%u output files are too many: at most %d are possible", outputs,
		    RESULTS_MAX - COMMAND_RESULTS);
	return r;
}

/* ---- fields and environment ---- */

/* Makes a path absolute, because a worker has another current directory. NULL: that directory. */
static int command_task_absolute(const char *path, char ret[PATH_BYTES])
{
	size_t n = 0;
	if (!path || path[0] != '/') {
		if (!getcwd(ret, PATH_BYTES))
			return errno == ENOENT
			    ? why(-ENOENT, "the current directory no longer exists")
			    : why(-errno, "the current directory: %s", strerror(errno));
		n = strlen(ret);
		if (path)
			ret[n++] = '/';
	}
	if (n + (path ? strlen(path) : 0) >= PATH_BYTES)
		return why(-ENAMETOOLONG, "the path %.40s... is too long", path ? path : ret);
	strcpy(ret + n, path ? path : "");
	return 0;
}

static size_t command_task_add_number(
    char *fields, size_t length, size_t room, enum command_field field, uint64_t number)
{
	char text[NUMBER_BYTES];
	snprintf(text, sizeof text, "%llu", (unsigned long long)number);
	return number ? command_add(fields, length, room, field, text) : length;
}

static size_t command_task_add_part(
    char *fields, size_t length, size_t room, const uint64_t part[2])
{
	char text[2 * NUMBER_BYTES];
	snprintf(text, sizeof text, "%llu+%llu", (unsigned long long)part[0],
	    (unsigned long long)part[1]);
	return command_add(fields, length, room, COMMAND_PART, text);
}

struct command_paths { /* absolute */
	char directory[PATH_BYTES], input[PATH_BYTES], output[PATH_BYTES], error[PATH_BYTES];
};

/* Writes the fields, or with room 0 counts their bytes. */
static size_t command_task_write_fields(const plm_command_options *options,
    const struct command_paths *paths, char *fields, size_t room)
{
	size_t n = command_add(fields, 0, room, COMMAND_DIRECTORY, paths->directory);
	if (options->input)
		n = command_add(fields, n, room, COMMAND_STDIN, paths->input);
	if (options->output)
		n = command_add(fields, n, room, COMMAND_OUTPUT, paths->output);
	if (options->error)
		n = command_add(fields, n, room, COMMAND_ERROR, paths->error);
	for (size_t i = 0; i < options->part_count; i++)
		n = command_task_add_part(fields, n, room, options->parts + 2 * i);
	n = command_task_add_number(fields, n, room, COMMAND_CAP, options->output_cap);
	n = command_task_add_number(fields, n, room, COMMAND_MEMORY, options->memory_limit);
	if (options->label)
		n = command_add(fields, n, room, COMMAND_LABEL, options->label);
	for (size_t i = 0; i < options->variable_count; i++)
		n = command_add(fields, n, room, COMMAND_VARIABLE, options->variables[i]);
	if (options->outlet)
		n = command_add(fields, n, room, COMMAND_OUTLET, "");
	for (size_t i = 0; i < options->future_count; i++) {
		const plm_command_future *f = &options->futures[i];
		n = command_add(fields, n, room, (enum command_field)f->use,
		    command_task_has_name(f) ? f->name : "");
	}
	return n;
}

static int command_task_make_fields(plm_command *command, const plm_command_options *options)
{
	struct command_paths paths;
	int r = command_task_absolute(options->directory, paths.directory);
	if (r == 0 && options->input)
		r = command_task_absolute(options->input, paths.input);
	if (r == 0 && options->output)
		r = command_task_absolute(options->output, paths.output);
	if (r == 0 && options->error)
		r = command_task_absolute(options->error, paths.error);
	if (r < 0)
		return r;
	size_t room = command_task_write_fields(options, &paths, NULL, 0);
	command->fields = malloc(room);
	if (!command->fields)
		return -ENOMEM;
	command->fields_bytes = command_task_write_fields(options, &paths, command->fields, room);
	command->common[COMMAND_ARG_FIELDS] = PLM_BYTES(command->fields, command->fields_bytes);
	return 0;
}

static int command_task_make_environment(plm_command *command)
{
	char inherited[INHERITED_TEXT_BYTES];
	inherited_print(inherited);
	size_t n = strlen(inherited) + 1;
	for (char **v = environ; *v; v++)
		n += strlen(*v) + 1;
	command->environment = malloc(n);
	if (!command->environment)
		return -ENOMEM;
	command->environment_bytes = n;
	char *to = mempcpy(command->environment, inherited, strlen(inherited) + 1);
	for (char **v = environ; *v; v++)
		to = mempcpy(to, *v, strlen(*v) + 1);
	command->common[COMMAND_ARG_ENVIRONMENT] = PLM_BYTES(command->environment, n);
	return 0;
}

static plm_arg command_task_future(const plm_command_future *f)
{
	switch (f->use) {
	case PLM_COMMAND_AFTER_ANY: return PLM_AFTER(f->ref, PLM_AFTER_ANY);
	case PLM_COMMAND_AFTER_FAILED: return PLM_AFTER(f->ref, PLM_AFTER_FAILED);
	default: return PLM_FUTURE(f->ref);
	}
}

static int command_task_take_futures(plm_command *command, const plm_command_options *options)
{
	command->future = calloc(options->future_count + 1, sizeof *command->future);
	if (!command->future)
		return -ENOMEM;
	for (size_t i = 0; i < options->future_count; i++) {
		if (options->futures[i].use == PLM_COMMAND_OUT)
			command->outputs++;
		else
			command->future[command->futures++] =
			    command_task_future(&options->futures[i]);
	}
	command->outlet = options->outlet != 0;
	return 0;
}

int plm_command_make(plm_command **ret, const plm_command_options *options, const plm_command *like)
{
	int r = plm_command_check(options);
	plm_command *command = r < 0 ? NULL : calloc(1, sizeof *command);
	if (!command)
		return r < 0 ? r : why(-ENOMEM, "out of memory");
	r = command_task_make_fields(command, options);
	if (r == 0)
		r = command_task_take_futures(command, options);
	command->borrows = like != NULL;
	if (r == 0 && !options->no_environment && like)
		command->common[COMMAND_ARG_ENVIRONMENT] = like->common[COMMAND_ARG_ENVIRONMENT];
	else if (r == 0 && !options->no_environment)
		r = command_task_make_environment(command);
	*ret = command;
	if (r < 0)
		plm_command_free(NULL, ret);
	return r == -ENOMEM ? why(r, "out of memory") : r;
}

void plm_command_free(plm *rt, plm_command **commandp)
{
	plm_command *command = *commandp;
	*commandp = NULL;
	if (!command)
		return;
	const plm_ref held[] = { command->stored, command->packed[0], command->packed[1] };
	for (size_t i = 0; i < COUNT_OF(held) && rt; i++)
		if (held[i].id)
			plm_drop(rt, held[i]);
	free(command->fields);
	free(command->environment);
	free(command->future);
	free(command);
}

/* ---- sharing ---- */

/* Stores fields and environment in one object, in place of two arguments. */
static int command_task_pack(plm *rt, const plm_command *command, bool shell, plm_ref *ret)
{
	static const char shell_field[] = { COMMAND_SHELL, 0 };
	size_t more = shell ? sizeof shell_field : 0;
	void *data;
	int r = plm_create(
	    rt, command->fields_bytes + more + 1 + command->environment_bytes, &data, ret);
	if (r < 0)
		return r;
	char *to = mempcpy(data, command->fields, command->fields_bytes);
	to = mempcpy(to, shell_field, more);
	*to++ = 0;
	if (command->environment)
		memcpy(to, command->environment, command->environment_bytes);
	return plm_seal(rt, *ret);
}

/* A command with a borrowed environment is not packed, because the lender has stored it. */
int plm_command_share(plm *rt, plm_command *command)
{
	int r = 0;
	if (command->packed[false].id || command->borrows)
		return 0;
	if (command->environment)
		r = plm_put(rt, command->environment, command->environment_bytes, &command->stored);
	if (r == 0)
		r = command_task_pack(rt, command, false, &command->packed[false]);
	if (r == 0 && !command->outlet && !command->futures)
		r = command_task_pack(rt, command, true, &command->packed[true]);
	if (r == 0 && command->environment)
		command->common[COMMAND_ARG_ENVIRONMENT] = PLM_FUTURE(command->stored);
	return r;
}

/* ---- one command ---- */

size_t plm_command_nargs(const plm_command *command, size_t words)
{
	return COMMAND_ARG_WORDS + words + command->futures + command->outlet;
}

/* Saves memory when millions of commands are queued: one future replaces two arguments, and the
 * words of the shell move into the shared object. */
static void command_task_use_packed(const plm_command *command, const char *const *words,
    size_t count, plm_arg *args, plm_task *task)
{
	static const char *const shell[] = { COMMAND_SHELL_WORDS };
	bool line = command->packed[true].id && count == COUNT_OF(shell) + 1 &&
	    strcmp(words[0], shell[0]) == 0 && strcmp(words[1], shell[1]) == 0;
	if (!command->packed[line].id)
		return;
	args[COMMAND_ARG_FIELDS] = PLM_FUTURE(command->packed[line]);
	args[COMMAND_ARG_ENVIRONMENT] = PLM_BYTES(NULL, 0);
	if (!line)
		return;
	args[COMMAND_ARG_WORDS] = args[COMMAND_ARG_WORDS + COUNT_OF(shell)];
	task->nargs = COMMAND_ARG_WORDS + 1;
}

int plm_command_task(const plm_command *command, const char *const *words, size_t count,
    const plm_command_outlet *outlet, plm_arg *args, plm_task *task)
{
	size_t n = plm_command_nargs(command, count);
	if (count == 0 || n > ARGS_MAX)
		return why(-EINVAL, "a command has 1 to %zu words, not %zu",
		    ARGS_MAX - plm_command_nargs(command, 0), count);
	if (command->outlet != (outlet != NULL))
		return why(-EINVAL, "an outlet, and options.outlet, or neither");
	memcpy(args, command->common, sizeof command->common);
	for (size_t i = 0; i < count; i++)
		args[COMMAND_ARG_WORDS + i] = PLM_BYTES(words[i], strlen(words[i]));
	for (size_t i = 0; i < command->futures; i++)
		args[COMMAND_ARG_WORDS + count + i] = command->future[i];
	task->function = COMMAND_FUNCTION;
	task->args = args;
	task->nargs = n - command->outlet;
	bool replicas =
	    task->terms && task->terms->replicas > 1; /* of replicas only stdout is kept */
	task->results = replicas ? 1 : COMMAND_RESULTS + command->outputs;
	task_identity_make(task, command->fields, command->fields_bytes, COMMAND_ARG_WORDS);
	task->nargs = n;
	if (outlet)
		args[n - 1] = PLM_BYTES(outlet, sizeof *outlet);
	command_task_use_packed(command, words, count, args, task);
	return 0;
}

int plm_submit_command(plm *rt, const plm_command_options *options, const char *const *words,
    size_t count, const plm_task *task, plm_ref *ret)
{
	plm_task made = task ? *task : (plm_task){ .function = NULL };
	plm_command *command;
	int r = plm_command_make(&command, options, NULL);
	if (r < 0)
		return r;
	plm_arg *args = calloc(plm_command_nargs(command, count), sizeof *args);
	r = args ? plm_command_task(command, words, count, NULL, args, &made)
		 : why(-ENOMEM, "out of memory");
	if (r == 0)
		r = plm_submit(rt, &made, ret);
	free(args);
	plm_command_free(rt, &command);
	return r;
}

/* ---- outlets ---- */

int plm_command_outlet_of(int out, int err, int live, plm_command_outlet *ret)
{
	struct command_outlet outlet = { .pid = getpid(), .live = live != 0, .fd = { out, err } };
	for (int i = 0; i < 2; i++) {
		struct stat st;
		if (fstat(outlet.fd[i], &st) < 0)
			return why(-errno, "the outlet of a command: %s", strerror(errno));
		outlet.device[i] = st.st_dev;
		outlet.inode[i] = st.st_ino;
	}
	memcpy(ret, &outlet, sizeof outlet);
	return 0;
}
