/* orphans.c - what the dead leave running: processes of commands whose worker was killed.
 *
 * A command dies with its worker (PDEATHSIG), its own children do not. The manager has asked to be
 * given them (PR_SET_CHILD_SUBREAPER): whatever a worker leaves becomes its child, in whatever
 * session, and is killed; what that leaves in turn comes at its end. What workers leave that are no
 * children of this manager is given to somebody else: it is looked for by PLM_TASK and PLM_SLOT in
 * the environments of this user's processes, and in the cgroups of their slots, if there are any.
 * Without those, what has cleared its environment is not found. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/family.h"
#include "base/group.h"
#include "base/log.h"
#include "manager/manager.h"

enum { SEARCHES_MAX = 16, VARIABLES_BYTES = 1 << 18, AWAIT_MS = 100 };

void orphans_adopt(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* A member, the loader, or one that is being ended already. */
static bool orphans_is_known(const struct manager *m, pid_t pid)
{
	if (pid == m->loader.pid)
		return true;
	for (uint32_t i = 0; i < m->orphans; i++)
		if (m->orphan[i].pid == pid)
			return true;
	for (uint32_t i = SLOT_SCHEDULER; i < m->tables.limits.processes; i++)
		if (m->slot[i].pidfd >= 0 && m->slot[i].pid == pid)
			return true;
	return false;
}

static void orphans_end_one(struct manager *m, pid_t pid)
{
	kill(pid, SIGKILL); /* ours until we wait for it: the number is no other's */
	if (m->orphans == ORPHANS_MAX)
		return; /* it is met again when one of these has ended */
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd >= 0 && manager_watch(m, pidfd, WATCH_ORPHAN, (uint32_t)pidfd) == 0)
		m->orphan[m->orphans++] = (struct orphan){ .pid = pid, .pidfd = pidfd };
	else if (pidfd >= 0)
		close(pidfd);
}

void orphans_end(struct manager *m)
{
	struct family family;
	family_look(&family);
	for (size_t i = 0; i < family.n; i++) {
		if (orphans_is_known(m, family.child[i]))
			continue;
		log_info("pid %d was left behind by a process that is gone: killed",
		    (int)family.child[i]);
		orphans_end_one(m, family.child[i]);
	}
}

void orphans_ended(struct manager *m, int pidfd)
{
	siginfo_t info = { 0 };
	for (uint32_t i = 0; i < m->orphans; i++) {
		if (m->orphan[i].pidfd != pidfd)
			continue;
		if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) == 0 && !info.si_pid)
			return; /* an event of a former descriptor of this number */
		manager_unwatch(m, pidfd);
		m->orphan[i] = m->orphan[--m->orphans];
	}
	orphans_end(m);
}

/* SIGKILL was sent to all of them, and each makes way for what it has left in turn. A process that
 * the kernel cannot end at once (it waits for a disk) must not hold up the manager. */
void orphans_await(struct manager *m)
{
	uint64_t deadline_ns = deadline_after_ms(AWAIT_MS);
	while (m->orphans > 0 && clock_ns() < deadline_ns) {
		struct pollfd end = { .fd = m->orphan[0].pidfd, .events = POLLIN };
		if (poll(&end, 1, 1) > 0)
			orphans_ended(m, end.fd);
	}
}

/* What a living worker has let go, and what then ended by itself. */
void orphans_reap(struct manager *m)
{
	siginfo_t info = { 0 };
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid &&
	    !orphans_is_known(m, info.si_pid))
		waitpid(info.si_pid, NULL, WNOHANG);
}

/* ---- of workers that were no children of ours ---- */

struct marked {            /* who is looked for */
	char ending[32];   /* of PLM_TASK */
	const bool *lives; /* by PLM_SLOT; NULL: in no slot */
};

/* The value in NAME=VALUE, one behind the other, a zero behind each; NULL: there is none. */
static const char *orphans_variable(const char *all, size_t length, const char *name)
{
	size_t name_length = strlen(name);
	for (const char *at = all; at < all + length; at += strlen(at) + 1)
		if (strncmp(at, name, name_length) == 0)
			return at + name_length;
	return NULL;
}

static bool orphans_ends_with(const char *text, const char *ending)
{
	size_t n = strlen(text), length = strlen(ending);
	return n >= length && strcmp(text + n - length, ending) == 0;
}

static bool orphans_is_marked_by(const char *all, size_t length, const struct marked *marked)
{
	const char *task = orphans_variable(all, length, "PLM_TASK=@");
	const char *slot = orphans_variable(all, length, "PLM_SLOT=");
	if (!task || !orphans_ends_with(task, marked->ending))
		return false;
	unsigned long n = slot ? strtoul(slot, NULL, 10) : PROCESSES_MAX;
	return !marked->lives || n >= PROCESSES_MAX || !marked->lives[n];
}

/* Another user's cannot be read, one of the kernel has none. */
static bool orphans_is_marked(const char *pid, const struct marked *marked, char *room)
{
	char path[64];
	size_t n = 0;
	ssize_t got;
	snprintf(path, sizeof path, "/proc/%.20s/environ", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (n < VARIABLES_BYTES - 1 && (got = read(fd, room + n, VARIABLES_BYTES - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	room[n] = 0;
	return orphans_is_marked_by(room, n, marked);
}

/* The pidfd first: then the look at its environment is about the process that is killed. */
static bool orphans_end_if_marked(const char *pid, const struct marked *who, char *room)
{
	int pidfd = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
	bool marked = pidfd >= 0 && atoi(pid) != getpid() && orphans_is_marked(pid, who, room);
	if (marked) {
		struct pollfd ended = { .fd = pidfd, .events = POLLIN };
		log_info("pid %s was left behind by a command of that runtime: killed", pid);
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		poll(&ended, 1, STOP_GRACE_MS);
	}
	if (pidfd >= 0)
		close(pidfd);
	return marked;
}

/* Again while there were any: they may have had children meanwhile. */
void orphans_of(uint64_t runtime, const bool *lives)
{
	struct marked who = { .lives = lives };
	char *room = malloc(VARIABLES_BYTES);
	bool any = room != NULL;
	snprintf(who.ending, sizeof who.ending, ".%" PRIx64, runtime);
	for (int search = 0; any && search < SEARCHES_MAX; search++) {
		DIR *all = opendir("/proc");
		const struct dirent *entry;
		any = false;
		while (all && (entry = readdir(all)) != NULL)
			if (isdigit((unsigned char)entry->d_name[0]))
				any |= orphans_end_if_marked(entry->d_name, &who, room);
		if (all)
			closedir(all);
	}
	free(room);
}

void orphans_unowned(struct manager *m)
{
	bool lives[PROCESSES_MAX] = { false };
	for (uint32_t i = SLOT_FIRST_MEMBER; i < m->tables.limits.processes; i++)
		lives[i] = m->slot[i].pidfd >= 0;
	orphans_of(m->tables.control->runtime, lives);
	group_end_all(m->tables.control->name, lives);
}
