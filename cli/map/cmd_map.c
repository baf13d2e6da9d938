#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/why.h"
#include "cli/command_objects.h"
#include "cli/command_stdin.h"
#include "cli/map/map_fleet.h"
#include "cli/map/map_pipe_options.h"
#include "cli/map/map_word_options.h"
#include "cli/shell_line.h"
#include "cli/spool.h"

enum {
	PERCENT_MAX = 10000,
	LOAD_MAX = 1 << 20,
	JOBS_MAX = 1 << 20,
	DELAY_MAX_MS = 1 << 30,
	NICE_LEAST = -20,
	NICE_MOST = 19
};

/* Reads "4" or "50%"; *ret_percent is 0 for a plain number. */
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

/* The forms of GNU parallel: N, +N, -N, N%. */
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

static int map_take_halt(void *target, const struct option_given *given)
{
	if (halt_parse(given->text, &((struct map_plan *)target)->halt))
		return 0;
	return why(-EINVAL,
	    "--halt wants never, or WHEN,WHAT=N such as soon,fail=1 or now,done=50%%, not \"%s\"",
	    given->text);
}

static int map_take_no_order(void *target, const struct option_given *given)
{
	(void)given;
	((struct map_plan *)target)->keep_order = false;
	return 0;
}

static int map_take_live(void *target, const struct option_given *given)
{
	const char *what = given->what;
	((struct map_plan *)target)->live = strcmp(what, "--group") == 0 ? LIVE_NEVER
	    : strcmp(what, "--ungroup") == 0                             ? LIVE_BYTES
									 : LIVE_LINES;
	return 0;
}

static int map_take_echo(void *target, const struct option_given *given)
{
	((struct map_plan *)target)->echo |=
	    strcmp(given->what, "--verbose") == 0 ? ECHO_ERR : ECHO_OUT;
	return 0;
}

static int map_take_shell(void *target, const struct option_given *given)
{
	struct map_plan *plan = target;
	plan->shell = true;
	plan->shell_program = given->text;
	return given->text && !given->text[0] ? why(-EINVAL, "--shell wants a program, not \"\"")
					      : 0;
}

static int map_take_delay(void *target, const struct option_given *given)
{
	uint64_t ms;
	int r = pace_time(given->what, given->text, DELAY_MAX_MS, &ms);
	((struct map_plan *)target)->delay_ms = (uint32_t)ms;
	return r;
}

static int map_take_timeout(void *target, const struct option_given *given)
{
	return pace_read(given->what, given->text, &((struct map_plan *)target)->pace);
}

static int map_take_slot_variable(void *target, const struct option_given *given)
{
	struct map_plan *plan = target;
	free(plan->slot_variable);
	if (given->text[0] == 0 || strchr(given->text, '=') ||
	    asprintf(&plan->slot_variable, "%s=0", given->text) < 0) {
		plan->slot_variable = NULL;
		return why(-EINVAL, "%s wants the name of a variable, not \"%s\"", given->what,
		    given->text);
	}
	plan->template.tags.place_from_zero = plan->slot_variable + strlen(given->text) + 1;
	return 0;
}

static int map_take_tag_text(void *target, const struct option_given *given)
{
	((struct map_plan *)target)->tag_text = given->text[0] ? given->text : NULL;
	return 0;
}

static int map_take_nice(void *target, const struct option_given *given)
{
	uint64_t number;
	int r = option_number(given->what, given->text, NICE_LEAST, NICE_MOST, &number);
	((struct map_plan *)target)->nice = (int)(int64_t)number;
	return r;
}

static int map_take_resume(void *target, const struct option_given *given)
{
	bool failed_too = strcmp(given->what, "--resume-failed") == 0;
	((struct map_plan *)target)->resume = failed_too ? RESUME_FAILED : RESUME_MISSING;
	return 0;
}

static int map_refuse_on_finish(void *target, const struct option_given *given)
{
	(void)target;
	return why(-EINVAL,
	    "%s is not for map, which waits for its jobs: let the line of a job go on behind its "
	    "command ('COMMAND; LINE'), or give the jobs to `plmctl load --on-finish`",
	    given->what);
}

