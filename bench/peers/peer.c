#include "bench/peers/peer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { TRIPS_MAX = 100000, CONNECT_TRIES = 10000, CONNECT_PAUSE_US = 1000 };

/* ---- processes and sockets ---- */

pid_t peer_fork(void (*body)(void))
{
	pid_t parent = getpid(), pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		body();
	_exit(0);
}

pid_t peer_server(const char *const argument[])
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int null = open("/dev/null", O_RDWR);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	union { /* execvp() promises not to write, but the parameter's type is not const */
		const char *const *in;
		char *const *out;
	} arguments = { .in = argument };
	execvp(argument[0], arguments.out);
	_exit(127);
}

void peer_end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static char folder[64];

static void folder_remove(void)
{
	char command[96];
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	if (system(command) != 0)
		fprintf(stderr, "bench: %s stays\n", folder);
}

const char *peer_folder(void)
{
	if (folder[0])
		return folder;
	snprintf(folder, sizeof folder, "/tmp/plm-bench-XXXXXX"); /* a socket's path is short */
	if (!mkdtemp(folder))
		exit(EXIT_FAILURE);
	atexit(folder_remove);
	return folder;
}

static int connect_patiently(int family, const struct sockaddr *address, socklen_t length)
{
	for (int i = 0; i < CONNECT_TRIES; i++) {
		int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, address, length) == 0)
			return fd;
		close(fd);
		usleep(CONNECT_PAUSE_US);
	}
	return -1;
}

int peer_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	return connect_patiently(AF_UNIX, (const void *)&address, sizeof address);
}

int peer_port_free(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0), port = -1;
	if (bind(fd, (const void *)&address, sizeof address) == 0 &&
	    getsockname(fd, (void *)&address, &length) == 0)
		port = ntohs(address.sin_port);
	close(fd);
	return port;
}

int peer_port_await(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = connect_patiently(AF_INET, (const void *)&address, sizeof address);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

/* ---- requests ---- */

static int peer_rate(int (*work)(size_t), size_t batch, double seconds)
{
	uint64_t start = clock_ns(), now = start;
	size_t n = 0;
	while (now - start < (uint64_t)(seconds * 1e9)) {
		if (work(batch) < 0)
			return -1;
		n += batch;
		now = clock_ns();
	}
	printf("%.6g\n", (double)n * 1e9 / (double)(now - start));
	return 0;
}

static int peer_compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

static int peer_trips(int (*one)(void), size_t n, unsigned pause_us)
{
	static double us[TRIPS_MAX];
	struct timespec pause = clock_timespec(pause_us * (uint64_t)1000);
	n = n < 1 ? 1 : n > TRIPS_MAX ? TRIPS_MAX : n;
	for (size_t i = 0; i < n; i++) {
		if (pause_us)
			nanosleep(&pause, NULL);
		uint64_t start = clock_ns();
		if (one() < 0)
			return -1;
		us[i] = (double)(clock_ns() - start) * 1e-3;
	}
	qsort(us, n, sizeof us[0], peer_compare);
	printf("%.6g %.6g\n", us[n / 2], us[n * 99 / 100]);
	return 0;
}

/* The median of five, or of three large objects, after a warm-up. */
static int peer_touch(int (*work)(const void *, size_t), size_t bytes)
{
	enum { TIMES_MAX = 5, LARGE = 1 << 26 };
	double us[TIMES_MAX];
	int times = bytes < LARGE ? TIMES_MAX : 3;
	char *data = malloc(bytes);
	if (!data)
		return -1;
	memset(data, 'x', bytes);
	for (int i = -1; i < times; i++) {
		uint64_t start = clock_ns();
		if (work(data, bytes) < 0)
			return -1;
		if (i >= 0)
			us[i] = (double)(clock_ns() - start) * 1e-3;
	}
	free(data);
	qsort(us, (size_t)times, sizeof us[0], peer_compare);
	printf("%.6g\n", us[times / 2]);
	return 0;
}

static int peer_commands(int (*work)(size_t), size_t n)
{
	uint64_t start = clock_ns();
	if (work(n) < 0)
		return -1;
	printf("%.6g\n", (double)(clock_ns() - start) * 1e-3 / (double)n);
	return 0;
}

static int peer_answer(const struct peer *peer, const char *what, double amount)
{
	if (strcmp(what, "many") == 0 && peer->many)
		return peer_rate(peer->many, peer->batch, amount);
	if (strcmp(what, "each") == 0 && peer->each)
		return peer_rate(peer->each, peer->batch, amount);
	if (strcmp(what, "hot") == 0 && peer->one)
		return peer_trips(peer->one, (size_t)amount, 0);
	if (strcmp(what, "idle") == 0 && peer->one)
		return peer_trips(peer->one, (size_t)amount, 1000);
	if (strcmp(what, "touch") == 0 && peer->touch)
		return peer_touch(peer->touch, (size_t)amount);
	if (strcmp(what, "commands") == 0 && peer->commands && amount >= 1)
		return peer_commands(peer->commands, (size_t)amount);
	printf("none\n");
	return 0;
}

int peer_main(const struct peer *peer)
{
	char line[128], what[16];
	double amount;
	int r = peer->start();
	if (r >= 0 && peer->one)
		r = peer->one();
	if (r >= 0)
		puts("first");
	fflush(stdout);
	while (r >= 0 && fgets(line, sizeof line, stdin))
		if (sscanf(line, "%15s %lf", what, &amount) == 2) {
			r = peer_answer(peer, what, amount);
			fflush(stdout);
		}
	peer->stop();
	if (r >= 0)
		return EXIT_SUCCESS;
	fprintf(stderr, "bench: a contestant failed\n");
	return EXIT_FAILURE;
}
