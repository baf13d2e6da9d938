/* plmctl.c - the client for people and scripts: finds the command and runs it. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/check.h"
#include "base/standard.h"
#include "cli/arguments.h"
#include "cli/fleet_door.h"

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
	&cmd_hosts,
	&cmd_events,
	&cmd_top,
	&cmd_trace,
	&cmd_plot,
	&cmd_web,
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
	&cmd_close,
	&cmd_stop,
};

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

/* The help of plmctl; in form "table" also the options of every command. */
static void plmctl_print_help(const char *form)
{
	static const char help_usage[] = "[COMMAND]";
	if (strcmp(form, "table") == 0) {
		option_table_list(stdout, "plmctl", "", common_rows);
		for (size_t i = 0; i < COUNT_OF(commands); i++)
			print_help(commands[i], form);
		printf("command\tplmctl\thelp\t\t%s\tshow this text, or that of a command\n",
		    help_usage);
		return;
	}
	puts("usage: plmctl [OPTION]... COMMAND [ARGUMENT]...\n\nCommands:");
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		printf("  %-10s %s\n", commands[i]->name, commands[i]->help);
	printf("  %-10s %s: this text, or that of a command\n\nOptions:\n", "help", help_usage);
	option_table_help(stdout, common_rows);
	printf("\n%s", exit_codes_help);
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
	if (argc == 2)
		print_help(plmctl_find_command(context, argv[1]), "");
	else
		plmctl_print_help("");
	return EXIT_FINE;
}

/* A result without a reader is no success. A reader that has seen enough, such as
 * `head`, gets no message. */
static int plmctl_finish(struct context *context, int code)
{
	bool written = fflush(stdout) == 0 && !ferror(stdout);
	int error = errno;
	fleet_close(context);
	plm_inspect_close(&context->in);
	plm_disconnect(&context->rt);
	if (written)
		return code;
	/* A command that met the error itself has said so: errno is then of something later. */
	if (error == EPIPE || code == EXIT_SIGNAL + SIGPIPE)
		return EXIT_SIGNAL + SIGPIPE;
	fprintf(stderr, "plmctl: writing: %s\n", strerror(error));
	return code == EXIT_FINE ? EXIT_OURS : code;
}

int main(int argc, char **argv)
{
	struct context context = { .timeout_ms = -1 };
	standard_open();
	take_options(&context, argc, argv, NULL);
	if (context.help) {
		plmctl_print_help(context.help);
		return plmctl_finish(&context, EXIT_FINE);
	}
	if (optind == argc)
		usage_error(&context, "no command given");
	argc -= optind;
	argv += optind;
	optind = 0; /* getopt starts anew, at the name of the command */
	if (strcmp(argv[0], "help") == 0)
		return plmctl_finish(&context, plmctl_help(&context, argc, argv));
	context.command = plmctl_find_command(&context, argv[0]);
	return plmctl_finish(&context, context.command->run(&context, argc, argv));
}
