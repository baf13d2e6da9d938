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
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"

enum {
	PATH_BYTES = 4096,
	OTHER_PROCESSES = 16, /* the manager, the scheduler, clients */
	BOOT_PATIENCE_MS = 20000,
	END_PATIENCE_MS = 2 * STOP_GRACE_MS + 1000,
	WORDS_SHOWN = 2000,
};

struct guard { /* what the guardian needs */
	char path[PATH_BYTES];
	const char *name;
	unsigned workers;
	int life, ready, words;
};

/* ---- where it is ---- */

static bool beside_us(char ret[PATH_BYTES])
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

static bool in_path(char ret[PATH_BYTES])
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

/* ---- the guardian ---- */

static _Noreturn void become_plm(const struct guard *g, unsigned workers, int out)
{
	char count[16], slots[16];
	unsigned processes = workers + OTHER_PROCESSES + PROCESSES_STEP - 1;
	sigset_t none;
	snprintf(count, sizeof count, "%u", workers);
	snprintf(slots, sizeof slots, "%u", processes - processes % PROCESSES_STEP);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	dup2(out, STDOUT_FILENO);
	dup2(g->words, STDERR_FILENO);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execl(g->path, "plm", "--name", g->name, "--workers", count, "--processes", slots,
	    "--spares", "0", (char *)NULL);
	fprintf(stderr, "%s: %s\n", g->path, strerror(errno));
	_exit(EXIT_FAILURE);
}

/* Its wait status; -1: it had to be killed. */
static int end_plm(pid_t pid, int pidfd)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };
	int status;
	kill(pid, SIGTERM);
	kill(pid, SIGINT); /* the second signal: it ends at once; two of a kind might be one */
	bool late = poll(&ended, 1, END_PATIENCE_MS) == 0;
	if (late)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return late ? -1 : status;
}

/* What a killed runtime leaves, commands with it, the next one of its name removes. */
static void clear_leftovers(const struct guard *g)
{
	char line[1];
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	pid_t pid = fork();
	if (pid == 0)
		become_plm(g, 1, ends[1]);
	close(ends[1]);
	int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct pollfd ready = { .fd = ends[0], .events = POLLIN };
	if (pidfd >= 0 && poll(&ready, 1, BOOT_PATIENCE_MS) == 1 && read(ends[0], line, 1) >= 0)
		end_plm(pid, pidfd);
	close(ends[0]);
}

static void keep_only_ours(const struct guard *g)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	int kept[] = { g->life, g->ready, g->words }, last = STDERR_FILENO;
	for (size_t turn = 0; turn < COUNT_OF(kept); turn++) { /* from the lowest up */
		int next = INT32_MAX;
		for (size_t i = 0; i < COUNT_OF(kept); i++)
			if (kept[i] > last && kept[i] < next)
				next = kept[i];
		close_range((unsigned)last + 1, (unsigned)next - 1, 0);
		last = next;
	}
	close_range((unsigned)last + 1, ~0u, 0);
}

/* All of the guardian's life. */
static _Noreturn void guard(const struct guard *g)
{
	setsid();
	keep_only_ours(g);
	pid_t pid = fork();
	if (pid == 0)
		become_plm(g, g->workers, g->ready);
	close(g->ready);
	int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct pollfd wake[] = { { .fd = g->life }, { .fd = pidfd, .events = POLLIN } };
	while (pidfd >= 0 && poll(wake, COUNT_OF(wake), -1) < 0)
		continue;
	int status = pid > 0 ? end_plm(pid, pidfd) : 0;
	if (status == -1 || WIFSIGNALED(status))
		clear_leftovers(g);
	_exit(EXIT_SUCCESS);
}

/* ---- for plmctl ---- */

/* Its first line; an end without one: it did not boot. */
static bool wait_until_ready(int fd)
{
	uint64_t deadline_ns = deadline_after_ms(BOOT_PATIENCE_MS);
	char c = 0;
	while (c != '\n') {
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		uint64_t now = clock_ns();
		if (now >= deadline_ns)
			return false;
		if (poll(&readable, 1, (int)((deadline_ns - now) / NS_PER_MS) + 1) < 0 &&
		    errno == EINTR)
			continue;
		if (read(fd, &c, 1) != 1)
			return false;
	}
	return true;
}

static void name_it(char ret[RUNTIME_NAME_BYTES])
{
	snprintf(ret, RUNTIME_NAME_BYTES, "map-%d-%llx", (int)getpid(),
	    (unsigned long long)(clock_of(CLOCK_REALTIME) / NS_PER_MS));
}

static int start_guardian(struct private_runtime *p, struct guard *g, int ready)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return why(-errno, "a pipe for a runtime of its own: %s", strerror(errno));
	g->life = ends[0];
	g->ready = ready;
	p->life = ends[1];
	p->guardian = fork();
	if (p->guardian == 0)
		guard(g);
	close(ends[0]);
	return p->guardian > 0 ? 0 : why(-errno, "a process for a runtime of its own: %s",
	    strerror(errno));
}

int private_runtime_boot(struct private_runtime *ret, unsigned workers)
{
	struct guard g = { .workers = workers };
	int ready[2];
	*ret = (struct private_runtime){ .life = -1, .words = -1 };
	if (!beside_us(g.path) && !in_path(g.path))
		return why(-ENOENT, "no runtime is up, and there is no plm to boot one of its own "
		    "beside plmctl or in PATH");
	name_it(ret->name);
	g.name = ret->name;
	ret->words = g.words = memfd_create("words of plm", MFD_CLOEXEC);
	if (ret->words < 0 || pipe2(ready, O_CLOEXEC) < 0)
		return why(-errno, "a runtime of its own: %s", strerror(errno));
	int r = start_guardian(ret, &g, ready[1]);
	close(ready[1]);
	if (r == 0 && !wait_until_ready(ready[0]))
		r = why(-ECONNREFUSED, "the runtime of its own did not boot; its words are above");
	close(ready[0]);
	if (r < 0) {
		private_runtime_say(ret);
		private_runtime_end(ret);
	}
	return r;
}

void private_runtime_say(const struct private_runtime *p)
{
	char words[WORDS_SHOWN];
	off_t size = p->guardian > 0 ? lseek(p->words, 0, SEEK_END) : 0;
	off_t from = size > WORDS_SHOWN ? size - WORDS_SHOWN : 0;
	ssize_t n = size > 0 ? pread(p->words, words, sizeof words, from) : 0;
	if (n > 0)
		fwrite(words, 1, (size_t)n, stderr);
}

void private_runtime_end(struct private_runtime *p)
{
	if (p->guardian <= 0)
		return;
	close(p->life);
	while (waitpid(p->guardian, NULL, 0) < 0 && errno == EINTR)
		continue;
	close(p->words);
	*p = (struct private_runtime){ .life = -1, .words = -1 };
}
