#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/command_objects.h"
#include "cli/map_run.h"
#include "tables/due.h"

enum {
	OWN_KEEP_ORDER = OPTION_OF_SUBMIT,
	OWN_GROUP,
	OWN_LINE,
	OWN_TAG,
	OWN_SHELL,
	OWN_LINK,
	OWN_PRIVATE,
	OWN_DRY_RUN,
	OWN_HALT,
	OWN_JOBLOG,
	OWN_RESUME,
	OWN_RESUME_FAILED,
	OWN_RESULTS,
	OWN_BAR,
	OWN_DELAY,
	OWN_LOAD,
	OWN_MEMFREE,
	OWN_TMPDIR,
	OWN_JOBS = 'j',
	OWN_NULL = '0',
	OWN_ARG_FILE = 'a',
	OWN_MAX_ARGS = 'n',
	OWN_KEEP_ORDER_SHORT = 'k',
	OWN_JOBS_OF_XARGS = 'P',
};

static const char short_options[] = "+j:P:0a:n:k";

static const struct option options[] = {
	{ "jobs", required_argument, NULL, OWN_JOBS },
	{ "null", no_argument, NULL, OWN_NULL },
	{ "arg-file", required_argument, NULL, OWN_ARG_FILE },
	{ "max-args", required_argument, NULL, OWN_MAX_ARGS },
	{ "keep-order", no_argument, NULL, OWN_KEEP_ORDER },
	{ "group", no_argument, NULL, OWN_GROUP },
	{ "line", no_argument, NULL, OWN_LINE },
	{ "tag", no_argument, NULL, OWN_TAG },
	{ "shell", no_argument, NULL, OWN_SHELL },
	{ "link", no_argument, NULL, OWN_LINK },
	{ "private", no_argument, NULL, OWN_PRIVATE },
	{ "dry-run", no_argument, NULL, OWN_DRY_RUN },
	{ "halt", required_argument, NULL, OWN_HALT },
	{ "joblog", required_argument, NULL, OWN_JOBLOG },
	{ "resume", no_argument, NULL, OWN_RESUME },
	{ "resume-failed", no_argument, NULL, OWN_RESUME_FAILED },
	{ "results", required_argument, NULL, OWN_RESULTS },
	{ "bar", no_argument, NULL, OWN_BAR },
	{ "delay", required_argument, NULL, OWN_DELAY },
	{ "load", required_argument, NULL, OWN_LOAD },
	{ "memfree", required_argument, NULL, OWN_MEMFREE },
	{ "tmpdir", required_argument, NULL, OWN_TMPDIR },
	COMMAND_OBJECT_OPTIONS, COMMAND_OPTIONS, COMMON_OPTIONS, { 0 },
};

enum { PERCENT_MAX = 10000, LOAD_MAX = 1 << 20 };

/* "4", "50%": which of them is in *ret_percent, else 0. */
static unsigned count_word(const struct context *context, const char *what, const char *word,
    unsigned most, unsigned *ret_percent)
{
	size_t n = strlen(word);
	char number[16];
	*ret_percent = 0;
	if (n == 0 || n >= sizeof number || word[n - 1] != '%')
		return (unsigned)number_word(context, what, word, 0, most);
	memcpy(number, word, n - 1);
	number[n - 1] = 0;
	*ret_percent = (unsigned)number_word(context, what, number, 1, PERCENT_MAX);
	return 0;
}

static void take_load(const struct context *context, struct map_plan *plan)
{
	unsigned percent;
	plan->room.by_load = true;
	plan->room.load = count_word(context, "--load", optarg, LOAD_MAX, &percent);
	if (percent)
		plan->room.load = room_load_of(percent);
	if (plan->room.load == 0)
		usage_error(context, "--load 0 would start nothing: %s", optarg);
}

