#include "bench/processes.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 4096 };

/* A file of /proc as text; -errno when the file cannot be read. */
static int read_text(const char *path, char text[FILE_BYTES_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, FILE_BYTES_MAX - 1);
	int r = n < 0 ? -errno : 0;
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return r;
}

/* The number after "label:" at the start of a line; 0 without such a line. */
static uint64_t status_number(const char *status, const char *label)
{
	size_t length = strlen(label);
	for (const char *line = status; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, label, length) == 0 && line[length] == ':')
			return strtoull(line + length + 1, NULL, 10);
	}
	return 0;
}

/* schedstat counts nanoseconds, stat counts clock ticks of ten milliseconds: an idle process
 * uses less than a tick in ten seconds. */
static int thread_use(pid_t pid, pid_t thread, struct process_use *use)
{
	char path[64], text[FILE_BYTES_MAX];
	snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)pid, (int)thread);
	int r = read_text(path, text);
	if (r < 0)
		return r;
	use->cpu_ns += strtoull(text, NULL, 10);
	snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)pid, (int)thread);
	r = read_text(path, text);
	if (r < 0)
		return r;
	use->switches += status_number(text, "voluntary_ctxt_switches");
	use->resident_bytes = status_number(text, "VmRSS") * 1024; /* the same in each thread */
	return 0;
}

int process_use(pid_t pid, struct process_use *ret)
{
	char path[64];
	struct process_use use = { 0 };
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *threads = opendir(path);
	if (!threads)
		return -errno;
	int r = 0;
	for (struct dirent *entry; r == 0 && (entry = readdir(threads));)
		if (isdigit((unsigned char)entry->d_name[0]))
			r = thread_use(pid, (pid_t)atoi(entry->d_name), &use);
	closedir(threads);
	if (r == 0)
		*ret = use;
	return r;
}

static pid_t parent_of(pid_t pid)
{
	char path[64], text[FILE_BYTES_MAX];
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	return read_text(path, text) < 0 ? 0 : (pid_t)status_number(text, "PPid");
}

size_t process_children(pid_t parent, pid_t *ret, size_t max)
{
	size_t n = 0;
	DIR *processes = opendir("/proc");
	if (!processes)
		return 0;
	for (struct dirent *entry; n < max && (entry = readdir(processes));) {
		pid_t pid = (pid_t)atoi(entry->d_name);
		if (pid > 0 && parent_of(pid) == parent)
			ret[n++] = pid;
	}
	closedir(processes);
	return n;
}
