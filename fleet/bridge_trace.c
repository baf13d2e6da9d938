/* bridge_trace.c - the host's part of a trace of the fleet: made by a plmctl of its own, because
 * what only watches may not delay a claim or a renewal. The bridge pays for a copy of its last
 * pairs and for the start of a process. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/why.h"
#include "fleet/bridge_parts.h"

enum { AT_ONCE = 4, PATH_BYTES = 4096 };

extern char **environ;

void bridge_trace_note(struct bridge *b, uint64_t id, plm_ref ref)
{
	b->pair[b->noted++ % TRACE_PAIRS_MOST] = (struct trace_pair){ id, ref.id };
}

static bool trace_write_all(int fd, const void *data, size_t bytes)
{
	return write(fd, data, bytes) == (ssize_t)bytes;
}

/* The descriptor of a file in memory that holds the order, or -errno with a why. */
static int trace_order_file(const struct bridge *b, const char *token, uint64_t last_ms)
{
	uint64_t pairs = b->noted < TRACE_PAIRS_MOST ? b->noted : TRACE_PAIRS_MOST;
	struct trace_order order = { .version = PLM_VERSION,
		.bytes = sizeof order,
		.url = b->url,
		.last_ms = last_ms,
		.pairs = pairs };
	snprintf(order.host, sizeof order.host, "%s", b->host);
	snprintf(order.member, sizeof order.member, "%s", b->member);
	snprintf(order.token, sizeof order.token, "%s", token);
	int fd = memfd_create("plm-trace", MFD_CLOEXEC);
	if (fd >= 0 && trace_write_all(fd, &order, sizeof order) &&
	    trace_write_all(fd, b->pair, pairs * sizeof b->pair[0]) && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	int error = errno;
	if (fd >= 0)
		close(fd);
	return why(-error, "a file in memory: %s", strerror(error));
}

static int trace_spawn(const struct bridge *b, int order)
{
	char path[PATH_BYTES];
	char *const words[] = { "plmctl", "--name", (char *)(uintptr_t)b->runtime, "trace",
		"--for-fleet", NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t none, usual;
	pid_t pid;
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof "plmctl");
	if (n <= 0)
		return why(-errno, "/proc/self/exe: %s", strerror(errno));
	path[n] = 0;
	strcpy(strrchr(path, '/') + 1, "plmctl");
	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, order, STDIN_FILENO);
	posix_spawnattr_init(&how);
	posix_spawnattr_setsigmask(&how, &none);
	posix_spawnattr_setsigdefault(&how, &usual);
	posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int error = posix_spawn(&pid, path, &files, &how, words, environ);
	posix_spawnattr_destroy(&how);
	posix_spawn_file_actions_destroy(&files);
	return error ? why(-error, "%s: %s", path, strerror(error)) : 0;
}

void bridge_trace(struct bridge *b, const char *request)
{
	char token[ENGINE_MEMBER_BYTES];
	unsigned long long last_ms;
	if (sscanf(request, "%23[0-9a-f] %llu", token, &last_ms) != 2)
		return;
	if (b->tracers == AT_ONCE) {
		log_warn(
		    "%d traces of the fleet are being made here: no part of another one", AT_ONCE);
		return;
	}
	int order = trace_order_file(b, token, last_ms);
	int r = order < 0 ? order : trace_spawn(b, order);
	if (order >= 0)
		close(order);
	if (r < 0)
		log_warn("host %s gives no part of a trace of the fleet: %s", b->host, why_text());
	b->tracers += r == 0;
}

void bridge_trace_reap(struct bridge *b)
{
	while (b->tracers && waitpid(-1, NULL, WNOHANG) > 0)
		b->tracers--;
}
