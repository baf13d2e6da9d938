/* runs_places.c - runs in process slots: tracks, nesting, deaths, waits. */
#include <string.h>

#include "cli/runs/runs_build.h"

/* ---- telling ---- */

static void runs_tell_track(struct runs *runs, const struct run_slot *slot)
{
	const struct run_track track = { .track = slot->track,
		.worker = slot->worker,
		.process = slot->process,
		.pid = slot->pid };
	if (runs->sink.track)
		runs->sink.track(runs->context, &track);
}

void runs_need_track(struct runs *runs, struct run_slot *slot)
{
	if (slot->track != RUN_NO_TRACK)
		return;
	slot->track = runs->tracks++;
	runs_tell_track(runs, slot);
}

void runs_tell(struct runs *runs, const struct open_run *open, const struct run_end *end)
{
	struct known_task *task = tasks_find(&runs->tasks, open->ref);
	struct run run = { .ref = open->ref,
		.attempt = open->attempt,
		.ending = end->ending,
		.track = open->track,
		.worker = open->worker,
		.process = open->process,
		.depth = open->depth,
		.function = open->function,
		.priority = open->priority,
		.started = true,
		.start_unknown = open->start_unknown,
		.submitted_ns = open->submitted_ns,
		.ready_ns = open->ready_ns,
		.placed_ns = open->placed_ns,
		.start_ns = open->start_ns,
		.end_ns = end->ns > open->start_ns ? end->ns : open->start_ns, /* wild times */
		.counted_ns = end->counted_ns,
		.reason = end->reason,
		.function_name = names_of(&runs->names, open->function) };
	if (!run.function_name[0] && open->seeded)
		run.function_name = runs->slots.slot[open->process]->seeded_function;
	run.name = task && task->name_length ? task->name : run.function_name;
	if (task && run.ending == RUN_DONE && !run.submitted_ns)
		task->done_ns = run.end_ns - run.start_ns;
	if (runs->sink.run)
		runs->sink.run(runs->context, &run);
}

/* The end knows the start better than the look at the process did, which saw milliseconds. Later
 * only if nothing ran inside. */
static void runs_correct_start(
    const struct run_slot *slot, struct open_run *open, uint64_t start_ns)
{
	bool empty = open->floor_ns == open->start_ns + 1;
	uint64_t floor_ns = slot_floor(slot);
	if (start_ns < open->start_ns || empty)
		open->start_ns = start_ns > floor_ns ? start_ns : floor_ns;
}

void runs_close_top(struct runs *runs, struct run_slot *slot, struct run_end end)
{
	struct open_run open = *slot_top(slot);
	if (open.ended_ns && open.ended_ns < end.ns)
		end.ns = open.ended_ns;
	if (end.ns < open.floor_ns)
		end.ns = open.floor_ns;
	slot->depth--;
	if (open.start_unknown && end.counted_ns && end.counted_ns < end.ns)
		runs_correct_start(slot, &open, end.ns - end.counted_ns);
	if (end.ns < open.start_ns) /* the runs before end later than this run began */
		end.ns = open.start_ns;
	slot_raise_floor(slot, end.ns);
	/* A look was late if no event knows its run. */
	if (!open.waits && !(open.seeded && end.ending == RUN_LOST))
		runs_tell(runs, &open, &end);
	if (open.waits && runs->sink.wait) {
		const struct run_wait wait = { open.track, open.worker, open.process, open.start_ns,
			end.ns };
		runs->sink.wait(runs->context, &wait);
	}
	/* A wait that ended while a run inside went on. */
	const struct open_run *below = slot_top(slot);
	if (below && below->waits && below->ended_ns)
		runs_close_top(runs, slot, (struct run_end){ .ns = end.ns, .ending = RUN_LOST });
}

void runs_close_above(struct runs *runs, struct run_slot *slot, uint32_t position, uint64_t end_ns)
{
	while (slot->depth > position)
		runs_close_top(runs, slot, (struct run_end){ .ns = end_ns, .ending = RUN_LOST });
}

void runs_close_doubtful(struct runs *runs, struct run_slot *slot, uint64_t end_ns)
{
	while (slot->depth > 0 && slot_top(slot)->doubtful && !slot_top(slot)->waits)
		runs_close_above(runs, slot, slot->depth - 1, end_ns);
}

/* ---- processes ---- */

/* The process of the slot is dead, and the scheduler has not said yet what becomes of its tasks. */
static void runs_bury(struct runs *runs, struct run_slot *slot, uint64_t time_ns)
{
	while (slot->depth > 0) {
		struct open_run *top = slot_top(slot);
		if (top->waits || runs->orphans == ORPHANS_MAX) {
			runs_close_above(runs, slot, slot->depth - 1, time_ns);
			continue;
		}
		struct open_run *orphan = &runs->orphan[runs->orphans++];
		*orphan = *top;
		orphan->ended_ns = time_ns < top->floor_ns ? top->floor_ns : time_ns;
		slot->depth--;
		slot_raise_floor(slot, orphan->ended_ns);
	}
	slot->known = false;
	slot->track = RUN_NO_TRACK;
	slot->pid = 0;
}

