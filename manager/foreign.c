#include "manager/foreign.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "tables/tables.h"

enum { PROC_PATH_BYTES = 64, LINE_BYTES = PATH_MAX + 128, NAME_BYTES = 32 };

/* A line of maps is "START-END MODE OFFSET MAJOR:MINOR INODE PATH". */
static bool foreign_has_mapped(pid_t pid, const struct stat *file)
{
	char path[PROC_PATH_BYTES], line[LINE_BYTES];
	unsigned major_of, minor_of;
	uint64_t inode;
	bool found = false;
	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	while (maps && !found && fgets(line, sizeof line, maps))
		found =
		    sscanf(line, "%*s %*s %*s %x:%x %" SCNu64, &major_of, &minor_of, &inode) == 3 &&
		    inode == file->st_ino && major_of == major(file->st_dev) &&
		    minor_of == minor(file->st_dev);
	if (maps)
		fclose(maps);
	return found;
}

/* The program file may have been replaced since the process began: the kernel adds "(deleted)". */
static bool foreign_runs_plm(pid_t pid)
{
	char path[PROC_PATH_BYTES], program[PATH_MAX];
	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	ssize_t n = readlink(path, program, sizeof program - 1);
	program[n < 0 ? 0 : n] = 0;
	const char *name = strrchr(program, '/');
	return name && (strcmp(name, "/plm") == 0 || strcmp(name, "/plm (deleted)") == 0);
}

static bool foreign_is_one(pid_t pid, const struct stat *segment)
{
	return pid > 1 && pid != getpid() && foreign_runs_plm(pid) &&
	    foreign_has_mapped(pid, segment);
}

/* Members name themselves plm-KIND (child.c). */
static bool foreign_is_manager(pid_t pid)
{
	char path[PROC_PATH_BYTES], name[NAME_BYTES] = "";
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	FILE *file = fopen(path, "re");
	bool read = file && fgets(name, sizeof name, file);
	if (file)
		fclose(file);
	return read && strncmp(name, "plm-", strlen("plm-")) != 0;
}

static void foreign_walk(
    const char *control, struct foreign *ret, void (*visit)(pid_t pid, const struct stat *segment))
{
	struct stat segment;
	DIR *all = stat(control, &segment) == 0 ? opendir("/proc") : NULL;
	const struct dirent *entry;
	*ret = (struct foreign){ .processes = 0 };
	while (all && (entry = readdir(all)) != NULL) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
		if (!foreign_is_one(pid, &segment))
			continue;
		ret->processes++;
		ret->one = pid;
		if (foreign_is_manager(pid))
			ret->manager = pid;
		if (visit)
			visit(pid, &segment);
	}
	if (all)
		closedir(all);
}

void foreign_look(const char *control, struct foreign *ret)
{
	foreign_walk(control, ret, NULL);
}

/* The pidfd comes first, so that the look is at the process to be killed. */
static void foreign_kill_one(pid_t pid, const struct stat *segment)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd >= 0 && foreign_is_one(pid, segment)) {
		struct pollfd ended = { .fd = pidfd, .events = POLLIN };
		log_info_about(ABOUT(ABOUT_PID(pid)),
		    "killed pid %d, of a runtime of this name that cannot be resumed", (int)pid);
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		poll(&ended, 1, STOP_GRACE_MS);
	}
	if (pidfd >= 0)
		close(pidfd);
}

/* Repeated while a search finds processes: another may have been forked meanwhile. */
void foreign_end(const char *control)
{
	enum { SEARCHES_MAX = 16 };
	struct foreign found = { .processes = 1 };
	for (int search = 0; found.processes > 0 && search < SEARCHES_MAX; search++)
		foreign_walk(control, &found, foreign_kill_one);
}
