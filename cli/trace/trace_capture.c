#include "cli/trace/trace_capture.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/amount_text.h"
#include "base/clock.h"
#include "base/why.h"

enum { PAGE = 512, PROCESSES_PAGE = 64 };

#define LATE_NS (10 * NS_PER_MS) /* events come at most so late, with room to spare */
#define LOOK_NS (50 * NS_PER_MS) /* between looks at the runtime */
#define PAUSE_LEAST_NS (2 * NS_PER_MS)
#define PAUSE_MOST_NS (40 * NS_PER_MS)
#define TELL_NS NS_PER_S

struct capture {
	plm_inspect *in;
	plm_events *events;
	struct recorder *recorder;
	struct capture_told *told;
	uint64_t begin_ns, last_ns;   /* last_ns: of the events read */
	struct runs_sample look;      /* time_ns 0: none; else waits for its place */
	struct runs_process *process; /* part of the look */
	size_t processes, processes_room;
	bool born;    /* a process has come since the last look */
	bool recount; /* events were lost since the last look */
	plm_event page[PAGE];
};

int capture_head(plm_inspect *in, struct recording_head *ret)
{
	plm_runtime_row row;
	int r = plm_inspect_runtime(in, &row, sizeof row);
	if (r < 0)
		return r;
	uint64_t now = clock_ns();
	*ret = (struct recording_head){ .runtime = row.runtime,
		.wall_offset_ns = (int64_t)(clock_of(CLOCK_REALTIME) - now),
		.boot_offset_ns = (int64_t)(clock_of(CLOCK_BOOTTIME) - now),
		.begin_ns = now,
		.records_max = row.records_max,
		.processes_max = row.processes_max,
		.cores = row.cores,
		.workers = row.workers_wanted,
		.store_bytes = row.store_bytes,
		.memory_total = row.memory_total };
	snprintf(ret->name, sizeof ret->name, "%.31s", row.name);
	snprintf(ret->version, sizeof ret->version, "%.15s", PLM_VERSION);
	return 0;
}

/* ---- looks ---- */

/* Counting tasks is a look at each record, so only the first look and the look after a loss do. */
static void capture_look(struct capture *c, bool tasks)
{
	plm_runtime_row row;
	plm_status status;
	struct run_counters *counters = &c->look.counters;
	*counters = (struct run_counters){ .known = 0 };
	c->look.time_ns = clock_ns();
	if (plm_inspect_runtime(c->in, &row, sizeof row) == 0) {
		counters->known |= COUNTER_STORE | (row.memory_total ? COUNTER_MEMORY : 0);
		counters->store_bytes = row.store_used;
		counters->memory_free = row.memory_free;
	}
	if (tasks && plm_inspect_status(c->in, &status, sizeof status) == 0) {
		counters->known |= COUNTER_TASKS;
		counters->waiting = status.waiting;
		counters->queued = status.ready;
		counters->running = status.running;
	}
}

/* Without memory the look has fewer processes, and the trace fewer pids. */
static void capture_look_at_process(struct capture *c, const plm_process_row *row)
{
	if (c->processes == c->processes_room) {
		size_t room = c->processes_room ? 2 * c->processes_room : PROCESSES_PAGE;
		struct runs_process *grown = realloc(c->process, room * sizeof *grown);
		if (!grown)
			return;
		c->process = grown;
		c->processes_room = room;
	}
	/* The row of the process shows a task a moment longer than the task runs. */
	plm_task_row task;
	bool runs = row->running.id &&
	    plm_inspect_task(c->in, row->running, 0, &task, sizeof task) == 0 &&
	    task.state == PLM_STATE_RUNNING && task.process == row->process;
	struct runs_process *process = &c->process[c->processes++];
	*process = (struct runs_process){ .time_ns = clock_ns(),
		.process = row->process,
		.worker = row->worker,
		.pid = (uint32_t)row->pid,
		.running = runs ? row->running : PLM_NONE,
		.run_ns = row->run_ms * NS_PER_MS };
	memcpy(process->function, row->function, sizeof process->function);
}

static void capture_look_at_processes(struct capture *c)
{
	plm_process_row row[PROCESSES_PAGE];
	uint64_t cursor = 0;
	int n;
	c->processes = 0;
	while ((n = plm_inspect_processes(
		    c->in, 1u << PLM_KIND_WORKER, &cursor, row, sizeof row[0], PROCESSES_PAGE)) > 0)
		for (int i = 0; i < n; i++)
			if (row[i].process != PLM_NOBODY && !row[i].dead)
				capture_look_at_process(c, &row[i]);
}

