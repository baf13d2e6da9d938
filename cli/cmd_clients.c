#include "cli/arguments.h"
#include "cli/rows.h"
#include "client/handle.h"

static int run_clients(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 0, 0);
	int code = runtime(context);
	if (code == EXIT_FINE)
		rows_clients(plm_tables(context->rt), &context->out);
	return code;
}

const struct command cmd_clients = {
	.name = "clients",
	.usage = "[OPTION]...",
	.help = "the programs that are connected, this one too",
	.details = "STATE: live, leaving, stopped (by a SIGSTOP). BEAT: since it last slept in a "
	           "call of\nlibplm; one that calls none is as good. UP: its messages to the "
	           "scheduler.\n",
	.run = run_clients,
	.visits = true,
};
