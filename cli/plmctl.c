/* plmctl.c - the client for people and scripts: finds the command and runs it. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/standard.h"
#include "cli/arguments.h"
#include "cli/ctl_command.h"
#include "client/handle.h"

enum { RETURN_PATIENCE_MS = 10000, RETURN_PAUSE_MS = 50 };

static const struct command *const commands[] = {
	&cmd_call,
	&cmd_submit,
	&cmd_map,
	&cmd_load,
	&cmd_put,
	&cmd_get,
	&cmd_wait,
	&cmd_cancel,
	&cmd_requeue,
	&cmd_retry,
	&cmd_move,
	&cmd_forget,
	&cmd_drop,
	&cmd_explain,
	&cmd_info,
	&cmd_logs,
	&cmd_history,
	&cmd_status,
	&cmd_tasks,
	&cmd_workers,
	&cmd_clients,
	&cmd_objects,
	&cmd_functions,
	&cmd_module,
	&cmd_policy,
	&cmd_topology,
	&cmd_pause,
	&cmd_resume,
	&cmd_drain,
	&cmd_stop,
};

static const struct {
	int error; /* positive */
	enum exit_code code;
} exits[] = {
	{ ENOENT, EXIT_DATA },
	{ ESTALE, EXIT_DATA },
	{ EXDEV, EXIT_DATA },
	{ E2BIG, EXIT_DATA },
	{ EBADMSG, EXIT_DATA },
	{ EINVAL, EXIT_USAGE },
	{ ENOSPC, EXIT_FULL },
	{ EAGAIN, EXIT_FULL },
	{ EUSERS, EXIT_FULL },
	{ EPROTO, EXIT_VERSION },
	{ EACCES, EXIT_DENIED },
	{ EPERM, EXIT_DENIED },
	{ EHOSTDOWN, EXIT_NO_RUNTIME },
	{ ESHUTDOWN, EXIT_FULL },
	{ ENOTCONN, EXIT_NO_RUNTIME },
	{ ECONNREFUSED, EXIT_NO_RUNTIME },
	{ ECONNRESET, EXIT_NO_RUNTIME },
	{ EPIPE, EXIT_NO_RUNTIME },
	{ ETIMEDOUT, EXIT_TIMED_OUT },
	{ ECANCELED, EXIT_CANCELLED },
	{ PLM_EFAILED, EXIT_TASK_FAILED },
};

static int plmctl_exit_of(int error)
{
	for (size_t i = 0; i < COUNT_OF(exits); i++)
		if (exits[i].error == -error)
			return exits[i].code;
	return EXIT_OURS;
}

int failed(int error, const char *what)
{
	const char *why = plm_why();
	fprintf(stderr, "plmctl: %s: %s\n", what, why[0] ? why : plm_strerror(error));
	return plmctl_exit_of(error);
}

/* --timeout is for the whole command, and connecting is a part of it. */
static void plmctl_take_off(struct context *context, uint64_t began_ns)
{
	uint64_t ms = (clock_ns() - began_ns) / NS_PER_MS;
	if (context->timeout_ms > 0)
		context->timeout_ms -=
		    ms < (uint64_t)context->timeout_ms ? (int)ms : context->timeout_ms;
}

static int plmctl_connect_runtime(struct context *context)
{
	unsigned flags = context->command->visits && !context->stays ? PLM_VISIT : 0;
	return plm_connect_with(&context->rt, context->name, flags, context->timeout_ms);
}

static int plmctl_joined(struct context *context, int r)
{
	if (r >= 0) {
		plm_patience(context->rt, context->timeout_ms > 0 ? context->timeout_ms : 0);
		return EXIT_FINE;
	}
	context->rt = NULL;
	int code = failed(r, "connecting");
	return r == -ENOENT ? EXIT_NO_RUNTIME : code; /* here it is the runtime that was not
						       * found */
}

int runtime(struct context *context)
{
	if (context->rt)
		return EXIT_FINE;
	uint64_t began_ns = clock_ns();
	int r = plmctl_connect_runtime(context);
	plmctl_take_off(context, began_ns);
	return plmctl_joined(context, r);
}

