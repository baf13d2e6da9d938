#include "cli/map/map_flight.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "cli/fleet_door.h"
#include "cli/map/map_fleet.h"
#include "cli/map/map_signals.h"

enum {
	BATCH = FLIGHT_BATCH,
	AHEAD_US = 20000, /* of work that may be queued for each worker */
	AHEAD_MAX = 512,
	END_LOOK_MS = 100,  /* between two looks for a signal, while cancelled jobs end */
	SHORT_WAIT_MS = 10, /* of a wait that only a settlement ends */
	LEARN_MS = 50,      /* after the begin the average is not known */
	AVERAGE_OF = 8,
};

void flight_begin(struct flight *f, struct context *context, const struct command_request *request,
    const struct template *template, struct varied *varied)
{
	*f = (struct flight){ .context = context,
		.request = request,
		.template = template,
		.varied = varied,
		.settled_fd = -1,
		.begun_ns = clock_ns() };
	f->last_refused = &f->refused;
	f->drop = calloc(PLM_COMMAND_RESULTS * BATCH, sizeof *f->drop);
	if (!f->drop)
		exit(failed(-ENOMEM, "map"));
}

static void flight_make_room(struct flight *f, size_t jobs)
{
	if (jobs <= f->room)
		return;
	size_t room = 2 * jobs;
	f->job = realloc(f->job, room * sizeof *f->job);
	f->ref = realloc(f->ref, room * sizeof *f->ref);
	f->ready = realloc(f->ready, room);
	f->room = room;
	if (!f->job || !f->ref || !f->ready)
		exit(failed(-ENOMEM, "map"));
}

/* ---- submitting ---- */

static uint64_t flight_now_ms(void)
{
	return clock_of(CLOCK_REALTIME) / NS_PER_MS;
}

static void flight_refuse(struct flight *f, struct job *job)
{
	job->next = NULL;
	*f->last_refused = job;
	f->last_refused = &job->next;
}

struct batch { /* of jobs in one submission */
	struct job *job[BATCH];
	size_t jobs, words[BATCH]; /* of each job */
	plm_command *command[BATCH];
	const char *label[BATCH]; /* of a fleet */
	char *own_label[BATCH];   /* NULL: the label of all jobs */
};

/* Appends the words of all jobs to one buffer. Pointers into the buffer are made afterwards,
 * because the buffer moves while it grows. */
static void flight_write_words(struct flight *f, struct job *jobs, struct batch *ret)
{
	f->words.length = ret->jobs = 0;
	for (; jobs && ret->jobs < BATCH; jobs = jobs->next) {
		ret->command[ret->jobs] = NULL;
		ret->own_label[ret->jobs] = NULL;
		ret->job[ret->jobs] = jobs;
		ret->words[ret->jobs++] = template_words(f->template, jobs, &f->words);
	}
}

/* The command of each job: the one of the request, or one of its own. */
static int flight_make_commands(struct flight *f, struct batch *b)
{
	for (size_t i = 0; i < b->jobs; i++) {
		b->command[i] = f->varied ? NULL : f->request->command;
		int r = f->varied ? varied_command(f->varied, f->context, b->job[i], &b->command[i])
				  : 0;
		if (r < 0)
			return r;
		const char *label = f->varied ? varied_label(f->varied) : NULL;
		b->own_label[i] = label ? strdup(label) : NULL;
		b->label[i] = label ? b->own_label[i] : f->request->options.label;
	}
	return 0;
}

static void flight_free_commands(const struct flight *f, struct batch *b)
{
	for (size_t i = 0; i < b->jobs && f->varied; i++) {
		plm_command_free(f->context->rt, &b->command[i]);
		free(b->own_label[i]);
	}
}

static const plm_task *flight_make_tasks(struct flight *f, const struct batch *b)
{
	size_t words = 0, args = 0, done = 0;
	bool fleet = f->context->fleet; /* whose hosts cannot write into our files */
	for (size_t i = 0; i < b->jobs; i++) {
		words += b->words[i];
		args += plm_command_nargs(b->command[i], b->words[i]);
	}
	f->args.length = f->tasks.length = f->starts.length = 0;
	text_reserve(&f->args, args * sizeof(plm_arg));
	text_reserve(&f->starts, words * sizeof(char *));
	text_reserve(&f->tasks, b->jobs * sizeof(plm_task));
	plm_arg *arg = (void *)f->args.data;
	const char **word = (void *)f->starts.data;
	plm_task *tasks = (void *)f->tasks.data;
	const char *at = f->words.data;
	for (size_t i = 0; i < words; i++, at += strlen(at) + 1)
		word[i] = at;
	for (size_t i = 0; i < b->jobs; done += b->words[i++]) {
		tasks[i] = f->request->task.task;
		plm_command_task(b->command[i], word + done, b->words[i],
		    fleet ? NULL : &b->job[i]->outlet->named, arg, &tasks[i]);
		tasks[i].flags |= fleet ? 0 : PLM_TIED;
		arg += plm_command_nargs(b->command[i], b->words[i]);
	}
	return tasks;
}

