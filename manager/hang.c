#include "manager/hang.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "manager/manager.h"
#include "manager/staff.h"

enum {
	LOOKS = 4,        /* at a worker, in the time of --hang-after */
	TICKS_MISSED = 3, /* by a sleeping worker, before a kill */
};

/* A sleeping worker beats once a tick, not more often. */
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
	char title[STAFF_TITLE_BYTES];
	log_warn_about(STAFF_ABOUT(p, KIND_WORKER, slot),
	    "%s gave no sign of life for %llu ms%s: killed",
	    staff_title(m, KIND_WORKER, slot, title), (unsigned long long)(silent_ns / NS_PER_MS),
	    process_stopped(p->pid, p->start_time) ? ", because a signal has stopped it" : "");
	m->slot[slot].fenced = true;
	syscall(SYS_pidfd_send_signal, m->slot[slot].pidfd, SIGKILL, NULL, 0);
}

static uint64_t hang_pause_ns(const struct manager *m)
{
	return m->options->hang_after_ms * NS_PER_MS / LOOKS + 1;
}

/* The manager sleeps for a tick or until the next look, whichever is shorter. */
static void hang_go_on(struct manager *m, uint64_t now_ns)
{
	struct hang *clock = &m->hang;
	uint64_t gap = now_ns - clock->seen_ns, tick = SAFETY_TICK_MS * NS_PER_MS;
	uint64_t expected = hang_pause_ns(m) < tick ? hang_pause_ns(m) : tick;
	if (gap <= 2 * expected)
		clock->now_ns += gap;
	clock->seen_ns = now_ns;
}

/* How long the worker has been silent. A new beat is not older than the last look. */
static uint64_t hang_silence_of(struct manager *m, struct watched *w, uint64_t beat_ns)
{
	const struct hang *clock = &m->hang;
	if (beat_ns != w->beat_ns) {
		uint64_t since_look = clock->now_ns - clock->look_ns;
		uint64_t age = clock->seen_ns > beat_ns ? clock->seen_ns - beat_ns : 0;
		w->beat_ns = beat_ns;
		w->beat_judged_ns = clock->now_ns - (age < since_look ? age : since_look);
	}
	return clock->now_ns - w->beat_judged_ns;
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
	if (m->hang.due_ns == DEADLINE_NEVER || m->ending)
		return;
	hang_go_on(m, now_ns);
	if (now_ns < m->hang.due_ns)
		return;
	for (uint32_t slot = SLOT_FIRST_SHARED; slot < m->tables.limits.processes; slot++)
		hang_look_at(m, slot);
	m->hang.look_ns = m->hang.now_ns;
	m->hang.due_ns = now_ns + hang_pause_ns(m);
}
