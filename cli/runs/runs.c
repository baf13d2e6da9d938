#include "cli/runs/runs.h"

#include <errno.h>
#include <stdlib.h>

#include "base/why.h"
#include "cli/runs/runs_build.h"

/* ---- tasks ---- */

/* Tasks of before the first event are counted, but not known. */
static void runs_move(struct runs *runs, struct known_task *task, uint64_t time_ns,
    enum task_stage guess, enum task_stage to)
{
	enum task_stage from = task && task->stage != TASK_UNKNOWN ? task->stage : guess;
	count_move(&runs->counting, time_ns, from, to);
	if (task)
		task->stage = to;
}

/* A worker that reads the clock once for two tasks may start a task a little before the client has
 * submitted it: then the start was read first. */
static void runs_submitted_late(struct runs *runs, struct known_task *task, const plm_event *event)
{
	if (task->stage != TASK_RUNNING && task->stage != TASK_SETTLED)
		return;
	count_move(&runs->counting, event->time_ns, TASK_UNKNOWN, TASK_QUEUED);
	if (task->done_ns && runs->sink.late)
		runs->sink.late(runs->context, task->done_ns);
	task->done_ns = 0;
	struct run_slot *slot =
	    task->process == PLM_NOBODY ? NULL : slots_at(&runs->slots, task->process);
	for (uint32_t i = 0; slot && i < slot->depth; i++) {
		struct open_run *run = &slot->stack[i];
		if (run->waits || run->ref.id != event->ref.id)
			continue;
		run->submitted_ns = run->ready_ns = run->start_ns;
		run->priority = (int64_t)event->argument;
	}
}

static void runs_submitted(struct runs *runs, struct known_task *task, const plm_event *event)
{
	task->submitted_ns = event->time_ns;
	task->priority = (int64_t)event->argument;
	task->function = event->function;
	if (task->stage != TASK_UNKNOWN) {
		runs_submitted_late(runs, task, event);
		return;
	}
	task->ready_ns = event->time_ns;
	runs_move(runs, task, event->time_ns, TASK_UNKNOWN, TASK_QUEUED);
}

/* The look at the process was later than the event, which is read now. */
static bool runs_started_before(struct run_slot *slot, const plm_event *event)
{
	struct open_run *top = slot_top(slot);
	bool empty = top && top->floor_ns == top->start_ns + 1;
	if (!empty || !top->seeded || top->ref.id != event->ref.id)
		return false;
	uint64_t floor_ns =
	    slot->depth > 1 ? slot->stack[slot->depth - 2].floor_ns : slot->floor_ns;
	top->seeded = top->start_unknown = top->doubtful = false;
	top->start_ns = event->time_ns > floor_ns ? event->time_ns : floor_ns;
	top->floor_ns = top->start_ns + 1;
	top->attempt = event->attempt;
	top->function = event->function;
	return true;
}

static void runs_started(struct runs *runs, struct known_task *task, const plm_event *event)
{
	struct run_slot *slot = slots_at(&runs->slots, event->process);
	if (!slot) {
		runs->senseless++;
		return;
	}
	runs_enter(runs, slot, event->time_ns, event->worker, 0);
	if (runs_started_before(slot, event))
		return;
	runs_close_doubtful(runs, slot, event->time_ns);
	if (slot->depth == STACK_MAX)
		runs_close_above(runs, slot, 0, event->time_ns);
	runs_need_track(runs, slot);
	struct open_run *run = slot_push(slot, event->time_ns);
	run->ref = event->ref;
	run->attempt = event->attempt;
	run->function = event->function;
	run->worker = event->worker;
	if (task) {
		run->submitted_ns = task->submitted_ns;
		run->ready_ns = task->ready_ns;
		run->placed_ns = task->placed_ns;
		run->priority = task->priority;
		task->process = event->process;
		task->function = event->function;
	}
	runs_move(runs, task, event->time_ns, TASK_QUEUED, TASK_RUNNING);
}

static bool runs_end_in(
    struct runs *runs, uint32_t process, const plm_event *event, const struct run_end *end)
{
	struct run_slot *slot = process == PLM_NOBODY ? NULL : slots_at(&runs->slots, process);
	int at = slot ? slot_find(slot, event->ref, event->attempt) : -1;
	if (at < 0)
		return false;
	runs_close_above(runs, slot, (uint32_t)at + 1, event->time_ns);
	slot_top(slot)->attempt = event->attempt; /* of a run that only a look has shown */
	slot_top(slot)->function = event->function;
	runs_close_top(runs, slot, *end);
	return true;
}

static bool runs_end_orphan(struct runs *runs, const plm_event *event, const struct run_end *end)
{
	for (uint32_t i = 0; i < runs->orphans; i++) {
		struct open_run *orphan = &runs->orphan[i];
		if (orphan->ref.id != event->ref.id ||
		    (!orphan->seeded && orphan->attempt != event->attempt))
			continue;
		struct run_end at_death = *end;
		at_death.ns = orphan->ended_ns;
		runs_tell(runs, orphan, &at_death);
		*orphan = runs->orphan[--runs->orphans];
		return true;
	}
	return false;
}

