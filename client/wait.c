/* wait.c - the one wait loop of a client (shm/event.h has the contract). */
#include "client/wait.h"

#include <errno.h>

#include "base/why.h"
#include "client/nested_wait.h"
#include "tables/spin.h"

struct spin_look { /* a wait_look_f in the form spin_until() wants */
	struct plm *rt;
	wait_look_f *look;
	void *context;
};

static bool wait_spin_ready(void *context)
{
	const struct spin_look *s = context;
	return s->look(s->rt, s->context) == AWAITING_NOTHING;
}

/* ---- the cells of our process slot ---- */

int wait_cell_join(struct plm *rt)
{
	int cell = 0;
	pthread_mutex_lock(&rt->waiters_mutex);
	for (int i = 1; i < WAITERS && rt->waiters[cell] > 0; i++)
		if (rt->waiters[i] < rt->waiters[cell])
			cell = i;
	rt->waiters[cell]++;
	pthread_mutex_unlock(&rt->waiters_mutex);
	return cell;
}

/* One word cannot name two records: every settlement wakes two threads in one cell. */
void wait_cell_announce(struct plm *rt, int cell, uint32_t target)
{
	pthread_mutex_lock(&rt->waiters_mutex);
	sh_poke(&rt->me->waiter[cell].awaiting, rt->waiters[cell] > 1 ? AWAITING_ANY : target,
	    "awaiting, announced");
	pthread_mutex_unlock(&rt->waiters_mutex);
}

void wait_cell_leave(struct plm *rt, int cell)
{
	pthread_mutex_lock(&rt->waiters_mutex);
	rt->waiters[cell]--;
	sh_poke(&rt->me->waiter[cell].awaiting, rt->waiters[cell] ? AWAITING_ANY : AWAITING_NOTHING,
	    "awaiting, left");
	pthread_mutex_unlock(&rt->waiters_mutex);
}

static void wait_sleep_once(
    struct plm *rt, struct event *event, uint32_t seen, uint64_t deadline_ns)
{
	if (rt->blocked)
		rt->blocked(rt->help_context, true);
	process_set_awake(&rt->tables, rt->self, false);
	event_sleep(event, seen, deadline_ns);
	sh_poke(&rt->me->beat_ns, clock_coarse_ns());
	if (rt->blocked) {
		process_set_awake(&rt->tables, rt->self, true);
		rt->blocked(rt->help_context, false);
	}
}

/* ---- a task that waits, as the scheduler sees it ---- */

/* Call after announcing the awaited record. */
static void wait_goes_on(struct plm *rt, uint64_t since_ns)
{
	if (rt->help)
		sh_store(&rt->me->waiting_ns, since_ns, "waiting_ns, begun");
}

/* The spare must make way for our worker. */
static void wait_ends(struct plm *rt)
{
	if (!rt->help || sh_peek(&rt->me->waiting_ns) == 0)
		return;
	sh_store(&rt->me->waiting_ns, 0, "waiting_ns, ended");
	if (tables_relieved(&rt->tables, rt->self))
		tell_scheduler(&rt->tables, rt->self, NULL, 0, true);
}

/* Why a wait must not go on, though the target is missing. 0 or -errno with a why. */
static int wait_refused(struct plm *rt, uint32_t target, bool heeds_signals)
{
	if (atomic_load_explicit(&rt->interrupted, memory_order_relaxed))
		return why(-EINTR, "a signal interrupted the wait");
	if (heeds_signals && rt->signalled && rt->signalled(rt->help_context))
		return why(-EINTR, "the handler of a signal ended the wait");
	if (rt->cancelled && rt->cancelled(rt->help_context))
		return why(-PLM_ECANCELLED, "the task that waits was cancelled");
	if (rt->deadlocked && target != AWAITING_ANY &&
	    rt->deadlocked(rt->help_context, target - 1))
		return why(-EDEADLK,
		    "a task waits for itself, or for what cannot be settled "
		    "before it ends: it would wait for ever");
	return nested_refused(rt);
}

