#include "manager/birth.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "manager/child.h"
#include "manager/manager.h"
#include "manager/nursery.h"
#include "manager/places.h"
#include "manager/spare_processes.h"
#include "manager/staff.h"
#include "manager/watching.h"

int birth_plan(struct manager *m)
{
	struct topology *topology;
	uint32_t workers = m->tables.limits.workers;
	if (m->options->pin == PIN_NONE)
		return 0; /* without hwloc, which takes milliseconds */
	m->place = calloc(workers, sizeof *m->place);
	if (!m->place)
		return why(-ENOMEM, "no memory for the places of %u workers", workers);
	int r = topology_open(TOPOLOGY_CPUS, &topology);
	if (r < 0)
		return r;
	r = topology_plan(topology, m->options->pin, workers, m->place);
	topology_close(&topology);
	return r;
}

/* The first place with the fewest workers: a new worker gets the place of the dead worker, and
 * places are shared when there are more workers than at boot. The process slot would not do as a
 * key: a dead worker's process slot is free only when the scheduler has cleaned up. */
static uint32_t birth_free_place(const struct manager *m)
{
	uint32_t takers[WORKERS_MAX] = { 0 }, best = 0;
	for (uint32_t slot = SLOT_FIRST_SHARED; slot < m->tables.limits.processes; slot++) {
		uint64_t word = sh_load(&m->tables.process[slot].state);
		if (process_kind(word) == KIND_WORKER && process_present(word) &&
		    !m->tables.process[slot].spare)
			takers[m->tables.process[slot].place % WORKERS_MAX]++;
	}
	for (uint32_t place = 1; place < m->tables.limits.workers; place++)
		if (takers[place] < takers[best])
			best = place;
	return best;
}

static uint32_t birth_free_slot(const struct manager *m, enum process_kind kind)
{
	uint32_t members = kind == KIND_WORKER ? m->tables.limits.processes - SLOT_FIRST_SHARED : 1;
	uint32_t journal = journal_slot(&m->tables);
	for (uint32_t i = 0; i < members; i++) {
		uint32_t slot = kind == KIND_WORKER ? process_nth_slot(&m->tables, kind, i)
		    : kind == KIND_JOURNAL          ? journal
						    : (uint32_t)SLOT_SCHEDULER;
		if (kind == KIND_WORKER && slot == journal)
			continue;
		if (process_state(sh_load(&m->tables.process[slot].state)) == PROCESS_FREE &&
		    m->slot[slot].pidfd < 0 && tables_open_slot(&m->tables, slot) == 0)
			return slot;
	}
	return 0;
}

/* A process slot for a child to be forked; for a worker also the number. */
static int birth_take_slot(struct manager *m, enum process_kind kind, uint32_t *ret)
{
	struct vacancy vacancy = { 0 };
	if (kind == KIND_WORKER && !staff_vacancy(m, &vacancy) &&
	    !spare_processes_vacancy(m, &vacancy))
		return why(-EEXIST, "every worker has its processes");
	uint32_t slot = birth_free_slot(m, kind);
	if (!slot)
		return why(-EAGAIN, "no process slot is free");
	struct process *p = &m->tables.process[slot];
	p->worker = vacancy.worker;
	p->worker_kind = vacancy.kind;
	p->gpu_first = vacancy.gpu_first;
	p->spare = vacancy.relieved;
	if (!process_claim(p, kind, 0, process_kind_name(kind)))
		return why(-EAGAIN, "process slot %u was taken", slot);
	if (kind == KIND_WORKER)
		sh_poke(&p->booked, BOOKED_AT_BIRTH);
	*ret = slot;
	return 0;
}

int birth_spawn(struct manager *m, enum process_kind kind)
{
	/* The place comes first: the process slot still names the place of the former owner. */
	uint32_t slot = 0, place = birth_free_place(m);
	int r = birth_take_slot(m, kind, &slot);
	if (r < 0)
		return r;
	uint32_t relieved = m->tables.process[slot].spare;
	if (relieved && relieved < m->tables.limits.processes)
		place = m->tables.process[relieved].place;
	m->tables.process[slot].place = place;
	if (kind == KIND_WORKER && nursery_python(m, slot) < PYTHONS_MAX) {
		nursery_order(m, slot);
		return 0;
	}
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		child_main(m, kind, slot, parent);
	r = pid < 0 ? why(-errno, "fork: %s", strerror(errno))
		    : members_watch_child(m, slot, kind, pid, -1);
	if (r == 0)
		return 0;
	/* An unwatched child must not live: nothing would report the end of the child. */
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	watched_gone(m, slot, 0);
	return r;
}

static void birth_spawn_missing(struct manager *m, struct backoff *b, enum process_kind kind)
{
	while (b->missing > 0) {
		int r = birth_spawn(m, kind);
		if (r == -EEXIST) {
			b->missing = 0;
			break;
		}
		if (r < 0) { /* no process slot yet, or fork failed: try again soon */
			if (r == -EAGAIN)
				places_starve(m, b, process_kind_name(kind));
			else
				log_warn("cannot start a %s: %s; trying again",
				    process_kind_name(kind), why_text());
			b->due_ns = clock_ns() + RESTART_DELAY_MIN_MS * NS_PER_MS;
			return;
		}
		places_feed(b, process_kind_name(kind));
		b->missing--;
	}
	b->due_ns = DEADLINE_NEVER;
}

void birth_spawn_due(struct manager *m)
{
	uint64_t now = clock_ns();
	if (m->ending)
		return;
	if (m->scheduler.due_ns <= now)
		birth_spawn_missing(m, &m->scheduler, KIND_SCHEDULER);
	if (m->workers.due_ns <= now)
		birth_spawn_missing(m, &m->workers, KIND_WORKER);
	if (m->journal.due_ns <= now)
		birth_spawn_missing(m, &m->journal, KIND_JOURNAL);
}

void birth_complete(struct manager *m)
{
	uint64_t now = clock_ns();
	if (m->slot[SLOT_SCHEDULER].pidfd < 0) {
		m->scheduler.missing = 1;
		m->scheduler.due_ns = now;
	}
	m->workers.missing = m->tables.limits.processes; /* birth_spawn() ends at -EEXIST */
	m->workers.due_ns = now;
	if (m->state[0] && m->slot[journal_slot(&m->tables)].pidfd < 0) {
		m->journal.missing = 1;
		m->journal.due_ns = now;
	}
}
