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
#include "cli/map/map_fleet.h"
#include "cli/map/map_flight.h"
#include "cli/map/map_live.h"
#include "cli/map/map_order.h"
#include "cli/map/map_output.h"
#include "cli/map/map_progress.h"
#include "cli/map/map_signals.h"
#include "cli/private_runtime.h"
#include "cli/result.h"
#include "cli/spool.h"

enum {
	PRIVATE_JOBS_MAX = 250,            /* for --jobs 0, which asks for as many as possible */
	PRIVATE_WORKERS_MAX = WORKERS_MAX, /* for --jobs N */
	FLEET_JOBS_MAX = 4096,             /* in the queue of a fleet at once */
	LOAD_PAUSE_MS = 10,                /* until a started job counts in the load */
	PERCENT = 100,
	HOW_BYTES = 64,
	US_PER_MS = 1000,
};

struct map {
	struct context *context;
	const struct map_plan *plan;
	struct template *template, *tag_text, *results_text;
	struct varied *varied;
	struct text names; /* of values: --header */
	const char **name;
	size_t *name_order;
	size_t named;
	struct pace pace;
	struct private_runtime own;
	unsigned jobs, workers; /* at once; of the runtime */
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
	bool starved, no_room; /* no input yet; no room for one more job */
	bool stopping;         /* no more jobs are started */
	bool halted;
	int code; /* of an end before the last input */
};

/* ---- how many at once ---- */

/* True if no more jobs may be submitted than may run. A job queued in the runtime would still start
 * after map has decided to start no more. */
static bool map_run_is_strict(const struct map *m)
{
	const struct map_plan *plan = m->plan;
	return plan->halt.when != HALT_NEVER || plan->delay_ms || plan->room.by_load ||
	    plan->pace.percent || plan->room.memory || m->order.wants_places ||
	    m->jobs < m->workers;
}

/* How many jobs to start. Starts many or none, because few at a time cost a wake each. */
static size_t map_run_wanted(const struct map *m)
{
	size_t ahead = map_run_is_strict(m) ? 0 : flight_ahead(&m->flight, m->jobs);
	if (m->feed.pipe && ahead > m->jobs)
		ahead = m->jobs; /* each job ahead has a block in memory */
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

static void map_run_echo(struct map *m, const struct job *job)
{
	if (!(m->output.shown.echo & ECHO_ERR))
		return;
	m->command.length = 0;
	template_line(m->template, job, &m->command);
	output_begin_job(&m->output, &m->command);
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
	map_run_echo(m, job);
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
	if (m->progress.wanted)
		feed_look_ahead(&m->feed);
	template_know(m->template, feed_total(&m->feed), m->jobs);
	m->tally.total = m->plan->total ? m->plan->total : feed_total(&m->feed);
	return first || m->flight.refused ? flight_submit(&m->flight, first) : EXIT_FINE;
}

/* ---- ends of jobs ---- */

static void map_run_deliver(struct map *m, struct job *job)
{
	progress_hide(&m->progress);
	m->command.length = 0;
	if (m->joblog || m->context->json || m->output.shown.echo & ECHO_OUT)
		template_line(m->template, job, &m->command);
	output_job(&m->output, job, &m->command);
	if (m->joblog)
		joblog_add(m->joblog, job, &m->command);
	flight_drop(&m->flight, job);
}

/* Names the job that halts map, and its end, so that users need not search all outputs. */
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
	if (!job_failed(job))
		pace_learn(&m->pace, job->run_us / US_PER_MS);
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

/* Shows the output of running jobs; with --keep-order of the next job alone. */
static int map_run_show_live(struct map *m)
{
	int code = EXIT_FINE;
	if (m->plan->live)
		progress_hide(&m->progress);
	for (size_t i = 0; i < m->flight.jobs && m->plan->live && code == EXIT_FINE; i++)
		if (!m->plan->keep_order || order_is_next(&m->order, m->flight.job[i]))
			code = live_look(m->context, &m->output, m->flight.job[i]);
	return code;
}

/* Output first, then the log: a logged job has its output written. */
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
	if (m->plan->live && m->flight.jobs)
		map_run_sooner(&wake.timeout_ms, LIVE_LOOK_MS);
	if (m->flight.jobs && m->pace.percent)
		map_run_sooner(&wake.timeout_ms, ROOM_LOOK_MS);
	if ((more && m->no_room) || m->flight.refused)
		map_run_sooner(&wake.timeout_ms, ROOM_LOOK_MS);
	if (more && m->start_ns > now)
		map_run_sooner(&wake.timeout_ms, (m->start_ns - now) / NS_PER_MS + 1);
	if (more && m->starved)
		wake.input = feed_fd(&m->feed);
	return wake;
}