static int wait_park(struct plm *rt, int cell, wait_look_f *look, void *context,
    uint64_t deadline_ns, bool heeds_signals)
{
	struct event *event = &rt->me->waiter[cell].event;
	uint64_t since_ns = clock_ns();
	for (;;) {
		uint32_t target = look(rt, context);
		if (target == AWAITING_NOTHING)
			return 0;
		wait_cell_announce(rt, cell, target);
		wait_goes_on(rt, since_ns);
		uint32_t seen = event_prepare(event);
		/* Before the look: all that a stopping runtime has settled is seen. */
		int r = handle_runtime_gone(rt);
		uint32_t again = look(rt, context);
		if (again == AWAITING_NOTHING)
			return 0;
		if (r == 0)
			r = wait_refused(rt, target, heeds_signals);
		if (r < 0)
			return r;
		if (clock_ns() >= deadline_ns)
			return -ETIMEDOUT;
		if (again == target)
			wait_sleep_once(rt, event, seen, deadline_ns);
	}
}

static int wait_until_found(struct plm *rt, wait_look_f *look, void *context,
    uint64_t deadline_ns, bool heeds_signals)
{
	if (look(rt, context) == AWAITING_NOTHING)
		return 0;
	if (deadline_ns == 0 || clock_ns() >= deadline_ns)
		return -ETIMEDOUT;
	struct spin_look spin = { rt, look, context };
	process_set_awake(&rt->tables, rt->self, true);
	int r = 0;
	if (!spin_until(&rt->tables, wait_spin_ready, &spin)) {
		int cell = wait_cell_join(rt);
		nested_wait_begin(rt);
		r = wait_park(rt, cell, look, context, deadline_ns, heeds_signals);
		nested_wait_end(rt);
		wait_ends(rt);
		wait_cell_leave(rt, cell);
	}
	if (!rt->help)
		process_set_awake(&rt->tables, rt->self, false);
	return r;
}

int wait_for(struct plm *rt, wait_look_f *look, void *context, uint64_t deadline_ns)
{
	return wait_until_found(rt, look, context, deadline_ns, false);
}

int wait_for_tasks(struct plm *rt, wait_look_f *look, void *context, uint64_t deadline_ns)
{
	return wait_until_found(rt, look, context, deadline_ns, true);
}

bool wait_for_room(struct plm *rt, uint64_t deadline_ns, unsigned *tries)
{
	enum { MOMENT_MS = 10, TRIES_MAX = 64 };
	struct control *c = rt->tables.control;
	uint64_t moment = clock_ns() + MOMENT_MS * NS_PER_MS;
	if ((deadline_ns == 0 && *tries == TRIES_MAX) ||
	    (deadline_ns && clock_ns() >= deadline_ns) || handle_runtime_gone(rt) < 0 ||
	    (deadline_ns && rt->signalled && rt->signalled(rt->help_context)))
		return false;
	/* A worker tells first what it has settled: that may be all that fills the store. */
	if (rt->blocked)
		rt->blocked(rt->help_context, true);
	uint32_t seen = event_prepare(&c->room);
	sh_store(&c->room_wanted, ROOM_ASKED);
	process_post(&rt->tables, SLOT_SCHEDULER);
	nested_wait_begin(rt); /* waiting for room may take the end of a task without a cpu */
	/* Sleep briefly: room freed just before we asked is found by the caller's next try. */
	event_sleep(&c->room, seen, deadline_ns && deadline_ns < moment ? deadline_ns : moment);
	nested_wait_end(rt);
	if (rt->blocked)
		rt->blocked(rt->help_context, false);
	/* Kept results leave some at a time: while some have left, more may follow. */
	bool none = sh_load(&c->room_wanted) == ROOM_NONE && sh_load(&c->room.word) == seen;
	*tries = none ? TRIES_MAX : *tries + 1;
	sh_poke(&rt->me->beat_ns, clock_coarse_ns());
	return true;
}

void handle_interrupt(struct plm *rt)
{
	atomic_store_explicit(&rt->interrupted, true, memory_order_relaxed);
	process_post_all(&rt->tables, rt->self);
}