static int capture_put_look(struct capture *c)
{
	struct recording_item item = { .kind = ITEM_SAMPLE, .sample = c->look };
	int r = recorder_add(c->recorder, &item);
	item.kind = ITEM_PROCESS;
	for (size_t i = 0; i < c->processes && r == 0; i++) {
		item.process = c->process[i];
		r = recorder_add(c->recorder, &item);
	}
	c->look.time_ns = 0;
	c->processes = 0;
	return r;
}

/* ---- events ---- */

static int capture_put_event(struct capture *c, const plm_event *event)
{
	struct recording_item item = { .kind = ITEM_EVENT, .event = *event };
	int r = 0;
	if (c->look.time_ns && event->time_ns >= c->look.time_ns)
		r = capture_put_look(c);
	if (r == 0)
		r = recorder_add(c->recorder, &item);
	c->told->events++;
	c->born |= event->kind == PLM_EVENT_BORN;
	if (event->time_ns > c->last_ns)
		c->last_ns = event->time_ns;
	return r;
}

/* Marks a loss in the recording. After a loss tasks are counted again. */
static int capture_take_losses(struct capture *c)
{
	plm_events_state state;
	int r = plm_events_state_get(c->events, &state, sizeof state);
	if (r < 0)
		return r;
	c->told->without_room = state.without_room;
	if (state.lost <= c->told->lost)
		return 0;
	const struct recording_item item = { .kind = ITEM_LOST,
		.time_ns = c->last_ns ? c->last_ns : c->begin_ns,
		.events = state.lost - c->told->lost };
	c->told->lost = state.lost;
	c->recount = true;
	return recorder_add(c->recorder, &item);
}

/* A page of events, none later than until_ns. Returns their number or -errno. */
static int capture_page(struct capture *c, uint64_t until_ns)
{
	int n = plm_events_read(c->events, c->page, sizeof c->page[0], PAGE), r = 0;
	for (int i = 0; i < n && r == 0; i++)
		if (c->page[i].time_ns <= until_ns)
			r = capture_put_event(c, &c->page[i]);
	return r < 0 ? r : n;
}

static void capture_tell(struct capture *c)
{
	c->told->bytes = recorder_bytes(c->recorder);
	c->told->span_ns = clock_ns() - c->begin_ns;
}

/* ---- the log ---- */

static bool capture_is_dead(plm_inspect *in)
{
	plm_process_row row[PROCESSES_PAGE];
	uint64_t cursor = 0;
	uint32_t kinds = 1u << PLM_KIND_MANAGER | 1u << PLM_KIND_SCHEDULER;
	int n = plm_inspect_processes(in, kinds, &cursor, row, sizeof row[0], PROCESSES_PAGE);
	for (int i = 0; i < n; i++)
		if (row[i].pid > 0 && (kill(row[i].pid, 0) == 0 || errno != ESRCH))
			return false;
	return true;
}

/* The last seconds of a dead runtime end with its last event. */
static int capture_last_event(struct capture *c, uint64_t *ret)
{
	int n;
	*ret = 0;
	int r = plm_events_open(&c->events, c->in, 0);
	if (r < 0)
		return r;
	while ((n = plm_events_read(c->events, c->page, sizeof c->page[0], PAGE)) > 0)
		for (int i = 0; i < n; i++)
			*ret = c->page[i].time_ns > *ret ? c->page[i].time_ns : *ret;
	plm_events_close(&c->events);
	return n;
}

static int capture_open_log(struct capture *c, uint64_t last_ns)
{
	uint64_t end_ns = c->begin_ns;
	if (last_ns == 0)
		return plm_events_open(&c->events, c->in, 0);
	int r = capture_is_dead(c->in) ? capture_last_event(c, &end_ns) : 0;
	if (r < 0)
		return r;
	return plm_events_open(&c->events, c->in, end_ns > last_ns ? end_ns - last_ns : 0);
}

static void capture_pause(uint64_t ns)
{
	const struct timespec pause = clock_timespec(ns);
	nanosleep(&pause, NULL);
}

/* Everything up to the look at the runtime, whose time is begin_ns. */
static int capture_read_log(struct capture *c)
{
	int n = 0;
	for (;;) {
		uint64_t before_ns = clock_ns();
		n = capture_page(c, c->begin_ns);
		if (n < 0)
			return n;
		if (n == 0 && before_ns >= c->begin_ns + LATE_NS)
			return 0;
		if (n == 0)
			capture_pause(PAUSE_LEAST_NS);
	}
}

int capture_log(
    plm_inspect *in, uint64_t last_ns, struct recorder *recorder, struct capture_told *ret)
{
	struct capture c = { .in = in, .recorder = recorder, .told = ret };
	plm_events_state state;
	*ret = (struct capture_told){ .events = 0 };
	capture_look(&c, true);
	capture_look_at_processes(&c);
	c.begin_ns = c.look.time_ns;
	int r = capture_open_log(&c, last_ns);
	if (r == 0)
		r = capture_read_log(&c);
	if (r == 0)
		r = capture_take_losses(&c);
	if (r == 0)
		r = capture_put_look(&c);
	if (r == 0 && ret->events == 0 &&
	    plm_events_state_get(c.events, &state, sizeof state) == 0 && !state.on)
		r = why(-ENODATA, "the log is off, and nothing is in it");
	plm_events_close(&c.events);
	free(c.process);
	capture_tell(&c);
	ret->end_ns = c.begin_ns;
	return r;
}