static int map_run_turn(struct map *m)
{
	struct flight_wake wake = map_run_what_wakes(m);
	int r = flight_wait(&m->flight, &wake);
	int code = map_run_take_ends(m); /* also jobs that ended before the runtime */
	if (code == EXIT_FINE && r < 0)
		code = failed(r, "map");
	if (code == EXIT_FINE)
		code = map_run_show_live(m);
	flight_cancel_late(&m->flight, m->pace.percent ? pace_limit_ms(&m->pace) : 0);
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

/* The number of jobs that the option asks for, one at least; 0: as many as possible. */
static unsigned map_run_jobs_of(const struct map_jobs *asked, unsigned of)
{
	long jobs = asked->number;
	if (asked->how == JOBS_NUMBER)
		return (unsigned)jobs;
	jobs =
	    asked->how == JOBS_MORE ? (long)of + jobs : ((long)of * jobs + PERCENT - 1) / PERCENT;
	return jobs < 1 ? 1 : (unsigned)jobs;
}

/* True if map runs fewer jobs than the option asks for, and there are inputs for more. */
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

/* With the number of jobs at once, because blocks may depend on it. */
static int map_run_open_pipe(struct map *m)
{
	const struct inputs *inputs = &m->plan->inputs;
	if (!pipe_is_wanted(&m->plan->pipe))
		return EXIT_FINE;
	int r = pipe_open(&m->feed.pipe, &m->plan->pipe, inputs->file, inputs->files, m->jobs);
	if (r < 0)
		failed(r, "map");
	return r == 0 ? EXIT_FINE : r == -EINVAL ? EXIT_USAGE : EXIT_INPUT;
}

static int map_run_dry(struct map *m)
{
	struct job *job;
	m->jobs = map_run_jobs_of(&m->plan->jobs, room_cpus());
	int r, code = map_run_open_pipe(m);
	m->feed.jobs = m->jobs;
	while (code == EXIT_FINE && (r = feed_next(&m->feed, &job)) != 0) {
		if (r == -EAGAIN) {
			struct pollfd input = { .fd = feed_fd(&m->feed), .events = POLLIN };
			code = map_run_write_out(m);
			poll(&input, 1, -1);
			continue;
		}
		if (r < 0)
			return failed(r, "map");
		job->place = 1;
		template_know(m->template, feed_total(&m->feed), m->jobs);
		m->command.length = 0;
		template_line(m->template, job, &m->command);
		output_line(&m->output, job, &m->command);
		bool all = m->plan->dry_robin && job->number == m->jobs;
		job_free(job);
		if (all)
			break;
	}
	return code == EXIT_FINE ? map_run_write_out(m) : code;
}

static int map_run_ready(struct map *m, struct command_request *request, plm_status *ret)
{
	request->options.outlet = true;
	int code = command_stdin_take(m->context, request, false);
	if (code == EXIT_FINE)
		code = map_run_find_runtime(m);
	if (code == EXIT_FINE)
		code = command_objects_hold(m->context, request);
	if (code == EXIT_FINE)
		code = command_request_make(request);
	if (code == EXIT_FINE)
		code = command_request_share(m->context, request);
	if (code != EXIT_FINE)
		return code;
	int r = plm_status_get(m->context->rt, ret);
	if (r < 0)
		return failed(r, "map");
	plm_patience(m->context->rt, 0); /* a signal would have to wait, too */
	return EXIT_FINE;
}

static int map_run_ready_fleet(struct map *m, struct command_request *request, plm_status *ret)
{
	int code = map_fleet_ready(m->context, request, &m->workers);
	unsigned asked = map_run_jobs_of(&m->plan->jobs, m->workers);
	m->jobs = asked == 0 || asked > FLEET_JOBS_MAX ? FLEET_JOBS_MAX : asked;
	*ret = map_fleet_room();
	return code;
}

static int run_jobs(struct map *m, struct command_request *request)
{
	plm_status status;
	int code = m->context->fleet ? map_run_ready_fleet(m, request, &status)
				     : map_run_ready(m, request, &status);
	if (code != EXIT_FINE)
		return code;
	int r =
	    outlets_open(&m->outlets, m->plan->tmpdir); /* after the boot of a private runtime */
	if (r < 0)
		return failed(r, "map"), EXIT_INPUT;
	code = map_run_open_pipe(m);
	if (code != EXIT_FINE)
		return outlets_close(&m->outlets), code;
	order_open(&m->order, m->plan->keep_order, &status,
	    template_wants_places(m->template) || varied_wants_places(m->varied) ? m->jobs : 0);
	m->feed.jobs = m->jobs;
	m->pace = m->plan->pace;
	flight_begin(&m->flight, m->context, request, m->template, m->varied);
	m->flight.wants_times = m->joblog || m->context->json;
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

/* Inputs before the command: their names are replacement strings (--header). */
static int map_run_open_inputs(struct map *m)
{
	const struct map_plan *plan = m->plan;
	m->feed.plan = &plan->feed;
	m->feed.names_block = plan->pipe.cat;
	int r = values_make(&m->feed.values, &plan->values);
	if (r == 0 && !pipe_is_wanted(&plan->pipe))
		r = sources_open(&m->feed.sources, &plan->inputs, plan->link, plan->delimiter);
	if (r < 0 || !plan->inputs.named || !m->feed.sources)
		return r;
	struct row row = { .count = 0 };
	values_take_names(m->feed.values, sources_names(m->feed.sources), &row);
	m->names = row.values;
	m->name = calloc(row.count + 1, sizeof *m->name);
	if (!m->name)
		return why(-ENOMEM, "no memory");
	const char *at = m->names.data;
	for (; m->named < row.count; at += strlen(at) + 1)
		m->name[m->named++] = at;
	m->name_order = results_order(m->name, m->named);
	return m->name_order ? 0 : why(-ENOMEM, "no memory");
}

static int map_run_make_templates(struct map *m)
{
	struct template_plan command = m->plan->template;
	struct tags *tags = &command.tags;
	tags->column = m->name;
	tags->columns = m->named;
	int r = varied_make(&m->varied, &m->plan->request, tags, pipe_is_wanted(&m->plan->pipe));
	command.append = command.append && !varied_takes_value(m->varied);
	if (r == 0)
		r = template_make(&m->template, &command);
	m->feed.template = m->template;
	m->feed.counts = r == 0 && template_wants_total(m->template) && !feed_total(&m->feed);
	if (r == 0 && m->plan->tag_text)
		r = template_make_text(&m->tag_text, m->plan->tag_text, tags);
	if (r == 0 && m->plan->results)
		r = template_make_text(&m->results_text, m->plan->results, tags);
	return r;
}

static struct shown map_run_shown(const struct map *m)
{
	const struct map_plan *plan = m->plan;
	bool named = m->results_text && template_has_replacement(m->results_text);
	return (struct shown){ .tag = plan->tag || plan->tag_text,
		.tag_text = m->tag_text,
		.live = plan->live,
		.echo = plan->echo,
		.command = m->template,
		.json = m->context->json,
		.results = plan->results,
		.results_names = { m->name, m->named, m->name_order },
		.results_text = named ? m->results_text : NULL,
		.files = !plan->files ? NULL
		    : plan->tmpdir    ? plan->tmpdir
				      : spool_directory() };
}

static int map_run_open_all(struct map *m)
{
	const struct map_plan *plan = m->plan;
	int r = map_run_open_inputs(m);
	if (r == 0)
		r = map_run_make_templates(m);
	if (r == 0)
		r = signals_open();
	if (r == 0 && plan->joblog && (!plan->dry_run || plan->resume != RESUME_NOTHING))
		r = joblog_open(&m->joblog, plan->joblog, plan->resume, plan->dry_run);
	m->feed.done = plan->resume == RESUME_NOTHING ? NULL : m->joblog;
	if (r < 0)
		failed(r, "map");
	return r == 0 ? EXIT_FINE : r == -EINVAL ? EXIT_USAGE : EXIT_INPUT;
}

int map_run(struct context *context, struct map_plan *plan)
{
	struct map m = { .context = context, .plan = plan, .deadline_ns = deadline_of(context) };
	int code = map_run_open_all(&m);
	output_begin(&m.output, context, map_run_shown(&m));
	if (code == EXIT_FINE)
		code = plan->dry_run ? map_run_dry(&m) : run_jobs(&m, &plan->request);
	if (code == EXIT_NO_RUNTIME)
		private_runtime_say(&m.own);
	command_request_free(context, &plan->request);
	plm_disconnect(&context->rt);
	private_runtime_end(&m.own);
	context->name = NULL; /* it may be the private runtime's */
	output_end(&m.output);
	feed_end(&m.feed);
	joblog_close(&m.joblog);
	template_free(m.template);
	template_free(m.tag_text);
	template_free(m.results_text);
	text_free(&m.names);
	free(m.name);
	free(m.name_order);
	varied_free(m.varied);
	text_free(&m.command);
	return code;
}
