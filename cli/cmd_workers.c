#include <limits.h>

#include "cli/arguments.h"
#include "cli/look.h"
#include "cli/watch.h"
#include "cli/worker_rows.h"

enum { OWN_ALL = OPTION_OWN, OWN_SET, OWN_WATCH };

static const struct option options[] = {
	{ "all", no_argument, NULL, OWN_ALL },
	{ "set", required_argument, NULL, OWN_SET },
	{ "watch", optional_argument, NULL, OWN_WATCH },
	COMMON_OPTIONS,
	{ 0 },
};

static int workers_set(struct context *context, unsigned wanted)
{
	int r = plm_set_workers(context->rt, wanted);
	return r < 0 ? failed(r, "workers --set") : EXIT_FINE;
}

static int workers_show(struct context *context, void *argument)
{
	const bool *all = argument;
	int code = look_open(context);
	if (code == EXIT_FINE)
		(*all ? rows_processes : rows_workers)(context->in, &context->out);
	return code;
}

static int workers_run(struct context *context, int argc, char **argv)
{
	bool all = false;
	long wanted = -1;
	struct watch watch = { .wanted = false };
	for (int option; (option = next_option(context, argc, argv, "", options)) != -1;) {
		all |= option == OWN_ALL;
		if (option == OWN_SET)
			wanted = number_word(context, "--set", optarg, 0, INT_MAX);
		if (option == OWN_WATCH)
			watch_option(context, argc, argv, &watch);
	}
	expect_operands(context, argc, 0, 0);
	if (wanted < 0)
		return watch_run(context, &watch, workers_show, &all);
	int code = runtime(context);
	return code == EXIT_FINE ? workers_set(context, (unsigned)wanted) : code;
}

const struct command cmd_workers = {
	.name = "workers",
	.usage = "[--all | --set N] [--watch [SECONDS]]",
	.help = "list the workers: what each runs, its last sign of life; set how many",
	.details =
	    "  --all              manager, scheduler and clients too\n"
	    "  --set N            from now on N workers (of the first kind); shows nothing. More\n"
	    "                     are started; of too many, those with the highest numbers end\n"
	    "                     what they run and leave.\n"
	    "                     With 0 of them tasks wait until there are more.\n" WATCH_HELP
	    "\nA row a process: a worker has a process for each of its cpus. WORKER: its number;\n"
	    "GEN: its generation; CPUS: how many it offers; USED: cpus with a task, or kept for\n"
	    "one; PROC: the process slot, a row of the process table. STATE: live, leaving (the\n"
	    "worker ends its task), stopped (by a SIGSTOP), suspect (it sleeps and misses its\n"
	    "beats), drained (it is away until plmctl resume). BEAT: since its last sign of\n"
	    "life. SPARE: it stands in for a process of this worker whose task waits (plm\n"
	    "--spares), and leaves when it is needed no more. QUEUE: tasks handed to the worker\n"
	    "and not taken yet. UP: its messages to the scheduler.\n",
	.run = workers_run,
	.visits = true,
};
