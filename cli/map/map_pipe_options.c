#include "cli/map/map_pipe_options.h"

#include <string.h>

#include "cli/map/map_units.h"

#define BLOCK_MAX (UINT64_C(1) << 40)

enum { BLOCKS_OF_JOB_MAX = 1 << 20 };

static struct pipe_plan *pipe_plan_of(void *target)
{
	return &((struct map_plan *)target)->pipe;
}

static int pipe_take_block(void *target, const struct option_given *given)
{
	struct pipe_plan *plan = pipe_plan_of(target);
	uint64_t number;
	bool negative = given->text[0] == '-';
	int r = units_number(given->what, given->text + negative, 1,
	    negative ? BLOCKS_OF_JOB_MAX : BLOCK_MAX, &number);
	if (r < 0)
		return r;
	plan->block = negative ? 0 : number;
	plan->block_of_job = negative ? (unsigned)number : 0;
	return 0;
}

static int pipe_take_cat(void *target, const struct option_given *given)
{
	struct pipe_plan *plan = pipe_plan_of(target);
	(void)given;
	plan->cat = true;
	plan->pipe = !plan->part;
	return 0;
}

#define PIPE_FIELD(field) OPTION_FIELD(struct map_plan, pipe.field)

const struct option_row map_pipe_rows[] = {
	{ "pipe", NULL, NULL, OPTION_FLAG,
	    .help = "cut stdin, or the file of --arg-file, into blocks of whole records, and give "
		    "each job a block as its standard input",
	    PIPE_FIELD(pipe) },
	{ "spreadstdin", NULL, NULL, OPTION_FLAG, PIPE_FIELD(pipe) },
	{ "pipe-part", NULL, NULL, OPTION_FLAG,
	    .help = "the same for regular files given by --arg-file or ::::, which map does not "
		    "read itself",
	    PIPE_FIELD(part) },
	{ "pipepart", NULL, NULL, OPTION_FLAG, PIPE_FIELD(part) },
	{ "block", NULL, NULL, OPTION_TEXT, .word = "SIZE|-N", .standard = "1M; --pipe-part: -10",
	    .help = "bytes in a block, in K, M, G (1024) or k, m, g (1000); -N: N blocks for each "
		    "of --jobs",
	    .take = pipe_take_block },
	{ "block-size", NULL, NULL, OPTION_TEXT, .word = "SIZE", .take = pipe_take_block },
	{ "recend", NULL, NULL, OPTION_TEXT, .word = "TEXT", .standard = "\\n",
	    .help = "a record ends with TEXT; \"\": anywhere", PIPE_FIELD(cut.end) },
	{ "recstart", NULL, NULL, OPTION_TEXT, .word = "TEXT",
	    .help = "a record begins with TEXT; with --recend where both meet",
	    PIPE_FIELD(cut.start) },
	{ "regexp", NULL, NULL, OPTION_FLAG,
	    .help = "--recstart and --recend are regular expressions (POSIX, extended)",
	    PIPE_FIELD(cut.regexp) },
	{ "remove-rec-sep", NULL, NULL, OPTION_FLAG,
	    .help = "leave out what --recstart and --recend match", PIPE_FIELD(cut.remove) },
	{ "removerecsep", NULL, NULL, OPTION_FLAG, PIPE_FIELD(cut.remove) },
	{ "rrs", NULL, NULL, OPTION_FLAG, PIPE_FIELD(cut.remove) },
	{ "round-robin", NULL, NULL, OPTION_FLAG,
	    .help = "with --pipe: start --jobs jobs, and give the blocks to them in turn",
	    PIPE_FIELD(robin) },
	{ "roundrobin", NULL, NULL, OPTION_FLAG, PIPE_FIELD(robin) },
	{ "round", NULL, NULL, OPTION_FLAG, PIPE_FIELD(robin) },
	{ "cat", NULL, NULL, OPTION_FLAG, .help = "with --pipe: {} is a file with the block, too",
	    .take = pipe_take_cat },
	{ "fifo", NULL, NULL, OPTION_FLAG, .take = pipe_take_cat },
	{ "tee", NULL, NULL, OPTION_FLAG,
	    .help = "with --pipe: each job reads all of stdin, which is read to its end first",
	    PIPE_FIELD(tee) },
	{ 0 },
};