static const struct option_row rows[] = {
	{ "jobs", "jP", NULL, OPTION_TEXT, .word = "N|+N|-N|N%", .standard = "100%",
	    .help = "run N jobs at once; or N more or N fewer than the runtime has workers, or N "
		    "per cent of the workers; 0: as many as possible. Without a runtime, cpus "
		    "count instead of workers",
	    .take = map_take_jobs },
	{ "max-procs", NULL, NULL, OPTION_TEXT, .word = "N", .take = map_take_jobs },
	{ "on-finish", NULL, NULL, OPTION_TEXT, .word = "LINE", .take = map_refuse_on_finish },
	{ "private", NULL, NULL, OPTION_FLAG,
	    .help = "start a runtime for this map alone, even if a runtime is up (if none is up, "
		    "map always does)",
	    OPTION_FIELD(struct map_plan, private) },
	{ "shell", NULL, NULL, OPTION_TEXT, .optional = true, .word = "PROGRAM",
	    .standard = "/bin/sh",
	    .help = "COMMAND is a line for a shell, however many words it has",
	    .take = map_take_shell },
	{ "quote", "q", NULL, OPTION_FLAG,
	    .help = "COMMAND is executed without a shell, also if it is a single word",
	    OPTION_FIELD(struct map_plan, quote) },
	{ "keep-order", "k", NULL, OPTION_FLAG, .help = "print output in the order of the inputs",
	    OPTION_FIELD(struct map_plan, keep_order) },
	{ "no-keep-order", NULL, NULL, OPTION_FLAG,
	    .help = "print output in the order in which jobs end (default)",
	    .take = map_take_no_order },
	{ "group", NULL, NULL, OPTION_FLAG,
	    .help = "print the output of a job when the job has ended (default)",
	    .take = map_take_live },
	{ "line-buffer", NULL, NULL, OPTION_FLAG,
	    .help = "print output line by line while the jobs run", .take = map_take_live },
	{ "line", NULL, NULL, OPTION_FLAG, .take = map_take_live },
	{ "linebuffer", NULL, NULL, OPTION_FLAG, .take = map_take_live },
	{ "lb", NULL, NULL, OPTION_FLAG, .take = map_take_live },
	{ "ungroup", "u", NULL, OPTION_FLAG,
	    .help = "print output as it comes while the jobs run, also parts of lines",
	    .take = map_take_live },
	{ "tag", NULL, NULL, OPTION_FLAG, .help = "print the input and a tab before each line",
	    OPTION_FIELD(struct map_plan, tag) },
	{ "tagstring", NULL, NULL, OPTION_TEXT, .word = "TEXT",
	    .help = "print TEXT, with its replacement strings replaced, and a tab before each line",
	    .take = map_take_tag_text },
	{ "print-command", "v", NULL, OPTION_FLAG, .help = "print each command before its output",
	    .take = map_take_echo },
	{ "verbose", "t", NULL, OPTION_FLAG,
	    .help = "print each command on stderr when its job begins", .take = map_take_echo },
	{ "files", NULL, NULL, OPTION_FLAG,
	    .help = "write the output of each job into a new file in --tmpdir, and print its name",
	    OPTION_FIELD(struct map_plan, files) },
	{ "output-as-files", NULL, NULL, OPTION_FLAG, OPTION_FIELD(struct map_plan, files) },
	{ "outputasfiles", NULL, NULL, OPTION_FLAG, OPTION_FIELD(struct map_plan, files) },
	{ "dry-run", NULL, NULL, OPTION_FLAG, .help = "print the commands, run nothing",
	    OPTION_FIELD(struct map_plan, dry_run) },
	{ "halt", NULL, NULL, OPTION_TEXT, .word = "WHEN,WHAT=N|N%",
	    .help = "start no more jobs when N jobs, or N per cent of all, are WHAT: fail, success "
		    "or done. WHEN soon: let running jobs end; now: cancel them",
	    .take = map_take_halt },
	{ "halt-on-error", NULL, NULL, OPTION_TEXT, .word = "N", .take = map_take_halt },
	{ "jl", NULL, NULL, OPTION_FILE, .word = "FILE", OPTION_FIELD(struct map_plan, joblog) },
	{ "res", NULL, NULL, OPTION_DIRECTORY, .word = "DIR",
	    OPTION_FIELD(struct map_plan, results) },
	{ "dryrun", NULL, NULL, OPTION_FLAG, OPTION_FIELD(struct map_plan, dry_run) },
	{ "workdir", NULL, NULL, OPTION_DIRECTORY, .word = "DIR",
	    OPTION_FIELD(struct map_plan, request.options.directory) },
	{ "wd", NULL, NULL, OPTION_DIRECTORY, .word = "DIR",
	    OPTION_FIELD(struct map_plan, request.options.directory) },
	{ "joblog", NULL, NULL, OPTION_FILE, .word = "FILE",
	    .help = "write a line for each job into FILE (+FILE: behind the lines there): number, "
		    "begin, time, exit code, signal, command",
	    OPTION_FIELD(struct map_plan, joblog) },
	{ "resume", NULL, NULL, OPTION_FLAG, .help = "run only the jobs that are not in the joblog",
	    .take = map_take_resume },
	{ "resume-failed", NULL, NULL, OPTION_FLAG,
	    .help = "run only the jobs that failed, or are not in the joblog",
	    .take = map_take_resume },
	{ "results", NULL, NULL, OPTION_DIRECTORY, .word = "DIR",
	    .help = "write output to files instead: DIR/1/VALUE/stdout, stderr, seq; or, with "
		    "replacement strings in DIR, to the files DIR, DIR.err and DIR.seq",
	    OPTION_FIELD(struct map_plan, results) },
	{ "tmpdir", NULL, NULL, OPTION_DIRECTORY, .word = "DIR", .standard = "$TMPDIR, else /tmp",
	    .help = "put long output into files without a name in DIR until it is printed",
	    OPTION_FIELD(struct map_plan, tmpdir) },
	{ "delay", NULL, NULL, OPTION_TEXT, .word = "TIME",
	    .help = "wait TIME between two starts; a plain number is seconds",
	    .take = map_take_delay },
	{ "timeout", NULL, NULL, OPTION_TEXT, .word = "TIME|N%",
	    .help = "end a job that runs longer than TIME (a plain number is seconds), or longer "
		    "than N per cent of the median of the jobs that succeeded: it has failed. "
		    "`plmctl --timeout SECONDS map` limits all jobs together",
	    .take = map_take_timeout },
	{ "nice", NULL, NULL, OPTION_TEXT, .word = "N", .help = "run the jobs, and plmctl, N nicer",
	    .take = map_take_nice },
	{ "process-slot-var", NULL, NULL, OPTION_TEXT, .word = "NAME",
	    .help = "set the variable NAME to the place of the job, from 0",
	    .take = map_take_slot_variable },
	{ "total-jobs", NULL, NULL, OPTION_NUMBER, .word = "N",
	    .help = "--bar counts on N jobs in all", OPTION_FIELD(struct map_plan, total), 1,
	    UINT64_MAX >> 1 },
	{ "total", NULL, NULL, OPTION_NUMBER, .word = "N", OPTION_FIELD(struct map_plan, total), 1,
	    UINT64_MAX >> 1 },
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
	{ "eta", NULL, NULL, OPTION_FLAG, OPTION_FIELD(struct map_plan, bar) },
	{ "progress", NULL, NULL, OPTION_FLAG, OPTION_FIELD(struct map_plan, bar) },
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
		enum source_mark mark = source_mark(inputs, inputs->word[i]);
		if (mark != MARK_NONE)
			files = mark == MARK_FILES || mark == MARK_FILES_LINKED;
		else
			found = found || (files && map_is_stdin(inputs->word[i]));
	}
	return found;
}

