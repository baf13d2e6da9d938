#include "cli/arguments.h"
#include "cli/look.h"
#include "cli/worker_rows.h"

static int objects_run(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 0, 0);
	int code = look_open(context);
	if (code == EXIT_FINE)
		rows_objects(context->in, &context->out);
	return code;
}

const struct command cmd_objects = {
	.name = "objects",
	.usage = "[OPTION]...",
	.help = "list the values: size, place, how many processes hold each, origin",
	.run = objects_run,
	.visits = true,
};
