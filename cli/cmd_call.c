#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/fleet_door.h"
#include "cli/interrupt.h"
#include "cli/result.h"
#include "cli/short_reference.h"
#include "cli/task_options.h"

static const struct option_row rows[] = {
	{ "results", NULL, NULL, OPTION_NUMBER, .word = "N", .standard = "1",
	    .help = "the function yields N results, printed one after the other",
	    OPTION_FIELD(struct task_request, task.results), 1, RESULTS_MAX },
	{ 0 },
};

/* "@@text" is the text "@text", because "@text" would be a reference. */
static plm_arg call_argument(const char *word)
{
	if (word[0] == '@' && word[1] != '@')
		return PLM_FUTURE(reference_name(word));
	const char *text = word[0] == '@' ? word + 1 : word;
	return PLM_BYTES(text, strlen(text));
}

static int call_settle_futures(struct context *context, plm_arg *args, size_t n)
{
	int code = EXIT_FINE;
	for (size_t i = 0; i < n && code == EXIT_FINE; i++)
		code = reference_settle(context, &args[i].future);
	return code;
}

/* Holds futures of other processes during the wait, so that a message names a stale reference. */
static int call_hold_futures(struct context *context, const plm_task *task)
{
	int code = EXIT_FINE;
	for (size_t i = 0; i < task->nargs && code == EXIT_FINE; i++)
		if (task->args[i].future.id)
			code = hold_reference(context, task->args[i].future);
	return code;
}

static int call_print_all(struct context *context, const plm_ref *refs, unsigned n, bool detach)
{
	uint64_t deadline = deadline_of(context);
	int r = detach ? 0 : plm_wait_ended(context->rt, refs, 1, 1, context->timeout_ms, NULL);
	if (r == -EINTR)
		return interrupted(context, refs[0]);
	if (!detach)
		interrupts_release(context);
	for (unsigned i = 0; i < n; i++) {
		if (detach) {
			print_reference(context, refs[i]);
			continue;
		}
		int code = print_result(context, refs[i], deadline);
		if (code == EXIT_TIMED_OUT) {
			/* no client will ask for the result */
			plm_cancel(context->rt, refs[i], PLM_GRACE_OF_TASK);
			await_end(context, refs[i]);
		}
		if (code != EXIT_FINE)
			return code; /* all results of a task share one end */
	}
	return EXIT_FINE;
}

static int call_submit(struct context *context, const struct task_request *call)
{
	plm_ref refs[RESULTS_MAX];
	plm_task task = call->task;
	task.flags |= call->detach ? 0 : PLM_TIED;
	if (!call->detach)
		interrupts_catch(context);
	int r = plm_submit(context->rt, &task, refs);
	if (r >= 0)
		return call_print_all(context, refs, call->task.results, call->detach);
	interrupts_release(context);
	int code = failed(r, call->task.function);
	return r == -ENOENT ? EXIT_NO_FUNCTION
			    : code; /* references were held before, so the name is unknown */
}

static int call_run(struct context *context, int argc, char **argv)
{
	struct task_request call = { .task.results = 1 };
	take_options(context, argc, argv, (void *[]){ &call, &call });
	expect_operands(context, argc, 1, ARGS_MAX);
	task_request_settle(context, &call);
	call.task.function = argv[optind++];
	call.task.nargs = (size_t)(argc - optind);
	plm_arg *args = calloc(call.task.nargs + 1, sizeof *args);
	if (!args)
		return failed(-ENOMEM, "call");
	for (size_t i = 0; i < call.task.nargs; i++)
		args[i] = call_argument(argv[optind + (int)i]);
	call.task.args = args;
	int code = context->fleet ? EXIT_FINE : runtime(context);
	if (code == EXIT_FINE)
		code = call_settle_futures(context, args, call.task.nargs);
	if (context->fleet) {
		if (code == EXIT_FINE)
			code = fleet_call(context, &call);
		free(args);
		return code;
	}
	if (code == EXIT_FINE)
		code = call_hold_futures(context, &call.task);
	if (code == EXIT_FINE)
		code = call_submit(context, &call);
	free(args);
	return code;
}

const struct command cmd_call = {
	.name = "call",
	.usage = "[OPTION]... FUNCTION [ARG]...",
	.help = "run a task, wait, and print its result",
	.about =
	    "FUNCTION is MODULE.NAME. An ARG is text, or with @REF the value of a future; @@TEXT\n"
	    "is the text @TEXT. Options end at FUNCTION, so an ARG may begin with a dash.\n",
	.options = { rows, task_rows },
	.notes = TASK_TIMES_HELP
	"The result goes to stdout as it is, with a newline only where a terminal needs one.\n"
	"Exit code: 0, 1 (the task failed), 128+N (signal N ended its worker), 130\n"
	"(cancelled), 124 (time ran out), 127 (no such function); plmctl --help has the rest.\n"
	"With --fleet 127 also says that no host which is up has the module; with --detach the\n"
	"task waits for a host that loads it.\n",
	.options_end_at_operand = true,
	.run = call_run,
	.fleet = true,
};
