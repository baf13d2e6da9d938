#include "cli/private_runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/why.h"

enum {
	PATH_BYTES = 4096,
	OTHER_PROCESSES = 16, /* the manager, the scheduler, clients */
	BOOT_PATIENCE_MS = 20000,
	END_PATIENCE_MS = 2 * STOP_GRACE_MS + 1000,
	WORDS_SHOWN = 2000,
};

/* ---- finding plm ---- */

static bool private_runtime_beside_us(char ret[PATH_BYTES])
{
	ssize_t n = readlink("/proc/self/exe", ret, PATH_BYTES - sizeof "/plm");
	if (n <= 0)
		return false;
	ret[n] = 0;
	char *slash = strrchr(ret, '/');
	if (!slash)
		return false;
	strcpy(slash, "/plm");
	return access(ret, X_OK) == 0;
}

static bool private_runtime_in_path(char ret[PATH_BYTES])
{
	const char *at = getenv("PATH");
	while (at && *at) {
		size_t n = strcspn(at, ":");
		snprintf(ret, PATH_BYTES, "%.*s/plm", (int)n, at);
		if (n > 0 && access(ret, X_OK) == 0)
			return true;
		at += n + (at[n] == ':');
	}
	return false;
}

/* ---- the manager ---- */

/* plm --tied watches its parent from its first step on. Before that the kernel sends a signal if
 * plmctl dies. */
static void private_runtime_tie_to(pid_t us)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != us)
		_exit(EXIT_FAILURE);
}

static _Noreturn void private_runtime_become_plm(
    const struct private_runtime *p, unsigned workers, int out)
{
	char count[16], slots[16];
	unsigned processes = workers + OTHER_PROCESSES + EXTENSION_SLOTS - 1;
	sigset_t none;
	snprintf(count, sizeof count, "%u", workers);
	snprintf(slots, sizeof slots, "%u", processes - processes % EXTENSION_SLOTS);
	setsid();
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(p->words, STDERR_FILENO);
	close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	private_runtime_tie_to(p->us);
	unsetenv("PLM_FLEET"); /* the host of a fleet is the user's own runtime */
	execl(p->path, "plm", "--name", p->name, "--tied", "--fresh", "--workers", count,
	    "--processes", slots, "--spares", "0", (char *)NULL);
	fprintf(stderr, "%s: %s\n", p->path, strerror(errno));
	_exit(EXIT_FAILURE);
}

/* Reads the ready line; an end without a line: plm did not boot. */
static bool private_runtime_wait_until_ready(int fd)
{
	uint64_t deadline_ns = deadline_after_ms(BOOT_PATIENCE_MS);
	char c = 0;
	while (c != '\n') {
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		uint64_t now = clock_ns();
		if (now >= deadline_ns)
			return false;
		if (poll(&readable, 1, (int)((deadline_ns - now) / NS_PER_MS) + 1) > 0 &&
		    read(fd, &c, 1) != 1)
			return false;
	}
	return true;
}

/* Waits until the runtime is ready. */
static int private_runtime_start(struct private_runtime *p, unsigned workers)
{
	int ready[2];
	if (pipe2(ready, O_CLOEXEC) < 0)
		return why(
		    -errno, "could not start a private runtime: no pipe: %s", strerror(errno));
	p->us = getpid();
	p->pid = fork();
	if (p->pid == 0)
		private_runtime_become_plm(p, workers, ready[1]);
	close(ready[1]);
	int r = p->pid < 0
	    ? why(-errno, "could not start a private runtime: no process: %s", strerror(errno))
	    : 0;
	if (r == 0 && !private_runtime_wait_until_ready(ready[0]))
		r = why(-ECONNREFUSED, "could not start a private runtime (see the error above)");
	close(ready[0]);
	return r;
}

/* Ends the runtime at once; false: the manager was killed. */
static bool private_runtime_stop(struct private_runtime *p)
{
	int pidfd = p->pid > 0 ? (int)syscall(SYS_pidfd_open, p->pid, 0) : -1;
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };
	int status = 0;
	if (p->pid <= 0)
		return true;
	kill(p->pid, SIGTERM);
	kill(p->pid, SIGINT); /* a second signal of another kind: two equal signals might merge */
	if (pidfd < 0 || poll(&ended, 1, END_PATIENCE_MS) != 1)
		kill(p->pid, SIGKILL);
	waitpid(p->pid, &status, 0);
	close(pidfd);
	p->pid = 0;
	return WIFEXITED(status);
}

/* ---- for plmctl ---- */

int private_runtime_boot(struct private_runtime *ret, unsigned workers)
{
	char path[PATH_BYTES];
	*ret = (struct private_runtime){ .words = -1 };
	if (!private_runtime_beside_us(path) && !private_runtime_in_path(path))
		return why(-ENOENT,
		    "no runtime is up, and no plm was found to start a private "
		    "one: neither beside plmctl nor in PATH");
	snprintf(ret->name, sizeof ret->name, "map-%d-%llx", (int)getpid(),
	    (unsigned long long)(clock_of(CLOCK_REALTIME) / NS_PER_MS));
	ret->path = strdup(path);
	ret->words = memfd_create("words of plm", MFD_CLOEXEC);
	int r = !ret->path || ret->words < 0
	    ? why(-ENOMEM, "could not start a private runtime: no memory")
	    : private_runtime_start(ret, workers);
	if (r < 0) {
		private_runtime_say(ret);
		private_runtime_end(ret);
	}
	return r;
}

void private_runtime_say(const struct private_runtime *p)
{
	char words[WORDS_SHOWN];
	off_t size = p->path ? lseek(p->words, 0, SEEK_END) : 0;
	off_t from = size > WORDS_SHOWN ? size - WORDS_SHOWN : 0;
	ssize_t n = size > 0 ? pread(p->words, words, sizeof words, from) : 0;
	if (n > 0)
		fwrite(words, 1, (size_t)n, stderr);
}

void private_runtime_end(struct private_runtime *p)
{
	/* A fresh boot of the same name removes what a killed manager left, commands included. */
	if (!private_runtime_stop(p) && private_runtime_start(p, 1) == 0)
		private_runtime_stop(p);
	if (p->words >= 0 && p->path)
		close(p->words);
	free(p->path);
	*p = (struct private_runtime){ .words = -1 };
}
