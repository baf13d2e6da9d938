#include "cli/arguments.h"
#include "cli/rows.h"
#include "client/handle.h"

enum { OWN_ALL = OPTION_OWN };

static const struct option options[] = {
	{ "all", no_argument, NULL, OWN_ALL },
	COMMON_OPTIONS, { 0 },
};

static int run_workers(struct context *context, int argc, char **argv)
{
	bool all = false;
	while (next_option(context, argc, argv, "", options) != -1)
		all = true;
	expect_operands(context, argc, 0, 0);
	int code = runtime(context);
	if (code == EXIT_FINE)
		rows_processes(plm_tables(context->rt), &context->out, !all);
	return code;
}

const struct command cmd_workers = {
	.name = "workers",
	.usage = "[OPTION]...",
	.help = "the workers: what each one runs, its last sign of life, what it has done",
	.details =
	    "  --all              manager, scheduler and clients too\n"
	    "\nQUEUE: tasks handed to the worker and not taken yet. UP: its messages to the "
	    "scheduler.\n",
	.run = run_workers,
};
