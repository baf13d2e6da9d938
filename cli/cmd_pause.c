/* cmd_pause.c - pause, resume, drain: whether the runtime starts and accepts tasks. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cli/arguments.h"
#include "cli/fleet_door.h"
#include "cli/look.h"
#include "cli/result.h"

enum { LOOK_AGAIN_MS = 20, ROWS = 16 };

#define FROM_OUTSIDE "call it from outside of the runtime's tasks"

static int pause_run(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 0, 0);
	int code = runtime(context);
	int r = code == EXIT_FINE ? plm_pause(context->rt) : 0;
	return r < 0 ? failed(r, "pause") : code;
}

/* The number of a worker, as the only operand; -1: no operand. */
static long pause_worker_operand(const struct context *context, int argc, char **argv)
{
	if (optind == argc)
		return -1;
	return number_word(context, "WORKER", argv[optind], 0, WORKERS_MAX - 1);
}

/* The host of a fleet, as the only operand. */
static int pause_order_host(struct context *context, int argc, char **argv, const char *order)
{
	if (argc - optind != 1)
		usage_error(context, "%s: which host of the fleet? (plmctl hosts lists all)",
		    context->command->name);
	return fleet_order(context, argv[optind], order);
}

static int pause_run_resume(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 0, 1);
	if (context->fleet)
		return pause_order_host(context, argc, argv, "");
	long worker = pause_worker_operand(context, argc, argv);
	int code = runtime(context);
	if (code != EXIT_FINE)
		return code;
	int r =
	    worker < 0 ? plm_resume(context->rt) : plm_resume_worker(context->rt, (unsigned)worker);
	return r < 0 ? failed(r, "resume") : code;
}

/* A client gets no event about the end of a worker, or of tasks of other clients: look again. */
static int pause_look_later(struct context *context)
{
	static const struct timespec pause = { .tv_nsec = LOOK_AGAIN_MS * (long)NS_PER_MS };
	runtime_leave(context);
	nanosleep(&pause, NULL);
	int code = runtime_return(context);
	int r = code == EXIT_FINE ? plm_alive(context->rt) : 0;
	return r < 0 ? failed(r, "drain") : code;
}

static int pause_wait_until_drained(struct context *context)
{
	uint64_t deadline = deadline_of(context);
	for (int code = EXIT_FINE; code == EXIT_FINE; code = pause_look_later(context)) {
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
		if (clock_ns() >= deadline) {
			fputs("plmctl: drain: --timeout ran out with tasks left; they go on, new "
			      "ones are refused (`plmctl resume` ends that)\n",
			    stderr);
			return EXIT_TIMED_OUT;
		}
	}
	return EXIT_NO_RUNTIME;
}

/* 1: no process of the worker is left; 0; -errno. */
static int pause_has_left(struct context *context, uint32_t worker)
{
	plm_process_row row[ROWS];
	uint64_t cursor = 0;
	int n, code = look_open(context);
	if (code != EXIT_FINE)
		return -ENOTCONN;
	while ((n = plm_inspect_processes(
		    context->in, 1u << PLM_KIND_WORKER, &cursor, row, sizeof *row, ROWS)) > 0)
		for (int i = 0; i < n; i++)
			if (row[i].worker == worker && row[i].process != PLM_NOBODY)
				return 0;
	return n < 0 ? n : 1;
}

/* True if the worker runs a task that runs this plmctl, which would wait for its own end. */
static bool pause_is_ours(struct context *context, uint32_t worker)
{
	const char *number = getenv("PLM_WORKER");
	return plm_inside(context->rt) == 1 && number && strtoul(number, NULL, 10) == worker;
}

static int pause_await_leaving(struct context *context, uint32_t worker)
{
	uint64_t deadline = deadline_of(context);
	for (int code = EXIT_FINE; code == EXIT_FINE; code = pause_look_later(context)) {
		int left = pause_has_left(context, worker);
		if (left)
			return left < 0 ? failed(left, "drain") : EXIT_FINE;
		if (clock_ns() >= deadline) {
			fprintf(stderr,
			    "plmctl: drain: --timeout ran out: worker %u still runs its task, and "
			    "leaves when that has ended\n",
			    worker);
			return EXIT_TIMED_OUT;
		}
		look_close(context);
	}
	return EXIT_NO_RUNTIME;
}

static int pause_drain_worker(struct context *context, uint32_t worker)
{
	int r = pause_is_ours(context, worker) ? refuse_inside(context, FROM_OUTSIDE) : 0;
	if (r == 0)
		r = plm_drain_worker(context->rt, worker);
	return r < 0 ? failed(r, "drain") : pause_await_leaving(context, worker);
}

static int pause_run_drain(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 0, 1);
	if (context->fleet)
		return pause_order_host(context, argc, argv, "drain");
	long worker = pause_worker_operand(context, argc, argv);
	int code = runtime(context);
	if (code != EXIT_FINE)
		return code;
	if (worker >= 0)
		return pause_drain_worker(context, (uint32_t)worker);
	int r = refuse_inside(context, FROM_OUTSIDE);
	if (r == 0)
		r = plm_drain(context->rt);
	return r < 0 ? failed(r, "drain") : pause_wait_until_drained(context);
}

const struct command cmd_pause = {
	.name = "pause",
	.usage = "",
	.help = "start no tasks; those that run go on, what is submitted waits for resume",
	.notes = "A task that runs may still run, in its own place, the tasks it waits for.\n",
	.run = pause_run,
	.visits = true,
};

const struct command cmd_resume = {
	.name = "resume",
	.usage = "[WORKER]  |  --fleet URL HOST",
	.help = "end pause and drain, take back a stop; with a WORKER: let it come back",
	.notes =
	    "With --fleet: HOST, a name in plmctl hosts, claims tasks again.\n"
	    "WORKER: the number of a worker that was drained. Without a WORKER drained workers\n"
	    "stay away. A stop --now cannot be taken back, nor a stop that a service manager\n"
	    "was told of.\n",
	.run = pause_run_resume,
	.fleet = true,
	.visits = true,
};

const struct command cmd_drain = {
	.name = "drain",
	.usage = "[OPTION]... [WORKER]  |  --fleet URL HOST",
	.help = "take no new tasks, run the accepted ones, stay up; or send a WORKER away",
	.notes =
	    "Without a WORKER: returns when no task is left. Drain ends a pause, because the\n"
	    "accepted tasks must run; tasks that these submit are still accepted. Exit code 124:\n"
	    "time ran out, new tasks are refused until plmctl resume; 130: somebody resumed.\n"
	    "With a WORKER, a number in plmctl workers: the worker ends its task and leaves,\n"
	    "tasks in its ring go to other workers, and no worker takes its place until plmctl\n"
	    "resume WORKER. Returns when the worker has left; 124: the worker still runs its\n"
	    "task; 65: no such worker.\n"
	    "With --fleet: HOST, a name in plmctl hosts, claims no more tasks of the fleet, gives\n"
	    "back those not begun, and lets the others end. `hosts` shows it; returns at once.\n",
	.run = pause_run_drain,
	.fleet = true,
	.visits = true,
};