static void flight_take_references(struct flight *f, struct job *job, const plm_ref *refs)
{
	job->submit_ms = flight_now_ms();
	memcpy(job->ref, refs, sizeof job->ref);
	f->job[f->jobs] = job;
	f->ref[f->jobs++] = job->ref[0];
}

static int flight_hand_over(struct flight *f, const struct batch *b, plm_ref *refs)
{
	const plm_task *tasks = flight_make_tasks(f, b);
	const struct map_fleet_batch batch = { .task = tasks,
		.word = (void *)f->starts.data,
		.words = b->words,
		.label = b->label,
		.n = b->jobs };
	memset(refs, 0, PLM_COMMAND_RESULTS * b->jobs * sizeof *refs);
	return f->context->fleet ? map_fleet_submit(f, &batch, refs)
				 : plm_submit_many(f->context->rt, tasks, b->jobs, refs);
}

/* Submits a batch. Jobs behind a refused job are refused as well, which keeps the order. */
static int flight_submit_batch(struct flight *f, struct job **jobs)
{
	struct batch b;
	plm_ref refs[PLM_COMMAND_RESULTS * BATCH];
	bool full = f->refused != NULL;
	flight_write_words(f, *jobs, &b);
	*jobs = b.job[b.jobs - 1]->next;
	flight_make_room(f, f->jobs + b.jobs);
	int r = full ? 0 : flight_make_commands(f, &b);
	bool made = !full && r == 0;
	if (made)
		r = flight_hand_over(f, &b, refs);
	flight_free_commands(f, &b);
	for (size_t i = 0; i < b.jobs; i++) {
		full = full || !made || refs[PLM_COMMAND_RESULTS * i].id == 0;
		if (full)
			flight_refuse(f, b.job[i]);
		else
			flight_take_references(f, b.job[i], refs + PLM_COMMAND_RESULTS * i);
	}
	return r == -ENOSPC && made && !f->context->fleet ? 0 : r;
}

int flight_submit(struct flight *f, struct job *jobs)
{
	struct job *again = f->refused;
	if (again) {
		*f->last_refused = jobs;
		jobs = again;
		f->refused = NULL;
		f->last_refused = &f->refused;
	}
	while (jobs) {
		int r = flight_submit_batch(f, &jobs);
		if (r < 0)
			return failed(r, "map");
	}
	return EXIT_FINE;
}

size_t flight_count(const struct flight *f)
{
	size_t n = f->jobs;
	for (const struct job *job = f->refused; job; job = job->next)
		n++;
	return n;
}

/* ---- waiting ---- */

static void flight_drop_gathered(struct flight *f)
{
	if (f->context->fleet && !f->away) /* what is not forgotten goes after the time to keep */
		fleet_act_quietly(f->context, f->drop, f->drops, FLEET_FORGET);
	if (!f->context->fleet)
		plm_drop_many(f->context->rt, f->drop, f->drops);
	f->drops = 0;
}

size_t flight_ahead(const struct flight *f, unsigned workers)
{
	uint64_t each_us = f->average_us;
	if (f->context->fleet)
		return AHEAD_MAX; /* hosts may join, and the way to a host takes a while */
	if (each_us == 0 || each_us >= AHEAD_US)
		return 0;
	uint64_t ahead = (uint64_t)AHEAD_US * workers / each_us;
	return ahead < AHEAD_MAX ? (size_t)ahead : AHEAD_MAX;
}

static int flight_wait_for_the_middle(struct flight *f, int timeout_ms)
{
	bool sooner = timeout_ms >= 0 && timeout_ms < SHORT_WAIT_MS;
	int r = plm_wait(f->context->rt, &f->ref[(f->jobs - 1) / 2], 1, 1,
	    sooner ? timeout_ms : SHORT_WAIT_MS, NULL);
	return r == -ETIMEDOUT ? 0 : r;
}