static void take_output_option(int option, struct map_plan *plan)
{
	switch (option) {
	case OWN_KEEP_ORDER:
	case OWN_KEEP_ORDER_SHORT: plan->keep_order = true; break;
	case OWN_GROUP: plan->line = false; break;
	case OWN_LINE: plan->line = true; break;
	case OWN_TAG: plan->tag = true; break;
	case OWN_DRY_RUN: plan->dry_run = true; break;
	case OWN_BAR: plan->bar = true; break;
	case OWN_JOBLOG: plan->joblog = optarg; break;
	case OWN_RESULTS: plan->results = optarg; break;
	case OWN_TMPDIR: plan->tmpdir = optarg; break;
	case OWN_RESUME: plan->resume = RESUME_MISSING; break;
	case OWN_RESUME_FAILED: plan->resume = RESUME_FAILED; break;
	}
}

static void take_option(const struct context *context, int option, struct map_plan *plan)
{
	switch (option) {
	case OWN_JOBS:
	case OWN_JOBS_OF_XARGS:
		plan->jobs = count_word(context, "--jobs", optarg, WORKERS_MAX, &plan->percent);
		break;
	case OWN_NULL: plan->zero_ended = true; break;
	case OWN_ARG_FILE: plan->argument_file = optarg; break;
	case OWN_MAX_ARGS:
		plan->max_args = (unsigned)number_word(context, "--max-args", optarg, 1,
		    ARGS_MAX / 2);
		break;
	case OWN_SHELL: plan->shell = true; break;
	case OWN_LINK: plan->link = true; break;
	case OWN_PRIVATE: plan->private = true; break;
	case OWN_HALT:
		if (!halt_parse(optarg, &plan->halt))
			usage_error(context, "--halt is never, or now or soon, a comma, and fail, "
			    "success or done with =N or =N%%: %s", optarg);
		break;
	case OWN_DELAY:
		plan->delay_ms = (uint32_t)duration_word(context, "--delay", optarg);
		break;
	case OWN_LOAD: take_load(context, plan); break;
	case OWN_MEMFREE:
		plan->room.memory = size_word(context, "--memfree", optarg, UINT64_MAX >> 1);
		break;
	default:
		take_output_option(option, plan);
		if (option >= OPTION_OWN && option < OPTION_OF_SUBMIT &&
		    !command_object_option(context, option, &plan->request))
			command_option(context, option, &plan->request);
	}
}

/* What is not for this command, and what does not go together. */
static void check_plan(const struct context *context, const struct map_plan *plan)
{
	size_t sources = 0;
	for (size_t i = 0; i < plan->input_count; i++)
		sources += is_source_mark(plan->inputs[i]);
	if (plan->request.task.detach)
		usage_error(context, "--detach: map waits for its jobs; `plmctl load` does not");
	if (plan->request.task.terms.replicas > 1)
		usage_error(context, "--replicas: of replicas no log is kept, which map reads");
	if (plan->request.outputs)
		usage_error(context, "--out is a future of one command: see --results");
	command_objects_check(context, &plan->request);
	if (plan->resume != RESUME_NOTHING && !plan->joblog)
		usage_error(context, "--resume and --resume-failed read a --joblog FILE");
	if (plan->max_args && sources + (plan->argument_file != NULL) > 1)
		usage_error(context, "--max-args takes the inputs of one source");
	if (plan->line && context->json)
		usage_error(context, "--json shows whole jobs, --line what they write meanwhile");
	if (plan->line && plan->results)
		usage_error(context, "--results are files of whole jobs, --line is for a reader");
	if (plan->private && context->name)
		usage_error(context, "--private has a runtime of its own, --name one that is up");
}

static void take_words(struct map_plan *plan, int argc, char **argv)
{
	plan->words = argv + optind;
	int first = optind;
	while (optind < argc && !is_source_mark(argv[optind]))
		optind++;
	plan->word_count = (size_t)(optind - first);
	plan->inputs = argv + optind;
	plan->input_count = (size_t)(argc - optind);
}