/* ---- live ---- */

static void capture_show(struct capture *c)
{
	char bytes[32];
	capture_tell(c);
	size_print(c->told->bytes, bytes, sizeof bytes);
	fprintf(stderr, "\rrecording: %.0f s, %llu events, %s, %llu lost \033[K",
	    (double)c->told->span_ns / (double)NS_PER_S, (unsigned long long)c->told->events, bytes,
	    (unsigned long long)c->told->lost);
}

/* Waits for a signal that ends the recording. True: there was one. */
static bool capture_wait(uint64_t ns, const sigset_t *ends)
{
	const struct timespec pause = clock_timespec(ns);
	return sigtimedwait(ends, NULL, &pause) > 0;
}

/* A round: all pages that are there, losses, looks. Returns the number of events or -errno. */
static int capture_round(struct capture *c, uint64_t until_ns, uint64_t *next_look_ns)
{
	int n, all = 0;
	do {
		n = capture_page(c, until_ns);
		all += n > 0 ? n : 0;
	} while (n == PAGE);
	int r = n < 0 ? n : capture_take_losses(c);
	uint64_t now = clock_ns();
	if (r == 0 && c->look.time_ns && now - c->look.time_ns > LATE_NS)
		r = capture_put_look(c);
	if (r == 0 && !c->look.time_ns && now >= *next_look_ns) {
		capture_look(c, c->recount);
		if (c->born || c->recount)
			capture_look_at_processes(c);
		c->born = c->recount = false;
		*next_look_ns = now + LOOK_NS;
	}
	return r < 0 ? r : all;
}

static int capture_go_on(
    struct capture *c, plm *rt, const struct capture_plan *plan, const sigset_t *ends)
{
	uint64_t next_look_ns = 0, next_tell_ns = c->begin_ns + TELL_NS, pause_ns = PAUSE_LEAST_NS;
	uint64_t end_ns = plan->for_ns ? c->begin_ns + plan->for_ns : UINT64_MAX;
	for (;;) {
		uint64_t before_ns = clock_ns();
		int n = capture_round(c, end_ns, &next_look_ns);
		if (n < 0)
			return n;
		if (before_ns >= end_ns && before_ns - end_ns > LATE_NS)
			return 0; /* this round began when the last events were there */
		uint64_t now = clock_ns();
		pause_ns = n > 0 ? PAUSE_LEAST_NS : pause_ns * 2;
		pause_ns = pause_ns < PAUSE_MOST_NS ? pause_ns : PAUSE_MOST_NS;
		if (now < end_ns && capture_wait(n >= PAGE ? 0 : pause_ns, ends)) {
			end_ns = clock_ns(); /* and one more round, for late events */
		} else if (now < end_ns && plm_alive(rt) < 0) {
			c->told->ended = true;
			end_ns = clock_ns(); /* it lived while we waited */
		} else if (now >= end_ns) {
			capture_pause(LATE_NS);
		}
		if (now < next_tell_ns)
			continue;
		next_tell_ns = now + TELL_NS;
		if (plan->progress)
			capture_show(c);
		n = recorder_flush(c->recorder);
		if (n < 0)
			return n;
	}
}

static void capture_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGHUP);
}

void capture_release_signals(void)
{
	sigset_t ends;
	capture_signals(&ends);
	sigprocmask(SIG_UNBLOCK, &ends, NULL);
}

int capture_live(plm *rt, plm_inspect *in, const struct capture_plan *plan,
    struct recorder *recorder, struct capture_told *ret)
{
	struct capture c = { .in = in, .recorder = recorder, .told = ret };
	sigset_t ends;
	*ret = (struct capture_told){ .events = 0 };
	capture_signals(&ends);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	int r = plm_events_open(&c.events, in, PLM_EVENTS_NOW);
	if (r == 0)
		r = plm_events_watch(rt);
	c.begin_ns = clock_ns();
	if (r == 0) {
		capture_look(&c, true);
		capture_look_at_processes(&c);
		r = capture_put_look(&c);
	}
	if (r == 0)
		r = capture_go_on(&c, rt, plan, &ends);
	if (plan->progress)
		fputs("\r\033[K", stderr);
	plm_events_unwatch(rt);
	plm_events_close(&c.events);
	free(c.process);
	capture_tell(&c);
	ret->end_ns = clock_ns();
	return r;
}