static int flight_wait_for_anything(struct flight *f, const struct flight_wake *wake)
{
	if (f->settled_fd < 0)
		f->settled_fd = plm_fd(f->context->rt);
	if (f->settled_fd < 0)
		return f->settled_fd;
	struct pollfd wakes[] = { { .fd = f->settled_fd, .events = POLLIN },
		{ .fd = signals_fd(), .events = POLLIN }, { .fd = wake->input, .events = POLLIN } };
	uint64_t times;
	if (poll(wakes, COUNT_OF(wakes), wake->timeout_ms) > 0 && wakes[0].revents &&
	    read(f->settled_fd, &times, sizeof times) < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}

/* Inside of a task the whole loop counts as one wait, however often map wakes in between. */
static void flight_tell_waiting(struct flight *f, bool waits)
{
	if (waits == f->waits || f->context->fleet)
		return;
	f->waits = waits;
	if (waits)
		plm_wait_begin(f->context->rt);
	else
		plm_wait_end(f->context->rt);
}

int flight_wait(struct flight *f, const struct flight_wake *wake)
{
	if (f->drops)
		flight_drop_gathered(f);
	if (f->context->fleet)
		return map_fleet_wait(f, wake);
	flight_tell_waiting(f, f->jobs || f->refused);
	bool learning = f->settled_fd < 0 && clock_ns() - f->begun_ns < LEARN_MS * NS_PER_MS;
	bool busy = f->jobs > 0 && (learning || f->jobs > wake->workers);
	return busy && wake->input < 0 ? flight_wait_for_the_middle(f, wake->timeout_ms)
				       : flight_wait_for_anything(f, wake);
}

/* ---- ends of jobs ---- */

static void flight_learn(struct flight *f, uint64_t run_us)
{
	uint64_t us = run_us ? run_us : 1;
	f->average_us = f->average_us ? (f->average_us * (AVERAGE_OF - 1) + us) / AVERAGE_OF : us;
}

static int flight_take_ready(struct flight *f, struct job **ret)
{
	size_t stay = 0;
	for (size_t i = 0; i < f->jobs; i++) {
		struct job *job = f->job[i];
		if (!f->ready[i]) {
			f->job[stay] = job;
			f->ref[stay++] = f->ref[i];
			continue;
		}
		int code = f->context->fleet ? EXIT_FINE : job_take_end(f->context, job);
		if (code != EXIT_FINE)
			return code;
		flight_learn(f, job->run_us);
		job->next = NULL;
		*ret = job;
		ret = &job->next;
	}
	f->jobs = stay;
	return EXIT_FINE;
}

int flight_collect(struct flight *f, struct job **ret)
{
	size_t before = f->jobs;
	*ret = NULL;
	bool fleet = f->context->fleet;
	int r = fleet ? f->jobs ? map_fleet_collect(f) : 0
		      : plm_wait(f->context->rt, f->ref, f->jobs, 0, 0, f->ready);
	int code = r < 0 ? failed(r, "map") : f->jobs ? flight_take_ready(f, ret) : EXIT_FINE;
	if (fleet)
		return code;
	if (code == EXIT_FINE && before == f->jobs)
		r = plm_alive(f->context->rt);
	if (code == EXIT_FINE && r == 0)
		r = plm_wait_refused(f->context->rt);
	return r < 0 && code == EXIT_FINE ? failed(r, "map") : code;
}

void flight_cancel_late(struct flight *f, uint64_t limit_ms)
{
	uint64_t now_ms = limit_ms ? flight_now_ms() : 0;
	for (size_t i = 0; i < f->jobs && limit_ms; i++) {
		struct job *job = f->job[i];
		if (job->late || now_ms < job->submit_ms + limit_ms)
			continue;
		job->late = true;
		plm_cancel(f->context->rt, f->ref[i], PLM_GRACE_OF_TASK);
	}
}

void flight_drop(struct flight *f, struct job *job)
{
	int results = f->context->fleet ? 1 : PLM_COMMAND_RESULTS;
	for (int i = 0; i < results && job->ref[0].id; i++)
		f->drop[f->drops++] = job->ref[i];
	if (f->drops + PLM_COMMAND_RESULTS > PLM_COMMAND_RESULTS * BATCH)
		flight_drop_gathered(f);
	job_free(job);
}

void flight_forget_refused(struct flight *f)
{
	for (struct job *job = f->refused, *next; job; job = next) {
		next = job->next;
		job_free(job);
	}
	f->refused = NULL;
	f->last_refused = &f->refused;
}

/* Waits until no job runs any more, or one more signal comes. */
static void flight_await_ends(struct flight *f)
{
	struct pollfd more = { .fd = signals_fd(), .events = POLLIN };
	while (f->jobs &&
	    plm_wait_ended(f->context->rt, f->ref, f->jobs, f->jobs, END_LOOK_MS, NULL) ==
		-ETIMEDOUT)
		if (poll(&more, 1, 0) > 0)
			return;
}

void flight_cancel(struct flight *f)
{
	if (f->context->fleet && f->jobs)
		map_fleet_cancel(f);
	for (size_t i = 0; i < f->jobs && !f->context->fleet; i++)
		plm_cancel(f->context->rt, f->ref[i], PLM_GRACE_OF_TASK);
	if (!f->context->fleet)
		flight_await_ends(f);
	for (size_t i = 0; i < f->jobs; i++)
		flight_drop(f, f->job[i]);
	f->jobs = 0;
	flight_forget_refused(f);
}

void flight_end(struct flight *f)
{
	flight_cancel(f);
	flight_tell_waiting(f, false);
	flight_drop_gathered(f);
	free(f->job);
	free(f->ref);
	free(f->ready);
	free(f->drop);
	text_free(&f->words);
	text_free(&f->starts);
	text_free(&f->args);
	text_free(&f->tasks);
}
