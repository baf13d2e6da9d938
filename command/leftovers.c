/* leftovers.c - processes left behind by a finished command, of any session and environment.
 *
 * The parent of such a process is dead, so the process has become a child of ours, and no unrelated
 * process ever does. */
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "command/leftovers.h"

static struct group commands;

enum {
	TERMINATE_GRACE_MS = 500,
	KILL_PATIENCE_MS = 5000, /* a process alive so long after SIGKILL hangs in the kernel */
};

static void leftovers_add_time(struct timeval *sum, const struct timeval *one)
{
	enum { US_PER_S = 1000000 };
	sum->tv_sec += one->tv_sec + (sum->tv_usec + one->tv_usec) / US_PER_S;
	sum->tv_usec = (sum->tv_usec + one->tv_usec) % US_PER_S;
}

void leftovers_add_usage(struct rusage *sum, const struct rusage *one)
{
	leftovers_add_time(&sum->ru_utime, &one->ru_utime);
	leftovers_add_time(&sum->ru_stime, &one->ru_stime);
	if (one->ru_maxrss > sum->ru_maxrss)
		sum->ru_maxrss = one->ru_maxrss;
}

const struct group *command_group(void)
{
	return &commands;
}

void command_group_open(const char *runtime, uint32_t slot)
{
	group_open(runtime, slot, &commands);
}

/* Waits for a child that was sent a signal; true: the child has ended and is reaped. */
static bool leftovers_await_one(pid_t pid, uint64_t deadline_ns, struct rusage *usage)
{
	struct rusage one;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };
	uint64_t now = clock_ns();
	if (pidfd >= 0 && now < deadline_ns)
		poll(&ended, 1, (int)((deadline_ns - now) / NS_PER_MS) + 1);
	if (pidfd >= 0)
		close(pidfd);
	if (wait4(pid, NULL, WNOHANG, &one) != pid)
		return false;
	leftovers_add_usage(usage, &one);
	return true;
}

/* All share the deadline. Children orphaned meanwhile are found at the next look. */
static unsigned leftovers_end_all(const struct family *before, int signal, uint64_t deadline_ns,
    struct rusage *usage, bool *ret_any)
{
	struct family now;
	unsigned n = 0;
	family_look(&now);
	*ret_any = false;
	for (size_t i = 0; i < now.n; i++) {
		if (family_has(before, now.child[i]))
			continue;
		*ret_any = true;
		kill(now.child[i], signal);
		kill(now.child[i], SIGCONT); /* for a stopped child */
	}
	for (size_t i = 0; i < now.n; i++)
		if (!family_has(before, now.child[i]))
			n += leftovers_await_one(now.child[i], deadline_ns, usage);
	return n;
}

unsigned leftovers_end(
    const struct family *before, const struct group *group, bool at_once, struct rusage *usage)
{
	uint64_t begun_ns = clock_ns();
	uint64_t kill_ns = begun_ns + (at_once ? 0 : TERMINATE_GRACE_MS * NS_PER_MS);
	uint64_t give_up_ns = kill_ns + KILL_PATIENCE_MS * NS_PER_MS;
	unsigned n = 0;
	bool any = true;
	while (any && family_exists()) {
		bool kill_them = clock_ns() >= kill_ns;
		if (kill_them && group->exists)
			group_kill(group); /* also processes that fork as fast as we look */
		n += leftovers_end_all(before, kill_them ? SIGKILL : SIGTERM,
		    kill_them ? give_up_ns : kill_ns, usage, &any);
		if (any && clock_ns() >= give_up_ns) {
			log_warn("a process that a command left behind does not end after SIGKILL");
			break;
		}
	}
	return n;
}
