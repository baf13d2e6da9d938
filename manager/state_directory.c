#include "manager/state_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ours.h"
#include "base/why.h"
#include "journal/db.h"
#include "manager/manager.h"

/* The journal holds the environments of commands, so only the owner may read or write there. */
static int state_check_directory(const char *path)
{
	char reason[WHY_TEXT_BYTES];
	int fd = ours_directory(path, true, "give a directory of your own");
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	snprintf(reason, sizeof reason, "%s", why_text());
	return why(fd, "--state: %s", reason);
}

/* The kernel drops a record lock with the process, and children do not inherit the lock. The first
 * byte of the file is for the manager, the second for the journal, which may live longer. */
static int state_take_lock(struct manager *m, const char *directory)
{
	char path[STATE_PATH_BYTES + 8];
	struct flock whole = { .l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_len = m->adopts ? JOURNAL_LOCK_MANAGER + 1 : 0 };
	snprintf(path, sizeof path, "%s/%s", directory, JOURNAL_LOCK);
	m->state_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (m->state_lock < 0)
		return why(-errno, "%s: %s", path, strerror(errno));
	if (fcntl(m->state_lock, F_SETLK, &whole) < 0) {
		int error = errno;
		fcntl(m->state_lock, F_GETLK, &whole);
		close(m->state_lock);
		m->state_lock = -1;
		if (error != EACCES && error != EAGAIN)
			return why(-error, "locking %s: %s", path, strerror(error));
		return why(-EADDRINUSE,
		    "--state %s is in use by another runtime (pid %d): give each runtime a "
		    "directory of its own",
		    directory, (int)whole.l_pid);
	}
	struct flock others = {
		.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = JOURNAL_LOCK_WRITER
	};
	fcntl(m->state_lock, F_SETLK, &others);
	return 0;
}

/* An adopted runtime keeps the journal of the first boot. */
static int state_check_adopted(struct manager *m)
{
	const struct journal_shm *j = &m->tables.control->journal;
	char *full = m->options->state ? realpath(m->options->state, NULL) : NULL;
	bool same = full && j->slot && strcmp(full, j->directory) == 0;
	free(full);
	if (j->slot && j->slot != SLOT_FIRST_SHARED)
		return why(-EPROTO, "the control page of the runtime to resume is damaged");
	if (!m->options->state || same)
		return 0;
	return why(-EINVAL,
	    "the runtime to resume keeps %s%.*s, not in --state %s: leave "
	    "--state out, or begin anew with --fresh",
	    j->slot ? "its journal in " : "no journal at all", (int)sizeof j->directory,
	    j->slot ? j->directory : "", m->options->state);
}

static int state_find_directory(struct manager *m)
{
	if (m->adopts) {
		const struct journal_shm *j = &m->tables.control->journal;
		int r = state_check_adopted(m);
		if (r == 0 && j->slot)
			snprintf(m->state, sizeof m->state, "%.*s", (int)sizeof j->directory - 1,
			    j->directory);
		return r;
	}
	int r = m->options->state ? state_check_directory(m->options->state) : 0;
	if (r < 0 || !m->options->state)
		return r;
	/* An absolute path: clients and the journal have different working directories. */
	char *full = realpath(m->options->state, NULL);
	if (!full)
		return why(-errno, "--state %s: %s", m->options->state, strerror(errno));
	if (strlen(full) >= sizeof m->state)
		r = why(-ENAMETOOLONG, "--state %s is too long a path", full);
	else
		strcpy(m->state, full);
	free(full);
	return r;
}

int state_claim(struct manager *m)
{
	int r = state_find_directory(m);
	if (r == 0 && m->state[0])
		r = state_take_lock(m, m->state);
	/* Before the ready line: tasks in an unreadable journal would be missing from the queue. */
	return r < 0 || !m->state[0] || m->adopts ? r : db_understands(m->state);
}

void state_publish(struct manager *m)
{
	struct journal_shm *j = &m->tables.control->journal;
	if (!m->state[0])
		return;
	strcpy(j->directory, m->state);
	j->durability = m->options->durability;
	j->slot = SLOT_FIRST_SHARED;
}
