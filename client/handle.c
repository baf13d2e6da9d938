/* handle.c - may a handle be used, does the runtime live, how long may a call take. */
#include "client/handle.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/why.h"

enum { ALONE_PATIENCE_MS = 2000 };

struct tables *plm_tables(plm *rt)
{
	return &rt->tables;
}

bool handle_manager_listens(const struct plm *rt)
{
	char byte;
	return rt->socket < 0 || recv(rt->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

static bool handle_process_lives(const struct process *p)
{
	int32_t pid = p->pid;
	return pid > 1 && process_start_time(pid) == p->start_time;
}

/* Without a manager the runtime goes on. Without manager and scheduler nothing happens until
 * somebody boots the runtime again, which is given a moment: the guard of a manager needs some
 * milliseconds. */
int handle_runtime_gone(struct plm *rt)
{
	const struct tables *t = &rt->tables;
	const char *name = t->control->name;
	if (sh_load(&t->control->mode) == MODE_STOPPED)
		return why(-EHOSTDOWN, "the runtime \"%s\" has stopped", name);
	if (handle_manager_listens(rt) || handle_process_lives(&t->process[SLOT_SCHEDULER]) ||
	    handle_process_lives(&t->process[SLOT_MANAGER])) {
		atomic_store_explicit(&rt->alone_ns, 0, memory_order_relaxed);
		return 0;
	}
	uint64_t now = clock_ns(), none = 0;
	atomic_compare_exchange_strong(&rt->alone_ns, &none, now);
	if (none == 0 || now - none < ALONE_PATIENCE_MS * NS_PER_MS)
		return 0;
	return why(-EHOSTDOWN,
	    "the processes of runtime \"%s\" are dead: `plm --name %s --daemon` "
	    "resumes it",
	    name, name);
}

int handle_check(struct plm *rt)
{
	if (!rt)
		return why(-EINVAL, "no handle: plm_connect() first");
	if (!*rt->alive)
		return why(-ECHILD,
		    "this handle belongs to the parent process: the child of a fork "
		    "connects anew");
	if (sh_load(&rt->tables.control->mode) == MODE_STOPPED)
		return handle_runtime_gone(rt);
	return 0;
}

uint64_t handle_answer_deadline(const struct plm *rt, int timeout_ms)
{
	int ms = LOCK_WAIT_MS;
	if (rt->answer_ms && rt->answer_ms < ms)
		ms = rt->answer_ms;
	if (timeout_ms > 0 && timeout_ms < ms)
		ms = timeout_ms;
	return deadline_after_ms(ms < ANSWER_LEAST_MS ? ANSWER_LEAST_MS : ms);
}

int handle_scheduler_silent(const struct plm *rt, uint64_t since_ns)
{
	const struct process *p = &rt->tables.process[SLOT_SCHEDULER];
	unsigned long long ms = (clock_ns() - since_ns) / NS_PER_MS;
	int pid = p->pid;
	if (process_stopped(pid, p->start_time))
		return why(-ETIMEDOUT,
		    "the scheduler (pid %d) is stopped: nothing from it for "
		    "%llu ms; `kill -CONT %d` lets it go on",
		    pid, ms, pid);
	return why(-ETIMEDOUT,
	    "the scheduler (pid %d) has not answered for %llu ms: it hangs, or "
	    "the machine is very busy; after `kill -9 %d` the runtime starts a new one",
	    pid, ms, pid);
}

int plm_patience(plm *rt, int timeout_ms)
{
	int r = handle_check(rt);
	if (r == 0)
		atomic_store_explicit(&rt->patience_ms, timeout_ms, memory_order_relaxed);
	return r;
}

uint64_t handle_deadline(const struct plm *rt)
{
	int patience = atomic_load_explicit(&rt->patience_ms, memory_order_relaxed);
	return patience == 0 ? 0 : deadline_after_ms(patience);
}
