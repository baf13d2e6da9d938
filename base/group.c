#include "base/group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

enum { GROUP_PATH_BYTES = 1024, LINE_BYTES = 1024, EVENTS_BYTES = 256 };

/* ---- where we are ---- */

/* "0::/a/b": version 2 is hierarchy 0. */
static bool group_own_path(char ret[LINE_BYTES])
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	bool found = false;
	while (file && !found && fgets(ret, LINE_BYTES, file))
		found = strncmp(ret, "0::/", 4) == 0;
	if (file)
		fclose(file);
	if (!found)
		return false;
	memmove(ret, ret + 3, strlen(ret + 3) + 1);
	ret[strcspn(ret, "\n")] = 0;
	return true;
}

static bool group_mounted_at(char ret[LINE_BYTES])
{
	struct mntent entry;
	char line[LINE_BYTES];
	FILE *file = setmntent("/proc/self/mounts", "re");
	bool found = false;
	while (file && !found && getmntent_r(file, &entry, line, sizeof line))
		found = strcmp(entry.mnt_type, "cgroup2") == 0;
	if (found)
		snprintf(ret, LINE_BYTES, "%s", entry.mnt_dir);
	if (file)
		endmntent(file);
	return found;
}

/* The cgroup in which we may make cgroups. */
static bool group_find_own(char ret[GROUP_PATH_BYTES])
{
	char path[LINE_BYTES], mount[LINE_BYTES], leave = 0;
	if (!group_own_path(path) || !group_mounted_at(mount))
		return false;
	int n = snprintf(ret, GROUP_PATH_BYTES, "%s%s", mount, path);
	return n < GROUP_PATH_BYTES && getxattr(ret, "user.delegate", &leave, 1) == 1 &&
	    leave == '1' && access(ret, W_OK) == 0;
}

/* ---- one cgroup ---- */

static int group_open_file(const char *group, const char *file, int flags)
{
	char path[GROUP_PATH_BYTES];
	int n = snprintf(path, sizeof path, "%s/%s", group, file);
	return n < (int)sizeof path ? open(path, flags | O_CLOEXEC) : -1;
}

void group_open(const char *name, uint32_t slot, struct group *ret)
{
	char own[GROUP_PATH_BYTES], path[GROUP_PATH_BYTES];
	*ret = (struct group){ .procs = -1, .kill = -1 };
	if (!group_find_own(own) ||
	    snprintf(path, sizeof path, "%s/plm-%s.%u", own, name, slot) >= (int)sizeof path)
		return;
	if (mkdir(path, S_IRWXU) < 0 && errno != EEXIST)
		return;
	ret->procs = group_open_file(path, "cgroup.procs", O_WRONLY);
	ret->kill = group_open_file(path, "cgroup.kill", O_WRONLY);
	ret->exists = ret->procs >= 0 && ret->kill >= 0;
	if (ret->exists)
		return;
	log_info("%s cannot be used: %s; commands run without a cgroup", path, strerror(errno));
	group_close(ret);
	rmdir(path);
}

static void group_write_digit(int fd, const char *digit)
{
	ssize_t n = write(fd, digit, 1);
	(void)n; /* without a cgroup all the rest still works */
}

void group_enter(const struct group *group)
{
	group_write_digit(group->procs, "0");
}

void group_kill(const struct group *group)
{
	group_write_digit(group->kill, "1");
}

void group_close(struct group *group)
{
	if (group->procs >= 0)
		close(group->procs);
	if (group->kill >= 0)
		close(group->kill);
	*group = (struct group){ .procs = -1, .kill = -1 };
}

/* ---- all cgroups of a runtime ---- */

/* The kernel reports a change of cgroup.events by POLLPRI. */
static bool group_await_empty(const char *path)
{
	char text[EVENTS_BYTES];
	uint64_t deadline_ns = deadline_after_ms(STOP_GRACE_MS);
	int fd = group_open_file(path, "cgroup.events", O_RDONLY);
	bool empty = false;
	for (;;) {
		struct pollfd changed = { .fd = fd, .events = POLLPRI };
		ssize_t n = pread(fd, text, sizeof text - 1, 0);
		text[n > 0 ? n : 0] = 0;
		empty = n > 0 && strstr(text, "populated 0") != NULL;
		uint64_t now = clock_ns();
		if (n <= 0 || empty || now >= deadline_ns)
			break;
		poll(&changed, 1, (int)((deadline_ns - now) / NS_PER_MS) + 1);
	}
	if (fd >= 0)
		close(fd);
	return empty;
}

static void group_end_one(const char *path)
{
	int fd = group_open_file(path, "cgroup.kill", O_WRONLY);
	if (fd >= 0) {
		group_write_digit(fd, "1");
		close(fd);
	}
	if (!group_await_empty(path) || rmdir(path) < 0)
		log_warn("cannot remove the cgroup %s: a process in it still runs", path);
}

void group_end_all(const char *name, const bool *lives)
{
	char own[GROUP_PATH_BYTES], path[GROUP_PATH_BYTES + NAME_MAX + 2], prefix[LINE_BYTES];
	DIR *all = group_find_own(own) ? opendir(own) : NULL;
	const struct dirent *entry;
	size_t length = (size_t)snprintf(prefix, sizeof prefix, "plm-%s.", name);
	while (all && (entry = readdir(all)) != NULL) {
		if (strncmp(entry->d_name, prefix, length) != 0)
			continue;
		unsigned long slot = strtoul(entry->d_name + length, NULL, 10);
		if (lives && slot < PROCESSES_MAX && lives[slot])
			continue;
		snprintf(path, sizeof path, "%s/%s", own, entry->d_name);
		group_end_one(path);
	}
	if (all)
		closedir(all);
}
