#include "cli/arguments.h"
#include "cli/look.h"
#include "cli/worker_rows.h"

static int clients_run(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 0, 0);
	int code = look_open(context);
	if (code == EXIT_FINE)
		rows_clients(context->in, &context->out);
	return code;
}

const struct command cmd_clients = {
	.name = "clients",
	.usage = "[OPTION]...",
	.help = "list the programs that are connected, this one too",
	.notes = "STATE: live, leaving, stopped (by a SIGSTOP). BEAT: time since it last "
		 "waited\nin a call of libplm; a program that calls none is well, too. UP: its "
		 "messages to\nthe scheduler.\n",
	.run = clients_run,
	.visits = true,
};
