/* The cost of running a program. */
#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/machine_limits.h"

enum { AT_ONCE_MAX = 64 };

static int spawn_once(const char *const *argv)
{
	union { /* posix_spawn() promises not to write, but the parameter's type is not const */
		const char *const *in;
		char *const *out;
	} arguments = { .in = argv };
	pid_t pid;
	int status, r = posix_spawn(&pid, argv[0], NULL, NULL, arguments.out, environ);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOEXEC;
}

/* The share of one process; the exit code says whether all children succeeded. */
static void spawn_share(void *context)
{
	const struct spawn_limit *limit = context;
	for (unsigned i = 0; i < limit->programs / limit->at_once; i++)
		if (spawn_once(limit->argv) < 0)
			_exit(1);
}

static int await_share(int pid)
{
	int status;
	if (pid < 0)
		return pid;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status == 0 ? 0 : -ECHILD;
}

static int spawn_at_once(struct spawn_limit *limit, struct samples *ret)
{
	int pid[AT_ONCE_MAX], r = 0;
	if (limit->at_once > AT_ONCE_MAX)
		return -E2BIG;
	uint64_t start = clock_ns();
	for (unsigned i = 0; i < limit->at_once; i++)
		pid[i] = helper_start(spawn_share, limit);
	for (unsigned i = 0; i < limit->at_once; i++) {
		int one = await_share(pid[i]);
		r = r < 0 ? r : one;
	}
	if (r == 0)
		samples_add(ret, (double)(clock_ns() - start) / limit->programs);
	return r;
}

int limit_spawn(void *spawn_limit, struct samples *ret)
{
	struct spawn_limit *limit = spawn_limit;
	if (limit->at_once > 1)
		return spawn_at_once(limit, ret);
	for (unsigned i = 0; i < limit->programs; i++) {
		uint64_t start = clock_ns();
		int r = spawn_once(limit->argv);
		if (r < 0)
			return r;
		samples_add(ret, (double)(clock_ns() - start));
	}
	return 0;
}
