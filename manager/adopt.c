/* adopt.c - a runtime whose manager is dead goes on under this one.
 *
 * Everything that counts lies in the segments, so there is nothing to restore but who lives: the
 * process table names pid and start time of all, the kernel says whether they are still the same.
 * Who lives is watched by a pidfd like a child, though how it ends is not told to us; who does not
 * is declared dead, and the scheduler cleans up as after any death. That all are dead is no special
 * case. A member without a pid was never born (claim.c:claim_births). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "manager/manager.h"

/* A number alone may be another's by now; the start time tells. */
bool adopt_still_lives(const struct process *p)
{
	return p->pid > 1 && p->start_time && process_start_time(p->pid) == p->start_time;
}

/* The slot stays LIVE throughout: what the runtime keeps (plm_keep) is held in its name. */
int adopt_tables(struct manager *m)
{
	struct process *self = &m->tables.process[SLOT_MANAGER];
	int r = manager_make_slots(m);
	if (r < 0)
		return r;
	self->pid = getpid();
	self->start_time = process_start_time(getpid());
	self->joined_ns = clock_ns();
	/* Who is booted anew is wanted; the guard goes on with what was begun. */
	m->draining = m->options->again && sh_load(&m->tables.control->mode) == MODE_DRAINING;
	if (!m->draining)
		sh_store(&m->tables.control->mode, MODE_UP);
	return 0;
}

/* The pidfd first: then the look at the start time is about the process that is watched. Only
 * the kernel's word that there is no such process is a death: else nothing is known. */
static int adopt_watch(struct manager *m, uint32_t slot)
{
	const struct process *p = &m->tables.process[slot];
	pid_t pid = p->pid;
	if (pid <= 1)
		return 0; /* never born */
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return errno == ESRCH || errno == EINVAL
		    ? 0
		    : why(-errno, "pidfd_open of pid %d: %s", (int)pid, strerror(errno));
	if (!adopt_still_lives(p)) {
		close(pidfd);
		return 0;
	}
	uint64_t word = sh_load(&p->state);
	m->slot[slot] = (struct watched){ .pidfd = pidfd,
		.socket = -1,
		.adopted = true,
		.pid = pid,
		.kind = process_kind(word),
		.generation = process_generation(word),
		.born_ns = p->joined_ns };
	return manager_watch(m, pidfd, WATCH_PROCESS, slot);
}

/* One that was let in, and does not know it: it has seen the door close and will come again. Its
 * own step to LIVE may be faster: then it does know. */
static bool adopt_turned_away(struct process *p)
{
	uint64_t word = sh_load(&p->state);
	return process_kind(word) == KIND_CLIENT && process_state(word) == PROCESS_STARTING &&
	    process_step(p, &word, PROCESS_DEAD);
}

static int adopt_one(struct manager *m, uint32_t slot, uint32_t *lost)
{
	int r = adopt_turned_away(&m->tables.process[slot]) ? 0 : adopt_watch(m, slot);
	if (r < 0 || m->slot[slot].pidfd >= 0)
		return r;
	(*lost)++;
	members_gone(m, slot, PROCESS_UNSEEN);
	return 0;
}

int adopt_processes(struct manager *m)
{
	uint32_t found = 0, lost = 0;
	for (uint32_t slot = SLOT_SCHEDULER; slot < m->tables.limits.processes; slot++) {
		if (!process_present(sh_load(&m->tables.process[slot].state)))
			continue;
		int r = adopt_one(m, slot, &lost);
		if (r < 0)
			return r;
		found++;
	}
	members_wake(m); /* the former one may have died on the way to it */
	orphans_unowned(m);
	log_warn("resuming the runtime that lost its manager, with its original options: %u of its "
		 "%u processes live (--fresh would begin anew)",
	    found - lost, found);
	staff_dismiss(m); /* who is too many, and was not asked any more */
	members_complete(m);
	members_spawn_due(m);
	return 0;
}
