#include "manager/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ours.h"
#include "base/why.h"
#include "manager/manager.h"

enum { TRIES = 100 };

static int claim_is_up(const struct manager *m, pid_t pid)
{
	const char *name = m->options->name;
	if (pid <= 0)
		return why(-EADDRINUSE,
		    "a runtime named \"%s\" is up already in another PID "
		    "namespace (a container?): stop it there, or choose another --name",
		    name);
	return why(-EADDRINUSE,
	    "a runtime named \"%s\" is up already (pid %d): stop it with "
	    "`plmctl --name %s stop`, or choose another --name",
	    name, (int)pid, name);
}

/* 0: locked, or *ret_again: another plm came between. A record lock, which children do not
 * inherit. */
static int claim_lock(const struct manager *m, int fd, const char *path, bool *ret_again)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat ours, named;
	*ret_again = false;
	if (fcntl(fd, F_SETLK, &whole) == 0) {
		/* The last owner may have removed the file after the open. */
		*ret_again = fstat(fd, &ours) < 0 || lstat(path, &named) < 0 ||
		    ours.st_ino != named.st_ino || ours.st_dev != named.st_dev;
		return 0;
	}
	if (errno != EACCES && errno != EAGAIN)
		return why(-errno, "locking %s: %s", path, strerror(errno));
	if (fcntl(fd, F_GETLK, &whole) < 0 || whole.l_type != F_UNLCK)
		return claim_is_up(m, whole.l_pid);
	*ret_again = true;
	return 0;
}

/* A plm of an earlier version has the lock in the runtime directory, and may be up. */
static int claim_refuse_former(const struct manager *m)
{
	char path[sizeof m->directory + RUNTIME_NAME_BYTES + 8];
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	snprintf(path, sizeof path, "%s/%s.lock", m->directory, m->options->name);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return 0;
	bool held = fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
	close(fd);
	if (held)
		return claim_is_up(m, whole.l_pid);
	unlink(path);
	return 0;
}

int claim_take(struct manager *m)
{
	char path[DOOR_LOCK_BYTES];
	bool again = true;
	int r = claim_refuse_former(m);
	door_lock_path(m->options->name, path);
	for (int i = 0; i < TRIES && again && r == 0; i++) {
		int fd = ours_file(path, O_RDWR | O_CREAT, "choose another --name");
		if (fd < 0)
			return fd;
		r = claim_lock(m, fd, path, &again);
		if (r < 0 || again)
			close(fd);
		else
			m->lock = fd;
	}
	return r < 0 || !again
	    ? r
	    : why(-EBUSY, "other processes create and remove %s all the time", path);
}

/* Each child keeps the descriptor of the lock file until the process table names the pid. So the
 * flock() of the file description is free when the last child is named or dead. */
int claim_births(struct manager *m)
{
	static const struct timespec pause = { .tv_nsec = NS_PER_MS };
	uint64_t deadline = deadline_after_ms(STOP_GRACE_MS);
	while (flock(m->lock, LOCK_EX | LOCK_NB) < 0) {
		if (clock_ns() >= deadline)
			return why(-EBUSY,
			    "a process that the killed runtime \"%s\" was starting "
			    "neither goes on nor ends (SIGSTOP?): kill it, then try again",
			    m->options->name);
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Members of a dead manager ring the bell in the directory of the dead manager. */
static void claim_go_on(struct manager *m)
{
	struct sockaddr_un former;
	char path[DOOR_LOCK_BYTES];
	door_lock_path(m->options->name, path);
	if (!door_recorded(m->lock, &former))
		return;
	*strrchr(former.sun_path, '/') = 0;
	if (door_directory_check(former.sun_path, false) == 0)
		snprintf(m->directory, sizeof m->directory, "%s", former.sun_path);
}

int claim_record(struct manager *m)
{
	struct sockaddr_un address;
	char line[sizeof address.sun_path + 1];
	if (m->adopts)
		claim_go_on(m);
	int r = door_address_in(m->directory, m->options->name, &address);
	if (r < 0)
		return r;
	int n = snprintf(line, sizeof line, "%s\n", address.sun_path);
	if (pwrite(m->lock, line, (size_t)n, 0) != n || ftruncate(m->lock, n) < 0)
		return why(-errno, "writing the lock file of \"%s\" in /dev/shm: %s",
		    m->options->name, strerror(errno));
	return 0;
}

void claim_remove(const struct manager *m)
{
	char path[DOOR_LOCK_BYTES];
	door_lock_path(m->options->name, path);
	if (m->lock >= 0)
		unlink(path); /* while locked: claim_lock() notices */
}
