/* sweep_eventlog.c - the event log, its writers, watchers and the scheduler killed at every step:
 * an event is whole or is none, each start has one end in order, and the log is off when no living
 * process watches. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "client/inspect.h"
#include "events/eventlog_read.h"
#include "events/eventlog_switch.h"
#include "tests/support/roles_log.h"
#include "tests/support/world.h"

/* ---- a world with a log ---- */

static void give_log(struct tables *t)
{
	t->event_segment = world.tables.event_segment;
}

static void boot(void)
{
	char name[RUNTIME_NAME_BYTES];
	world_boot();
	snprintf(name, sizeof name, "sweep-%d", (int)getpid());
	world.tables.control->event_ring = EVENT_RING_MIN;
	SWEEP_REQUIRE(eventlog_segment_create(&world.tables, name) == 0);
	tables_unlink(name);
	give_log(&world.scheduler_tables);
	give_log(&world.worker.rt.tables);
	give_log(&world.a.tables);
	give_log(&world.b.tables);
}

/* The rings of the processes of the world, and the table of rings. */
static size_t log_regions(struct sweep_region *ret)
{
	struct eventlog_plan plan;
	size_t n = world_regions(ret);
	char *base = (char *)world.tables.event_segment.header;
	eventlog_segment_plan(&world.tables, &world.tables.event_segment, &plan);
	ret[n] =
	    (struct sweep_region){ base + plan.rings, WORLD_SLOTS * sizeof(struct eventlog_ring) };
	ret[n + 1] = (struct sweep_region){ base + plan.ring, WORLD_SLOTS * plan.ring_bytes };
	return n + 2;
}

static void switch_on(void)
{
	world.tables.control->events_always = 1;
	sh_store(&world.tables.control->events, 1);
}

/* The rings are reserved in the setup: a survivor reads what a victim wrote. */
static void boot_on(void)
{
	boot();
	switch_on();
	SWEEP_REQUIRE(eventlog_ready(&world.scheduler_tables));
	SWEEP_REQUIRE(eventlog_ready(&world.worker.rt.tables));
	SWEEP_REQUIRE(eventlog_ready(&world.a.tables) && eventlog_ready(&world.b.tables));
}

#define LOGGED(what, prepare, act, mend, verdict)                                       \
	{                                                                               \
		.name = what, .regions = log_regions, .setup = prepare, .operate = act, \
		.recover = mend, .judge = verdict, .steps_only = true                   \
	}

/* Judges all events in the log; NULL: in order, and no attempt is open. */
static const char *judge_log(void)
{
	static plm_inspect in;
	plm_events *events = NULL;
	plm_event row;
	const char *why = NULL;
	struct log_judge *judge = log_judge_new();
	tables_share(&world.tables, &in.tables);
	SWEEP_REQUIRE(judge && plm_events_open(&events, &in, 0) == 0);
	while (!why && plm_events_read(events, &row, sizeof row, 1) == 1)
		why = log_judge_see(judge, &row);
	if (!why && log_judge_open(judge))
		why = "an attempt has a start and no end";
	plm_events_close(&events);
	log_judge_free(judge);
	return why;
}

/* ---- one event over an old one ---- */

static struct logged_event event_of(uint64_t number)
{
	return (struct logged_event){ .kind = EVENT_READ,
		.attempt = 1,
		.worker = 2,
		.function = 3,
		.time_ns = number + 1,
		.subject = number + 2,
		.argument = number + 3 };
}

static void setup_full(void *image)
{
	(void)image;
	boot_on();
	for (uint64_t i = 0; i < EVENT_RING_MIN; i++)
		eventlog_put(&world.a.tables, event_of(i));
}

static void write_one(void *image)
{
	(void)image;
	eventlog_put(&world.a.tables, event_of(EVENT_RING_MIN));
}

static void *sleep_for_ever(void *context)
{
	for (;;)
		pause();
	return context;
}

/* A process with threads takes its position by a locked addition. */
static void write_one_beside_a_thread(void *image)
{
	pthread_t thread;
	SWEEP_REQUIRE(pthread_create(&thread, NULL, sleep_for_ever, NULL) == 0);
	write_one(image);
}

