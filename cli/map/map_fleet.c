#include "cli/map/map_fleet.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"
#include "cli/spool.h"
#include "cli/command_objects.h"
#include "cli/fleet_door.h"
#include "cli/map/map_signals.h"

enum {
	LOOK_AGAIN_MS = 2000, /* without news */
	AWAY_PAUSE_MS = 200,  /* between two attempts to connect */
	END_WAIT_MS = 100,    /* between two looks for a signal, while cancelled jobs end */
	ORDER_JOBS = 1 << 20, /* of --keep-order: map_order.c takes a part of both */
	ORDER_BYTES = 256 << 20,
};

/* ---- options ---- */

static void map_fleet_refuse(const struct context *context, bool given, const char *why)
{
	if (given)
		usage_error(context, "%s", why);
}

void map_fleet_check(const struct context *context, const struct map_plan *plan)
{
	const char *input = plan->request.options.input;
	map_fleet_refuse(context, pipe_is_wanted(&plan->pipe),
	    "--pipe and --pipe-part are not possible on a fleet: the blocks are files of this "
	    "machine");
	map_fleet_refuse(context, plan->private,
	    "--private and --fleet cannot be combined: --private starts a runtime here");
	map_fleet_refuse(context, plan->live != LIVE_NEVER,
	    "--line-buffer and --ungroup are not possible on a fleet: the output comes with the "
	    "end of the command");
	map_fleet_refuse(context, plan->room.by_load || plan->room.memory,
	    "--load and --memfree look at this machine, and a fleet runs the jobs on others");
	map_fleet_refuse(context, plan->nice,
	    "--nice is not possible on a fleet: its commands have the nice value of their host");
	map_fleet_refuse(
	    context, plan->pace.percent, "--timeout N% is not possible on a fleet: give a time");
	map_fleet_refuse(context, input && stdin_descriptor(input) >= 0,
	    "map --stdin - is not possible on a fleet: plmctl put keeps the input once, and "
	    "--stdin @REF gives it to each job");
}

/* As fleet_submit(): the environment of this machine is not for other machines. */
int map_fleet_ready(struct context *context, struct command_request *request, unsigned *ret_workers)
{
	request->options.no_environment = true;
	int code = fleet_ends_open(context, ret_workers);
	if (code == EXIT_FINE)
		code = command_objects_settle(context, request);
	if (code == EXIT_FINE)
		code = command_request_make(request);
	if (*ret_workers == 0 && code == EXIT_FINE && !context->quiet)
		fprintf(stderr, "plmctl: map: no host of the fleet is up; the jobs wait for one\n");
	*ret_workers = *ret_workers ? *ret_workers : 1;
	return code;
}

plm_status map_fleet_room(void)
{
	return (plm_status){
		.records_max = ORDER_JOBS, .store_bytes = ORDER_BYTES, .shm_free = ORDER_BYTES
	};
}

/* ---- submitting ---- */

/* A full engine is no error while other jobs are under way, whose ends make room. */
int map_fleet_submit(struct flight *f, const struct map_fleet_batch *batch, plm_ref *refs)
{
	static struct fleet_new new[FLIGHT_BATCH];
	static char title[FLIGHT_BATCH][FLEET_TITLE_BYTES];
	plm_ref ref[FLIGHT_BATCH];
	CHECK(batch->n <= FLIGHT_BATCH);
	const char *const *word = batch->word;
	for (size_t i = 0; i < batch->n; word += batch->words[i++]) {
		fleet_title(word, batch->words[i], title[i]);
		new[i] = (struct fleet_new){
			.task = &batch->task[i], .label = batch->label[i], .title = title[i]
		};
	}
	int r = f->away ? -ENOSPC : fleet_add(f->context, new, batch->n, false, ref, NULL);
	for (size_t i = 0; i < batch->n; i++)
		refs[PLM_COMMAND_RESULTS * i] = r == 0 ? ref[i] : PLM_NONE;
	return r == -ENOSPC && f->jobs ? 0 : r;
}

/* ---- waiting ---- */

static int map_fleet_come_back(struct flight *f)
{
	int r = fleet_ends_reopen(f->context);
	if (r < 0)
		return r == -ENOTCONN ? 0 : r;
	f->away = false;
	f->news_ns = 0; /* ends were told meanwhile to nobody */
	return 0;
}

int map_fleet_wait(struct flight *f, const struct flight_wake *wake)
{
	int ms = f->away ? AWAY_PAUSE_MS : LOOK_AGAIN_MS;
	struct pollfd wakes[] = { { .fd = f->away ? -1 : fleet_ends_fd(f->context),
				      .events = POLLIN },
		{ .fd = signals_fd(), .events = POLLIN }, { .fd = wake->input, .events = POLLIN } };
	if (wake->timeout_ms >= 0 && wake->timeout_ms < ms)
		ms = wake->timeout_ms;
	if (poll(wakes, COUNT_OF(wakes), ms) < 0 && errno != EINTR)
		return why(-errno, "waiting: %s", strerror(errno));
	return f->away ? map_fleet_come_back(f) : 0;
}

/* ---- ends ---- */

/* The place of a job. The references rise in the order of submission. f->jobs: no such
 * job. */
static size_t map_fleet_find(const struct flight *f, plm_ref ref)
{
	size_t low = 0, high = f->jobs;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (f->ref[middle].id < ref.id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < f->jobs && f->ref[low].id == ref.id ? low : f->jobs;
}

static int map_fleet_take_end(void *flight, const struct fleet_outcome *end)
{
	struct flight *f = flight;
	size_t i = map_fleet_find(f, end->ref);
	if (i == f->jobs || f->ready[i])
		return 0; /* told twice */
	int r = job_take_fleet_end(f->job[i], end);
	f->ready[i] = r == 0;
	return r;
}

int map_fleet_collect(struct flight *f)
{
	memset(f->ready, 0, f->jobs);
	int n = f->away ? 0 : fleet_ends_hear(f->context, f->wants_times, map_fleet_take_end, f);
	uint64_t now = clock_ns();
	bool look = n == 0 && !f->away && now - f->news_ns >= LOOK_AGAIN_MS * NS_PER_MS;
	if (look)
		n = fleet_ends_look(
		    f->context, f->ref, f->jobs, f->wants_times, map_fleet_take_end, f);
	if (look || n > 0)
		f->news_ns = now;
	if (n != -ENOTCONN)
		return n < 0 ? n : 0;
	fprintf(stderr, "plmctl: %s; waiting for it to come back\n", plm_why());
	f->away = true;
	return 0;
}

void map_fleet_cancel(struct flight *f)
{
	struct pollfd more = { .fd = signals_fd(), .events = POLLIN };
	const struct flight_wake wake = { .timeout_ms = END_WAIT_MS, .input = -1 };
	size_t ended = 0;
	int r = fleet_act_quietly(f->context, f->ref, f->jobs, FLEET_CANCEL);
	bool *over = calloc(f->jobs + 1, sizeof *over);
	while (r == 0 && over && ended < f->jobs && poll(&more, 1, 0) == 0) {
		r = map_fleet_wait(f, &wake);
		if (r == 0)
			r = map_fleet_collect(f);
		for (size_t i = 0; i < f->jobs && r == 0; i++) {
			ended += f->ready[i] && !over[i];
			over[i] = over[i] || f->ready[i];
		}
	}
	free(over);
	if (r < 0)
		failed(r, "cancelling what map has submitted");
}
