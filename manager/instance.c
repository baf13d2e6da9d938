#include "manager/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/group.h"
#include "base/log.h"
#include "base/why.h"
#include "manager/adopt.h"
#include "manager/claim.h"
#include "manager/foreign.h"
#include "manager/manager.h"
#include "manager/orphans.h"
#include "manager/staff.h"

enum { PATH_BYTES = SEGMENT_NAME_BYTES + 16, BELL_PATH_BYTES = 160, REASON_BYTES = 200 };

static void instance_bell_path(const struct manager *m, char ret[BELL_PATH_BYTES])
{
	snprintf(ret, BELL_PATH_BYTES, "%s/%s.bell", m->directory, m->options->name);
}

/* Kills a process and waits for the end, before the segments are removed. */
static void instance_fence(const struct process *p)
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

/* A living manager counts even without a lock: a user may have removed the lock file, or an older
 * plm may have the lock elsewhere. */
static int instance_refuse_if_managed(const struct tables *left, const char *name)
{
	const struct process *manager = &left->process[SLOT_MANAGER];
	if (!adopt_still_lives(manager))
		return 0;
	return why(-EADDRINUSE,
	    "a runtime named \"%s\" is up already (pid %d), without a lock of its name: stop "
	    "that process, or choose another --name",
	    name, manager->pid);
}

/* Ends living members, and tells clients. */
static void instance_end_processes(struct tables *left)
{
	sh_store(&left->control->mode, MODE_STOPPED);
	for (uint32_t i = SLOT_SCHEDULER; i < left->limits.processes; i++) {
		uint64_t word = sh_load(&left->process[i].state);
		if (process_present(word) && process_kind(word) != KIND_CLIENT)
			instance_fence(&left->process[i]);
		else if (process_present(word))
			process_bump(left, i);
	}
	orphans_of(left->control->runtime, NULL);
	group_end_all(left->control->name, NULL);
	log_info("removed the segments of an earlier runtime of this name");
}

/* The runtime had come up, and no `stop --now` was ending it. */
static bool instance_goes_on(const struct manager *m)
{
	const struct control *c = m->tables.control;
	return !m->options->fresh && sh_load(&c->made) && sh_load(&c->mode) != MODE_STOPPED;
}

static bool instance_is_ours(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && st.st_uid == geteuid();
}

/* The creator of a segment writes the first word last: without the first word no client ever came
 * in. */
static bool instance_never_began(const char *path)
{
	uint64_t magic = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : pread(fd, &magic, sizeof magic, 0);
	if (fd >= 0)
		close(fd);
	return n == 0 || (n == sizeof magic && magic == 0);
}

static void instance_segment_path(const char *name, const char *what, char ret[PATH_BYTES])
{
	char segment[SEGMENT_NAME_BYTES];
	tables_segment_name(name, what, segment);
	snprintf(ret, PATH_BYTES, "/dev/shm%s", segment);
}

static bool instance_name_is_left(const char *name)
{
	char path[PATH_BYTES];
	instance_segment_path(name, "control", path);
	return access(path, F_OK) == 0;
}

/* Segments of another build, or damaged segments, may hold the results of a day's work, and are not
 * removed but renamed. */
static void instance_rename_aside(const char *name, const char *reason)
{
	static const char *const whats[] = { "control", "store", "events" };
	for (size_t i = 0; i < COUNT_OF(whats); i++) {
		char path[PATH_BYTES], aside[PATH_BYTES + 8];
		instance_segment_path(name, whats[i], path);
		snprintf(aside, sizeof aside, "%s.aside", path);
		if (rename(path, aside) == 0)
			log_warn("%s cannot be resumed (%s): renamed to %s; `plmdump --file` may "
				 "still show it, rm frees its memory",
			    path, reason, aside);
	}
}

/* Checks for a manager, beyond the checks of every attach. */
static int instance_judge(const char *name, const struct tables *left)
{
	const struct control *c = left->control;
	const char *reason = strncmp(c->name, name, sizeof c->name) != 0 ? "its name is another one"
	    : sh_load(&c->made)                                          ? staff_unsound(left)
									 : NULL;
	return reason ? why(-EPROTO, "the control segment is refused: %s", reason) : 0;
}

static int instance_attach_segments(const char *name, struct tables *ret)
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

static int instance_attach(const char *name, struct tables *ret)
{
	int r = instance_attach_segments(name, ret);
	if (r < 0)
		return r;
	r = instance_judge(name, ret);
	if (r < 0)
		tables_detach(ret);
	return r;
}

