#include "cli/map/map_run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"
#include "cli/command_objects.h"
#include "cli/command_stdin.h"
#include "cli/map/map_feed.h"
#include "cli/map/map_flight.h"
#include "cli/map/map_live.h"
#include "cli/map/map_order.h"
#include "cli/map/map_output.h"
#include "cli/map/map_progress.h"
#include "cli/map/map_signals.h"
#include "cli/private_runtime.h"
#include "cli/result.h"

enum {
	PRIVATE_JOBS_MAX = 250,            /* --jobs 0: processes are not without limit */
	PRIVATE_WORKERS_MAX = WORKERS_MAX, /* with --jobs N */
	LOAD_PAUSE_MS = 10,                /* a job that was just started is no load yet */
	PERCENT = 100,
	HOW_BYTES = 64,
};

struct map {
	struct context *context;
	const struct map_plan *plan;
	struct template *template;
	struct private_runtime own;
	unsigned jobs, workers; /* at once; that the runtime has */
	struct feed feed;
	struct flight flight;
	struct order order;
	struct outlets outlets;
	struct map_output output;
	struct joblog *joblog;
	struct progress progress;
	struct tally tally;
	struct text command;
	uint64_t start_ns; /* not before */
	uint64_t deadline_ns;
	bool starved, no_room; /* there is no input yet, no room for one more job */
	bool stopping;         /* no more are started */
	bool halted;
	int code; /* of what ends it before its inputs do */
};

/* ---- how many at once ---- */

/* Only so many may have been submitted as may run: those that wait in the runtime would run after
 * it was said that no more shall. */
static bool map_run_is_strict(const struct map *m)
{
	const struct map_plan *plan = m->plan;
	return plan->halt.when != HALT_NEVER || plan->delay_ms || plan->room.by_load ||
	    plan->room.memory || m->order.wants_places || m->jobs < m->workers;
}

/* How many to start, if any: few at a time would be a wake for each. */
static size_t map_run_wanted(const struct map *m)
{
	size_t ahead = map_run_is_strict(m) ? 0 : flight_ahead(&m->flight, m->jobs);
	size_t there = flight_count(&m->flight), full = m->jobs + ahead;
	return there < full && there <= m->jobs + ahead / 2 ? full - there : 0;
}

/* ---- starting ---- */

static bool map_run_may_start(struct map *m)
{
	m->no_room = !room_is(&m->plan->room);
	return !m->no_room && clock_ns() >= m->start_ns && order_has_room(&m->order) &&
	    outlets_left(&m->outlets);
}

static void map_run_stop_starting(struct map *m)
{
	m->stopping = true;
	flight_forget_refused(&m->flight);
}

static bool map_run_take_outlet(struct map *m, struct job *job)
{
	int r = outlet_take(&m->outlets, &job->outlet);
	if (r < 0)
		job_free(job);
	return r == 0;
}

static struct job *map_run_next_job(struct map *m)
{
	struct job *job;
	uint32_t pause_ms = m->plan->delay_ms;
	int r = feed_next(&m->feed, &job);
	m->starved = r == -EAGAIN;
	m->stopping |= r == 0;
	if (r > 0 && !map_run_take_outlet(m, job))
		r = -EIO;
	if (r < 0 && r != -EAGAIN) {
		m->code = failed(r, "map");
		map_run_stop_starting(m);
	}
	if (r <= 0)
		return NULL;
	order_begin(&m->order, job);
	if (pause_ms == 0 && m->plan->room.by_load)
		pause_ms = LOAD_PAUSE_MS;
	if (pause_ms)
		m->start_ns = clock_ns() + pause_ms * NS_PER_MS;
	return job;
}

static int map_run_start_jobs(struct map *m)
{
	struct job *first = NULL, **last = &first;
	size_t n = m->stopping ? 0 : map_run_wanted(m);
	while (n-- > 0 && !m->stopping && map_run_may_start(m)) {
		struct job *job = map_run_next_job(m);
		if (!job)
			break;
		*last = job;
		last = &job->next;
	}
	m->tally.total = feed_total(&m->feed);
	return first || m->flight.refused ? flight_submit(&m->flight, first) : EXIT_FINE;
}

/* ---- their ends ---- */

