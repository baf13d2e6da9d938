#include "verify/soak/nemesis.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "tests/support/deaths.h"
#include "tests/support/run_suite.h"

enum {
	STOP_MS = 400,
	FULL_MS = 300, /* at most, because a process gives up waiting for a lock after 10 s */
	FILLER_BYTES = 4 << 20,
	FILL_BLOCK = 1 << 16,
	FAMILY_MAX = 64,
	PATH_BYTES = 192,
	LOOKS = 8,
};

static uint64_t nemesis_below(struct nemesis *n, uint64_t most)
{
	return (random_next(&n->random) >> 16) % most;
}

static const struct process *nemesis_slot(struct nemesis *n, uint32_t which)
{
	const struct process *p = &plm_tables(n->handle)->process[which];
	return process_state(sh_load(&p->state)) == PROCESS_LIVE ? p : NULL;
}

/* The pid of a process of this kind; 0 if none lives just now. */
static pid_t nemesis_whom(struct nemesis *n, enum process_kind kind)
{
	const struct process *p = kind == KIND_MANAGER ? nemesis_slot(n, SLOT_MANAGER)
						       : pick_member(n->handle, kind, &n->random);
	pid_t pid = p ? p->pid : 0;
	return pid > 1 && pid != getpid() && process_start_time(pid) == p->start_time ? pid : 0;
}

static size_t nemesis_children(pid_t of, pid_t *ret, size_t most)
{
	char path[PATH_BYTES];
	size_t n = 0;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)of, (int)of);
	FILE *list = of > 0 ? fopen(path, "r") : NULL;
	while (list && n < most && fscanf(list, "%d", &ret[n]) == 1)
		n++;
	if (list)
		fclose(list);
	return n;
}

/* A running command, which is a child of a worker. */
static pid_t some_command(struct nemesis *n)
{
	pid_t pid = 0;
	for (unsigned look = 0;
	     look < LOOKS && !nemesis_children(nemesis_whom(n, KIND_WORKER), &pid, 1); look++)
		;
	return pid;
}

/* ---- deaths ---- */

static bool kill_one(struct nemesis *n, pid_t pid, enum victim kind)
{
	if (pid <= 1)
		return false;
	history_write(n->history, (struct note){ .deed = DEED_KILLS, .pid = pid, .code = kind });
	return kill(pid, SIGKILL) == 0;
}

static bool kill_client(struct nemesis *n)
{
	uint64_t which = nemesis_below(n, ATTENDANTS);
	n->killed[which] = n->client[which];
	return kill_one(n, n->client[which], VICTIM_CLIENT);
}

/* Scheduler, workers, journal. */
static size_t nemesis_members(struct nemesis *n, pid_t *ret, size_t most)
{
	const struct tables *t = plm_tables(n->handle);
	size_t found = 0;
	for (uint32_t i = SLOT_SCHEDULER; i < t->limits.processes && found < most; i++) {
		const struct process *p = &t->process[i];
		uint64_t word = sh_load(&p->state);
		if (process_present(word) && process_kind(word) != KIND_CLIENT && p->pid > 1 &&
		    process_start_time(p->pid) == p->start_time)
			ret[found++] = p->pid;
	}
	return found;
}

static bool is_among(pid_t pid, const pid_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == pid)
			return true;
	return false;
}

/* Kills the guard and the manager, or the whole runtime. The guard is stopped first; otherwise
 * the guard would replace the manager before the guard itself is killed. Below the guard are the
 * manager, which may not be in the process table yet, and members whose managers have died. */
