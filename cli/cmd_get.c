#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/command_view.h"
#include "cli/fleet_door.h"
#include "cli/result.h"
#include "cli/short_reference.h"

static const struct option_row rows[] = {
	{ "output", NULL, NULL, OPTION_FILE, .word = "FILE", .standard = "stdout",
	    .help = "write the value to FILE", .bytes = sizeof(char *) },
	{ 0 },
};

static int get_into_file(struct context *context, plm_ref ref, const char *path)
{
	plm_view view;
	int r = plm_get(context->rt, ref, &view, context->timeout_ms);
	if (r < 0)
		return print_failure(context, ref, r);
	/* Open the file after the task: a failed task must not destroy an older file. */
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int code = EXIT_OURS;
	if (fd < 0)
		fprintf(stderr, "plmctl: %s: %s\n", path, strerror(errno));
	else
		code = write_value(&view, fd, path);
	plm_release(context->rt, &view);
	if (fd >= 0 && close(fd) < 0 && code == EXIT_FINE) {
		fprintf(stderr, "plmctl: writing %s: %s\n", path, strerror(errno));
		return EXIT_OURS;
	}
	return code;
}

/* The value of a command is its stdout, of which a part may be cut. */
static int get_say_if_cut(struct context *context, plm_ref ref)
{
	struct command_view v;
	if (!command_known(context, ref))
		return EXIT_FINE;
	int code = command_look(context, ref, &v);
	return code == EXIT_FINE ? command_say_cut(&v, STDOUT_FILENO) : code;
}

static int get_run(struct context *context, int argc, char **argv)
{
	const char *path = NULL;
	take_options(context, argc, argv, (void *[]){ &path });
	expect_operands(context, argc, 1, 1);
	plm_ref ref = reference_name(argv[optind]);
	if (context->fleet && references_settle(context, &ref, 1, argv + optind) != EXIT_FINE)
		return EXIT_DATA;
	if (context->fleet)
		return fleet_get(context, ref, path);
	int code = runtime(context);
	if (code == EXIT_FINE)
		code = references_settle(context, &ref, 1, argv + optind);
	if (code != EXIT_FINE)
		return code;
	int r = plm_hold(context->rt, ref);
	if (r < 0)
		return failed(r, argv[optind]);
	code = path ? get_into_file(context, ref, path)
		    : print_result(context, ref, deadline_of(context));
	return code == EXIT_FINE ? get_say_if_cut(context, ref) : code;
}

const struct command cmd_get = {
	.name = "get",
	.usage = "[OPTION]... @REF",
	.help = "wait for a future and print its value",
	.options = { rows },
	.notes =
	    "The value goes to stdout as it is. With --json: {\"ref\": ..., \"value\": ...}, or\n"
	    "\"value_base64\" if the value is no UTF-8 text. Exit codes as for call; 74: the\n"
	    "value is the output of a command, and a part of the output was cut off.\n",
	.run = get_run,
	.fleet = true,
};
