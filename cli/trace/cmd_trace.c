/* cmd_trace.c - the events of a runtime as a trace, for ui.perfetto.dev and chrome://tracing. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/amount_text.h"
#include "base/check.h"
#include "base/clock.h"
#include "cli/arguments.h"
#include "cli/trace/trace_fleet.h"
#include "cli/trace/trace_source.h"
#include "cli/trace/trace_write.h"

struct trace_asked {
	const char *record;
	uint64_t for_ms;
	int format; /* enum trace_kind + 1; 0: by the name of the file */
	bool for_fleet;
};

static int trace_take_format(void *target, const struct option_given *given)
{
	int choice = option_choice(given->what, given->text, TRACE_KIND_WORDS);
	((struct trace_asked *)target)->format = choice < 0 ? 0 : choice + 1;
	return choice < 0 ? choice : 0;
}

static const struct option_row trace_rows[] = {
	{ "record", NULL, NULL, OPTION_FILE, .word = "FILE",
	    .help = "switch the event log on, record until Ctrl-C, and write FILE",
	    OPTION_FIELD(struct trace_asked, record) },
	{ "for", NULL, NULL, OPTION_TIME, .word = "TIME",
	    .help = "with --record: end after this time", OPTION_FIELD(struct trace_asked, for_ms),
	    .least = 1, .most = INT64_MAX / NS_PER_MS },
	{ "format", NULL, NULL, OPTION_CHOICE, .choices = TRACE_KIND_WORDS,
	    .standard = "by the end of the name of FILE", .help = "the form of FILE",
	    .take = trace_take_format },
	{ "for-fleet", NULL, NULL, OPTION_FLAG,
	    .help =
		"what the bridge of a host runs: give the fleet this host's part, asked on stdin",
	    OPTION_FIELD(struct trace_asked, for_fleet) },
	{ 0 },
};

/* ---- what was done ---- */

struct trace_summary {
	const char *file;
	uint64_t events, runs, edges, lost, span_ms;
};

static const struct column trace_columns[] = {
	{ "FILE", "file", -1, PLAIN(struct trace_summary, file) },
	{ "EVENTS", "events", 0, PLAIN(struct trace_summary, events) },
	{ "RUNS", "runs", 0, PLAIN(struct trace_summary, runs) },
	{ "DEPENDENCIES", "dependencies", 0, PLAIN(struct trace_summary, edges) },
	{ "LOST", "lost", 0, PLAIN(struct trace_summary, lost) },
	{ "SPAN", "span_ms", 0, MS(struct trace_summary, span_ms) },
};

static void trace_say(struct context *context, const struct trace_target *target,
    const struct survey *survey, uint64_t runs, uint64_t edges)
{
	char span[32];
	const struct trace_summary summary = { .file = target->path,
		.events = survey->events,
		.runs = runs,
		.edges = edges,
		.lost = survey->lost,
		.span_ms = (survey->last_ns - survey->first_ns) / NS_PER_MS };
	const struct trace_summary *s = &summary;
	if (strcmp(s->file, "-") == 0 || context->out.quiet)
		return;
	if (context->json) {
		table_begin(&context->out, trace_columns, COUNT_OF(trace_columns));
		table_row(&context->out, s);
		return;
	}
	ms_print(s->span_ms, span, sizeof span);
	fprintf(stderr,
	    "plmctl: %s: %" PRIu64 " runs and %" PRIu64 " dependencies, from %" PRIu64
	    " events that span %s\n",
	    s->file, s->runs, s->edges, s->events, span);
}

static void trace_warn(const struct trace_told *told)
{
	if (told->edges_left_out)
		fprintf(stderr, "plmctl: trace: %" PRIu64 " dependencies are left out: too many\n",
		    told->edges_left_out);
}

/* ---- writing ---- */

static int trace_convert(struct context *context, struct recording *recording,
    const struct trace_target *target, bool write)
{
	struct survey survey = { .track = NULL };
	struct trace_edges edges = { .n = 0 };
	struct trace_told told = { .runs = 0 };
	int r = trace_survey(recording, &survey, &edges);
	if (r == 0 && write)
		r = trace_write(recording, &survey, &edges, target, &told);
	int code = r < 0 ? source_failed(context, r) : EXIT_FINE;
	if (code == EXIT_FINE) {
		source_warn(context, &survey);
		trace_say(context, target, &survey, survey.runs, edges_drawn(&edges));
		trace_warn(&told);
	}
	survey_free(&survey);
	edges_free(&edges);
	return code;
}