void runtime_leave(struct context *context)
{
	if (context->rt && context->rt->visits)
		plm_disconnect(&context->rt);
}

int runtime_return(struct context *context)
{
	static const struct timespec pause = { .tv_nsec = RETURN_PAUSE_MS * (long)NS_PER_MS };
	uint64_t deadline_ns = deadline_after_ms(RETURN_PATIENCE_MS);
	if (context->rt)
		return EXIT_FINE;
	int r;
	while ((r = plmctl_connect_runtime(context)) == -EUSERS && clock_ns() < deadline_ns)
		nanosleep(&pause, NULL);
	return plmctl_joined(context, r);
}

static const char exit_codes_help[] =
    "Exit codes:\n"
    "  0    fine                        75   full: store, table or process slots; or the\n"
    "  1    the task failed                  runtime takes no new tasks (drain, stop)\n"
    "                                   76   the runtime is of another version\n"
    "  64   usage                       77   the runtime belongs to another user\n"
    "  65   no such reference,          124  time ran out\n"
    "       or a value too large        125  our own failure\n"
    "  66   a file cannot be read       127  no such function\n"
    "  69   no such runtime             130  the task was cancelled\n"
    "  74   a part of what a command wrote was cut off\n"
    "  128+N  signal N ended the task's worker\n"
    "  submit, when it waits: that of the command, 128+N of a signal, 126 not executable,\n"
    "  127 not found, 125 not started, 124 a limit of time was reached\n"
    "  wait, map, load --wait: how many did not succeed, up to 100; 101: more\n"
    "  load: 65 bad lines, 66 a file that cannot be read\n";

void print_help(const struct command *command, FILE *file)
{
	if (command) {
		fprintf(file, "usage: plmctl %s %s\n%s\n", command->name, command->usage,
		    command->help);
		if (command->details)
			fprintf(file, "\n%s", command->details);
		fputs("\nOptions of every command:\n" COMMON_OPTIONS_HELP, file);
		return;
	}
	fputs("usage: plmctl [OPTION]... COMMAND [ARGUMENT]...\n\nCommands:\n", file);
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		fprintf(file, "  %-10s %s\n", commands[i]->name, commands[i]->help);
	fputs(
	    "  help       [COMMAND]: this text, or that of a command\n\nOptions:\n" COMMON_OPTIONS_HELP
	    "\n",
	    file);
	fputs(exit_codes_help, file);
}

static const struct command *plmctl_find_command(const struct context *context, const char *name)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	usage_error(context, "no such command: %s", name);
}

static int plmctl_help(const struct context *context, int argc, char **argv)
{
	if (argc > 2)
		usage_error(context, "help: one command at a time");
	print_help(argc == 2 ? plmctl_find_command(context, argv[1]) : NULL, stdout);
	return EXIT_FINE;
}

/* A result that never reached its reader is no success; but one that has seen enough, as `head`, is
 * nothing to speak of. */
static int plmctl_finish(struct context *context, int code)
{
	bool written = fflush(stdout) == 0 && !ferror(stdout);
	int error = errno;
	plm_inspect_close(&context->in);
	plm_disconnect(&context->rt);
	if (written)
		return code;
	if (error == EPIPE)
		return EXIT_SIGNAL + SIGPIPE;
	fprintf(stderr, "plmctl: writing: %s\n", strerror(error));
	return code == EXIT_FINE ? EXIT_OURS : code;
}

int main(int argc, char **argv)
{
	struct context context = { .timeout_ms = -1 };
	standard_open();
	while (next_option(&context, argc, argv, "+", options_common) != -1)
		;
	if (optind == argc)
		usage_error(&context, "no command given");
	argc -= optind;
	argv += optind;
	optind = 0; /* getopt starts anew, with the command as its program name */
	if (strcmp(argv[0], "help") == 0)
		return plmctl_finish(&context, plmctl_help(&context, argc, argv));
	context.command = plmctl_find_command(&context, argv[0]);
	return plmctl_finish(&context, context.command->run(&context, argc, argv));
}
