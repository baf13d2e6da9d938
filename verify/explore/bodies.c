/* bodies.c - the body of each process of the runtime, as manager/ starts them.
 *
 * The manager here is the product's own watch, as far as the watch declares deaths and replaces
 * dead members (death.c, birth.c, adopt.c, spare_processes.c). The manager's event loop is written
 * here, because the events come from the explorer. */
#include <stdlib.h>

#include "base/clock.h"
#include "manager/adopt.h"
#include "manager/birth.h"
#include "manager/death.h"
#include "manager/spare_processes.h"
#include "verify/explore/explore.h"
#include "worker/needs.h"

/* ---- members ---- */

static void run_scheduler(struct scheduler *scheduler)
{
	scheduler_run(scheduler);
	uint64_t word = sh_load(&scheduler->me->state);
	process_step(scheduler->me, &word, PROCESS_LEAVING);
}

void body_scheduler(struct proc *self)
{
	(void)self;
	run_scheduler(&image->scheduler);
}

static void born_scheduler(void)
{
	struct tables *t = memory_take(sizeof *t);
	struct scheduler *scheduler = memory_take(sizeof *scheduler);
	tables_share(&image->tables, t);
	if (scheduler_open(scheduler, t) < 0)
		run_exit(1);
	scheduler->manager = 0;
	run_scheduler(scheduler);
}

static void run_worker(struct worker *worker)
{
	worker_run(worker);
	worker_close(worker);
}

void body_worker(struct proc *self)
{
	run_worker(self->slot == image->worker[0].rt.self ? &image->worker[0] : &image->worker[1]);
}

static void born_worker(uint32_t slot)
{
	struct worker *worker = memory_take(sizeof *worker);
	tables_share(&image->tables, &worker->rt.tables);
	if (worker_open(worker, slot) < 0)
		run_exit(1);
	needs_end(worker);
	run_worker(worker);
}

void body_born(struct proc *self)
{
	if (self->kind == KIND_SCHEDULER)
		born_scheduler();
	else
		born_worker(self->slot);
}

/* ---- clients ---- */

void body_client(struct proc *self)
{
	uint32_t i = self->slot - SLOT_FIRST_SHARED;
	w.scenario->client[i](&image->client[i]);
	handle_close(&image->client[i]);
}

/* ---- the manager ---- */

static bool is_dead(const struct manager *m, uint32_t slot)
{
	int pidfd = m->slot[slot].pidfd;
	return pidfd >= PIDFD_BASE && w.proc[pidfd - PIDFD_BASE].state == PROC_GONE;
}

static void look_for_dead(struct manager *m)
{
	for (uint32_t slot = SLOT_SCHEDULER; slot < m->tables.limits.processes; slot++) {
		if (!is_dead(m, slot))
			continue;
		if (process_kind(sh_load(&m->tables.process[slot].state)) != KIND_CLIENT) {
			death_of_member(m, slot);
			continue;
		}
		m->slot[slot].pidfd = -1;
		watched_gone(m, slot, 0);
	}
}

static void watch_for_ever(struct manager *m)
{
	for (;;) {
		uint32_t seen = w.bell;
		look_for_dead(m);
		spare_processes_adjust(m);
		birth_spawn_due(m);
		uint64_t due = m->scheduler.due_ns < m->workers.due_ns ? m->scheduler.due_ns
								       : m->workers.due_ns;
		schedule_step("epoll");
		if (seen == w.bell)
			run_sleep(&w.bell, due);
	}
}

void body_manager(struct proc *self)
{
	(void)self;
	image->manager.scheduler.due_ns = image->manager.workers.due_ns = DEADLINE_NEVER;
	watch_for_ever(&image->manager);
}

void body_next_manager(struct proc *self)
{
	(void)self;
	struct manager *m = memory_take(sizeof *m);
	tables_share(&image->tables, &m->tables);
	m->options = &image->options;
	m->epoll = m->joined = -1;
	if (adopt_tables(m) < 0 || adopt_processes(m) < 0)
		run_exit(1);
	watch_for_ever(m);
}
