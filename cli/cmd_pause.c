/* cmd_pause.c - pause, resume, drain: whether tasks are started, and taken. */
#include <time.h>

#include "base/clock.h"
#include "cli/arguments.h"
#include "cli/result.h"

enum { LOOK_AGAIN_MS = 20 };

static int run_pause(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 0, 0);
	int code = runtime(context);
	int r = code == EXIT_FINE ? plm_pause(context->rt) : 0;
	return r < 0 ? failed(r, "pause") : code;
}

static int run_resume(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 0, 0);
	int code = runtime(context);
	int r = code == EXIT_FINE ? plm_resume(context->rt) : 0;
	return r < 0 ? failed(r, "resume") : code;
}

/* Nothing tells a client that others' tasks have ended: it looks at the table. */
static int wait_until_drained(struct context *context)
{
	static const struct timespec pause = { .tv_nsec = LOOK_AGAIN_MS * (long)NS_PER_MS };
	uint64_t deadline = deadline_of(context);
	for (;;) {
		plm_status status;
		int r = plm_status_get(context->rt, &status);
		if (r < 0)
			return failed(r, "drain");
		if (status.waiting + status.ready + status.running == 0)
			return EXIT_FINE;
		if (!status.closed) {
			fputs("plmctl: drain: the runtime takes tasks again: somebody resumed it\n",
			    stderr);
			return EXIT_CANCELLED;
		}
		if (clock_ns() >= deadline)
			break;
		nanosleep(&pause, NULL);
	}
	fputs("plmctl: not all tasks have ended in time; no new ones are taken\n", stderr);
	return EXIT_TIMED_OUT;
}

static int run_drain(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 0, 0);
	int code = runtime(context);
	if (code != EXIT_FINE)
		return code;
	int r = plm_drain(context->rt);
	return r < 0 ? failed(r, "drain") : wait_until_drained(context);
}

const struct command cmd_pause = {
	.name = "pause",
	.usage = "",
	.help = "start no tasks; those that run go on, what is submitted waits for resume",
	.details = "A task that runs may still run, in its own place, the tasks it waits for.\n",
	.run = run_pause,
};

const struct command cmd_resume = {
	.name = "resume",
	.usage = "",
	.help = "end pause and drain",
	.run = run_resume,
};

const struct command cmd_drain = {
	.name = "drain",
	.usage = "[OPTION]...",
	.help = "take no new tasks, run the accepted ones, stay up; returns when none is left",
	.details = "It ends a pause: what was accepted runs. Tasks of tasks are accepted still.\n"
	           "Exit code 124: time ran out, new tasks are refused until plmctl resume; 130:\n"
	           "somebody resumed.\n",
	.run = run_drain,
};