static void map_run_deliver(struct map *m, struct job *job)
{
	progress_hide(&m->progress);
	m->command.length = 0;
	if (m->joblog || m->context->json)
		template_line(m->template, job, &m->command);
	output_job(&m->output, job, &m->command);
	if (m->joblog)
		joblog_add(m->joblog, job, &m->command);
	flight_drop(&m->flight, job);
}

/* Which job it was, and how it ended: else one would have to search all outputs for it. */
static void map_run_say_halt(struct map *m, const struct job *job)
{
	char how[HOW_BYTES] = "succeeded";
	if (job->signal && job->exit_code != JOB_KILLED)
		snprintf(how, sizeof how, "was ended by signal %d", job->signal);
	else if (job_failed(job))
		snprintf(how, sizeof how, "failed with exit code %d", job_exit_code(job));
	m->command.length = 0;
	template_line(m->template, job, &m->command);
	progress_hide(&m->progress);
	fprintf(stderr, "plmctl: map: halts: job %llu (%.*s) %s; no more are started, %zu %s\n",
	    (unsigned long long)job->number, (int)strnlen(m->command.data, m->command.length),
	    m->command.data, how, m->flight.jobs,
	    m->plan->halt.when == HALT_NOW ? "cancelled" : "still running");
}

static void map_run_count_end(struct map *m, const struct job *job)
{
	m->tally.done++;
	m->tally.failed += job_failed(job);
	if (job_failed(job) && !m->halted)
		m->tally.last_failure = job_exit_code(job);
	if (m->halted || !halt_reached(&m->plan->halt, &m->tally))
		return;
	m->halted = true;
	map_run_stop_starting(m);
	map_run_say_halt(m, job);
}

static int map_run_take_ends(struct map *m)
{
	struct job *ended, *job;
	int code = flight_collect(&m->flight, &ended);
	while ((job = ended) != NULL) {
		ended = job->next;
		map_run_count_end(m, job);
		order_end(&m->order, job);
	}
	while ((job = order_next(&m->order)) != NULL)
		map_run_deliver(m, job);
	return code;
}

/* With --keep-order that of the one whose turn it is. */
static int map_run_show_live(struct map *m)
{
	int code = EXIT_FINE;
	if (m->plan->line)
		progress_hide(&m->progress);
	for (size_t i = 0; i < m->flight.jobs && m->plan->line && code == EXIT_FINE; i++)
		if (!m->plan->keep_order || order_is_next(&m->order, m->flight.job[i]))
			code = live_look(m->context, &m->output, m->flight.job[i]);
	return code;
}

/* A job is in the log when its output is where it belongs. */
static int map_run_write_out(struct map *m)
{
	int r = output_flush(&m->output);
	if (r == 0 && m->joblog)
		r = joblog_flush(m->joblog);
	if (r == -EPIPE)
		return EXIT_SIGNAL + SIGPIPE;
	return r < 0 ? failed(r, "map") : EXIT_FINE;
}

/* ---- the loop ---- */

static int map_run_heed(struct map *m)
{
	enum wish wish = signals_wish();
	if (wish == WISH_START_NO_MORE && m->code == EXIT_FINE) {
		m->code = EXIT_SIGNAL + signals_last();
		map_run_stop_starting(m);
		fprintf(stderr,
		    "plmctl: map: starts no more jobs, %zu still run; Ctrl-C again "
		    "cancels them\n",
		    m->flight.jobs);
	}
	if (wish == WISH_CANCEL)
		return EXIT_SIGNAL + signals_last();
	if (clock_ns() < m->deadline_ns)
		return EXIT_FINE;
	fprintf(stderr, "plmctl: map: --timeout ran out; %zu jobs are cancelled\n", m->flight.jobs);
	return EXIT_TIMED_OUT;
}

static void map_run_sooner(int *ms, uint64_t other_ms)
{
	if (*ms < 0 || other_ms < (uint64_t)*ms)
		*ms = (int)other_ms;
}

static struct flight_wake map_run_what_wakes(const struct map *m)
{
	struct flight_wake wake = {
		.timeout_ms = milliseconds_left(m->deadline_ns), .input = -1, .workers = m->jobs
	};
	uint64_t now = clock_ns();
	bool more = !m->stopping && map_run_wanted(m);
	if (m->progress.wanted)
		map_run_sooner(&wake.timeout_ms, PROGRESS_MS);
	if (m->plan->line && m->flight.jobs)
		map_run_sooner(&wake.timeout_ms, LIVE_LOOK_MS);
	if ((more && m->no_room) || m->flight.refused)
		map_run_sooner(&wake.timeout_ms, ROOM_LOOK_MS);
	if (more && m->start_ns > now)
		map_run_sooner(&wake.timeout_ms, (m->start_ns - now) / NS_PER_MS + 1);
	if (more && m->starved)
		wake.input = sources_fd(m->feed.sources);
	return wake;
}

