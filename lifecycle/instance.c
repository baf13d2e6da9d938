/* instance.c - one plm a name: the lock that says so, and what a dead one of the name left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/group.h"
#include "base/log.h"
#include "base/why.h"
#include "lifecycle/manager.h"

static int lock_path(const char *name, const char *ending, char *ret, size_t size)
{
	char directory[108];
	int r = door_directory(directory, sizeof directory, 1);
	if (r < 0)
		return r;
	int n = snprintf(ret, size, "%s/%s.%s", directory, name, ending);
	return n < 0 || (size_t)n >= size ? why(-ENAMETOOLONG, "%s is too long a path", directory)
					  : 0;
}

/* A record lock: the kernel drops it with its process, and forked children do not inherit it. */
static int take_lock(struct manager *m, const char *path)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	m->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (m->lock < 0)
		return why(-errno, "%s: %s", path, strerror(errno));
	if (fcntl(m->lock, F_SETLK, &whole) == 0)
		return 0;
	if (errno != EACCES && errno != EAGAIN)
		return why(-errno, "locking %s: %s", path, strerror(errno));
	fcntl(m->lock, F_GETLK, &whole);
	close(m->lock);
	m->lock = -1;
	return why(-EADDRINUSE,
	    "a runtime named \"%s\" is up already (pid %d): stop it with `plmctl --name %s "
	    "stop`, or choose another --name",
	    m->options->name, (int)whole.l_pid, m->options->name);
}

static bool still_lives(const struct process *p)
{
	/* A number alone may be another's by now; the start time tells. */
	return p->pid > 1 && p->start_time && process_start_time(p->pid) == p->start_time;
}

/* A suspect is fenced before anything of it is taken: killed, and waited for. */
static void fence(const struct process *p)
{
	int pidfd = still_lives(p) ? (int)syscall(SYS_pidfd_open, p->pid, 0) : -1;
	if (pidfd < 0)
		return;
	if (still_lives(p)) {
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		struct pollfd ended = { .fd = pidfd, .events = POLLIN };
		poll(&ended, 1, STOP_GRACE_MS);
	}
	close(pidfd);
}

/* The lock lies in the runtime directory, the segments do not: a manager that was started with
 * another XDG_RUNTIME_DIR, or whose directory was removed, holds another lock. It lives all the
 * same. */
static int refuse_if_managed(const struct tables *old, const char *name)
{
	const struct process *manager = &old->process[SLOT_MANAGER];
	if (!still_lives(manager))
		return 0;
	return why(-EADDRINUSE,
	    "a runtime named \"%s\" is up already (pid %d) with another runtime "
	    "directory: stop that process, or choose another --name",
	    name, manager->pid);
}

/* Members of the dead run may still be on their way out; clients find their socket closed. */
static void fence_members(const struct tables *old)
{
	for (uint32_t i = SLOT_SCHEDULER; i < old->limits.processes; i++) {
		uint64_t word = sh_load(&old->process[i].state);
		if (process_present(word) && process_kind(word) != KIND_CLIENT)
			fence(&old->process[i]);
	}
	log_info("removed what an earlier runtime of this name left: it did not stop cleanly");
}

static int clear_leftover(const char *path, const char *name)
{
	struct tables old;
	if (tables_inspect(path, &old) < 0) {
		log_warn("%s cannot be read as a runtime (%s); removed", path, why_text());
		return 0;
	}
	int r = refuse_if_managed(&old, name);
	if (r == 0) {
		fence_members(&old);
		orphans_of(old.control->runtime);
	}
	tables_detach(&old);
	return r;
}

static int remove_leftovers(const char *name)
{
	char control[SEGMENT_NAME_BYTES], path[SEGMENT_NAME_BYTES + 16];
	struct stat st;
	int r = 0;
	tables_segment_name(name, "control", control);
	snprintf(path, sizeof path, "/dev/shm%s", control);
	if (lstat(path, &st) == 0 && st.st_uid == geteuid())
		r = clear_leftover(path, name);
	if (r == 0) {
		group_end_all(name); /* what cleared its environment, too, if we run where it ran */
		tables_unlink(name);
	}
	return r;
}

int instance_claim(struct manager *m)
{
	char path[160];
	int r = lock_path(m->options->name, "lock", path, sizeof path);
	if (r == 0)
		r = take_lock(m, path);
	if (r < 0)
		return r;
	r = remove_leftovers(m->options->name);
	if (r < 0) {
		unlink(path); /* ours, of no use to anybody */
		close(m->lock);
	}
	return r;
}

void instance_release(struct manager *m)
{
	char path[160];
	struct sockaddr_un address;
	tables_unlink(m->options->name);
	group_end_all(m->options->name);
	if (door_address(m->options->name, &address) == 0)
		unlink(address.sun_path);
	if (m->lock >= 0 && lock_path(m->options->name, "lock", path, sizeof path) == 0)
		unlink(path); /* while we hold it; who waits for this very file finds it gone and
				 makes another */
}
