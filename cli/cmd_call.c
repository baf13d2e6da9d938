#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/arguments.h"
#include "cli/result.h"

struct call {
	plm_task task;
	plm_terms terms;
	bool detach;
};

enum { OWN_PRIORITY = OPTION_OWN, OWN_RETRIES, OWN_CRASH_RETRIES, OWN_RESULTS, OWN_NEEDS,
	OWN_DETACH, OWN_QUEUE_LIMIT, OWN_RUN_LIMIT, OWN_TOTAL_LIMIT, OWN_BACKOFF, OWN_BACKOFF_MAX,
	OWN_GRACE, OWN_REPLICAS };

static const struct option options[] = {
	{ "priority", required_argument, NULL, OWN_PRIORITY },
	{ "retries", required_argument, NULL, OWN_RETRIES },
	{ "crash-retries", required_argument, NULL, OWN_CRASH_RETRIES },
	{ "results", required_argument, NULL, OWN_RESULTS },
	{ "needs", required_argument, NULL, OWN_NEEDS },
	{ "detach", no_argument, NULL, OWN_DETACH },
	{ "queue-limit", required_argument, NULL, OWN_QUEUE_LIMIT },
	{ "run-limit", required_argument, NULL, OWN_RUN_LIMIT },
	{ "total-limit", required_argument, NULL, OWN_TOTAL_LIMIT },
	{ "backoff", required_argument, NULL, OWN_BACKOFF },
	{ "backoff-max", required_argument, NULL, OWN_BACKOFF_MAX },
	{ "grace", required_argument, NULL, OWN_GRACE },
	{ "replicas", required_argument, NULL, OWN_REPLICAS },
	COMMON_OPTIONS, { 0 },
};

static void take_term(const struct context *context, const char *name, uint32_t *ret)
{
	*ret = (uint32_t)duration_word(context, name, optarg);
}

static void take_terms(const struct context *context, int option, plm_terms *terms)
{
	switch (option) {
	case OWN_QUEUE_LIMIT:
		take_term(context, "--queue-limit", &terms->queue_ms);
		break;
	case OWN_RUN_LIMIT:
		take_term(context, "--run-limit", &terms->run_ms);
		break;
	case OWN_TOTAL_LIMIT:
		take_term(context, "--total-limit", &terms->total_ms);
		break;
	case OWN_BACKOFF:
		take_term(context, "--backoff", &terms->backoff_ms);
		break;
	case OWN_BACKOFF_MAX:
		take_term(context, "--backoff-max", &terms->backoff_max_ms);
		break;
	case OWN_GRACE:
		take_term(context, "--grace", &terms->grace_ms);
		break;
	case OWN_REPLICAS:
		terms->replicas =
		    (unsigned)number_word(context, "--replicas", optarg, 1, REPLICAS_MAX);
		break;
	}
}

static void take_option(const struct context *context, int option, struct call *call)
{
	plm_task *task = &call->task;
	switch (option) {
	case OWN_PRIORITY:
		task->priority = (int)number_word(context, "--priority", optarg, PRIORITY_MIN,
		    PRIORITY_MAX);
		break;
	case OWN_RETRIES:
		task->retries = (unsigned)number_word(context, "--retries", optarg, 0, RETRIES_MAX);
		break;
	case OWN_CRASH_RETRIES:
		task->crash_retries =
		    (unsigned)number_word(context, "--crash-retries", optarg, 0, RETRIES_MAX);
		break;
	case OWN_RESULTS:
		task->results = (unsigned)number_word(context, "--results", optarg, 1, RESULTS_MAX);
		break;
	case OWN_NEEDS:
		call->terms.needs = optarg;
		task->terms = &call->terms;
		break;
	case OWN_DETACH:
		call->detach = true;
		task->flags |= PLM_KEEP;
		break;
	default:
		take_terms(context, option, &call->terms);
		task->terms = &call->terms;
	}
}

/* "@@text" is the text "@text": the one way to pass bytes that begin with "@". */
static plm_arg argument(const char *word)
{
	if (word[0] == '@' && word[1] != '@')
		return PLM_FUTURE(reference_word(word));
	const char *text = word[0] == '@' ? word + 1 : word;
	return PLM_BYTES(text, strlen(text));
}

