#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/command_objects.h"
#include "cli/command_stdin.h"
#include "cli/map/map_run.h"
#include "cli/spool.h"
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
	COMMAND_OBJECT_OPTIONS,
	COMMAND_OPTIONS,
	COMMON_OPTIONS,
	{ 0 },
};

enum { PERCENT_MAX = 10000, LOAD_MAX = 1 << 20, JOBS_MAX = 1 << 20 };

/* "4", "50%": which of them is in *ret_percent, else 0. */
static unsigned map_count_word(const struct context *context, const char *what, const char *word,
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

/* As GNU parallel has them: N, +N, -N, N%. */
static void map_take_jobs(const struct context *context, struct map_jobs *jobs)
{
	unsigned percent;
	if (optarg[0] == '+' || optarg[0] == '-') {
		jobs->how = JOBS_MORE;
		jobs->number = (int)number_word(context, "--jobs", optarg, -JOBS_MAX, JOBS_MAX);
		return;
	}
	jobs->how = JOBS_NUMBER;
	jobs->number = (int)map_count_word(context, "--jobs", optarg, JOBS_MAX, &percent);
	if (percent)
		*jobs = (struct map_jobs){ .how = JOBS_PERCENT, .number = (int)percent };
}

static void map_take_load(const struct context *context, struct map_plan *plan)
{
	unsigned percent;
	plan->room.by_load = true;
	plan->room.load = map_count_word(context, "--load", optarg, LOAD_MAX, &percent);
	if (percent)
		plan->room.load = room_load_of(percent);
	if (plan->room.load == 0)
		usage_error(
		    context, "--load wants 1 or more, or no job would ever start: %s", optarg);
}

static void map_take_output_option(int option, struct map_plan *plan)
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

static void map_take_option(const struct context *context, int option, struct map_plan *plan)
{
	switch (option) {
	case OWN_JOBS:
	case OWN_JOBS_OF_XARGS: map_take_jobs(context, &plan->jobs); break;
	case OWN_NULL: plan->zero_ended = true; break;
	case OWN_ARG_FILE: plan->inputs.file[plan->inputs.files++] = optarg; break;
	case OWN_MAX_ARGS:
		plan->max_args =
		    (unsigned)number_word(context, "--max-args", optarg, 1, ARGS_MAX / 2);
		break;
	case OWN_SHELL: plan->shell = true; break;
	case OWN_LINK: plan->link = true; break;
	case OWN_PRIVATE: plan->private = true; break;
	case OWN_HALT:
		if (!halt_parse(optarg, &plan->halt))
			usage_error(context,
			    "--halt wants never, or WHEN,WHAT=N such as "
			    "soon,fail=1 or now,done=50%%, not \"%s\"",
			    optarg);
		break;
	case OWN_DELAY: plan->delay_ms = (uint32_t)duration_word(context, "--delay", optarg); break;
	case OWN_LOAD: map_take_load(context, plan); break;
	case OWN_MEMFREE:
		plan->room.memory = size_word(context, "--memfree", optarg, UINT64_MAX >> 1);
		break;
	default:
		map_take_output_option(option, plan);
		if (option >= OPTION_OWN && option < OPTION_OF_SUBMIT &&
		    !command_object_option(context, option, &plan->request))
			command_option(context, option, &plan->request);
	}
}

static bool map_is_stdin(const char *file)
{
	return stdin_descriptor(file) == STDIN_FILENO;
}

/* Do the inputs come from stdin? */
static bool map_reads_stdin(const struct inputs *inputs)
{
	bool files = false, found = inputs->files + inputs->words == 0;
	for (size_t i = 0; i < inputs->files; i++)
		found = found || map_is_stdin(inputs->file[i]);
	for (size_t i = 0; i < inputs->words; i++) {
		if (is_source_mark(inputs->word[i]))
			files = strncmp(inputs->word[i], "::::", 4) == 0;
		else
			found = found || (files && map_is_stdin(inputs->word[i]));
	}
	return found;
}

/* What is not for this command, and what does not go together. */
static void map_check_plan(const struct context *context, const struct map_plan *plan)
{
	size_t sources = 0;
	for (size_t i = 0; i < plan->inputs.words; i++)
		sources += is_source_mark(plan->inputs.word[i]);
	if (plan->request.task.detach)
		usage_error(context,
		    "--detach is not for map, which waits for its jobs; `plmctl "
		    "load` does not wait");
	task_check_keep(context, &plan->request.task);
	if (plan->request.task.terms.replicas > 1)
		usage_error(context,
		    "--replicas is not for map, which reads the log of each job: "
		    "replicas have none");
	if (plan->request.outputs)
		usage_error(context,
		    "--out is not for map: --results DIR writes the output of its "
		    "jobs to files");
	command_objects_check(context, &plan->request);
	if (plan->request.input && map_is_stdin(plan->request.input) &&
	    map_reads_stdin(&plan->inputs))
		usage_error(context,
		    "--stdin %s: the inputs come from there; give them by ::: or "
		    ":::: FILE",
		    plan->request.input);
	if (plan->resume != RESUME_NOTHING && !plan->joblog)
		usage_error(context,
		    "--resume and --resume-failed need --joblog FILE, which they "
		    "read");
	if (plan->max_args && sources + plan->inputs.files > 1)
		usage_error(context, "--max-args works with one source of inputs");
	if (plan->line && context->json)
		usage_error(context,
		    "--line and --json cannot be combined: --json shows a job "
		    "when it has ended");
	if (plan->line && plan->results)
		usage_error(context,
		    "--line and --results cannot be combined: --results writes a "
		    "job's output when it has ended");
	if (plan->private && context->name)
		usage_error(context,
		    "--private and --name cannot be combined: --private starts a "
		    "runtime of its own");
}

static void map_take_words(struct map_plan *plan, int argc, char **argv)
{
	plan->words = argv + optind;
	int first = optind;
	while (optind < argc && !is_source_mark(argv[optind]))
		optind++;
	plan->word_count = (size_t)(optind - first);
	plan->inputs.word = argv + optind;
	plan->inputs.words = (size_t)(argc - optind);
}

static int map_run_map(struct context *context, int argc, char **argv)
{
	struct map_plan plan = { .jobs = { JOBS_PERCENT, 100 } };
	int option;
	plan.inputs.file = calloc((size_t)argc, sizeof *plan.inputs.file);
	if (!plan.inputs.file)
		return failed(-ENOMEM, "map");
	while ((option = next_option(context, argc, argv, short_options, options)) != -1)
		map_take_option(context, option, &plan);
	map_take_words(&plan, argc, argv);
	map_check_plan(context, &plan);
	int code = map_run(context, &plan);
	free(plan.inputs.file);
	return code;
}

const struct command cmd_map = {
	.name = "map",
	.usage = "[OPTION]... [COMMAND [ARG]...] [::: VALUE... | :::: FILE...]...",
	.help = "run a command for each of many inputs, and print what they write",
	.details =
	    "Inputs are the VALUEs, the lines of FILEs (- is stdin), or the lines of stdin. With\n"
	    "several sources a job runs for each combination of their values; :::+ and ::::+\n"
	    "pair a source with the one before it. {} in COMMAND is the input (it is appended if\n"
	    "COMMAND has none); {.} without its ending, {/} without its folder, {//} the folder,\n"
	    "{/.} without both; {2}, {2.} of the second source; {#} the number of the job, {%}\n"
	    "its place among those that run, 1 to --jobs.\n"
	    "A COMMAND of several words is executed as it stands. One word that contains a blank\n"
	    "or another special character of a shell is a line for /bin/sh, in which values are\n"
	    "quoted. Without a COMMAND each input is such a line.\n\n"
	    "  --jobs N|+N|-N|N%, -j, -P\n"
	    "                     run N jobs at once; or N more or N fewer than the runtime has\n"
	    "                     workers, or N per cent of them (default 100%); 0: as many as\n"
	    "                     possible. Without a runtime, cpus count instead of workers\n"
	    "  --private          start a runtime for this map alone, even if one is up (if none\n"
	    "                     is up, map always does)\n"
	    "  --shell            COMMAND is a line for /bin/sh, however many words it has\n"
	    "  --link             take one value from each source per job; shorter sources\n"
	    "                     repeat\n"
	    "  --arg-file FILE, -a  read inputs from FILE, like :::: FILE; may be repeated\n"
	    "  --null, -0         inputs in files end with a zero byte, not with a newline\n"
	    "  --max-args N, -n   put N inputs into each command\n"
	    "  --keep-order, -k   print output in the order of the inputs\n"
	    "  --group, --line    print output when a job has ended (default); or line by line\n"
	    "                     while it runs\n"
	    "  --tag              print the input and a tab before each line\n"
	    "  --dry-run          print the commands, run nothing\n"
	    "  --halt WHEN,WHAT=N|N%\n"
	    "                     start no more jobs when N of them, or N per cent of all, are\n"
	    "                     WHAT: fail, success or done. WHEN soon: let those that run end;\n"
	    "                     now: cancel them\n"
	    "  --joblog FILE      write a line for each job into FILE: number, begin, time, exit\n"
	    "                     code, signal, command\n"
	    "  --resume           run only the jobs that are not in the joblog\n"
	    "  --resume-failed    run only the jobs that failed, or are not in the joblog\n"
	    "  --results DIR      write output to files instead: DIR/1/VALUE/stdout, stderr, seq\n"
	    "  --tmpdir DIR       put long output there, in files without a name, until it is\n"
	    "                     printed (default: $TMPDIR, else /tmp)\n"
	    "  --delay TIME       wait TIME between two starts\n"
	    "  --load N|N%        start a job only while fewer than N processes of the machine\n"
	    "                     run; N%: per cent of its cpus\n"
	    "  --memfree SIZE     start a job only while SIZE of memory is available\n"
	    "  --bar              show progress on stderr, if that is a terminal\n"
	    "  --json             print a JSON object for each job, with its output\n\n" COMMAND_OBJECT_OPTIONS_HELP
		COMMAND_OPTIONS_HELP TASK_TIMES_HELP
	    "--detach, --replicas and --out are not for map. --run-limit is about each job,\n"
	    "--timeout about all of them together. The first Ctrl-C starts no more jobs, the\n"
	    "second cancels.\n"
	    "Exit code: how many jobs failed, up to 100, and 101 for more; with --halt\n"
	    "...,fail=1 that of the job that failed, with N% the percentage that did; 124\n"
	    "--timeout ran out, 128+N ended by signal N, 69 the runtime is gone.\n",
	.run = map_run_map,
};
