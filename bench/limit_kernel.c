/* The cost of memory, processes and system calls. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/machine_limits.h"

enum {
	COPY_SAMPLES_MIN = 3,
	COPY_SAMPLES_MAX = 64,
	COPY_ROUND_BYTES = 128 << 20, /* as many copies as fit */
	SYSCALLS_PER_SAMPLE = 1000,
	SYSCALL_SAMPLES = 200,
};

void *shared_map(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

int helper_start(void (*body)(void *), void *context)
{
	pid_t parent = getpid(), pid = fork();
	if (pid != 0)
		return pid < 0 ? -errno : pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent) /* otherwise the parent died before prctl() */
		body(context);
	_exit(0);
}

void helper_end(int pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* ---- memory ---- */

static unsigned copy_count(size_t bytes)
{
	size_t n = COPY_ROUND_BYTES / bytes;
	if (n < COPY_SAMPLES_MIN)
		return COPY_SAMPLES_MIN;
	return n > COPY_SAMPLES_MAX ? COPY_SAMPLES_MAX : (unsigned)n;
}

/* Cold: each copy has a new target. Warm: all copies share a few targets, touched before. */
static int copy_run(const struct copy_limit *limit, const char *source, struct samples *ret)
{
	unsigned n = copy_count(limit->bytes);
	unsigned places = limit->cold ? n : limit->places ? limit->places : 1;
	size_t mapped = limit->bytes * places;
	char *target = shared_map(mapped);
	if (!target)
		return -ENOMEM;
	if (!limit->cold)
		memset(target, 'x', mapped);
	for (unsigned i = 0; i < n; i++) {
		uint64_t start = clock_ns();
		memcpy(target + i % places * limit->bytes, source, limit->bytes);
		samples_add(ret, (double)limit->bytes / (double)(clock_ns() - start));
	}
	munmap(target, mapped);
	return 0;
}

int limit_copy(void *copy_limit, struct samples *ret)
{
	const struct copy_limit *limit = copy_limit;
	char *source = malloc(limit->bytes);
	if (!source)
		return -ENOMEM;
	/* Untouched memory would all map to the same page of zeroes. */
	memset(source, 'x', limit->bytes);
	int r = copy_run(limit, source, ret);
	free(source);
	return r;
}

/* ---- processes ---- */

static int fork_once(bool exec)
{
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (exec)
			execl("/bin/true", "true", (char *)NULL);
		_exit(exec);
	}
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOEXEC;
}

int limit_fork(void *fork_limit, struct samples *ret)
{
	const struct fork_limit *limit = fork_limit;
	for (unsigned i = 0; i < limit->samples; i++) {
		uint64_t start = clock_ns();
		int r = fork_once(limit->exec);
		if (r < 0)
			return r;
		samples_add(ret, (double)(clock_ns() - start));
	}
	return 0;
}

int limit_syscall(void *unused, struct samples *ret)
{
	(void)unused;
	for (int i = 0; i < SYSCALL_SAMPLES; i++) {
		uint64_t start = clock_ns();
		for (int j = 0; j < SYSCALLS_PER_SAMPLE; j++)
			syscall(SYS_getppid);
		samples_add(ret, (double)(clock_ns() - start) / SYSCALLS_PER_SAMPLE);
	}
	return 0;
}
