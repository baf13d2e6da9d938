#include "bench/measured_runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	STAT_BLOCK_BYTES = 512, /* of st_blocks */
	READY_MAX_MS = 60000,   /* ten million records are reserved first */
	END_MAX_MS = 20000,     /* a drained end of a million tasks included */
	CALL_MAX_MS = 60000,
	PATIENCE_MS = 10000, /* a full table or store is waited for, not an error */
};

/* ---- boot ---- */

static _Noreturn void become_plm(const struct runtime_options *options, const char *name, int out)
{
	char workers[16], tasks[24], processes[16];
	snprintf(workers, sizeof workers, "%u", options->workers);
	snprintf(tasks, sizeof tasks, "%lu", options->tasks);
	snprintf(processes, sizeof processes, "%u", options->processes);
	const char *argument[] = { options->path, "--name", name, "--workers", workers, NULL, NULL,
		NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL };
	size_t n = 5;
	if (options->store) {
		argument[n++] = "--store";
		argument[n++] = options->store;
	}
	if (options->tasks) {
		argument[n++] = "--tasks";
		argument[n++] = tasks;
	}
	if (options->state) {
		argument[n++] = "--state";
		argument[n++] = options->state;
	}
	if (options->processes) {
		argument[n++] = "--processes";
		argument[n++] = processes;
	}
	if (options->guard)
		argument[n++] = "--guard";
	/* Not SIGKILL: on SIGTERM the manager ends all members and removes the segments. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	dup2(out, STDOUT_FILENO);
	if (options->quiet)
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
	union { /* execv() promises not to write, but the parameter's type is not const */
		const char **in;
		char *const *out;
	} arguments = { .in = argument };
	execv(options->path, arguments.out);
	fprintf(stderr, "bench: %s: %s\n", options->path, strerror(errno));
	_exit(127);
}

/* Reads one line, byte by byte: a boot has one such line, and no byte after the line may be
 * lost. */
static int read_line(int fd, char *line, size_t size)
{
	uint64_t deadline = deadline_after_ms(READY_MAX_MS);
	size_t n = 0;
	while (n < size - 1) {
		uint64_t now = clock_ns();
		struct pollfd input = { .fd = fd, .events = POLLIN };
		if (now > deadline || poll(&input, 1, (int)((deadline - now) / NS_PER_MS) + 1) == 0)
			return -ETIMEDOUT;
		ssize_t got = read(fd, line + n, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -EPIPE; /* plm ended; plm's stderr is ours and has the reason */
		if (line[n++] == '\n')
			break;
	}
	line[n] = '\0';
	return 0;
}

static int await_ready(int fd)
{
	char line[256];
	int r = read_line(fd, line, sizeof line);
	if (r < 0)
		return r;
	return strncmp(line, "plm: ready ", strlen("plm: ready ")) == 0 ? 0 : -EPROTO;
}

int runtime_take_over(const struct runtime_options *options, struct runtime *runtime)
{
	int out[2];
	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	runtime->pid = fork();
	if (runtime->pid == 0)
		become_plm(options, runtime->name, out[1]);
	int r = runtime->pid < 0 ? -errno : 0;
	close(out[1]);
	if (r == 0)
		r = await_ready(out[0]);
	/* plm prints no second line, so a closed pipe does no harm */
	close(out[0]);
	return r;
}

static int runtime_boot(const struct runtime_options *options, struct runtime *runtime)
{
	static unsigned booted;
	snprintf(runtime->name, sizeof runtime->name, "bench-%d-%u", (int)getpid(), ++booted);
	return runtime_take_over(options, runtime);
}

/* ---- end ---- */

void runtime_behead(struct runtime *runtime)
{
	kill(runtime->pid, SIGKILL);
	waitpid(runtime->pid, NULL, 0);
	runtime->pid = 0;
}

/* True when the child is gone within the time. */
static bool runtime_reap(pid_t pid, int timeout_ms)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = { .fd = fd, .events = POLLIN };
	bool gone = fd < 0 || poll(&ended, 1, timeout_ms) == 1;
	if (fd >= 0)
		close(fd);
	return gone && waitpid(pid, NULL, WNOHANG) != 0;
}