/* An end whose start is missing. The worker told how long the attempt ran. */
static void runs_end_unseen(struct runs *runs, const struct known_task *task,
    const plm_event *event, const struct run_end *end)
{
	struct open_run open = { .ref = event->ref,
		.attempt = event->attempt,
		.function = event->function,
		.worker = event->worker,
		.process = PLM_NOBODY,
		.track = RUN_NO_TRACK,
		.start_unknown = true };
	if (task) {
		open.submitted_ns = task->submitted_ns;
		open.ready_ns = task->ready_ns;
		open.priority = task->priority;
	}
	open.start_ns = end->ns > end->counted_ns ? end->ns - end->counted_ns : 0;
	struct run_slot *slot = slots_at(&runs->slots, event->process);
	/* The scheduler writes the ends of tasks of dead workers. */
	bool there = slot && (slot->known ? slot->worker == event->worker : true) &&
	    event->worker != PLM_NOBODY && slot->depth < STACK_MAX;
	if (!there) {
		runs_tell(runs, &open, end);
		return;
	}
	runs_enter(runs, slot, event->time_ns, event->worker, 0);
	runs_close_doubtful(runs, slot, open.start_ns);
	runs_need_track(runs, slot);
	struct open_run *run = slot_push(slot, open.start_ns);
	open.start_ns = run->start_ns;
	open.floor_ns = run->floor_ns;
	open.depth = run->depth;
	open.process = run->process;
	open.track = run->track;
	*run = open;
	runs_close_top(runs, slot, *end);
}

static void runs_never_started(struct runs *runs, const struct known_task *task,
    const plm_event *event, enum run_ending ending)
{
	struct run run = { .ref = event->ref,
		.attempt = event->attempt,
		.ending = ending,
		.track = RUN_NO_TRACK,
		.worker = PLM_NOBODY,
		.process = PLM_NOBODY,
		.function = event->function,
		.start_ns = event->time_ns,
		.end_ns = event->time_ns,
		.function_name = names_of(&runs->names, event->function) };
	run.name = run.function_name;
	if (task) {
		run.submitted_ns = task->submitted_ns;
		run.ready_ns = task->ready_ns;
		run.priority = task->priority;
		run.name = task->name_length ? task->name : run.name;
	}
	if (runs->sink.run)
		runs->sink.run(runs->context, &run);
}

static void runs_ended(struct runs *runs, struct known_task *task, const plm_event *event)
{
	static const enum run_ending endings[] = { [PLM_EVENT_DONE] = RUN_DONE,
		[PLM_EVENT_FAILED] = RUN_FAILED,
		[PLM_EVENT_CANCELLED] = RUN_CANCELLED,
		[PLM_EVENT_RETURNED] = RUN_RETURNED };
	bool settled = event->kind != PLM_EVENT_RETURNED;
	const struct run_end end = { .ns = event->time_ns,
		.ending = endings[event->kind],
		.counted_ns = settled ? event->argument : 0,
		.reason = settled ? 0 : (uint32_t)event->argument };
	uint32_t process = task && task->process != PLM_NOBODY ? task->process : event->process;
	bool ran = runs_end_in(runs, process, event, &end) || runs_end_orphan(runs, event, &end);
	if (!ran && (end.counted_ns > 0 || !settled || event->kind == PLM_EVENT_DONE)) {
		runs_end_unseen(runs, task, event, &end);
		ran = true;
	}
	if (!ran)
		runs_never_started(runs, task, event, end.ending);
	runs_move(runs, task, event->time_ns, ran ? TASK_RUNNING : TASK_QUEUED,
	    settled ? TASK_SETTLED : TASK_QUEUED);
	if (task) {
		task->process = PLM_NOBODY;
		task->ready_ns = settled ? task->ready_ns : event->time_ns;
		task->placed_ns = 0;
	}
}

static void runs_of_task(struct runs *runs, const plm_event *event)
{
	struct known_task *task = tasks_take(&runs->tasks, event->ref);
	switch (event->kind) {
	case PLM_EVENT_SUBMITTED:
		if (task)
			runs_submitted(runs, task, event);
		break;
	case PLM_EVENT_DEPENDS:
		if (task && (task->stage == TASK_QUEUED || task->stage == TASK_UNKNOWN)) {
			runs_move(runs, task, event->time_ns, TASK_UNKNOWN, TASK_WAITING);
			task->ready_ns = 0;
		}
		break;
	case PLM_EVENT_READY:
		if (task)
			task->ready_ns = event->time_ns;
		runs_move(runs, task, event->time_ns, TASK_WAITING, TASK_QUEUED);
		break;
	case PLM_EVENT_PLACED:
		if (task)
			task->placed_ns = event->time_ns;
		break;
	case PLM_EVENT_STARTED: runs_started(runs, task, event); break;
	case PLM_EVENT_NAME:
		if (task)
			tasks_name(task, event->attempt, event->argument);
		break;
	default: runs_ended(runs, task, event); break;
	}
}