static int map_run_turn(struct map *m)
{
	struct flight_wake wake = map_run_what_wakes(m);
	int r = flight_wait(&m->flight, &wake);
	int code = map_run_take_ends(m); /* also what had ended before the runtime did */
	if (code == EXIT_FINE && r < 0)
		code = failed(r, "map");
	if (code == EXIT_FINE)
		code = map_run_show_live(m);
	int written = map_run_write_out(m);
	progress_draw(&m->progress, &m->tally, (unsigned)m->flight.jobs);
	return code == EXIT_FINE ? written : code;
}

static int map_run_loop(struct map *m)
{
	int code = EXIT_FINE;
	while (code == EXIT_FINE && !(m->halted && m->plan->halt.when == HALT_NOW)) {
		code = map_run_heed(m);
		if (code == EXIT_FINE)
			code = map_run_start_jobs(m);
		if (code != EXIT_FINE || (m->stopping && flight_count(&m->flight) == 0))
			break;
		code = map_run_turn(m);
	}
	return code;
}

/* ---- begin and end ---- */

/* What is asked for, one at least; 0: as many as possible. */
static unsigned map_run_jobs_of(const struct map_jobs *asked, unsigned of)
{
	long jobs = asked->number;
	if (asked->how == JOBS_NUMBER)
		return (unsigned)jobs;
	jobs =
	    asked->how == JOBS_MORE ? (long)of + jobs : ((long)of * jobs + PERCENT - 1) / PERCENT;
	return jobs < 1 ? 1 : (unsigned)jobs;
}

/* With fewer inputs nobody misses the jobs that could run besides. */
static bool map_run_is_short(const struct map *m, unsigned asked, unsigned there)
{
	uint64_t total = feed_total(&m->feed);
	return !m->context->quiet && asked > there && (total == 0 || total > there);
}

static int map_run_boot_private(struct map *m)
{
	uint64_t total = feed_total(&m->feed);
	unsigned asked = map_run_jobs_of(&m->plan->jobs, room_cpus());
	unsigned most = asked ? PRIVATE_WORKERS_MAX : PRIVATE_JOBS_MAX;
	m->jobs = asked == 0 || asked > most ? most : asked;
	m->workers = total && total < m->jobs ? (unsigned)total : m->jobs;
	if (map_run_is_short(m, asked, most))
		fprintf(stderr,
		    "plmctl: map: runs %u jobs at once, not %u: a runtime has no more "
		    "workers\n",
		    most, asked);
	int r = private_runtime_boot(&m->own, m->workers);
	if (r < 0)
		return failed(r, "map");
	m->context->name = m->own.name;
	return runtime(m->context);
}

static int map_run_join(struct map *m)
{
	plm_status status;
	int code = runtime(m->context);
	int r = code == EXIT_FINE ? plm_status_get(m->context->rt, &status) : 0;
	if (r < 0)
		return failed(r, "map");
	m->workers = code == EXIT_FINE ? status.workers : 0;
	unsigned asked = map_run_jobs_of(&m->plan->jobs, m->workers ? m->workers : 1);
	m->jobs = asked == 0 || asked > WORKERS_MAX ? WORKERS_MAX : asked;
	const char *plural = m->workers == 1 ? "" : "s";
	if (code == EXIT_FINE && map_run_is_short(m, asked, m->workers))
		fprintf(stderr,
		    "plmctl: map: runs %u job%s at once, not %u: runtime \"%s\" has %u "
		    "worker%s; `plmctl workers --set %u` adds some, --private boots its own\n",
		    m->workers, plural, asked, status.name, m->workers, plural, m->jobs);
	return code;
}

static int map_run_find_runtime(struct map *m)
{
	const char *name = getenv("PLM_NAME");
	bool named = m->context->name || (name && name[0]);
	if (!m->plan->private && !named &&
	    plm_connect_with(&m->context->rt, NULL, 0, m->context->timeout_ms) == -ENOENT) {
		m->context->rt = NULL;
		return map_run_boot_private(m);
	}
	return m->plan->private ? map_run_boot_private(m) : map_run_join(m);
}