static bool kill_family(struct nemesis *n, bool all)
{
	pid_t member[FAMILY_MAX], below_guard[FAMILY_MAX];
	kill(n->rt->pid, SIGSTOP);
	size_t guarded = nemesis_children(n->rt->pid, below_guard, FAMILY_MAX);
	for (size_t i = 0; all && i < guarded; i++)
		kill(below_guard[i], SIGSTOP);
	size_t m = nemesis_members(n, member, FAMILY_MAX);
	for (size_t i = 0; all && i < m; i++)
		kill_one(n, member[i], VICTIM_RUNTIME);
	for (size_t i = 0; i < guarded; i++)
		if (all || !is_among(below_guard[i], member, m))
			kill_one(n, below_guard[i], VICTIM_RUNTIME);
	runtime_kill(n->rt);
	for (size_t i = 0; all && i < m; i++)
		ck_assert(wait_for_death(member[i]));
	for (size_t i = 0; i < guarded; i++)
		ck_assert(is_among(below_guard[i], member, m) || wait_for_death(below_guard[i]));
	runtime_reboot_with(n->rt, n->boot);
	return true;
}

/* ---- stops ---- */

/* A child process continues the stopped process, because the soak may be waiting for that
 * process. */
static bool stop_one(struct nemesis *n, pid_t pid)
{
	struct timespec moment = clock_timespec((1 + nemesis_below(n, STOP_MS)) * NS_PER_MS);
	size_t free = 0;
	while (free < STOPPED_MAX && n->stopping[free])
		free++;
	if (pid <= 1 || free == STOPPED_MAX)
		return false;
	n->stopping[free] = fork();
	ck_assert_int_ge(n->stopping[free], 0);
	if (n->stopping[free] > 0)
		return true;
	kill(pid, SIGSTOP);
	nanosleep(&moment, NULL);
	kill(pid, SIGCONT);
	_exit(0);
}

static void reap_stopping(struct nemesis *n, int flags)
{
	for (size_t i = 0; i < STOPPED_MAX; i++)
		if (n->stopping[i] && waitpid(n->stopping[i], NULL, flags) == n->stopping[i])
			n->stopping[i] = 0;
}

/* ---- full disks and stores ---- */

static void full_path(const struct nemesis *n, char *ret, size_t size)
{
	snprintf(ret, size, "%s/full-%d", n->full == FAULT_FILL_DISK ? n->disk : "/dev/shm",
	    (int)getpid());
}

static void fill_file(struct nemesis *n)
{
	static const char zeroes[FILL_BLOCK];
	char path[PATH_BYTES];
	full_path(n, path, sizeof path);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	while (fd >= 0 && write(fd, zeroes, sizeof zeroes) > 0)
		;
	close(fd);
}

static void fill_store(struct nemesis *n)
{
	void *place;
	while (n->fillers < COUNT_OF(n->filler) &&
	    plm_create(n->handle, FILLER_BYTES, &place, &n->filler[n->fillers]) == 0) {
		plm_seal(n->handle, n->filler[n->fillers]);
		n->fillers++;
	}
}

static bool nemesis_fill(struct nemesis *n, enum fault what)
{
	bool possible = what == FAULT_FILL_STORE || (what == FAULT_FILL_SHM && n->own_shm) ||
	    (what == FAULT_FILL_DISK && n->disk);
	if (n->full_until_ns || !possible)
		return false;
	n->full = what;
	n->full_until_ns = clock_ns() + (1 + nemesis_below(n, FULL_MS)) * NS_PER_MS;
	if (what == FAULT_FILL_STORE)
		fill_store(n);
	else
		fill_file(n);
	return true;
}

static void nemesis_empty(struct nemesis *n)
{
	char path[PATH_BYTES];
	full_path(n, path, sizeof path);
	if (n->full == FAULT_FILL_STORE)
		plm_drop_many(n->handle, n->filler, n->fillers);
	else
		unlink(path);
	n->fillers = 0;
	n->full_until_ns = 0;
}

/* ---- the acts ---- */

void nemesis_relent(struct nemesis *n)
{
	reap_stopping(n, 0);
	if (n->full_until_ns)
		nemesis_empty(n);
}

bool nemesis_owns(const struct nemesis *n, pid_t pid)
{
	return pid == n->rt->pid || is_among(pid, n->client, ATTENDANTS) ||
	    is_among(pid, n->stopping, STOPPED_MAX);
}

