/* instance.c - one plm a name: the lock that says so, and what a dead one of the name left behind:
 * gone on with, set aside, or removed. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/group.h"
#include "base/log.h"
#include "base/why.h"
#include "lifecycle/manager.h"

enum { PATH_BYTES = SEGMENT_NAME_BYTES + 16 };

/* It is made by who claims it. */
static int file_path(const char *name, const char *ending, int make, char *ret, size_t size)
{
	char directory[108];
	int r = door_directory(directory, sizeof directory, make);
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

/* Children have the descriptor of the lock until they have said who they are: a lock of the file's
 * description is free when the last one has, or has died. */
static int wait_for_births(struct manager *m)
{
	static const struct timespec pause = { .tv_nsec = NS_PER_MS };
	uint64_t deadline = deadline_after_ms(STOP_GRACE_MS);
	while (flock(m->lock, LOCK_EX | LOCK_NB) < 0) {
		if (clock_ns() >= deadline)
			return why(-EBUSY, "a process that the killed runtime \"%s\" was starting "
			    "neither goes on nor ends (SIGSTOP?): kill it, then try again",
			    m->options->name);
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* A suspect is fenced before anything of it is taken: killed, and waited for. */
static void fence(const struct process *p)
{
	int pidfd = adopt_still_lives(p) ? (int)syscall(SYS_pidfd_open, p->pid, 0) : -1;
	if (pidfd < 0)
		return;
	if (adopt_still_lives(p)) {
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		struct pollfd ended = { .fd = pidfd, .events = POLLIN };
		poll(&ended, 1, STOP_GRACE_MS);
	}
	close(pidfd);
}

/* The lock lies in the runtime directory, the segments do not: a manager that was started with
 * another XDG_RUNTIME_DIR, or whose directory was removed, holds another lock. It lives all the
 * same. */
static int refuse_if_managed(const struct tables *left, const char *name)
{
	const struct process *manager = &left->process[SLOT_MANAGER];
	if (!adopt_still_lives(manager))
		return 0;
	return why(-EADDRINUSE,
	    "a runtime named \"%s\" is up already (pid %d) with another runtime "
	    "directory: stop that process, or choose another --name",
	    name, manager->pid);
}

/* Members that live are ended; clients are told. */
static void end_what_is_left(struct tables *left)
{
	sh_store(&left->control->mode, MODE_STOPPED);
	for (uint32_t i = SLOT_SCHEDULER; i < left->limits.processes; i++) {
		uint64_t word = sh_load(&left->process[i].state);
		if (process_present(word) && process_kind(word) != KIND_CLIENT)
			fence(&left->process[i]);
		else if (process_present(word))
			process_bump(left, i);
	}
	orphans_of(left->control->runtime, NULL);
	group_end_all(left->control->name, NULL);
	log_info("removed what an earlier runtime of this name left");
}

/* It came up, and nobody had it end at once. */
static bool goes_on(const struct manager *m)
{
	const struct control *c = m->tables.control;
	return !m->options->fresh && sh_load(&c->made) && sh_load(&c->mode) != MODE_STOPPED;
}

static bool is_ours(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && st.st_uid == geteuid();
}

/* A creator writes the first word last: without it nobody was ever let in. */
static bool never_began(const char *path)
{
	uint64_t magic = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : pread(fd, &magic, sizeof magic, 0);
	if (fd >= 0)
		close(fd);
	return n == 0 || (n == sizeof magic && magic == 0);
}

static void segment_path(const char *name, const char *what, char ret[PATH_BYTES])
{
	char segment[SEGMENT_NAME_BYTES];
	tables_segment_name(name, what, segment);
	snprintf(ret, PATH_BYTES, "/dev/shm%s", segment);
}

/* Of another build, or broken: it may be all that somebody has of a day's work. */
static void set_aside(const char *name, const char *reason)
{
	static const char *const whats[] = { "control", "store" };
	for (size_t i = 0; i < COUNT_OF(whats); i++) {
		char path[PATH_BYTES], aside[PATH_BYTES + 8];
		segment_path(name, whats[i], path);
		snprintf(aside, sizeof aside, "%s.aside", path);
		if (rename(path, aside) == 0)
			log_warn("%s cannot be resumed (%s): renamed to %s; `plmdump --file` may "
			    "still show it, rm frees its memory", path, reason, aside);
	}
}

/* What this manager would rely on, beyond what any process looks at when it attaches. */
static int judge(const char *name, const struct tables *left)
{
	const struct control *c = left->control;
	const char *reason = strncmp(c->name, name, sizeof c->name) != 0
	    ? "it is of another name" : sh_load(&c->made) ? staff_unsound(left) : NULL;
	return reason ? why(-EPROTO, "the control segment is refused: %s", reason) : 0;
}

static int attach_segments(const char *name, struct tables *ret)
{
	char control[SEGMENT_NAME_BYTES], store[SEGMENT_NAME_BYTES];
	tables_segment_name(name, "control", control);
	tables_segment_name(name, "store", store);
	int control_fd = segment_open(control, true);
	if (control_fd < 0)
		return control_fd;
	int store_fd = segment_open(store, true);
	if (store_fd >= 0)
		return tables_attach(control_fd, store_fd, ret);
	close(control_fd);
	return store_fd;
}

static int attach(const char *name, struct tables *ret)
{
	int r = attach_segments(name, ret);
	if (r < 0)
		return r;
	r = judge(name, ret);
	if (r < 0)
		tables_detach(ret);
	return r;
}

void instance_set_aside(struct manager *m, const char *reason)
{
	set_aside(m->options->name, reason);
}

static int take_what_is_left(struct manager *m)
{
	const char *name = m->options->name;
	char path[PATH_BYTES];
	segment_path(name, "control", path);
	int r = is_ours(path) && !never_began(path) ? attach(name, &m->tables) : -ENOENT;
	if (r < 0 && r != -ENOENT && r != -EPROTO && r != -EACCES)
		return r; /* no memory, no descriptor: that says nothing of what is left */
	if (r < 0) {
		if (r != -ENOENT)
			set_aside(name, why_text());
		tables_unlink(name);
		return 0;
	}
	r = refuse_if_managed(&m->tables, name);
	m->adopts = r == 0 && goes_on(m);
	if (m->adopts)
		return 0;
	if (r == 0) {
		end_what_is_left(&m->tables);
		tables_unlink(name);
	}
	tables_detach(&m->tables);
	return r;
}

/* Another user's is never used: the runtime goes on without, and says so once. */
static void look_at_files(const char *name)
{
	int files = tables_files_open(name, false);
	if (files >= 0)
		close(files);
	else if (files != -ENOENT)
		log_warn("commands cannot write files as results (--out): %s", why_text());
}

int instance_claim(struct manager *m)
{
	char path[160];
	int r = file_path(m->options->name, "lock", 1, path, sizeof path);
	if (r == 0)
		r = take_lock(m, path);
	if (r < 0)
		return r;
	r = wait_for_births(m);
	if (r == 0)
		r = take_what_is_left(m);
	if (r == 0 && m->options->again && !m->adopts)
		r = why(-ESHUTDOWN, "the runtime was being stopped: there is nothing to resume");
	if (r < 0) {
		unlink(path); /* ours, of no use to anybody */
		close(m->lock);
	} else {
		look_at_files(m->options->name);
	}
	return r;
}

/* A name, so that members who outlive a manager ring the bell of the next one. */
int instance_bell(struct manager *m)
{
	char path[160];
	int r = file_path(m->options->name, "bell", 1, path, sizeof path);
	if (r < 0)
		return r;
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return why(-errno, "%s: %s", path, strerror(errno));
	m->joined = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	return m->joined < 0 ? why(-errno, "%s: %s", path, strerror(errno)) : 0;
}

void instance_release(struct manager *m)
{
	char path[160];
	struct sockaddr_un address;
	tables_unlink(m->options->name);
	group_end_all(m->options->name, NULL);
	if (door_address(m->options->name, &address) == 0)
		unlink(address.sun_path);
	if (file_path(m->options->name, "bell", 0, path, sizeof path) == 0)
		unlink(path);
	if (m->lock >= 0 && file_path(m->options->name, "lock", 0, path, sizeof path) == 0)
		unlink(path); /* while we hold it; who waits for this very file finds it gone and
				 makes another */
}