/* Moves the files behind :::: to those of --arg-file. Words behind ::: have no use. */
static void pipe_take_files(const struct context *context, struct map_plan *plan)
{
	struct inputs *inputs = &plan->inputs;
	for (size_t i = 0; i < inputs->words; i++) {
		enum source_mark mark = source_mark(inputs, inputs->word[i]);
		if (mark == MARK_FILES)
			continue;
		if (mark != MARK_NONE)
			usage_error(context,
			    "%s cannot be combined with --pipe or --pipe-part, where the input of "
			    "a job is a block; --pipe --tee gives all of stdin to a job for each "
			    "value",
			    inputs->word[i]);
		inputs->file[inputs->files++] = inputs->word[i];
	}
	inputs->words = 0;
	if (plan->pipe.part && inputs->files == 0)
		usage_error(context, "--pipe-part needs a file: --arg-file FILE, or :::: FILE");
	if (!plan->pipe.part && inputs->files > 1)
		usage_error(context, "--pipe reads one stream, not %zu files: use --pipe-part",
		    inputs->files);
}

static void pipe_check_robin(const struct context *context, const struct map_plan *plan)
{
	const plm_task *task = &plan->request.task.task;
	if (!plan->pipe.robin)
		return;
	if (task->retries || task->crash_retries)
		usage_error(context,
		    "--round-robin and --retries cannot be combined: the blocks a job has read "
		    "are gone");
	if (plan->pipe.cat)
		usage_error(context, "--round-robin and --cat cannot be combined");
	if (plan->resume != RESUME_NOTHING)
		usage_error(context, "--round-robin and --resume cannot be combined");
}

static void pipe_check_alone(const struct context *context, const struct map_plan *plan)
{
	const struct pipe_plan *pipe = &plan->pipe;
	if (pipe->block || pipe->block_of_job || pipe->cut.start || pipe->cut.end ||
	    pipe->cut.regexp || pipe->cut.remove || pipe->robin || pipe->tee)
		usage_error(context,
		    "--block, --recstart, --recend, --regexp, --remove-rec-sep, --round-robin and "
		    "--tee need --pipe or --pipe-part");
}

void map_pipe_settle(const struct context *context, struct map_plan *plan)
{
	struct pipe_plan *pipe = &plan->pipe;
	if (!pipe->pipe && !pipe->part) {
		pipe_check_alone(context, plan);
		return;
	}
	if (pipe->pipe && pipe->part)
		pipe->pipe = false;
	if (plan->template.count == 0)
		usage_error(context, "--pipe and --pipe-part need a command to read the blocks");
	if (plan->request.options.input)
		usage_error(context, "--pipe and --stdin cannot be combined: a job has one input");
	if (pipe->block_of_job && !pipe->part)
		usage_error(context, "--block -N needs --pipe-part, which knows the size");
	if (pipe->part && (plan->feed.max_inputs || plan->feed.max_lines))
		usage_error(
		    context, "--pipe-part does not count records: use --pipe with -N or -L");
	if (plan->feed.shuffled && !pipe->tee)
		usage_error(context,
		    "--pipe and --shuf cannot be combined: the jobs get the "
		    "blocks as they are read");
	if (pipe->tee && plan->inputs.files + plan->inputs.words == 0)
		usage_error(context,
		    "--tee needs inputs for the jobs behind ::: or ::::, because "
		    "each job reads stdin");
	if (pipe->tee) {
		plan->request.options.input = "-";
		pipe->pipe = pipe->part = false;
		return;
	}
	pipe->cut.records = plan->feed.max_inputs;
	pipe->cut.lines = plan->feed.max_lines;
	pipe->header = plan->header;
	pipe_take_files(context, plan);
	pipe_check_robin(context, plan);
}
