#include "base/family.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

bool family_exists(void)
{
	siginfo_t info;
	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* "12 34 56 ", cut anywhere: the next piece may continue a number. */
static void family_take_numbers(struct family *ret, const char *text, size_t length, pid_t *number)
{
	for (size_t i = 0; i < length; i++) {
		if (isdigit((unsigned char)text[i])) {
			*number = *number * 10 + (text[i] - '0');
			continue;
		}
		if (*number && ret->n < FAMILY_MAX)
			ret->child[ret->n++] = *number;
		*number = 0;
	}
}

/* The kernel lists a child with the thread that forked the child. */
static void family_look_at_thread(pid_t pid, const char *thread, struct family *ret)
{
	char path[80], text[1024];
	pid_t number = 0;
	ssize_t n;
	snprintf(path, sizeof path, "/proc/%d/task/%.20s/children", (int)pid, thread);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	while ((n = read(fd, text, sizeof text)) > 0)
		family_take_numbers(ret, text, (size_t)n, &number);
	family_take_numbers(ret, " ", 1, &number);
	close(fd);
}

void family_of(pid_t pid, struct family *ret)
{
	char path[64];
	ret->n = 0;
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *threads = opendir(path);
	const struct dirent *thread;
	while (threads && (thread = readdir(threads)) != NULL)
		if (thread->d_name[0] != '.')
			family_look_at_thread(pid, thread->d_name, ret);
	if (threads)
		closedir(threads);
}

void family_look(struct family *ret)
{
	family_of(getpid(), ret);
}

bool family_has(const struct family *family, pid_t pid)
{
	for (size_t i = 0; i < family->n; i++)
		if (family->child[i] == pid)
			return true;
	return false;
}
