#include "verify/soak/soak_history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_IN_S UINT64_C(1000000000)

int history_open(const char *directory, const char *who)
{
	char path[HISTORY_PATH];
	snprintf(path, sizeof path, "%s/%s-%d", directory, who, (int)getpid());
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int history_write(int fd, struct note note)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	note.ns = (uint64_t)now.tv_sec * NS_IN_S + (uint64_t)now.tv_nsec;
	if (note.deed != DEED_KILLS) {
		note.pid = getpid();
		note.parent = getppid();
	}
	return write(fd, &note, sizeof note) == sizeof note ? 0 : -1;
}

/* A living writer goes on at the start of the cleared file; a dead writer's file is removed. */
static int clear_file(int directory, const char *name, int fd)
{
	const char *pid = strrchr(name, '-');
	bool dead = pid && kill(atoi(pid + 1), 0) < 0 && errno == ESRCH;
	int r = dead ? unlinkat(directory, name, 0) : ftruncate(fd, 0);
	return r < 0 ? -errno : 0;
}

static int read_file(int directory, const char *name, int clear, struct history *h)
{
	struct stat file;
	int fd = openat(directory, name, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &file) < 0)
		return -errno;
	size_t bytes = (size_t)file.st_size, n = bytes / sizeof *h->note;
	struct note *more = realloc(h->note, (h->n + n + 1) * sizeof *more);
	int r = !more ? -ENOMEM : bytes % sizeof *more ? -EBADMSG : 0;
	if (more)
		h->note = more;
	if (r == 0 && read(fd, more + h->n, bytes) != (ssize_t)bytes)
		r = -EIO;
	h->n += r == 0 ? n : 0;
	if (r == 0 && clear)
		r = clear_file(directory, name, fd);
	close(fd);
	return r;
}

static int by_time(const void *left, const void *right)
{
	const struct note *a = left, *b = right;
	return a->ns < b->ns ? -1 : a->ns > b->ns;
}

int history_read(const char *path, int clear, struct history *ret)
{
	struct history h = { 0 };
	struct dirent *entry;
	int r = 0;
	DIR *directory = opendir(path);
	if (!directory)
		return -errno;
	while (r == 0 && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		r = read_file(dirfd(directory), entry->d_name, clear, &h);
	}
	closedir(directory);
	if (r < 0) {
		free(h.note);
		return r;
	}
	qsort(h.note, h.n, sizeof *h.note, by_time);
	*ret = h;
	return 0;
}