void instance_set_aside(struct manager *m, const char *reason)
{
	instance_rename_aside(m->options->name, reason);
}

/* The header alone names the runtime; the rest of the segment may be damaged. */
static void instance_end_marked_by(const char *path)
{
	struct segment_header header = { .magic = 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && pread(fd, &header, sizeof header, 0) == sizeof header &&
	    sh_load(&header.magic) == SEGMENT_MAGIC)
		orphans_of(header.runtime, NULL);
	if (fd >= 0)
		close(fd);
}

/* Processes of a runtime without an attach would run for ever, out of reach of any program.
 * -EPROTO, with the former why: no such process lives any more. */
static int instance_end_foreign(struct manager *m, const char *path)
{
	const char *name = m->options->name;
	char reason[REASON_BYTES];
	struct foreign found;
	snprintf(reason, sizeof reason, "%s", why_text());
	foreign_look(path, &found);
	if (found.processes == 0)
		return -EPROTO;
	if (found.manager)
		return why(-EADDRINUSE,
		    "a runtime named \"%s\" is up already (pid %d), which this "
		    "plm cannot use (%s): stop it with the programs it was booted with, or choose "
		    "another --name",
		    name, (int)found.manager, reason);
	if (!m->options->fresh)
		return why(-EBUSY,
		    "%u processes of a runtime \"%s\" live without a manager (one "
		    "is pid %d), and this plm cannot go on with it (%s): boot the plm that made "
		    "it, or this one with --fresh, which ends them and what they run",
		    found.processes, name, (int)found.one, reason);
	foreign_end(path);
	instance_end_marked_by(path);
	group_end_all(name, NULL);
	return why(-EPROTO, "%s; its processes are ended", reason);
}

static int instance_take_segments(struct manager *m)
{
	const char *name = m->options->name;
	char path[PATH_BYTES];
	instance_segment_path(name, "control", path);
	int r = instance_is_ours(path) && !instance_never_began(path)
	    ? instance_attach(name, &m->tables)
	    : -ENOENT;
	if (r < 0 && r != -ENOENT && r != -EPROTO && r != -EACCES)
		return r; /* no memory, no descriptor: the segments may be sound */
	if (r == -EPROTO)
		r = instance_end_foreign(m, path);
	if (r == -EADDRINUSE || r == -EBUSY)
		return r;
	if (r < 0) {
		if (r != -ENOENT)
			instance_rename_aside(name, why_text());
		tables_unlink(name);
		return 0;
	}
	r = instance_refuse_if_managed(&m->tables, name);
	m->adopts = r == 0 && instance_goes_on(m);
	if (m->adopts)
		return 0;
	if (r == 0) {
		instance_end_processes(&m->tables);
		tables_unlink(name);
	}
	tables_detach(&m->tables);
	return r;
}

/* A directory of another user is never used: the runtime goes on without, after a log line. */
static void instance_look_at_files(const char *name)
{
	int files = tables_files_open(name, false);
	if (files >= 0)
		close(files);
	else if (files != -ENOENT)
		log_warn("commands cannot write files as results (--out): %s", why_text());
}

int instance_claim(struct manager *m)
{
	int r = door_directory(m->directory, sizeof m->directory, 1);
	if (r == 0)
		r = claim_take(m);
	if (r < 0)
		return r;
	r = claim_births(m);
	if (r == 0)
		r = instance_take_segments(m);
	if (r == 0 && m->options->again && !m->adopts)
		r = why(-ESHUTDOWN, "the runtime was being stopped: there is nothing to resume");
	if (r == 0)
		r = claim_record(m);
	if (r < 0) {
		/* The lock file is kept if segments are left: members may still need the line. */
		if (!instance_name_is_left(m->options->name))
			claim_remove(m);
		close(m->lock);
	} else {
		instance_look_at_files(m->options->name);
	}
	return r;
}

/* The bell has a name, so that members of a dead manager ring the bell of the next manager. */
int instance_bell(struct manager *m)
{
	char path[BELL_PATH_BYTES];
	instance_bell_path(m, path);
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return why(-errno, "%s: %s", path, strerror(errno));
	m->joined = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	return m->joined < 0 ? why(-errno, "%s: %s", path, strerror(errno)) : 0;
}

void instance_release(struct manager *m)
{
	char path[BELL_PATH_BYTES];
	struct sockaddr_un address;
	tables_unlink(m->options->name);
	group_end_all(m->options->name, NULL);
	if (door_address_in(m->directory, m->options->name, &address) == 0)
		unlink(address.sun_path);
	instance_bell_path(m, path);
	unlink(path);
	claim_remove(m);
}