void runs_enter(
    struct runs *runs, struct run_slot *slot, uint64_t time_ns, uint32_t worker, uint32_t pid)
{
	bool other_pid = slot->pid && pid && slot->pid != pid;
	bool other_worker = slot->known && worker != PLM_NOBODY && slot->worker != worker;
	if (other_pid || (other_worker && slot->worker != PLM_NOBODY))
		runs_bury(runs, slot, time_ns);
	slot->known = true;
	if (worker != PLM_NOBODY)
		slot->worker = worker;
	if (slot->pid == 0 && pid) {
		slot->pid = pid;
		if (slot->track != RUN_NO_TRACK)
			runs_tell_track(runs, slot);
	}
}

void runs_mark(struct runs *runs, const plm_event *event)
{
	const struct run_mark mark = { event->time_ns, event->kind, event->process, event->worker,
		event->argument };
	if (runs->sink.mark)
		runs->sink.mark(runs->context, &mark);
}

static void runs_block(struct run_slot *slot, const plm_event *event)
{
	struct open_run *top = slot_top(slot);
	if (!top || top->waits)
		return;
	struct open_run *wait = slot_push(slot, event->time_ns);
	if (wait)
		wait->waits = true;
}

static void runs_unblock(struct runs *runs, struct run_slot *slot, const plm_event *event)
{
	for (uint32_t i = slot->depth; i-- > 0;) {
		if (!slot->stack[i].waits || slot->stack[i].ended_ns)
			continue;
		if (i == slot->depth - 1)
			runs_close_above(runs, slot, i, event->time_ns);
		else
			slot->stack[i].ended_ns = event->time_ns;
		return;
	}
}

/* The manager writes the birth, and a busy manager later than the process writes its first start.
 * So a process without a pid is the one that is born, unless events were lost. */
static bool runs_is_other(const struct run_slot *slot, uint32_t pid)
{
	if (slot->pid)
		return slot->pid != pid;
	return slot->depth > 0 && slot->stack[0].doubtful;
}

void runs_of_process(struct runs *runs, const plm_event *event)
{
	struct run_slot *slot = slots_at(&runs->slots, event->process);
	if (!slot) {
		runs->senseless++;
		return;
	}
	switch (event->kind) {
	case PLM_EVENT_BORN:
		if (runs_is_other(slot, (uint32_t)event->argument))
			runs_bury(runs, slot, event->time_ns);
		runs_enter(runs, slot, event->time_ns, event->worker, (uint32_t)event->argument);
		if (event->worker != PLM_NOBODY)
			runs_need_track(runs, slot); /* an idle worker has a track, too */
		runs_mark(runs, event);
		break;
	case PLM_EVENT_DEAD:
		runs_mark(runs, event);
		runs_bury(runs, slot, event->time_ns);
		break;
	case PLM_EVENT_IDLE: /* an idle worker has no task: the ends were lost */
		if (slot->depth > 0 && slot->stack[0].doubtful)
			runs_close_above(runs, slot, 0, event->time_ns);
		break;
	case PLM_EVENT_BLOCKED: runs_block(slot, event); break;
	case PLM_EVENT_UNBLOCKED: runs_unblock(runs, slot, event); break;
	}
}

/* ---- looks ---- */

void runs_process(struct runs *runs, const struct runs_process *process)
{
	struct run_slot *slot = slots_at(&runs->slots, process->process);
	if (!slot) {
		runs->senseless++;
		return;
	}
	runs_enter(runs, slot, process->time_ns, process->worker, process->pid);
	if (process->worker != PLM_NOBODY)
		runs_need_track(runs, slot);
	if (slot->depth > 0) {
		/* The ends of these runs are among the lost events. */
		if (process->running.id == 0 && slot->stack[0].doubtful)
			runs_close_above(runs, slot, 0, process->time_ns);
		return;
	}
	/* A look may show a task a moment longer than the task runs: the events know better. */
	const struct known_task *task = tasks_take(&runs->tasks, process->running);
	if (!task || task->stage != TASK_UNKNOWN || process->run_ns > process->time_ns)
		return;
	runs_need_track(runs, slot);
	struct open_run *run = slot_push(slot, process->time_ns - process->run_ns);
	run->ref = process->running;
	run->function = PLM_NOBODY;
	run->seeded = run->start_unknown = run->doubtful = true;
	memcpy(slot->seeded_function, process->function, sizeof slot->seeded_function);
	slot->seeded_function[sizeof slot->seeded_function - 1] = 0;
}