static bool act(struct nemesis *n, enum fault fault)
{
	switch (fault) {
	case FAULT_KILL_WORKER: return kill_one(n, nemesis_whom(n, KIND_WORKER), VICTIM_WORKER);
	case FAULT_KILL_SCHEDULER:
		return kill_one(n, nemesis_whom(n, KIND_SCHEDULER), VICTIM_RUNTIME);
	case FAULT_KILL_MANAGER: return kill_one(n, nemesis_whom(n, KIND_MANAGER), VICTIM_RUNTIME);
	case FAULT_KILL_JOURNAL: return kill_one(n, nemesis_whom(n, KIND_JOURNAL), VICTIM_RUNTIME);
	case FAULT_KILL_GUARD: return kill_family(n, false);
	case FAULT_KILL_ALL: return kill_family(n, true);
	case FAULT_KILL_CLIENT: return kill_client(n);
	case FAULT_KILL_COMMAND: return kill_one(n, some_command(n), VICTIM_COMMAND);
	case FAULT_STOP_WORKER: return stop_one(n, nemesis_whom(n, KIND_WORKER));
	case FAULT_STOP_SCHEDULER: return stop_one(n, nemesis_whom(n, KIND_SCHEDULER));
	case FAULT_STOP_MANAGER: return stop_one(n, nemesis_whom(n, KIND_MANAGER));
	case FAULT_STOP_JOURNAL: return stop_one(n, nemesis_whom(n, KIND_JOURNAL));
	case FAULT_STOP_GUARD: return stop_one(n, n->rt->pid);
	case FAULT_STOP_CLIENT: return stop_one(n, n->client[nemesis_below(n, ATTENDANTS)]);
	case FAULT_STOP_COMMAND: return stop_one(n, some_command(n));
	default: return nemesis_fill(n, fault);
	}
}

/* How often each fault is drawn, relative to the rest. */
static const unsigned weight[FAULTS] = { [FAULT_KILL_WORKER] = 12,
	[FAULT_KILL_SCHEDULER] = 2,
	[FAULT_KILL_MANAGER] = 3,
	[FAULT_KILL_JOURNAL] = 2,
	[FAULT_KILL_GUARD] = 1,
	[FAULT_KILL_ALL] = 1,
	[FAULT_KILL_CLIENT] = 4,
	[FAULT_KILL_COMMAND] = 8,
	[FAULT_STOP_WORKER] = 4,
	[FAULT_STOP_SCHEDULER] = 2,
	[FAULT_STOP_MANAGER] = 2,
	[FAULT_STOP_JOURNAL] = 2,
	[FAULT_STOP_GUARD] = 1,
	[FAULT_STOP_CLIENT] = 2,
	[FAULT_STOP_COMMAND] = 2,
	[FAULT_FILL_STORE] = 2,
	[FAULT_FILL_SHM] = 2,
	[FAULT_FILL_DISK] = 2 };

const char *fault_name(enum fault fault)
{
	static const char *const names[FAULTS] = { "kill worker", "kill scheduler", "kill manager",
		"kill journal", "kill guard", "kill all", "kill client", "kill command",
		"stop worker", "stop scheduler", "stop manager", "stop journal", "stop guard",
		"stop client", "stop command", "fill store", "fill /dev/shm", "fill disk" };
	return fault < FAULTS ? names[fault] : "?";
}

void nemesis_act(struct nemesis *n)
{
	unsigned all = 0, fault = 0;
	for (unsigned i = 0; i < FAULTS; i++)
		all += weight[i];
	reap_stopping(n, WNOHANG);
	if (n->full_until_ns && clock_ns() >= n->full_until_ns)
		nemesis_empty(n);
	uint64_t drawn = nemesis_below(n, all);
	while (drawn >= weight[fault])
		drawn -= weight[fault++];
	n->count[fault] += act(n, (enum fault)fault);
}
