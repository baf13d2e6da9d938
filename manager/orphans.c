#include "manager/orphans.h"

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
#include "manager/nursery.h"
#include "manager/watching.h"

enum { SEARCHES_MAX = 16, VARIABLES_BYTES = 1 << 18, AWAIT_MS = 100 };

void orphans_adopt(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* A member, the loader, a zygote, or an orphan killed already. */
static bool orphans_is_listed(const struct manager *m, pid_t pid)
{
	if (pid == m->loader.pid || pid == m->fleet.pid || nursery_has(m, pid))
		return true;
	for (uint32_t i = 0; i < m->orphans.count; i++)
		if (m->orphans.each[i].pid == pid)
			return true;
	for (uint32_t i = SLOT_SCHEDULER; i < m->tables.limits.processes; i++)
		if (m->slot[i].pidfd >= 0 && m->slot[i].pid == pid)
			return true;
	return false;
}

/* A Python worker is announced before the worker becomes a child of the manager, but the manager
 * may not have read of the worker yet. */
static bool orphans_is_known(struct manager *m, pid_t pid)
{
	if (orphans_is_listed(m, pid))
		return true;
	nursery_hear_all(m);
	return orphans_is_listed(m, pid);
}

static void orphans_end_one(struct manager *m, pid_t pid)
{
	kill(pid, SIGKILL); /* a child keeps its pid until the manager waits */
	if (m->orphans.count == ORPHANS_MAX)
		return; /* found again when another orphan has ended */
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd >= 0 && watching_add(m, pidfd, WATCH_ORPHAN, (uint32_t)pidfd) == 0)
		m->orphans.each[m->orphans.count++] = (struct orphan){ .pid = pid, .pidfd = pidfd };
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
		log_info_about(ABOUT(ABOUT_PID(family.child[i])),
		    "killed pid %d, left behind by a dead process", (int)family.child[i]);
		orphans_end_one(m, family.child[i]);
	}
}

void orphans_ended(struct manager *m, int pidfd)
{
	siginfo_t info = { 0 };
	for (uint32_t i = 0; i < m->orphans.count; i++) {
		if (m->orphans.each[i].pidfd != pidfd)
			continue;
		if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) == 0 && !info.si_pid)
			return; /* an event of an older descriptor with the same number */
		watching_drop(m, pidfd);
		m->orphans.each[i] = m->orphans.each[--m->orphans.count];
	}
	orphans_end(m);
}

/* SIGKILL was sent to each orphan, and the end of each may bring further orphans. A process in a
 * disk wait, which the kernel cannot end at once, must not hold up the manager. */
void orphans_await(struct manager *m)
{
	uint64_t deadline_ns = deadline_after_ms(AWAIT_MS);
	while (m->orphans.count > 0 && clock_ns() < deadline_ns) {
		struct pollfd end = { .fd = m->orphans.each[0].pidfd, .events = POLLIN };
		if (poll(&end, 1, 1) > 0)
			orphans_ended(m, end.fd);
	}
}

/* Processes let go by a living worker, and ended since. */
void orphans_reap(struct manager *m)
{
	siginfo_t info = { 0 };
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid &&
	    !orphans_is_known(m, info.si_pid))
		waitpid(info.si_pid, NULL, WNOHANG);
}

/* ---- orphans of adopted workers ---- */

struct marked {            /* the processes to look for */
	char ending[32];   /* of PLM_TASK */
	const bool *lives; /* by PLM_SLOT: spared; NULL: none is spared */
};

/* The value in a list of NAME=VALUE strings with a zero behind each; NULL: not in the list. */
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

/* The environment of another user's process cannot be read; a kernel thread has none. */
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

/* The pidfd comes first, so that the environment belongs to the killed process. */
static bool orphans_end_if_marked(const char *pid, const struct marked *who, char *room)
{
	int pidfd = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
	bool marked = pidfd >= 0 && atoi(pid) != getpid() && orphans_is_marked(pid, who, room);
	if (marked) {
		struct pollfd ended = { .fd = pidfd, .events = POLLIN };
		log_info_about(ABOUT(ABOUT_PID(atoi(pid))),
		    "killed pid %s, left behind by a command of that runtime", pid);
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		poll(&ended, 1, STOP_GRACE_MS);
	}
	if (pidfd >= 0)
		close(pidfd);
	return marked;
}

/* Repeated while a search finds processes: each may have had children meanwhile. */
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
	for (uint32_t i = SLOT_FIRST_SHARED; i < m->tables.limits.processes; i++)
		lives[i] = m->slot[i].pidfd >= 0;
	orphans_of(m->tables.control->runtime, lives);
	group_end_all(m->tables.control->name, lives);
}
