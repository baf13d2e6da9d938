#include "manager/death.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "manager/manager.h"
#include "manager/mode.h"
#include "manager/orphans.h"
#include "manager/staff.h"
#include "manager/watching.h"

static void death_describe_end(int status, char *ret, size_t size)
{
	if (status == PROCESS_UNSEEN)
		snprintf(ret, size, "ended, how is not known,");
	else if (WIFSIGNALED(status))
		snprintf(ret, size, "killed by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		snprintf(ret, size, "ended with exit code %d", WEXITSTATUS(status));
}

static bool death_any_adopted(const struct manager *m)
{
	for (uint32_t i = SLOT_SCHEDULER; i < m->tables.limits.processes; i++)
		if (m->slot[i].pidfd >= 0 && m->slot[i].adopted && m->slot[i].kind != KIND_CLIENT)
			return true;
	return false;
}

/* Some damage is seen only by working members: each ends with a message, so does each successor,
 * and the runtime would never be ready. A SIGKILL says nothing about damage. */
static void death_count_failure(struct manager *m, int status, uint64_t lived_ms)
{
	if (m->announced || m->ending || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		return;
	/* The member waited for a lock in vain. Without a living adopted process to release the
	 * lock, two such failures are enough. */
	m->failures += lived_ms >= LOCK_WAIT_MS && !death_any_adopted(m) ? FAILURES_MAX / 2 : 1;
	if (m->failures < FAILURES_MAX * (m->adopts ? 1 : m->tables.limits.workers + 1))
		return;
	log_warn("the runtime cannot be %s: its processes end each time before it is ready",
	    m->adopts ? "resumed" : "booted");
	if (m->adopts)
		m->hopeless = true;
	else
		m->failed = true;
	mode_end(m);
}

/* After work or a long life a member is replaced at once; after an early death the successor
 * waits. */
static void death_plan_restart(struct manager *m, uint32_t slot, enum process_kind kind, int status)
{
	char title[STAFF_TITLE_BYTES], end[96];
	const struct process *p = &m->tables.process[slot];
	struct backoff *b = kind == KIND_SCHEDULER ? &m->scheduler
	    : kind == KIND_JOURNAL                 ? &m->journal
						   : &m->workers;
	uint64_t now = clock_ns(), lived_ms = (now - m->slot[slot].born_ns) / NS_PER_MS;
	bool worked = sh_peek(&p->done) || sh_peek(&p->failed) || sh_peek(&p->running);
	if (worked || lived_ms >= RESTART_CALM_MS)
		b->delay_ms = 0;
	else
		b->delay_ms = b->delay_ms == 0               ? RESTART_DELAY_MIN_MS
		    : b->delay_ms * 2 > RESTART_DELAY_MAX_MS ? RESTART_DELAY_MAX_MS
							     : b->delay_ms * 2;
	/* Every process waits for the scheduler: after half a second of life a successor comes at
	 * once. */
	if (kind == KIND_SCHEDULER && lived_ms >= RESTART_DELAY_MAX_MS / 10)
		b->delay_ms = 0;
	b->missing++;
	b->due_ns = now + b->delay_ms * NS_PER_MS;
	sh_add(&m->tables.control->restarts, 1);
	death_describe_end(status, end, sizeof end);
	bool seen = status != (int)PROCESS_UNSEEN, killed = seen && WIFSIGNALED(status);
	log_warn_about(
	    ABOUT(STAFF_FIELDS(p, kind, slot), ABOUT_SIGNAL(killed ? WTERMSIG(status) : -1),
		ABOUT_EXIT_CODE(seen && !killed ? WEXITSTATUS(status) : -1)),
	    "%s %s after %llu ms: replaced in %u ms", staff_title(m, kind, slot, title), end,
	    (unsigned long long)lived_ms, b->delay_ms);
}

/* The worker left on request, or to be recycled: a successor comes if workers are missing. */
static void death_plan_vacancy(struct manager *m, uint32_t slot)
{
	const struct process *p = &m->tables.process[slot];
	char title[STAFF_TITLE_BYTES];
	log_info_about(STAFF_ABOUT(p, KIND_WORKER, slot), "%s has left after %llu tasks",
	    staff_title(m, KIND_WORKER, slot, title),
	    (unsigned long long)(sh_peek(&p->done) + sh_peek(&p->failed)));
	m->workers.missing++;
	m->workers.due_ns = clock_ns();
}

/* The system call tells more than waitid(): what the process has used. */
static bool death_take_status(int pidfd, int *ret, struct rusage *ret_usage)
{
	siginfo_t info = { 0 };
	*ret_usage = (struct rusage){ 0 };
	long r = syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | WNOHANG, ret_usage);
	if (r < 0 && errno == ECHILD) {
		/* A Python worker whose middle process (nursery.h) still lives, perhaps stopped. */
		*ret = (int)PROCESS_UNSEEN;
		return true;
	}
	if (r < 0 || info.si_pid == 0)
		return false;
	*ret = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
	return true;
}

static uint64_t death_us(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

static void death_note_usage(struct process *p, const struct rusage *usage)
{
	sh_poke(&p->used_user_us, death_us(usage->ru_utime));
	sh_poke(&p->used_system_us, death_us(usage->ru_stime));
	sh_poke(&p->used_rss_kib, (uint64_t)usage->ru_maxrss);
}

void death_of_member(struct manager *m, uint32_t slot)
{
	uint64_t word = sh_load(&m->tables.process[slot].state);
	enum process_kind kind = m->slot[slot].kind;
	struct rusage usage = { 0 };
	int status = 0;
	if (!m->slot[slot].adopted && !death_take_status(m->slot[slot].pidfd, &status, &usage))
		return;
	if (m->slot[slot].adopted)
		status = PROCESS_UNSEEN;
	bool orderly =
	    status == 0 || (m->slot[slot].adopted && process_state(word) == PROCESS_LEAVING);
	watching_drop(m, m->slot[slot].pidfd);
	m->slot[slot].pidfd = -1;
	if (kind == KIND_SCHEDULER && m->stopping && orderly)
		fleet_child_end_after(m);
	else if (!m->ending && kind == KIND_WORKER && orderly &&
	    process_state(word) == PROCESS_LEAVING)
		death_plan_vacancy(m, slot);
	else if (kind == KIND_JOURNAL && !m->announced && !m->adopts && WIFEXITED(status))
		mode_fail(m); /* the journal has logged the reason: no boot without a journal */
	else if (!m->ending) {
		death_plan_restart(m, slot, kind, status);
		death_count_failure(m, status, (clock_ns() - m->slot[slot].born_ns) / NS_PER_MS);
	}
	/* Before the death is told: processes started by the dead worker are killed, and waited for
	 * (100 ms at most), so that as a rule none still runs when the task is repeated. */
	orphans_end(m);
	orphans_await(m);
	if (m->slot[slot].adopted && kind == KIND_WORKER)
		orphans_unowned(m);
	death_note_usage(&m->tables.process[slot], &usage);
	watched_gone(m, slot, status | (m->slot[slot].fenced ? (int)PROCESS_HUNG : 0));
}
