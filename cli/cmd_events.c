#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"
#include "cli/arguments.h"
#include "cli/event_row.h"
#include "cli/look.h"
#include "cli/short_reference.h"

enum { PAGE_ROWS = 256, PAUSE_MS = 50, LATE_MS = 3, ALIVE_MS = 500 };

struct events_asked {
	bool follow;
};

struct followed {
	struct context *context;
	const struct event_filter *filter;
	plm_events *events;
	uint64_t lost;     /* told so far */
	uint64_t alive_ns; /* when the runtime was last asked for */
	sigset_t ends;     /* blocked: the signals that end the command between two pages */
};

static const struct option_row rows[] = {
	{ "follow", "f", NULL, OPTION_FLAG,
	    .help = "go on until Ctrl-C, and have events written meanwhile",
	    OPTION_FIELD(struct events_asked, follow) },
	{ 0 },
};

static void events_say_lost(struct followed *f)
{
	plm_events_state state;
	if (plm_events_state_get(f->events, &state, sizeof state) < 0 || state.lost == f->lost)
		return;
	fflush(f->context->out.file);
	fprintf(stderr,
	    "plmctl: %" PRIu64 " events were lost: they were overwritten before they were read "
	    "(plm --event-ring keeps more)\n",
	    state.lost - f->lost);
	f->lost = state.lost;
}

/* Prints the events that are there. Returns the number of events read. */
static int events_print(struct followed *f)
{
	static plm_event page[PAGE_ROWS];
	int n = plm_events_read(f->events, page, sizeof page[0], PAGE_ROWS);
	for (int i = 0; i < n; i++)
		if (event_filter_passes(f->filter, &page[i]))
			event_rows_add(&f->context->out, &page[i]);
	events_say_lost(f);
	return n;
}

/* True: a signal has come. */
static bool events_pause_for(const struct followed *f, int ms)
{
	const struct timespec pause = { .tv_nsec = ms * (long)NS_PER_MS };
	return sigtimedwait(&f->ends, NULL, &pause) >= 0;
}

/* The manager of a runtime may be replaced meanwhile: the tables and the log are the same. */
static int events_still_there(struct followed *f)
{
	uint64_t now = clock_ns();
	if (now - f->alive_ns < ALIVE_MS * NS_PER_MS)
		return EXIT_FINE;
	f->alive_ns = now;
	int r = plm_alive(f->context->rt);
	return r < 0 ? failed(r, "events") : EXIT_FINE;
}

static int events_follow(struct followed *f)
{
	int code = EXIT_FINE;
	bool ended = false;
	while (code == EXIT_FINE && !ended) {
		int n = events_print(f);
		if (n == 0 && fflush(stdout) != 0)
			break; /* the reader is gone: plmctl_finish() reports it */
		ended = ferror(f->context->out.file) || events_pause_for(f, n == 0 ? PAUSE_MS : 0);
		if (!ended)
			code = events_still_there(f);
	}
	if (code != EXIT_FINE)
		events_pause_for(f, LATE_MS);
	while (code != EXIT_FINE && events_print(f) > 0) /* the last events of the runtime */
		;
	return code;
}

/* What is in the log now, with the events that wait for late writers. */
static int events_print_all(struct followed *f)
{
	uint64_t read = 0;
	bool ended = false;
	for (int rounds = 0; rounds < 2 && !ended; rounds++) {
		int n;
		while (!ended && (n = events_print(f)) > 0) {
			read += (uint64_t)n;
			ended = ferror(f->context->out.file) || events_pause_for(f, 0);
		}
		ended = ended || events_pause_for(f, LATE_MS);
	}
	plm_events_state state;
	if (read == 0 && plm_events_state_get(f->events, &state, sizeof state) == 0 && !state.on)
		fputs("plmctl: no events: they are written while a program watches (--follow), or "
		      "always (plm --events on)\n",
		    stderr);
	return EXIT_FINE;
}

static uint64_t events_since(const struct event_filter *filter, bool follow)
{
	uint64_t now = clock_ns(), last_ns = filter->last_ms * NS_PER_MS;
	if (last_ns)
		return now > last_ns ? now - last_ns : 1;
	return follow ? PLM_EVENTS_NOW : 0;
}

static int events_open(struct followed *f, bool follow)
{
	int r = follow ? plm_events_watch(f->context->rt) : 0;
	if (r == 0)
		r = plm_events_open(&f->events, f->context->in, events_since(f->filter, follow));
	return r < 0 ? failed(r, "events") : EXIT_FINE;
}

/* A log that is not followed is read without a connection, so also that of a dead runtime. */
static int events_look(struct context *context, bool follow)
{
	int r = follow ? -ENOENT : plm_inspect_open(&context->in, context->name);
	if (r == -ENOENT)
		return look_open(context); /* or says how to start a runtime */
	return r < 0 ? failed(r, "events") : EXIT_FINE;
}

static int events_run(struct context *context, int argc, char **argv)
{
	struct event_filter filter = { .kinds = 0 };
	struct events_asked asked = { .follow = false };
	take_options(context, argc, argv, (void *[]){ &filter, &asked });
	size_t n;
	plm_ref *refs = reference_words(argc, argv, &n);
	struct followed f = { .context = context, .filter = &filter };
	context->stays = asked.follow;
	int code = events_look(context, asked.follow);
	if (code == EXIT_FINE)
		code = references_settle(context, refs, n, argv + optind);
	for (size_t i = 0; i < n && code == EXIT_FINE; i++)
		if (event_filter_add_ref(&filter, refs[i]) < 0)
			usage_error(context, "%s", why_text());
	free(refs);
	if (code == EXIT_FINE)
		code = events_open(&f, asked.follow);
	if (code != EXIT_FINE)
		return code;
	sigemptyset(&f.ends);
	sigaddset(&f.ends, SIGINT);
	sigaddset(&f.ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &f.ends, NULL);
	event_rows_begin(&context->out, EVENT_CLOCK_WALL);
	code = asked.follow ? events_follow(&f) : events_print_all(&f);
	plm_events_close(&f.events);
	return code;
}

const struct command cmd_events = {
	.name = "events",
	.usage = "[OPTION]... [@REF]...",
	.help = "show what happens: tasks, values, processes, as events of the log",
	.options = { event_filter_rows, rows },
	.notes =
	    "Events are written while a program watches, or always (plm --events on). Each\n"
	    "process keeps its last events (plm --event-ring). Times are of the local clock;\n"
	    "with --json time_ns is CLOCK_MONOTONIC and unix_ns since 1970.\n"
	    "Kinds: submitted depends ready placed started done failed cancelled returned\n"
	    "freed sealed read name born idle busy blocked unblocked dead memory-short\n"
	    "memory-enough lock-recovered journal. plm_inspect.h tells what each means.\n"
	    "--follow goes on when a new manager adopts the runtime, and ends with code 69 when\n"
	    "the runtime stops. Without --follow also the log of a dead runtime is shown.\n"
	    "A client writes after the worker has its task, so submitted may follow started.\n",
	.run = events_run,
	.visits = true,
};
