#include "cli/top/top_flow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/top/top_count.h"

enum {
	CONNECT_MS = 300,
	AGAIN_MS = 5000, /* after a log that could not be watched */
	SETTLE_MS = 3,   /* the reader keeps events back for 2 ms */
	WINDOW_MS = 20,  /* at first */
	WINDOW_MOST_MS = 100,
	WINDOW_DEAR_MS = 3,  /* a window that cost more gets shorter */
	WINDOW_CHEAP_MS = 1, /* a window that cost less gets longer */
	GAP_MOST_MS = 2000,
	PAGE_ROWS = 256,
	PAGES_MOST = 400, /* at once, so that keys are answered */
	FLOW_SHARE = 50,  /* events may cost a fiftieth of the time of a core */
};

#define WINDOW_LEAST_NS NS_PER_MS

static void flow_say(struct flow *flow, const char *why)
{
	snprintf(flow->trouble, sizeof flow->trouble, "%s", why);
	flow->again_ns = clock_ns() + AGAIN_MS * NS_PER_MS;
}

static uint64_t flow_cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* ---- watching ---- */

static void flow_leave(struct flow *flow)
{
	if (flow->rt) {
		plm_events_unwatch(flow->rt);
		plm_disconnect(&flow->rt);
	}
}

void flow_end(struct flow *flow)
{
	flow_leave(flow);
	plm_events_close(&flow->events);
	runs_end(&flow->runs);
	*flow = (struct flow){ .rt = NULL };
}

static int flow_open(struct flow *flow, plm_inspect *in)
{
	flow->in = in;
	int r = plm_events_open(&flow->events, in, PLM_EVENTS_NOW);
	if (r == 0)
		r = runs_begin(&flow->runs);
	if (r < 0) {
		flow_end(flow);
		flow_say(flow, plm_why());
		return r;
	}
	flow->window_ns = WINDOW_MS * NS_PER_MS;
	flow->faded_ns = flow->due_ns = clock_ns();
	return 0;
}

static int flow_watch(struct flow *flow, const char *name)
{
	int r = plm_connect_with(&flow->rt, name, PLM_VISIT, CONNECT_MS);
	if (r == 0)
		r = plm_events_watch(flow->rt);
	if (r < 0) {
		flow_say(flow, plm_why());
		if (flow->rt)
			plm_disconnect(&flow->rt);
		return r;
	}
	flow->trouble[0] = 0;
	return 0;
}

void flow_follow(struct flow *flow, const char *name, plm_inspect *in)
{
	plm_events_state state;
	bool may_try = clock_ns() >= flow->again_ns;
	if (!flow->events && (!may_try || flow_open(flow, in) < 0))
		return;
	if (plm_events_state_get(flow->events, &state, sizeof state) < 0)
		return;
	if (!flow->rt && !state.always && may_try)
		flow_watch(flow, name);
	flow->lives = flow->rt || state.on;
}

/* ---- windows ---- */

static uint64_t flow_lost(const struct flow *flow)
{
	plm_events_state state;
	return plm_events_state_get(flow->events, &state, sizeof state) == 0 ? state.lost : 0;
}

static void flow_begin_window(struct flow *flow, uint64_t now)
{
	flow->in_window = true;
	flow->from_ns = now;
	flow->due_ns = now + flow->window_ns + SETTLE_MS * NS_PER_MS;
	flow->cost_ns = flow->got = 0;
	flow->lost = flow_lost(flow);
}

/* So long none is to be read after the window, whose time has passed already. */
static uint64_t flow_gap_ns(const struct flow *flow)
{
	uint64_t paid = flow->cost_ns * FLOW_SHARE, most = GAP_MOST_MS * NS_PER_MS;
	uint64_t gap = paid > flow->window_ns ? paid - flow->window_ns : 0;
	return gap < most ? gap : most;
}

/* The window has no later event. Returns the gap before the next. */
static uint64_t flow_end_window(struct flow *flow)
{
	uint64_t lost = flow_lost(flow) - flow->lost, gap = flow_gap_ns(flow);
	/* Events lost count as time that was not seen. */
	double share = flow->got + lost ? (double)flow->got / (double)(flow->got + lost) : 1;
	runs_seen(&flow->runs, (uint64_t)((double)flow->window_ns * share));
	double covered = (double)flow->window_ns * share / (double)(flow->window_ns + gap);
	flow->covered = flow->covered == 0 ? covered : (flow->covered * 3 + covered) / 4;
	flow->in_window = false;
	if ((lost || flow->cost_ns > WINDOW_DEAR_MS * NS_PER_MS) &&
	    flow->window_ns > WINDOW_LEAST_NS)
		flow->window_ns /= 2;
	else if (!lost && flow->cost_ns < WINDOW_CHEAP_MS * NS_PER_MS &&
	    flow->window_ns < WINDOW_MOST_MS * NS_PER_MS)
		flow->window_ns *= 2;
	return gap;
}