static void end_by_force(pid_t pid)
{
	kill(pid, SIGTERM);
	if (runtime_reap(pid, END_MAX_MS))
		return;
	fprintf(stderr, "bench: the runtime (pid %d) does not end: killed\n", (int)pid);
	kill(pid, SIGKILL);
	runtime_reap(pid, END_MAX_MS);
}

/* An orderly end leaves no segment behind; a leftover is a bug, reported and then removed. */
static void remove_names(const char *name)
{
	char prefix[64];
	int length = snprintf(prefix, sizeof prefix, "plm-%u-%s.", (unsigned)getuid(), name);
	DIR *directory = opendir("/dev/shm");
	if (!directory)
		return;
	for (struct dirent *entry; (entry = readdir(directory));)
		if (strncmp(entry->d_name, prefix, (size_t)length) == 0) {
			fprintf(stderr, "bench: the runtime left /dev/shm/%s: removed\n",
			    entry->d_name);
			unlinkat(dirfd(directory), entry->d_name, 0);
		}
	closedir(directory);
}

/* The running runtime, for an end of the program by exit(). */
static struct runtime *current;

static void stop_current(void)
{
	if (current)
		runtime_stop(current);
}

void runtime_stop(struct runtime *runtime)
{
	bool asked = runtime->client && plm_stop(runtime->client, 1) >= 0;
	plm_disconnect(&runtime->client);
	if (runtime->pid > 0 && !(asked && runtime_reap(runtime->pid, END_MAX_MS)))
		end_by_force(runtime->pid);
	runtime->pid = 0;
	remove_names(runtime->name);
	current = NULL;
}

int runtime_start(const struct runtime_options *options, struct runtime *ret)
{
	static bool registered;
	if (!registered)
		registered = atexit(stop_current) == 0;
	*ret = (struct runtime){ 0 };
	current = ret;
	int r = runtime_boot(options, ret);
	if (r >= 0)
		r = plm_connect(&ret->client, ret->name);
	if (r >= 0) {
		plm_patience(ret->client, PATIENCE_MS);
		return 0;
	}
	bench_failed("starting a runtime", r);
	runtime_stop(ret);
	return r;
}

int runtime_with(const struct runtime_options *options,
    int (*body)(struct runtime *runtime, void *context), void *context)
{
	struct runtime runtime;
	int r = runtime_start(options, &runtime);
	if (r < 0)
		return r;
	r = body(&runtime, context);
	runtime_stop(&runtime);
	return r;
}

/* ---- use ---- */

long long runtime_control_bytes(const struct runtime *runtime)
{
	char path[80];
	struct stat about;
	snprintf(
	    path, sizeof path, "/dev/shm/plm-%u-%s.control", (unsigned)getuid(), runtime->name);
	/* The file has holes, for process slots never taken. */
	return stat(path, &about) < 0 ? -errno : (long long)about.st_blocks * STAT_BLOCK_BYTES;
}

int runtime_call(struct runtime *runtime, const char *function, const char *argument, plm_view *ret)
{
	plm_arg arg = PLM_BYTES(argument, strlen(argument));
	plm_task task = { .function = function, .args = &arg, .nargs = 1 };
	plm_ref ref;
	int r = plm_submit(runtime->client, &task, &ref);
	if (r < 0)
		return bench_failed(function, r);
	r = plm_get(runtime->client, ref, ret, CALL_MAX_MS);
	return r < 0 ? bench_failed(function, r) : 0;
}

int runtime_load_bench(struct runtime *runtime)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof "bench.so");
	if (n < 0)
		return -errno;
	path[n] = '\0';
	char *slash = strrchr(path, '/');
	memcpy(slash + 1, "bench.so", sizeof "bench.so");
	return plm_module_load(runtime->client, path);
}
