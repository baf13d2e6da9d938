#include <limits.h>

#include "cli/arguments.h"
#include "cli/fleet_door.h"
#include "cli/look.h"
#include "cli/watch.h"
#include "cli/worker_rows.h"

struct asked {
	bool all;
	int64_t wanted; /* negative: not asked for */
	struct watch watch;
};

static const struct option_row rows[] = {
	{ "all", NULL, NULL, OPTION_FLAG, .help = "manager, scheduler and clients too",
	    OPTION_FIELD(struct asked, all) },
	{ "set", NULL, NULL, OPTION_NUMBER, .word = "N",
	    .help = "from now on N workers (of the first kind); shows nothing. More are started; "
		    "of too many, the workers with the highest numbers end their tasks and leave. "
		    "With 0 workers tasks wait until there are more",
	    OPTION_FIELD(struct asked, wanted), .most = INT_MAX },
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
	if (context->fleet)
		return fleet_hosts(context);
	int code = look_open(context);
	if (code == EXIT_FINE)
		(*all ? rows_processes : rows_workers)(context->in, &context->out);
	return code;
}

static int workers_run(struct context *context, int argc, char **argv)
{
	struct asked asked = { .wanted = -1 };
	take_options(context, argc, argv, (void *[]){ &asked, &asked.watch });
	expect_operands(context, argc, 0, 0);
	if (context->fleet && (asked.all || asked.wanted >= 0))
		usage_error(context, "--all and --set are about the workers of one runtime");
	if (asked.wanted < 0)
		return watch_run(context, &asked.watch, workers_show, &asked.all);
	int code = runtime(context);
	return code == EXIT_FINE ? workers_set(context, (unsigned)asked.wanted) : code;
}

const struct command cmd_workers = {
	.name = "workers",
	.usage = "[OPTION]...",
	.help = "list the workers: what each runs, its last sign of life; set how many",
	.options = { rows, watch_rows },
	.notes =
	    "A row a process: a worker has a process for each of its cpus. WORKER: its number;\n"
	    "GEN: its generation; CPUS: how many it offers; USED: cpus with a task, or kept for\n"
	    "one; PROC: the process slot, a row of the process table. STATE: live, leaving (the\n"
	    "worker ends its task), stopped (by a SIGSTOP), suspect (it sleeps and misses its\n"
	    "beats), drained (it is away until plmctl resume). BEAT: since its last sign of\n"
	    "life. SPARE: it stands in for a process of this worker whose task waits (plm\n"
	    "--spares), and leaves when it is needed no more. QUEUE: tasks handed to the worker\n"
	    "and not taken yet. UP: its messages to the scheduler.\n",
	.run = workers_run,
	.fleet = true,
	.visits = true,
};