static void recover_nothing(void *image)
{
	(void)image;
}

static const char *judge_copied(uint64_t number)
{
	struct eventlog_plan plan;
	struct eventlog_writer ring;
	struct logged_event e;
	eventlog_segment_plan(&world.tables, &world.tables.event_segment, &plan);
	SWEEP_REQUIRE(eventlog_ring_of(&world.tables.event_segment, &plan, WORLD_A, &ring));
	if (eventlog_copy(&ring, number, &e) != EVENT_COPIED)
		return number == EVENT_RING_MIN && sweep_finished() ? "a written event is missing"
								    : NULL;
	bool whole = e.kind == EVENT_READ && e.time_ns == number + 1 && e.subject == number + 2 &&
	    e.argument == number + 3 && e.worker == 2 && e.function == 3;
	return whole ? NULL : "an event is half of one and half of another";
}

static const char *judge_one(void *image)
{
	(void)image;
	const char *why = judge_copied(0);
	for (uint64_t i = 1; i <= EVENT_RING_MIN && !why; i++)
		why = judge_copied(i);
	uint64_t tail = sh_load(world.a.tables.event_writer.tail);
	if (!why && sweep_finished() && tail != EVENT_RING_MIN + 1)
		why = "an event took no position";
	return why;
}

/* ---- a worker that runs tasks ---- */

static plm_ref task;

static void setup_run(const char *function, const plm_arg *args, size_t n, unsigned crash_retries)
{
	boot_on();
	task = world_submit(&world.b, function, args, n, 1, 1, crash_retries);
	world_settle();
}

static void setup_noop(void *image)
{
	(void)image;
	setup_run("probe.noop", NULL, 0, 1);
}

static void setup_once(void *image)
{
	(void)image;
	setup_run("probe.noop", NULL, 0, 0);
}

static void setup_failing(void *image)
{
	(void)image;
	setup_run("probe.fail", (plm_arg[]){ PLM_BYTES("no", 2), PLM_BYTES("7", 1) }, 2, 1);
}

static void setup_two(void *image)
{
	(void)image;
	boot_on();
	task = world_submit(&world.b, "probe.noop", NULL, 0, 1, 0, 1);
	world_submit(&world.b, "probe.noop", NULL, 0, 1, 0, 1);
	world_settle();
}

static void run(void *image)
{
	(void)image;
	world_run_some();
}

static const char *is_settled(void)
{
	enum record_state state = world_state_of(task);
	return state_settled(state) ? NULL : "the task is not settled";
}

static const char *judge_worker(void *image)
{
	(void)image;
	const char *why = world_judge(WORLD_WORKER, is_settled);
	return why ? why : judge_log();
}

/* ---- the scheduler that buries a worker ---- */

/* The worker has begun a task, and is dead. */
static void setup_dead(void *image)
{
	(void)image;
	boot_on();
	task = world_submit(&world.b, "probe.noop", NULL, 0, 1, 0, 0);
	world_settle();
	world_claim_only(task);
	eventlog_put(&world.worker.rt.tables,
	    (struct logged_event){ .kind = EVENT_STARTED,
		.attempt = 1,
		.worker = 0,
		.function = 1,
		.time_ns = clock_ns(),
		.subject = task.id,
		.argument = 1 });
	world_declare_dead(WORLD_WORKER);
}

static void bury(void *image)
{
	(void)image;
	world_settle();
}

static const char *judge_burial(void *image)
{
	(void)image;
	const char *why = world_judge(WORLD_WORKER, is_settled);
	return why ? why : judge_log();
}

/* ---- a client ---- */

static void setup_client(void *image)
{
	(void)image;
	boot_on();
	task = world_submit(&world.b, "probe.noop", NULL, 0, 1, 0, 1);
}

static void submit_and_cancel(void *image)
{
	plm_ref ref[2];
	const plm_task tasks[2] = { { .function = "probe.noop" }, { .function = "probe.noop" } };
	(void)image;
	world_play(&world.a);
	SWEEP_REQUIRE(plm_submit_many(&world.a, tasks, 2, ref) == 0);
	plm_cancel(&world.a, ref[0], 0);
}

