/* hang.c - workers that give no sign of life are killed, and replaced like any that died.
 *
 * Only when somebody asked for it (--hang-after): a task may be long and right. A worker beats when
 * it begins a task, when its task asks whether it is cancelled (plm_cancelled), and each safety
 * tick while it sleeps, for want of work or in a task that waits for another. One that a SIGSTOP
 * holds does none of it: until its time is over it is a suspect, and keeps its task.
 * Silence is measured in time that the manager itself ran: a machine that was suspended, or a
 * runtime all of which a SIGSTOP held, goes on as it was. Time counts between two steps of the
 * manager's loop that follow each other as fast as its own timer says; a longer gap counts nothing.
 * The kill is the fence: its task is nobody else's until the kernel says that it is dead. */
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "manager/manager.h"

enum {
	LOOKS = 4,        /* in the time after which somebody hangs */
	TICKS_MISSED = 3, /* by one that sleeps, before it counts */
};

/* Of one that sleeps no more can be asked than a beat a tick. */
static uint64_t hang_patience_ns(const struct manager *m, const struct process *p)
{
	uint64_t asked = m->options->hang_after_ms * NS_PER_MS;
	uint64_t ticks = (uint64_t)TICKS_MISSED * SAFETY_TICK_MS * NS_PER_MS;
	bool sleeps = sh_peek(&p->running) == 0 || sh_peek(&p->blocked);
	return sleeps && asked < ticks ? ticks : asked;
}

static void hang_fence(struct manager *m, uint32_t slot, uint64_t silent_ns)
{
	const struct process *p = &m->tables.process[slot];
	log_warn("worker %u in slot %u pid %d gave no sign of life for %llu ms%s: killed",
	    p->worker, slot, p->pid, (unsigned long long)(silent_ns / NS_PER_MS),
	    process_stopped(p->pid, p->start_time) ? ", it is stopped by a signal" : "");
	m->slot[slot].fenced = true;
	syscall(SYS_pidfd_send_signal, m->slot[slot].pidfd, SIGKILL, NULL, 0);
}

static uint64_t hang_pause_ns(const struct manager *m)
{
	return m->options->hang_after_ms * NS_PER_MS / LOOKS + 1;
}

/* The manager sleeps for a tick at most, and until the next look at most. */
static void hang_go_on(struct manager *m, uint64_t now_ns)
{
	struct judge *judge = &m->judge;
	uint64_t gap = now_ns - judge->seen_ns, tick = SAFETY_TICK_MS * NS_PER_MS;
	uint64_t expected = hang_pause_ns(m) < tick ? hang_pause_ns(m) : tick;
	if (gap <= 2 * expected)
		judge->now_ns += gap;
	judge->seen_ns = now_ns;
}

/* For how long this worker has been silent. A beat since the last look was at some time since. */
static uint64_t hang_silence_of(struct manager *m, struct watched *w, uint64_t beat_ns)
{
	const struct judge *judge = &m->judge;
	if (beat_ns != w->beat_ns) {
		uint64_t since_look = judge->now_ns - judge->look_ns;
		uint64_t age = judge->seen_ns > beat_ns ? judge->seen_ns - beat_ns : 0;
		w->beat_ns = beat_ns;
		w->beat_judged_ns = judge->now_ns - (age < since_look ? age : since_look);
	}
	return judge->now_ns - w->beat_judged_ns;
}

static void hang_look_at(struct manager *m, uint32_t slot)
{
	const struct process *p = &m->tables.process[slot];
	struct watched *w = &m->slot[slot];
	uint64_t word = sh_load(&p->state);
	if (process_kind(word) != KIND_WORKER || !process_present(word) || w->pidfd < 0 ||
	    w->fenced)
		return;
	uint64_t silent_ns = hang_silence_of(m, w, sh_peek(&p->beat_ns));
	if (silent_ns > hang_patience_ns(m, p))
		hang_fence(m, slot, silent_ns);
}

void hang_look(struct manager *m)
{
	uint64_t now_ns = clock_ns();
	if (m->look_due_ns == DEADLINE_NEVER || m->ending)
		return;
	hang_go_on(m, now_ns);
	if (now_ns < m->look_due_ns)
		return;
	for (uint32_t slot = SLOT_FIRST_MEMBER; slot < m->tables.limits.processes; slot++)
		hang_look_at(m, slot);
	m->judge.look_ns = m->judge.now_ns;
	m->look_due_ns = now_ns + hang_pause_ns(m);
}
