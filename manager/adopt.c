#include "manager/adopt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "events/eventlog_switch.h"
#include "manager/birth.h"
#include "manager/manager.h"
#include "manager/orphans.h"
#include "manager/staff.h"
#include "manager/watching.h"

/* The kernel may have given the pid to another process: the start time tells. */
bool adopt_still_lives(const struct process *p)
{
	return p->pid > 1 && p->start_time && process_start_time(p->pid) == p->start_time;
}

/* The process slot stays LIVE throughout: kept records (plm_keep) are held by the manager's bit. */
int adopt_tables(struct manager *m)
{
	struct process *self = &m->tables.process[SLOT_MANAGER];
	int r = members_make_slots(m);
	if (r < 0)
		return r;
	self->pid = getpid();
	self->start_time = process_start_time(getpid());
	self->joined_ns = clock_ns();
	/* A new boot takes a stop back, because a user wants the runtime; the guard goes on with
	 * the stop. */
	m->stopping = m->options->again && sh_load(&m->tables.control->mode) == MODE_STOPPING;
	if (!m->stopping)
		sh_store(&m->tables.control->mode, MODE_UP);
	return 0;
}

/* The pidfd comes first, so that the start time belongs to the watched process. Only ESRCH and
 * EINVAL mean death; after another error nothing is known of the process. */
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
	return watching_add(m, pidfd, WATCH_PROCESS, slot);
}

/* A client was let in, and saw the door close before the answer came: the client comes again. If
 * the client's own step to LIVE wins the race, the answer has arrived. */
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
	watched_gone(m, slot, PROCESS_UNSEEN);
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
	members_wake(m); /* the former manager may have died before the wakes */
	eventlog_recompute(&m->tables);
	orphans_unowned(m);
	log_warn("resuming the runtime that lost its manager, with its original options: %u of its "
		 "%u processes live (--fresh would begin anew)",
	    found - lost, found);
	staff_dismiss(m); /* the former manager may have died before the requests */
	birth_complete(m);
	birth_spawn_due(m);
	return 0;
}