static int64_t runs_bytes(const plm_event *event)
{
	return event->argument < INT64_MAX ? (int64_t)event->argument : 0;
}

void runs_event(struct runs *runs, const plm_event *event)
{
	if (event->time_ns > runs->last_ns)
		runs->last_ns = event->time_ns;
	names_learn(&runs->names, event->function, event->function_name);
	switch (event->kind) {
	case PLM_EVENT_SUBMITTED:
	case PLM_EVENT_DEPENDS:
	case PLM_EVENT_READY:
	case PLM_EVENT_PLACED:
	case PLM_EVENT_STARTED:
	case PLM_EVENT_DONE:
	case PLM_EVENT_FAILED:
	case PLM_EVENT_CANCELLED:
	case PLM_EVENT_RETURNED:
	case PLM_EVENT_NAME: runs_of_task(runs, event); break;
	case PLM_EVENT_SEALED:
		if (!runs->plan.sampled)
			count_store(&runs->counting, event->time_ns, runs_bytes(event));
		break;
	case PLM_EVENT_FREED:
		if (!runs->plan.sampled)
			count_store(&runs->counting, event->time_ns, -runs_bytes(event));
		break;
	case PLM_EVENT_READ: break;
	case PLM_EVENT_BORN:
	case PLM_EVENT_IDLE:
	case PLM_EVENT_BUSY:
	case PLM_EVENT_BLOCKED:
	case PLM_EVENT_UNBLOCKED:
	case PLM_EVENT_DEAD: runs_of_process(runs, event); break;
	case PLM_EVENT_MEMORY_SHORT:
	case PLM_EVENT_MEMORY_ENOUGH:
		count_memory(&runs->counting, event->time_ns, event->argument);
		runs_mark(runs, event);
		break;
	case PLM_EVENT_LOCK_RECOVERED:
	case PLM_EVENT_JOURNAL: runs_mark(runs, event); break;
	default: runs->senseless++; break;
	}
}

/* ---- what is not an event ---- */

void runs_sample(struct runs *runs, const struct runs_sample *sample)
{
	count_sample(&runs->counting, sample);
}

void runs_counters(const struct runs *runs, struct run_counters *ret)
{
	count_get(&runs->counting, ret);
}

void runs_lost(struct runs *runs, uint64_t time_ns, uint64_t events)
{
	for (uint32_t i = 0; i < runs->slots.size; i++) {
		struct run_slot *slot = runs->slots.slot[i];
		for (uint32_t j = 0; slot && j < slot->depth; j++)
			slot->stack[j].doubtful = true;
	}
	const struct run_mark mark = { time_ns, PLM_EVENT_NONE, PLM_NOBODY, PLM_NOBODY, events };
	if (runs->sink.mark)
		runs->sink.mark(runs->context, &mark);
}

void runs_finish(struct runs *runs, uint64_t time_ns)
{
	uint64_t end_ns = time_ns > runs->last_ns ? time_ns : runs->last_ns;
	for (uint32_t i = 0; i < runs->slots.size; i++) {
		struct run_slot *slot = runs->slots.slot[i];
		while (slot && slot->depth > 0) {
			const struct open_run *top = slot_top(slot);
			bool lost = top->doubtful && !top->seeded;
			runs_close_top(runs, slot,
			    (struct run_end){ .ns = end_ns, .ending = lost ? RUN_LOST : RUN_OPEN });
		}
	}
	for (uint32_t i = 0; i < runs->orphans; i++) {
		const struct open_run *orphan = &runs->orphan[i];
		runs_tell(
		    runs, orphan, &(struct run_end){ .ns = orphan->ended_ns, .ending = RUN_LOST });
	}
	runs->orphans = 0;
	count_finish(&runs->counting);
}

uint64_t runs_senseless(const struct runs *runs)
{
	return runs->senseless;
}

int runs_open(
    struct runs **ret, const struct runs_plan *plan, const struct runs_sink *sink, void *context)
{
	struct runs *runs = calloc(1, sizeof *runs);
	if (!runs || tasks_open(&runs->tasks, plan->records_max) < 0) {
		free(runs);
		return why(-ENOMEM, "no memory for the runs of tasks");
	}
	runs->plan = *plan;
	runs->sink = *sink;
	runs->context = context;
	runs->counting = (struct run_counting){
		.grain_ns = plan->grain_ns, .tell = sink->counters, .context = context
	};
	*ret = runs;
	return 0;
}

void runs_close(struct runs **runs)
{
	if (!*runs)
		return;
	tasks_close(&(*runs)->tasks);
	slots_close(&(*runs)->slots);
	names_free(&(*runs)->names);
	free(*runs);
	*runs = NULL;
}
