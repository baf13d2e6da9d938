#include "manager/members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/why.h"
#include "events/eventlog_switch.h"
#include "manager/manager.h"
#include "manager/staff.h"
#include "manager/watching.h"

int members_make_slots(struct manager *m)
{
	m->slot = calloc(m->tables.limits.processes, sizeof m->slot[0]);
	if (!m->slot)
		return why(-ENOMEM, "no memory for the process slots");
	for (uint32_t i = 0; i < m->tables.limits.processes; i++)
		m->slot[i] = (struct watched){ .pidfd = -1, .socket = -1 };
	return 0;
}

int members_watch_child(
    struct manager *m, uint32_t slot, enum process_kind kind, pid_t pid, int pidfd)
{
	struct process *p = &m->tables.process[slot];
	p->pid = pid;
	p->start_time = process_start_time(pid);
	uint64_t word = sh_load(&p->state);
	m->slot[slot].pid = pid;
	m->slot[slot].kind = kind;
	m->slot[slot].generation = process_generation(word);
	m->slot[slot].born_ns = clock_ns();
	m->slot[slot].fenced = m->slot[slot].adopted = false;
	m->slot[slot].beat_ns = 0; /* no beat was seen */
	if (eventlog_on(&m->tables))
		members_log(m, EVENT_BORN, slot);
	m->slot[slot].pidfd = pidfd >= 0 ? pidfd : (int)syscall(SYS_pidfd_open, pid, 0);
	if (m->slot[slot].pidfd < 0)
		return why(-errno, "pidfd_open: %s", strerror(errno));
	return watching_add(m, m->slot[slot].pidfd, WATCH_PROCESS, slot);
}

/* ---- after a death ---- */

/* The dead process may have consumed the wake of a sleeper: every process looks again. */
static void members_wake_everybody(struct manager *m)
{
	for (uint32_t i = 0; i < m->tables.limits.processes; i++)
		if (process_present(sh_load(&m->tables.process[i].state)))
			process_bump(&m->tables, i);
	event_bump(&m->tables.control->room);
}

void members_wake(struct manager *m)
{
	struct process *scheduler = &m->tables.process[SLOT_SCHEDULER];
	uint64_t word = sh_load(&scheduler->state);
	/* A dead scheduler holds no truth, so the process slot is free at once: the successor
	 * derives everything again. */
	process_step(scheduler, &word, PROCESS_FREE); /* refused unless the process slot is DEAD */
	processes_changed(&m->tables);
	members_wake_everybody(m);
}

/* The state word of a dead process may be damaged; the holds of the process are released all the
 * same. */
static void members_insist_that_it_is_dead(struct manager *m, uint32_t slot)
{
	const struct watched *w = &m->slot[slot];
	if (w->kind != KIND_NONE)
		sh_store(&m->tables.process[slot].state,
		    process_word(w->generation, w->kind, PROCESS_DEAD));
}

void members_log(struct manager *m, enum event_kind kind, uint32_t slot)
{
	eventlog_put(&m->tables, eventlog_of_process(&m->tables, kind, clock_ns(), slot));
}

void watched_gone(struct manager *m, uint32_t slot, int status)
{
	struct process *p = &m->tables.process[slot];
	uint64_t word = sh_load(&p->state);
	sh_poke(&p->died_ns, clock_ns());
	sh_store(&p->exit_status, (uint32_t)status);
	if (!process_step(p, &word, PROCESS_DEAD))
		members_insist_that_it_is_dead(m, slot);
	process_set_awake(&m->tables, slot, false);
	if (eventlog_on(&m->tables))
		members_log(m, EVENT_DEAD, slot);
	eventlog_recompute(&m->tables);
	members_wake(m);
}

/* ---- all together ---- */

/* By the manager's own memory: a member is signalled and waited for, whatever the table says. */
static bool members_is_of_ours(const struct manager *m, uint32_t slot)
{
	return m->slot[slot].pidfd >= 0 && m->slot[slot].kind != KIND_CLIENT;
}

void members_signal(struct manager *m, int signal)
{
	for (uint32_t i = SLOT_SCHEDULER; i < m->tables.limits.processes; i++)
		if (members_is_of_ours(m, i) && m->slot[i].kind != KIND_JOURNAL)
			syscall(SYS_pidfd_send_signal, m->slot[i].pidfd, signal, NULL, 0);
	members_wake_everybody(m);
}

void members_dismiss_journal(struct manager *m, int signal)
{
	uint32_t slot = journal_slot(&m->tables);
	if (m->slot[slot].pidfd >= 0)
		syscall(SYS_pidfd_send_signal, m->slot[slot].pidfd, signal, NULL, 0);
	members_wake_everybody(m);
}

bool members_only_journal(const struct manager *m)
{
	uint32_t slot = journal_slot(&m->tables);
	return slot && m->slot[slot].pidfd >= 0 && members_count(m) == 1;
}

/* A count of workers would not do: a drained worker stays away in a resumed runtime. */
bool members_all_live(const struct manager *m)
{
	struct vacancy vacancy;
	uint64_t word = sh_load(&m->tables.process[SLOT_SCHEDULER].state);
	if (process_state(word) != PROCESS_LIVE)
		return false;
	for (uint32_t i = SLOT_FIRST_SHARED; i < m->tables.limits.processes; i++) {
		word = sh_load(&m->tables.process[i].state);
		if (process_kind(word) == KIND_WORKER && process_state(word) == PROCESS_STARTING &&
		    !m->tables.process[i].spare)
			return false;
	}
	uint32_t journal = m->state[0] ? journal_slot(&m->tables) : 0;
	if (journal && process_state(sh_load(&m->tables.process[journal].state)) != PROCESS_LIVE)
		return false;
	return !staff_vacancy(m, &vacancy);
}

uint32_t members_count(const struct manager *m)
{
	uint32_t n = 0;
	for (uint32_t i = SLOT_SCHEDULER; i < m->tables.limits.processes; i++)
		n += members_is_of_ours(m, i);
	return n;
}
