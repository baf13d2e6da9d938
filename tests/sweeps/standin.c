#include "tests/sweeps/standin.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/support/sweep.h"

const struct tables *standin_plays;

static pid_t living, dead;
static uint64_t living_since, now_ns;

/* A zombie keeps the pid, so no other process gets that pid while the sweep runs. */
static pid_t make(bool lives)
{
	pid_t pid = fork();
	SWEEP_REQUIRE(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTERM, SIG_IGN);
		while (lives)
			pause();
		_exit(0);
	}
	return pid;
}

void standin_begin(void)
{
	siginfo_t info;
	if (living)
		return;
	living = make(true);
	living_since = process_start_time(living);
	dead = make(false);
	SWEEP_REQUIRE(waitid(P_PID, (id_t)dead, &info, WEXITED | WNOWAIT) == 0);
	now_ns = clock_ns();
}

void standin_take(struct process *p, bool lives)
{
	p->pid = lives ? living : dead;
	p->start_time = living_since;
}

bool standin_lives(const struct process *p)
{
	return p->pid == living;
}

void standin_watch(struct manager *m, uint32_t slot)
{
	const struct process *p = &m->tables.process[slot];
	uint64_t word = sh_load(&p->state);
	m->slot[slot] = (struct watched){ .pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0),
		.socket = -1,
		.adopted = true,
		.pid = p->pid,
		.kind = process_kind(word),
		.generation = process_generation(word) };
	SWEEP_REQUIRE(m->slot[slot].pidfd >= 0);
}

/* The process slot that the manager has claimed and no process has taken. */
static struct process *find_unborn(const struct tables *t)
{
	for (uint32_t i = SLOT_SCHEDULER; i < t->limits.processes; i++)
		if (process_state(sh_load(&t->process[i].state)) == PROCESS_STARTING &&
		    t->process[i].pid == 0)
			return &t->process[i];
	sweep_fail("a manager forks, and no process slot is for the child");
}

/* ---- in the kernel's stead, and in libc's ---- */

#define WRAPPED(type, name, ...)         \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

WRAPPED(pid_t, fork, void)
{
	if (!standin_plays)
		return __real_fork();
	struct process *unborn = find_unborn(standin_plays);
	step_here("fork");
	standin_take(unborn, true);
	step_here("the child has told its pid");
	return living;
}

WRAPPED(int, clock_gettime, clockid_t id, struct timespec *ret)
{
	if (!standin_plays)
		return __real_clock_gettime(id, ret);
	*ret = clock_timespec(now_ns);
	return 0;
}

WRAPPED(void, orphans_unowned, struct manager *m)
{
	(void)m;
}

WRAPPED(void, orphans_of, uint64_t runtime, const bool *lives)
{
	(void)runtime;
	(void)lives;
}

WRAPPED(void, log_say, enum log_level level, const struct log_field *about, const char *format, ...)
{
	(void)level;
	(void)about;
	(void)format;
}
