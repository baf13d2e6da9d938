#include "cli/arguments.h"
#include "cli/look.h"
#include "cli/worker_rows.h"

static int functions_run(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 0, 0);
	int code = look_open(context);
	if (code == EXIT_FINE)
		rows_functions(context->in, &context->out);
	return code;
}

const struct command cmd_functions = {
	.name = "functions",
	.usage = "[OPTION]...",
	.help = "list the functions that can be called",
	.run = functions_run,
	.visits = true,
};