static int map_run_dry(struct map *m)
{
	struct job *job;
	int r, code = EXIT_FINE;
	while (code == EXIT_FINE && (r = feed_next(&m->feed, &job)) != 0) {
		if (r == -EAGAIN) {
			struct pollfd input = { .fd = sources_fd(m->feed.sources),
				.events = POLLIN };
			code = map_run_write_out(m);
			poll(&input, 1, -1);
			continue;
		}
		if (r < 0)
			return failed(r, "map");
		job->place = 1;
		m->command.length = 0;
		template_line(m->template, job, &m->command);
		output_line(&m->output, &m->command);
		job_free(job);
	}
	return code == EXIT_FINE ? map_run_write_out(m) : code;
}

static int run_jobs(struct map *m, struct command_request *request)
{
	plm_status status;
	request->options.outlet = true;
	int code = command_stdin_take(m->context, request, false);
	if (code == EXIT_FINE)
		code = command_request_make(request);
	if (code == EXIT_FINE)
		code = map_run_find_runtime(m);
	if (code == EXIT_FINE)
		code = command_objects_hold(m->context, request);
	if (code == EXIT_FINE)
		code = command_request_share(m->context, request);
	if (code != EXIT_FINE)
		return code;
	int r = plm_status_get(m->context->rt, &status);
	if (r < 0)
		return failed(r, "map");
	r = outlets_open(&m->outlets, m->plan->tmpdir); /* after the boot of our own */
	if (r < 0)
		return failed(r, "map"), EXIT_INPUT;
	plm_patience(m->context->rt, 0); /* a signal would wait as long */
	order_open(&m->order, m->plan->keep_order, &status,
	    template_wants_places(m->template) ? m->jobs : 0);
	flight_begin(&m->flight, m->context, request, m->template);
	if (m->plan->bar)
		progress_begin(&m->progress);
	code = map_run_loop(m);
	flight_cancel(&m->flight);
	for (struct job *job; (job = order_any(&m->order)) != NULL;)
		map_run_deliver(m, job);
	int written = m->output.error ? EXIT_OURS : map_run_write_out(m);
	progress_end(&m->progress, &m->tally);
	flight_end(&m->flight);
	order_close(&m->order);
	outlets_close(&m->outlets);
	code = code != EXIT_FINE ? code : m->code != EXIT_FINE ? m->code : written;
	return code != EXIT_FINE ? code : halt_exit_code(&m->plan->halt, &m->tally);
}

static int map_run_open_all(struct map *m)
{
	const struct map_plan *plan = m->plan;
	m->template = template_make(plan->words, plan->word_count, plan->shell);
	int r = m->template ? signals_open() : -ENOMEM;
	if (r == 0 && plan->joblog && !plan->dry_run)
		r = joblog_open(&m->joblog, plan->joblog, plan->resume);
	m->feed = (struct feed){ .done = m->joblog, .max_args = plan->max_args };
	if (r == 0)
		r = sources_open(
		    &m->feed.sources, &plan->inputs, plan->link, plan->zero_ended ? 0 : '\n');
	if (r < 0)
		failed(r, "map");
	return r == 0 ? EXIT_FINE : r == -EINVAL ? EXIT_USAGE : EXIT_INPUT;
}

int map_run(struct context *context, struct map_plan *plan)
{
	struct map m = { .context = context, .plan = plan, .deadline_ns = deadline_of(context) };
	int code = map_run_open_all(&m);
	output_begin(&m.output, context,
	    (struct shown){ .tag = plan->tag, .json = context->json, .results = plan->results });
	if (code == EXIT_FINE)
		code = plan->dry_run ? map_run_dry(&m) : run_jobs(&m, &plan->request);
	if (code == EXIT_NO_RUNTIME)
		private_runtime_say(&m.own);
	command_request_free(context, &plan->request);
	plm_disconnect(&context->rt);
	private_runtime_end(&m.own);
	context->name = NULL; /* it may have been that of our own */
	output_end(&m.output);
	feed_end(&m.feed);
	joblog_close(&m.joblog);
	template_free(m.template);
	text_free(&m.command);
	return code;
}
