#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/why.h"
#include "cli/command_objects.h"
#include "cli/command_stdin.h"
#include "cli/map/map_run.h"
#include "cli/spool.h"

enum { PERCENT_MAX = 10000, LOAD_MAX = 1 << 20, JOBS_MAX = 1 << 20, DELAY_MAX_MS = 1 << 30 };

/* "4", "50%": a percentage is in *ret_percent, else that is 0. */
static int map_count_word(
    const struct option_given *given, unsigned most, uint64_t *ret_number, uint64_t *ret_percent)
{
	size_t n = strlen(given->text);
	char number[16];
	*ret_percent = *ret_number = 0;
	if (n == 0 || n >= sizeof number || given->text[n - 1] != '%')
		return option_number(given->what, given->text, 0, most, ret_number);
	memcpy(number, given->text, n - 1);
	number[n - 1] = 0;
	return option_number(given->what, number, 1, PERCENT_MAX, ret_percent);
}

/* As GNU parallel has them: N, +N, -N, N%. */
static int map_take_jobs(void *target, const struct option_given *given)
{
	struct map_jobs *jobs = &((struct map_plan *)target)->jobs;
	uint64_t number, percent;
	int r;
	if (given->text[0] == '+' || given->text[0] == '-') {
		r = option_number(given->what, given->text, -JOBS_MAX, JOBS_MAX, &number);
		if (r == 0)
			*jobs = (struct map_jobs){ JOBS_MORE, (int)(int64_t)number };
		return r;
	}
	r = map_count_word(given, JOBS_MAX, &number, &percent);
	if (r == 0)
		*jobs = percent ? (struct map_jobs){ JOBS_PERCENT, (int)percent }
				: (struct map_jobs){ JOBS_NUMBER, (int)number };
	return r;
}

static int map_take_load(void *target, const struct option_given *given)
{
	struct room *room = &((struct map_plan *)target)->room;
	uint64_t number, percent;
	int r = map_count_word(given, LOAD_MAX, &number, &percent);
	if (r < 0)
		return r;
	room->by_load = true;
	room->load = percent ? room_load_of((unsigned)percent) : (unsigned)number;
	return room->load
	    ? 0
	    : why(-EINVAL, "--load wants 1 or more, or no job would ever start: %s", given->text);
}

static int map_take_file(void *target, const struct option_given *given)
{
	struct inputs *inputs = &((struct map_plan *)target)->inputs;
	inputs->file[inputs->files++] = given->text;
	return 0;
}

static int map_take_halt(void *target, const struct option_given *given)
{
	if (halt_parse(given->text, &((struct map_plan *)target)->halt))
		return 0;
	return why(-EINVAL,
	    "--halt wants never, or WHEN,WHAT=N such as soon,fail=1 or now,done=50%%, not \"%s\"",
	    given->text);
}

static int map_take_group(void *target, const struct option_given *given)
{
	(void)given;
	((struct map_plan *)target)->line = false;
	return 0;
}

static int map_take_resume(void *target, const struct option_given *given)
{
	bool failed_too = strcmp(given->what, "--resume-failed") == 0;
	((struct map_plan *)target)->resume = failed_too ? RESUME_FAILED : RESUME_MISSING;
	return 0;
}