/* A recording that a full disk has ended keeps what it had; a trace is there or not. */
static int trace_record(struct context *context, const struct trace_asked *asked)
{
	const struct capture_plan plan = { .for_ns = asked->for_ms * NS_PER_MS,
		.progress = isatty(STDERR_FILENO) && !context->quiet };
	struct trace_target target;
	struct trace_place place = { .fd = -1 };
	struct source source;
	if (trace_target_of(asked->record, asked->format - 1, &target) < 0)
		usage_error(context, "%s", plm_why());
	bool stays = target.kind == TRACE_RECORDING;
	if (strcmp(target.path, "-") == 0)
		usage_error(context, "--record writes a file, not stdout");
	int code = source_record(
	    context, &plan, target.path, stays, stays && target.packed, &place, &source);
	if (source.recording) {
		if (stays && place_keep(&place) < 0)
			code = source_failed(context, -EIO);
		capture_release_signals();
		int written = code == EXIT_FINE || stays
		    ? trace_convert(context, source.recording, &target, !stays)
		    : EXIT_FINE;
		code = code == EXIT_FINE ? written : code;
	}
	place_drop(&place);
	source_close(&source);
	return code;
}

static int trace_of_source(struct context *context, const struct source_options *options,
    const struct trace_target *target)
{
	struct source source;
	int code = source_open(context, options, target->path, &source);
	if (code == EXIT_FINE)
		code = trace_convert(context, source.recording, target, true);
	source_close(&source);
	return code;
}

static int trace_of_fleet(struct context *context, const struct source_options *options,
    const struct trace_target *target)
{
	struct trace_told told;
	struct survey whole;
	int code = trace_fleet(context, options->last_ms, target, &told, &whole);
	if (code == EXIT_FINE || code == EXIT_CUT) {
		trace_say(context, target, &whole, told.runs, told.edges);
		trace_warn(&told);
	}
	return code;
}

static int trace_run(struct context *context, int argc, char **argv)
{
	struct source_options options = { .from = NULL };
	struct trace_asked asked = { .record = NULL };
	struct trace_target target;
	take_options(context, argc, argv, (void *[]){ &options, &asked });
	if (asked.for_fleet)
		return trace_for_fleet(context);
	if (context->fleet && (asked.record || options.from))
		usage_error(context,
		    "--record and --from are about one runtime: with a fleet, --last TIME FILE%s",
		    context->fleet_of_environment ? " (--fleet '' means this machine)" : "");
	if (asked.record) {
		expect_operands(context, argc, 0, 0);
		if (options.from || options.last_ms)
			usage_error(context, "--record does not go with --last and --from");
		return trace_record(context, &asked);
	}
	if (asked.for_ms)
		usage_error(context, "--for is the length of a recording: --record FILE");
	expect_operands(context, argc, 0, 1);
	const char *path = optind < argc ? argv[optind] : "-";
	if (optind == argc && isatty(STDOUT_FILENO))
		usage_error(context, "a trace is not for reading: give a FILE, as trace.json.gz");
	int format = asked.format;
	if (strcmp(path, "-") == 0 && format == 0)
		format = TRACE_JSON + 1;
	if (trace_target_of(path, format - 1, &target) < 0)
		usage_error(context, "%s", plm_why());
	return context->fleet ? trace_of_fleet(context, &options, &target)
			      : trace_of_source(context, &options, &target);
}

static const char trace_notes[] =
    "FILE ends in .json (Chrome), .pftrace (Perfetto) or .plmrec (a recording, from which\n"
    "`plmctl trace --from` and `plmctl plot --from` make the rest), each also with .gz.\n"
    "Without FILE the trace goes to stdout. Open traces at https://ui.perfetto.dev or in\n"
    "chrome://tracing: a track for each process of a worker, an arrow from the run that made\n"
    "a value to the run that took it, counters for queue, running tasks, store and memory.\n"
    "Failed, cancelled and returned runs have a category and a mark of their own.\n"
    "\n"
    "Without --record the trace comes from the event log, which is on in a runtime booted by\n"
    "`plm --events on`, or while anybody records. The log keeps the last events of each\n"
    "process, also after the death of all of them. --record switches the log on while it\n"
    "lives. Events that were overwritten unread are counted, and the trace says so.\n"
    "A full disk: a recording keeps what it had; a trace is written as a whole or not at all.\n"
    "A killed --record FILE.plmrec leaves FILE.plmrec.part, which --from can read.\n"
    "\n"
    "With --fleet: one trace of all hosts, from the event log of each, on the clock of Redis; the\n"
    "tracks are named by the host. A host that does not answer in time is named, and the exit\n"
    "code is 74.\n";

const struct command cmd_trace = {
	.name = "trace",
	.usage = "[OPTION]... [FILE]",
	.help = "write a trace for ui.perfetto.dev: who ran what, when, and what waited for what",
	.options = { source_rows, trace_rows },
	.notes = trace_notes,
	.run = trace_run,
	.visits = true,
	.fleet = true,
};