static const char *judge_client(void *image)
{
	(void)image;
	const char *why = world_judge(WORLD_A, is_settled);
	return why ? why : judge_log();
}

/* ---- the first event of a process ---- */

static void setup_first(void *image)
{
	(void)image;
	boot();
	switch_on();
}

static const char *judge_first(void *image)
{
	const char *why = NULL;
	struct tables again;
	(void)image;
	tables_share(&world.tables, &again);
	again.self = WORLD_A;
	if (!eventlog_ready(&again))
		why = "the next process of the slot finds no ring";
	return why ? why : judge_log();
}

/* ---- watchers, and the manager ---- */

static void setup_watch(void *image)
{
	(void)image;
	boot();
}

static void watch(void *image)
{
	(void)image;
	world_play(&world.a);
	eventlog_watch(&world.a.tables, WORLD_A);
	eventlog_recompute(&world.tables); /* the manager looks, for another reason */
	SWEEP_REQUIRE(eventlog_on(&world.tables));
}

static void setup_unwatch(void *image)
{
	boot();
	eventlog_watch(&world.a.tables, WORLD_A);
	(void)image;
}

static void unwatch(void *image)
{
	(void)image;
	world_play(&world.a);
	eventlog_unwatch(&world.a.tables, WORLD_A);
	SWEEP_REQUIRE(!eventlog_on(&world.tables));
}

static void recover_watcher(void *image)
{
	world_declare_dead(WORLD_A);
	eventlog_recompute(&world.tables); /* as the manager does after a death */
	recover_client(image);
	world_join(&world.a, WORLD_A); /* the next process of the slot */
}

static const char *judge_off(void *image)
{
	(void)image;
	if (eventlog_on(&world.tables))
		return "events are on, and nobody watches";
	return sh_load(&world.tables.process[WORLD_A].watches) &&
		process_present(sh_load(&world.tables.process[WORLD_A].state))
	    ? "a new process watches that never asked"
	    : NULL;
}

static void setup_dead_watcher(void *image)
{
	setup_unwatch(image);
	world_declare_dead(WORLD_A);
}

static void setup_two_watchers(void *image)
{
	setup_dead_watcher(image);
	eventlog_watch(&world.b.tables, WORLD_B);
}

static void recompute(void *image)
{
	(void)image;
	eventlog_recompute(&world.tables);
}

static void recover_manager(void *image)
{
	recompute(image); /* the next manager, when it adopts the runtime */
	recover_client(image);
}

static const char *judge_on(void *image)
{
	(void)image;
	return eventlog_on(&world.tables) ? NULL
					  : "events are off, though a living process watches";
}

static const struct sweep_op ops[] = {
	LOGGED("an event over an old one", setup_full, write_one, recover_nothing, judge_one),
	LOGGED("an event of a process with threads", setup_full, write_one_beside_a_thread,
	    recover_nothing, judge_one),
	LOGGED(
	    "the first event of a process", setup_first, write_one, recover_nothing, judge_first),
	LOGGED("run of a task, may be run again", setup_noop, run, recover_worker, judge_worker),
	LOGGED("run of a task, once only", setup_once, run, recover_worker, judge_worker),
	LOGGED("run of a failing task", setup_failing, run, recover_worker, judge_worker),
	LOGGED("run of two tasks, a turn", setup_two, run, recover_worker, judge_worker),
	LOGGED("burial of a worker with an open attempt", setup_dead, bury, recover_scheduler,
	    judge_burial),
	LOGGED("submit, and cancel", setup_client, submit_and_cancel, recover_client, judge_client),
	LOGGED("watch", setup_watch, watch, recover_watcher, judge_off),
	LOGGED("unwatch", setup_unwatch, unwatch, recover_watcher, judge_off),
	LOGGED("the manager after the last watcher", setup_dead_watcher, recompute, recover_manager,
	    judge_off),
	LOGGED("the manager after one of two watchers", setup_two_watchers, recompute,
	    recover_manager, judge_on),
};

int main(void)
{
	world_hush();
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