/* Decides which shell reads the command, if any, and which inputs are appended. */
static void map_settle_command(struct map_plan *plan)
{
	struct template_plan *command = &plan->template;
	const char *first = command->count ? command->words[0] : "";
	const char *tag = command->tags.name[TAG_VALUE];
	bool input = command->count == 1 && strcmp(first, tag ? tag : "{}") == 0;
	bool line = plan->shell || command->count == 0 || input ||
	    shell_line_is(command->words, command->count);
	if (line && !plan->quote)
		command->shell =
		    plan->shell_program ? plan->shell_program : shell_line_program(first);
	command->append = !pipe_is_wanted(&plan->pipe) || plan->pipe.cat;
}

/* Adds the variables of GNU parallel that the command mentions. A variable that differs from job to
 * job takes memory in the queue, so programs that look for these variables unasked find none. */
static void map_settle_variables(struct map_plan *plan)
{
	static const char *const variable[][2] = { { "PARALLEL_SEQ", "PARALLEL_SEQ={#}" },
		{ "PARALLEL_JOBSLOT", "PARALLEL_JOBSLOT={%}" } };
	const struct template_plan *command = &plan->template;
	for (size_t i = 0; i < COUNT_OF(variable); i++) {
		bool asked = false;
		for (size_t k = 0; k < command->count; k++)
			asked = asked || strstr(command->words[k], variable[i][0]);
		if (asked && command_request_add_variable(&plan->request, variable[i][1]) < 0)
			exit(failed(-ENOMEM, "map"));
	}
	if (plan->slot_variable &&
	    command_request_add_variable(&plan->request, plan->slot_variable) < 0)
		exit(failed(-ENOMEM, "map"));
}