static int run_map(struct context *context, int argc, char **argv)
{
	struct map_plan plan = { .percent = 100 };
	int option;
	while ((option = next_option(context, argc, argv, short_options, options)) != -1)
		take_option(context, option, &plan);
	take_words(&plan, argc, argv);
	check_plan(context, &plan);
	return map_run(context, &plan);
}

const struct command cmd_map = {
	.name = "map",
	.usage = "[OPTION]... [COMMAND [ARG]...] [::: VALUE... | :::: FILE...]...",
	.help = "run a command for each of many inputs, and print what they write",
	.details =
	    "Inputs are the VALUEs, the lines of FILEs (- is stdin), or those of stdin. Several\n"
	    "sources: each combination; :::+ and ::::+ link one to the source before it, line\n"
	    "by line. {} in COMMAND is the input, at its end if it is nowhere; {.} without its\n"
	    "ending, {/} without its folder, {//} the folder, {/.} without both; {2}, {2.} of\n"
	    "the second source; {#} the number of the job, {%} its place, 1 to --jobs.\n"
	    "A COMMAND of several words is executed as it stands. One word with a blank or\n"
	    "another character of a shell in it is a line for /bin/sh, in which values are\n"
	    "quoted; without a COMMAND each input is such a line.\n\n"
	    "  --jobs N|N%, -j, -P  so many at once, or per cent of the workers; 0: as many as\n"
	    "                     possible (default 100%)\n"
	    "  --private          a runtime of its own, also when one is up; without any it has\n"
	    "                     one in any case, for as long as it runs\n"
	    "  --shell            COMMAND is a line for /bin/sh, however many words it has\n"
	    "  --link             all sources go along with each other, shorter ones begin anew\n"
	    "  --arg-file FILE, -a  a source; :::: FILE is the same\n"
	    "  --null, -0         zero bytes end the lines of files\n"
	    "  --max-args N, -n   N inputs in each command\n"
	    "  --keep-order, -k   output in the order of the inputs\n"
	    "  --group, --line    output when a job has ended (default); or line by line while\n"
	    "                     it runs\n"
	    "  --tag              each line begins with the input and a tab\n"
	    "  --dry-run          print the commands, run nothing\n"
	    "  --halt WHEN,WHAT=N|N%\n"
	    "                     WHEN: soon (those that run end) or now (they are cancelled), as\n"
	    "                     soon as N jobs, or per cent of all, are WHAT: fail, success,\n"
	    "                     done\n"
	    "  --joblog FILE      a line a job: number, begin, time, exit code, signal, command\n"
	    "  --resume           without the jobs that are in the joblog\n"
	    "  --resume-failed    ... that succeeded\n"
	    "  --results DIR      output into files in its place: DIR/1/VALUE/stdout, stderr, seq\n"
	    "  --tmpdir DIR       where long output is put, in files without a name, until it is\n"
	    "                     written (default: $TMPDIR, else /tmp)\n"
	    "  --delay TIME       a pause between two starts\n"
	    "  --load N|N%        start only while fewer than N processes of the machine run, or\n"
	    "                     per cent of its cpus\n"
	    "  --memfree SIZE     start only while so much memory is available\n"
	    "  --bar              how far it is, on stderr if that is a terminal\n"
	    "  --json             an object a job, with its output\n\n"
	    COMMAND_OBJECT_OPTIONS_HELP
	    COMMAND_OPTIONS_HELP
	    TASK_TIMES_HELP
	    "--detach, --replicas and --out are not for map. --run-limit is about each job,\n"
	    "--timeout about all of them together. The first Ctrl-C starts no more jobs, the\n"
	    "second cancels.\n"
	    "Exit code: how many jobs failed, up to 100, and 101 for more; with --halt\n"
	    "...,fail=1 that of the job that failed, with N% the percentage that did; 124\n"
	    "--timeout ran out, 128+N ended by signal N, 69 the runtime is gone.\n",
	.run = run_map,
};