/* Futures of other processes' making: held while we wait, and a stale one is told by its name. */
static int hold_futures(struct context *context, const plm_task *task)
{
	char text[PLM_REF_TEXT_BYTES];
	for (size_t i = 0; i < task->nargs; i++) {
		plm_ref future = task->args[i].future;
		int r = future.id ? plm_hold(context->rt, future) : 0;
		if (r >= 0)
			continue;
		plm_ref_print(future, text);
		return failed(r, text);
	}
	return EXIT_FINE;
}

static int print_all(struct context *context, const plm_ref *refs, unsigned n, bool detach)
{
	uint64_t deadline = deadline_of(context);
	for (unsigned i = 0; i < n; i++) {
		if (detach) {
			print_reference(context, refs[i]);
			continue;
		}
		int code = print_result(context, refs[i], deadline);
		if (code == EXIT_TIMED_OUT)
			plm_cancel(context->rt, refs[i], 0); /* nobody will ask for it any more */
		if (code != EXIT_FINE)
			return code; /* results share one fate: the others have nothing to add */
	}
	return EXIT_FINE;
}

static int submit(struct context *context, const struct call *call)
{
	plm_ref refs[RESULTS_MAX];
	int r = plm_submit(context->rt, &call->task, refs);
	if (r >= 0)
		return print_all(context, refs, call->task.results, call->detach);
	int code = failed(r, call->task.function);
	return r == -ENOENT ? EXIT_NO_FUNCTION : code; /* references were held before: it
	                                                * is the name */
}

static int run_call(struct context *context, int argc, char **argv)
{
	struct call call = { .task.results = 1 };
	int option;
	while ((option = next_option(context, argc, argv, "+", options)) != -1)
		take_option(context, option, &call);
	expect_operands(context, argc, 1, ARGS_MAX);
	call.task.function = argv[optind++];
	call.task.nargs = (size_t)(argc - optind);
	plm_arg *args = calloc(call.task.nargs + 1, sizeof *args);
	if (!args)
		return failed(-ENOMEM, "call");
	for (size_t i = 0; i < call.task.nargs; i++)
		args[i] = argument(argv[optind + (int)i]);
	call.task.args = args;
	int code = runtime(context);
	if (code == EXIT_FINE)
		code = hold_futures(context, &call.task);
	if (code == EXIT_FINE)
		code = submit(context, &call);
	free(args);
	return code;
}

const struct command cmd_call = {
	.name = "call",
	.usage = "[OPTION]... FUNCTION [ARG]...",
	.help = "run a task, wait, and print its result",
	.details =
	    "FUNCTION is MODULE.NAME. An ARG is text, or with @REF the value of a future; "
	    "@@TEXT is the\n"
	    "text @TEXT. Options end at FUNCTION, so an ARG may begin with a dash.\n\n"
	    "  --priority N       larger first, -32768 to 32767 (default 0)\n"
	    "  --retries N        run again after a failure of the function, at most N times\n"
	    "  --crash-retries N  run again after its worker died, at most N times\n"
	    "  --backoff TIME     a pause before the first retry, doubled for each further one,\n"
	    "                     and up to a quarter more\n"
	    "  --backoff-max TIME the longest pause (default 1m)\n"
	    "  --queue-limit TIME fails if it has not started so long after submission\n"
	    "  --run-limit TIME   fails, or is retried, if it runs for longer\n"
	    "  --total-limit TIME fails if it is not settled so long after submission\n"
	    "  --grace TIME       how long it may go on after it was asked to stop, before its "
	    "worker\n"
	    "                     is killed (default 1s)\n"
	    "  --results N        the function yields N results, printed one after the other\n"
	    "  --needs NEEDS      what it must have, e.g. cpus=2,mem=1G,gpus=0.5,NAME=1; ways\n"
	    "                     to have it parted by |, e.g. 'gpus=1 | cpus=8'\n"
	    "  --replicas N       N workers apart run it; the first good result counts, the\n"
	    "                     others are cancelled, and it fails when all of them have\n"
	    "  --detach           do not wait: print the reference, kept until `plmctl drop`\n"
	    "\nA TIME has ms, s, m or h behind it. When --timeout runs out the task is cancelled.\n"
    "The result goes to stdout as it is, with a newline only where a terminal needs one.\n"
	    "Exit code: 0, 1 (it failed), 128+N (signal N ended its worker), 130 (cancelled),\n"
	    "124 (time ran out), 127 (no such function); plmctl --help has the rest.\n",
	.run = run_call,
};