static const struct option_row rows[] = {
	{ "jobs", "jP", NULL, OPTION_TEXT, .word = "N|+N|-N|N%", .standard = "100%",
	    .help = "run N jobs at once; or N more or N fewer than the runtime has workers, or N "
		    "per cent of the workers; 0: as many as possible. Without a runtime, cpus "
		    "count instead of workers",
	    .take = map_take_jobs },
	{ "private", NULL, NULL, OPTION_FLAG,
	    .help = "start a runtime for this map alone, even if a runtime is up (if none is up, "
		    "map always does)",
	    OPTION_FIELD(struct map_plan, private) },
	{ "shell", NULL, NULL, OPTION_FLAG,
	    .help = "COMMAND is a line for /bin/sh, however many words it has",
	    OPTION_FIELD(struct map_plan, shell) },
	{ "link", NULL, NULL, OPTION_FLAG,
	    .help = "take one value from each source per job; shorter sources repeat",
	    OPTION_FIELD(struct map_plan, link) },
	{ "arg-file", "a", NULL, OPTION_FILE, .word = "FILE",
	    .help = "read inputs from FILE, like :::: FILE; may be repeated",
	    .take = map_take_file },
	{ "null", "0", NULL, OPTION_FLAG,
	    .help = "inputs in files end with a zero byte, not with a newline",
	    OPTION_FIELD(struct map_plan, zero_ended) },
	{ "max-args", "n", NULL, OPTION_NUMBER, .word = "N",
	    .help = "put N inputs into each command", OPTION_FIELD(struct map_plan, max_args), 1,
	    ARGS_MAX / 2 },
	{ "keep-order", "k", NULL, OPTION_FLAG, .help = "print output in the order of the inputs",
	    OPTION_FIELD(struct map_plan, keep_order) },
	{ "group", NULL, NULL, OPTION_FLAG,
	    .help = "print the output of a job when the job has ended (default)",
	    .take = map_take_group },
	{ "line", NULL, NULL, OPTION_FLAG, .help = "print output line by line while the jobs run",
	    OPTION_FIELD(struct map_plan, line) },
	{ "tag", NULL, NULL, OPTION_FLAG, .help = "print the input and a tab before each line",
	    OPTION_FIELD(struct map_plan, tag) },
	{ "dry-run", NULL, NULL, OPTION_FLAG, .help = "print the commands, run nothing",
	    OPTION_FIELD(struct map_plan, dry_run) },
	{ "halt", NULL, NULL, OPTION_TEXT, .word = "WHEN,WHAT=N|N%",
	    .help = "start no more jobs when N jobs, or N per cent of all, are WHAT: fail, success "
		    "or done. WHEN soon: let running jobs end; now: cancel them",
	    .take = map_take_halt },
	{ "joblog", NULL, NULL, OPTION_FILE, .word = "FILE",
	    .help = "write a line for each job into FILE: number, begin, time, exit code, signal, "
		    "command",
	    OPTION_FIELD(struct map_plan, joblog) },
	{ "resume", NULL, NULL, OPTION_FLAG, .help = "run only the jobs that are not in the joblog",
	    .take = map_take_resume },
	{ "resume-failed", NULL, NULL, OPTION_FLAG,
	    .help = "run only the jobs that failed, or are not in the joblog",
	    .take = map_take_resume },
	{ "results", NULL, NULL, OPTION_DIRECTORY, .word = "DIR",
	    .help = "write output to files instead: DIR/1/VALUE/stdout, stderr, seq",
	    OPTION_FIELD(struct map_plan, results) },
	{ "tmpdir", NULL, NULL, OPTION_DIRECTORY, .word = "DIR", .standard = "$TMPDIR, else /tmp",
	    .help = "put long output into files without a name in DIR until it is printed",
	    OPTION_FIELD(struct map_plan, tmpdir) },
	{ "delay", NULL, NULL, OPTION_TIME, .word = "TIME", .help = "wait TIME between two starts",
	    OPTION_FIELD(struct map_plan, delay_ms), .most = DELAY_MAX_MS },
	{ "load", NULL, NULL, OPTION_TEXT, .word = "N|N%",
	    .help = "start a job only while fewer than N processes of the machine run; N%: per "
		    "cent of its cpus",
	    .take = map_take_load },
	{ "memfree", NULL, NULL, OPTION_SIZE, .word = "SIZE",
	    .help = "start a job only while SIZE of memory is available",
	    OPTION_FIELD(struct map_plan, room.memory), 1, UINT64_MAX >> 1 },
	{ "bar", NULL, NULL, OPTION_FLAG,
	    .help = "show progress on stderr, if stderr is a terminal",
	    OPTION_FIELD(struct map_plan, bar) },
	{ 0 },
};

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
static void map_check_plan(const struct context *context, struct map_plan *plan)
{
	size_t sources = 0;
	for (size_t i = 0; i < plan->inputs.words; i++)
		sources += is_source_mark(plan->inputs.word[i]);
	if (plan->request.task.detach)
		usage_error(context,
		    "--detach is not for map, which waits for its jobs; `plmctl "
		    "load` does not wait");
	task_request_settle(context, &plan->request.task);
	if (plan->request.task.terms.replicas > 1)
		usage_error(context,
		    "--replicas is not for map, which reads the log of each job: "
		    "replicas have none");
	if (command_output_files(&plan->request))
		usage_error(context,
		    "--out is not for map: --results DIR writes the output of its "
		    "jobs to files");
	command_objects_check(context, &plan->request);
	if (plan->request.options.input && map_is_stdin(plan->request.options.input) &&
	    map_reads_stdin(&plan->inputs))
		usage_error(context,
		    "--stdin %s: the inputs come from there; give them by ::: or "
		    ":::: FILE",
		    plan->request.options.input);
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
	struct command_request *request = &plan.request;
	plan.inputs.file = calloc((size_t)argc, sizeof *plan.inputs.file);
	if (!plan.inputs.file)
		return failed(-ENOMEM, "map");
	take_options(context, argc, argv, (void *[]){ &plan, request, request, &request->task });
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
	.about =
	    "Inputs are the VALUEs, the lines of FILEs (- is stdin), or the lines of stdin. With\n"
	    "several sources a job runs for each combination of their values; :::+ and ::::+\n"
	    "pair a source with the source before. {} in COMMAND is the input (it is appended if\n"
	    "COMMAND has no {}); {.} without its ending, {/} without its folder, {//} the folder,\n"
	    "{/.} without both; {2}, {2.} of the second source; {#} the number of the job, {%}\n"
	    "its place among the running jobs, 1 to --jobs.\n"
	    "A COMMAND of several words is executed as it stands. A single word that contains a\n"
	    "blank or another special character of a shell is a line for /bin/sh, in which values\n"
	    "are quoted. Without a COMMAND each input is such a line. --json prints an object for\n"
	    "each job, with its output.\n",
	.options = { rows, command_object_rows, command_rows, task_rows },
	.notes = TASK_TIMES_HELP
	"--detach, --replicas and --out are not for map. --run-limit is about each job,\n"
	"--timeout about all of them together. The first Ctrl-C starts no more jobs, the\n"
	"second cancels.\n"
	"Exit code: how many jobs failed, up to 100, and 101 for more; with --halt\n"
	"...,fail=1 that of the failed job, with N% the percentage of failed jobs; 124\n"
	"--timeout ran out, 128+N ended by signal N, 69 the runtime is gone.\n",
	.options_end_at_operand = true,
	.run = map_run_map,
};
