#include "scheduler/scheduler.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "tables/spin.h"
#include "tables/turns.h"

static size_t scheduler_settled_bytes(const struct scheduler *s)
{
	return (size_t)s->t->limits.records * SETTLED_PER_RECORD * sizeof s->settled.record[0];
}

static int scheduler_allocate(struct scheduler *s)
{
	/* Untouched pages cost nothing, however large the table. */
	size_t bytes = scheduler_settled_bytes(s);
	void *list = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	s->worker_process = calloc(s->t->limits.processes, sizeof s->worker_process[0]);
	if (list == MAP_FAILED || !s->worker_process)
		return why(-ENOMEM, "no memory for a scheduler of %u tasks", s->t->limits.records);
	s->settled.record = list;
	int r = owed_open(s);
	if (r == 0)
		r = ready_open(s);
	if (r == 0)
		r = limits_open(s);
	return r < 0 ? r : retain_open(s);
}

int scheduler_open(struct scheduler *s, struct tables *t)
{
	*s = (struct scheduler){ .t = t,
		.me = &t->process[SLOT_SCHEDULER],
		.room = { .next_look_ns = DEADLINE_NEVER, .crew = t->control->cores },
		.manager = -1,
		.loans = { .any = true, .next_ns = DEADLINE_NEVER } };
	t->self = SLOT_SCHEDULER;
	eventlog_attach(t);
	s->room.policy = policy_at(0);
	s->room.seed = t->control->seed;
	ageing_open(s);
	int r = scheduler_allocate(s);
	if (r < 0)
		return r;
	scheduler_rebuild(s);
	uint64_t word = sh_load(&s->me->state);
	if (!process_step(s->me, &word, PROCESS_LIVE))
		return why(-EPROTO, "the scheduler's slot is not waiting for us");
	process_set_awake(t, SLOT_SCHEDULER, true);
	repair_look(s);
	return 0;
}

void scheduler_close(struct scheduler *s)
{
	limits_close(s);
	retain_close(s);
	owed_close(s);
	ready_close(s);
	munmap(s->settled.record, scheduler_settled_bytes(s));
	free(s->worker_process);
	shelf_close(s);
}

/* Runs before all hints are read, quiet hints too. free.c tells the waiting process if these hints
 * free a record; if not, the process asks again and nothing is to be done until then. */
static void scheduler_see_room_wanted(struct scheduler *s)
{
	uint32_t asked = ROOM_ASKED;
	if (sh_peek(&s->t->control->room_wanted) == ROOM_ASKED)
		sh_cas(&s->t->control->room_wanted, &asked, ROOM_SEEN);
}

static uint32_t scheduler_enforce_limits(struct scheduler *s)
{
	uint32_t n = limits_enforce(s);
	if (n) {
		graph_spread(s);
		place_flush(s);
		free_flush(s);
	}
	return n;
}

/* A lent process gives its waiting tasks back; a returned process may get some. */
static uint32_t scheduler_lend(struct scheduler *s)
{
	uint32_t done = lend_look(s) ? place_tasks(s) : 0;
	place_flush(s);
	return done;
}

uint32_t scheduler_step(struct scheduler *s)
{
	s->log_ns = 0;
	pressure_look(s);
	s->admission = tables_admission(s->t);
	repair_look(s);
	room_follow_policy(s);
	spares_begin(s);
	scheduler_see_room_wanted(s);
	uint32_t done = hints_read(s);
	done += scheduler_enforce_limits(s);
	done += repair_owed(s);
	done += leave_look(s);
	leave_make_room(s);
	ageing_look(s);
	spares_look(s);
	done += place_tasks(s);
	if (s->t->control->jobserver)
		done += scheduler_lend(s);
	if (s->room.next_look_ns == DEADLINE_NEVER && (done || heap_length(&s->t->task_heap) > 0))
		s->room.next_look_ns = clock_ns() + NS_PER_MS;
	if (s->room.next_look_ns != DEADLINE_NEVER && clock_ns() >= s->room.next_look_ns) {
		room_look_for_stuck(s);
		done += place_tasks(s);
	}
	room_tell_looks(s);
	if (sh_peek(&s->t->control->outer))
		place_tell_demand(s);
	if (s->turn >= sh_peek(&s->t->control->turn))
		turns_passed(s->t, s->turn);
	return done;
}

static bool scheduler_something_to_do(void *scheduler)
{
	const struct scheduler *s = scheduler;
	for (uint32_t w = 0; w < tables_slots(s->t) / EXTENSION_SLOTS; w++)
		if (sh_load(&s->t->control->unread[w]))
			return true;
	return floor_may_sink(s) || sh_load(&s->t->control->changes) != s->changes ||
	    tables_admission(s->t) != s->admission ||
	    sh_load(&s->t->control->lent_changes) != s->loans.seen ||
	    sh_load(&s->t->control->room_wanted) == ROOM_ASKED;
}

/* The earliest time at which work is due without a hint. */
static uint64_t scheduler_next_look(struct scheduler *s)
{
	uint64_t look =
	    s->ageing.next_ns < s->room.next_look_ns ? s->ageing.next_ns : s->room.next_look_ns;
	uint64_t limit = limits_next_ns(s);
	look = limit < look ? limit : look;
	look = s->owed.next_ns < look ? s->owed.next_ns : look;
	look = s->loans.next_ns < look ? s->loans.next_ns : look;
	uint64_t memory = pressure_next_ns(s);
	look = memory < look ? memory : look;
	uint64_t leaving = retain_next_ns(s);
	look = leaving < look ? leaving : look;
	return s->relief.next_ns < look ? s->relief.next_ns : look;
}

static void scheduler_rest(struct scheduler *s)
{
	if (spin_may_help(s->t) && spin_until(s->t, scheduler_something_to_do, s))
		return;
	uint32_t seen = event_prepare(&s->me->event);
	if (scheduler_something_to_do(s) || atomic_load(&s->stop))
		return;
	process_set_awake(s->t, SLOT_SCHEDULER, false);
	event_sleep(&s->me->event, seen, scheduler_next_look(s));
	process_set_awake(s->t, SLOT_SCHEDULER, true);
	sh_poke(&s->me->beat_ns, clock_coarse_ns());
}

/* In a stopping runtime the scheduler ends with the last task. Scan the records, since a client may
 * just have submitted another task. */
static bool scheduler_may_end(const struct scheduler *s)
{
	return sh_load(&s->t->control->mode) == MODE_STOPPING && place_idle(s) &&
	    repair_all_settled(s);
}

void scheduler_run(struct scheduler *s)
{
	while (!atomic_load_explicit(&s->stop, memory_order_relaxed) &&
	    sh_load(&s->t->control->mode) != MODE_STOPPED) {
		if (scheduler_step(s))
			continue;
		if (scheduler_may_end(s))
			return;
		scheduler_rest(s);
	}
}
