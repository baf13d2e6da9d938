/* cmd_plot.c - what a runtime did, as a picture and as tables. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/arguments.h"
#include "cli/trace/plot_csv.h"
#include "cli/trace/plot_draw.h"
#include "cli/trace/trace_source.h"

struct plot_asked {
	const char *csv;
	uint64_t window_ms;
	int part; /* enum plot_part */
};

static const struct option_row plot_rows[] = {
	{ "csv", NULL, NULL, OPTION_DIRECTORY, .word = "DIR",
	    .help = "write every event and the series of the plots into tables in DIR",
	    OPTION_FIELD(struct plot_asked, csv) },
	{ "only", NULL, NULL, OPTION_CHOICE, .choices = PLOT_PART_WORDS, .standard = "all",
	    .help = "draw one panel", OPTION_FIELD(struct plot_asked, part) },
	{ "window", NULL, NULL, OPTION_TIME, .word = "TIME", .standard = "about 300 in all",
	    .help = "the length of a window of time", OPTION_FIELD(struct plot_asked, window_ms),
	    .least = 1, .most = INT64_MAX / NS_PER_MS },
	{ 0 },
};

static void plot_say_unsubmitted(const struct series *series)
{
	if (series->unsubmitted)
		fprintf(stderr,
		    "plmctl: plot: of %" PRIu64 " of %" PRIu64 " tasks the submission is not among "
		    "the events: they are left out of the times since submit\n",
		    series->unsubmitted, series->latency[LATENCY_RUN].n);
}

static int plot_make(struct recording *recording, const struct survey *survey,
    const struct plot_asked *asked, const char *picture)
{
	struct series series;
	struct plot_csv csv = { .directory = NULL };
	int r = series_open(&series, survey, asked->window_ms * NS_PER_MS);
	if (r == 0 && asked->csv)
		r = csv_open(&csv, asked->csv, survey);
	if (r == 0 && asked->csv) {
		series.each = csv_run;
		series.context = &csv;
	}
	if (r == 0)
		r = series_take(&series, recording, survey);
	int closed = csv_close(&csv, r == 0);
	r = r < 0 ? r : closed;
	if (r == 0 && asked->csv)
		r = csv_series(&csv, &series);
	if (r == 0 && asked->csv)
		r = csv_transitions(&csv, recording);
	if (r == 0 && picture)
		r = plot_draw(
		    picture, (enum plot_part)asked->part, recording_head(recording), &series);
	if (r == 0)
		plot_say_unsubmitted(&series);
	series_close(&series);
	return r;
}

static int plot_command_run(struct context *context, int argc, char **argv)
{
	struct source_options options = { .from = NULL };
	struct plot_asked asked = { .csv = NULL };
	struct source source;
	struct survey survey = { .track = NULL };
	take_options(context, argc, argv, (void *[]){ &options, &asked });
	expect_operands(context, argc, 0, 1);
	if (context->json)
		usage_error(context, "plot draws; the numbers are in --csv DIR, not in JSON");
	const char *picture = optind < argc ? argv[optind] : NULL;
	if (!picture && !asked.csv)
		usage_error(context, "plot wants the name of a picture, or --csv DIR");
	if (picture && plot_check_name(picture) < 0)
		usage_error(context, "%s", plm_why());
	int code = source_open(context, &options, picture ? picture : "-", &source);
	if (code == EXIT_FINE) {
		int r = replay_survey(source.recording, &survey, NULL, NULL);
		if (r == 0 && survey.runs == 0)
			fputs("plmctl: plot: no task ran in this time\n", stderr);
		if (r == 0)
			r = plot_make(source.recording, &survey, &asked, picture);
		if (r < 0)
			code = source_failed(context, r);
		else
			source_warn(context, &survey);
	}
	survey_free(&survey);
	source_close(&source);
	return code;
}

static const char plot_notes[] =
    "The picture shows, above each other: how busy each worker was; throughput, that is tasks\n"
    "that ended in each window of time; beside it running tasks, which is another thing;\n"
    "queued and waiting tasks; the store; percentiles of the times from submit to start, of\n"
    "the run, and from submit to end; lengths of runs for each of nine functions.\n"
    "A task whose submission is not among the events is left out of the times since submit.\n"
    "gnuplot draws the picture (Debian: gnuplot-nox). --csv needs no gnuplot.\n";

const struct command cmd_plot = {
	.name = "plot",
	.usage = "[OPTION]... [PICTURE.svg|.pdf|.png]",
	.help = "draw busy workers, throughput, queue, store and latencies; or write tables",
	.options = { source_rows, plot_rows },
	.notes = plot_notes,
	.run = plot_command_run,
	.visits = true,
};
