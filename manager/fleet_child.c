#include "manager/fleet_child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "fleet/bridge.h"
#include "manager/birth.h"
#include "manager/child.h"
#include "manager/manager.h"
#include "manager/mode.h"
#include "manager/watching.h"

static _Noreturn void fleet_child_main(struct manager *m, pid_t parent)
{
	log_open(m->options->name, "fleet");
	prctl(PR_SET_NAME, "plm-fleet");
	if (m->options->tied)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	tables_detach(&m->tables); /* the bridge comes in by the door, as any client */
	child_begin(NULL, 0);
	_exit(bridge_run(&m->options->fleet, m->options->name));
}

static void fleet_child_plan(struct manager *m, uint64_t lived_ms)
{
	struct fleet_child *f = &m->fleet;
	f->delay_ms = lived_ms >= RESTART_CALM_MS    ? 0
	    : f->delay_ms == 0                       ? RESTART_DELAY_MIN_MS
	    : f->delay_ms * 2 > RESTART_DELAY_MAX_MS ? RESTART_DELAY_MAX_MS
						     : f->delay_ms * 2;
	f->due_ns = clock_ns() + f->delay_ms * NS_PER_MS;
}

static int fleet_child_start(struct manager *m)
{
	struct fleet_child *f = &m->fleet;
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		fleet_child_main(m, parent);
	if (pid < 0)
		return why(-errno, "fork: %s", strerror(errno));
	f->pid = pid;
	f->born_ns = clock_ns();
	f->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int r = f->pidfd < 0 ? why(-errno, "pidfd_open: %s", strerror(errno))
			     : watching_add(m, f->pidfd, WATCH_FLEET, 0);
	if (r == 0)
		return 0;
	kill(pid, SIGKILL); /* nothing would report its end */
	waitpid(pid, NULL, 0);
	f->pid = 0;
	return r;
}

uint64_t fleet_child_due_ns(const struct manager *m)
{
	const struct fleet_child *f = &m->fleet;
	bool due = m->options->fleet_given && m->announced && !f->pid && !f->left && !m->stopping &&
	    !m->ending;
	return due ? f->due_ns : DEADLINE_NEVER;
}

void fleet_child_step(struct manager *m)
{
	if (clock_ns() < fleet_child_due_ns(m))
		return;
	if (fleet_child_start(m) < 0) {
		log_warn("cannot start the bridge to the fleet: %s; trying again", why_text());
		fleet_child_plan(m, 0);
	}
}

/* An orderly end without a stop follows an operator's `close`: the bridge has asked for the stop.
 */
void fleet_child_ended(struct manager *m)
{
	struct fleet_child *f = &m->fleet;
	int status = 0;
	if (!f->pid || waitpid(f->pid, &status, WNOHANG) != f->pid)
		return;
	watching_drop(m, f->pidfd);
	f->pid = 0;
	bool orderly = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	f->left = orderly || f->leaving;
	if (!orderly && !m->ending)
		log_warn("the bridge to the fleet ended (%s %d)%s",
		    WIFSIGNALED(status) ? "signal" : "exit code",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		    f->leaving ? "" : ": replaced");
	fleet_child_plan(m, (clock_ns() - f->born_ns) / NS_PER_MS);
	if (f->ends && !m->ending)
		mode_end(m);
}

void fleet_child_leave(struct manager *m)
{
	struct fleet_child *f = &m->fleet;
	if (f->pid && !f->leaving)
		kill(f->pid, SIGTERM);
	f->leaving = true;
}

/* The scheduler may have ended meanwhile. */
void fleet_child_stay(struct manager *m)
{
	bool ends = m->fleet.ends;
	m->fleet.leaving = m->fleet.left = m->fleet.ends = false;
	if (ends)
		birth_complete(m);
}

void fleet_child_end_after(struct manager *m)
{
	m->fleet.ends = m->fleet.pid != 0;
	if (!m->fleet.ends)
		mode_end(m);
}

void fleet_child_end(struct manager *m, bool by_force)
{
	if (m->fleet.pid)
		kill(m->fleet.pid, by_force ? SIGKILL : SIGINT);
}