/* ---- events ---- */

static struct flow_name *flow_name_of(struct flow *flow, plm_ref task)
{
	return &flow->name[(uint32_t)task.id % FLOW_NAMES];
}

/* A name comes in pieces of eight bytes. */
static void flow_take_name(struct flow *flow, const plm_event *e)
{
	struct flow_name *n = flow_name_of(flow, e->ref);
	if (n->task != e->ref.id)
		*n = (struct flow_name){ .task = e->ref.id };
	size_t used = strlen(n->text), room = sizeof n->text - 1 - used;
	memcpy(n->text + used, &e->argument, room < sizeof e->argument ? room : sizeof e->argument);
}

/* The name that counts of tasks have, too: a command goes by its program. The event with the
 * program of a command may lie before the window: then the record tells, unless it is free. */
static const char *flow_function(struct flow *flow, const plm_event *e)
{
	static plm_task_row row;
	static char name[COUNT_NAME_BYTES];
	struct flow_name *n = flow_name_of(flow, e->ref);
	if (n->task == e->ref.id && n->text[0])
		return n->text;
	if (strcmp(e->function_name, PLM_COMMAND_FUNCTION) != 0 ||
	    plm_inspect_task(flow->in, e->ref, PLM_LOOK_TEXTS, &row, sizeof row) < 0)
		return e->function_name;
	count_name(&row, name);
	return name;
}

static void flow_take(struct flow *flow, const plm_event *e)
{
	if (e->kind == PLM_EVENT_NAME)
		flow_take_name(flow, e);
	else if (e->kind == PLM_EVENT_DONE || e->kind == PLM_EVENT_FAILED)
		runs_add(
		    &flow->runs, flow_function(flow, e), e->kind == PLM_EVENT_FAILED, e->argument);
}

/* False: the rest of the events is behind a window with a gap. */
static bool flow_sort(struct flow *flow, const plm_event *e)
{
	while (e->time_ns >= flow->from_ns + flow->window_ns) {
		uint64_t end = flow->from_ns + flow->window_ns, gap = flow_end_window(flow);
		if (gap) {
			flow->due_ns = clock_ns() + gap;
			return false;
		}
		flow_begin_window(flow, end);
	}
	if (e->time_ns >= flow->from_ns) {
		flow->got++;
		flow_take(flow, e);
	}
	return true;
}

static bool flow_read_page(struct flow *flow)
{
	static plm_event rows[PAGE_ROWS];
	uint64_t began = flow_cpu_ns();
	int n = plm_events_read(flow->events, rows, sizeof rows[0], PAGE_ROWS);
	bool goes_on = n == PAGE_ROWS;
	for (int i = 0; i < n; i++)
		if (!flow_sort(flow, &rows[i])) {
			goes_on = false;
			break;
		}
	flow->cost_ns += flow_cpu_ns() - began;
	return goes_on;
}

/* All events up to `now` were read. */
static void flow_pass_time(struct flow *flow, uint64_t now)
{
	while (flow->in_window && now >= flow->due_ns) {
		uint64_t end = flow->from_ns + flow->window_ns, gap = flow_end_window(flow);
		if (gap)
			flow->due_ns = now + gap;
		else
			flow_begin_window(flow, end);
	}
}

void flow_read(struct flow *flow)
{
	uint64_t now = clock_ns();
	if (!flow->events || now < flow->due_ns)
		return;
	if (!flow->in_window) {
		plm_events_skip(flow->events, 0);
		flow_begin_window(flow, clock_ns());
		return;
	}
	for (int page = 0; page < PAGES_MOST; page++)
		if (!flow_read_page(flow)) {
			flow_pass_time(flow, now);
			return;
		}
}

uint64_t flow_due_ns(const struct flow *flow)
{
	return flow->events ? flow->due_ns : UINT64_MAX;
}

void flow_fade(struct flow *flow, double rate)
{
	uint64_t now = clock_ns();
	if (flow->events)
		runs_fade(&flow->runs, now - flow->faded_ns, rate);
	flow->faded_ns = now;
}