/* Refuses contradictions about the output. */
static void map_check_output(const struct context *context, const struct map_plan *plan)
{
	if (plan->live && context->json)
		usage_error(context,
		    "--line-buffer or --ungroup, and --json cannot be combined: --json shows a job "
		    "when it has ended");
	if (plan->live && (plan->results || plan->files))
		usage_error(context,
		    "--line-buffer or --ungroup, and --results or --files cannot be combined: "
		    "these write the output of a job when it has ended");
	if (plan->results && plan->files)
		usage_error(context, "--results and --files cannot be combined");
	if (plan->echo && context->json)
		usage_error(context, "--json shows the commands: leave out -v and -t");
	if (plan->shell && plan->quote)
		usage_error(context, "--shell and --quote cannot be combined");
}

/* Refuses options of submit without a meaning for map, and contradictions. */
static void map_check_plan(const struct context *context, struct map_plan *plan)
{
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
	map_pipe_settle(context, plan);
	if (context->fleet)
		map_fleet_check(context, plan);
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
	map_check_output(context, plan);
	map_words_settle(context, plan);
	map_settle_command(plan);
	map_settle_variables(plan);
	if (plan->private && context->name)
		usage_error(context,
		    "--private and --name cannot be combined: --private starts a "
		    "runtime of its own");
}

static void map_take_words(struct map_plan *plan, int argc, char **argv)
{
	plan->template.words = argv + optind;
	int first = optind;
	while (optind < argc && source_mark(&plan->inputs, argv[optind]) == MARK_NONE)
		optind++;
	plan->template.count = (size_t)(optind - first);
	plan->inputs.word = argv + optind;
	plan->inputs.words = (size_t)(argc - optind);
}

/* The time limit of a job is the runtime's affair; of a percentage map takes care. */
static void map_settle_times(struct map_plan *plan)
{
	uint32_t limit_ms = (uint32_t)plan->pace.limit_ms;
	uint32_t *run_ms = &plan->request.task.terms.run_ms;
	if (limit_ms && (*run_ms == 0 || limit_ms < *run_ms))
		*run_ms = limit_ms;
}

static int map_run_map(struct context *context, int argc, char **argv)
{
	struct map_plan plan = { .jobs = { JOBS_PERCENT, 100 } };
	struct command_request *request = &plan.request;
	plan.inputs.file = calloc((size_t)argc, sizeof *plan.inputs.file);
	if (!plan.inputs.file)
		return failed(-ENOMEM, "map");
	request->by_job = true;
	take_options(context, argc, argv,
	    (void *[]){ &plan, &plan, &plan, request, request, &request->task });
	map_take_words(&plan, argc, argv);
	map_settle_times(&plan);
	map_check_plan(context, &plan);
	plan.dry_robin = plan.dry_run && plan.pipe.robin;
	if (plan.dry_robin)
		plan.pipe.robin = false; /* a thread would read */
	errno = 0;
	if (plan.nice && nice(plan.nice) == -1 && errno)
		return failed(-errno, "--nice");
	int code = map_run(context, &plan);
	free(plan.inputs.file);
	free(plan.template.tags.rule);
	free(plan.delimiter_bytes);
	free(plan.slot_variable);
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
	    "{/.} without both; {2}, {2.} of the second value, {-1} of the last; {#} the\n"
	    "number of the job, {%} its place among the running jobs, 1 to --jobs;\n"
	    "{= s/REGEXP/TEXT/ =} the input with a change; with --plus there are more. The same\n"
	    "replacement strings stand in --stdin, --dir, --env, --in, --label, --tagstring and\n"
	    "--results.\n"
	    "A COMMAND of several words is executed as it stands. A single word that contains a\n"
	    "blank or another special character of a shell is a line for /bin/sh, in which values\n"
	    "are quoted; so is a COMMAND that begins with a function exported by bash (for bash).\n"
	    "Without a COMMAND each input is such a line. --json prints an object for each job,\n"
	    "with its output.\n"
	    "With --pipe the inputs are no words: each job reads a block of stdin.\n"
	    "With --fleet URL the jobs run on the hosts of a fleet, in their environment. Options\n"
	    "about this machine (--pipe, --line-buffer, --load, --memfree, --nice) are refused.\n",
	.options = { rows, map_word_rows, map_pipe_rows, command_object_rows, command_rows,
	    task_rows },
	.notes = TASK_TIMES_HELP
	"--detach, --replicas and --out are not for map. --run-limit and --timeout are about\n"
	"each job, `plmctl --timeout SECONDS map` about all of them together. The first\n"
	"Ctrl-C starts no more jobs, the second cancels.\n"
	"Exit code: how many jobs failed, up to 100, and 101 for more; with --halt\n"
	"...,fail=1 that of the failed job, with N% the percentage of failed jobs; 124\n"
	"--timeout ran out, 128+N ended by signal N, 69 the runtime is gone.\n",
	.fleet = true,
	.options_end_at_operand = true,
	.run = map_run_map,
};
