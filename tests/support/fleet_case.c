#include "tests/support/fleet_case.h"

#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rmtree.h"

enum { PATH_BYTES = 300, ANSWER_BYTES = 1 << 16, LOOK_AGAIN_NS = 10000000, PIDS = 256 };

struct runtime fleet_host[FLEET_HOSTS];
char fleet_url[256], fleet_directory[96];
static pid_t redis, wire;
static char program[PATH_BYTES];

/* Debian's redis-tools brings the server under the name of a checker; argv[0] tells which is
 * meant. */
bool fleet_redis_there(void)
{
	static const char *const places[] = { "/usr/bin/redis-server",
		"/usr/local/bin/redis-server", "/usr/bin/valkey-server",
		"/usr/bin/redis-check-rdb" };
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		if (access(places[i], X_OK) == 0) {
			snprintf(program, sizeof program, "%s", places[i]);
			return true;
		}
	printf("skipped: no Redis on this machine, so no fleet was tested (apt-get install "
	       "redis-tools)\n");
	return false;
}

static void fleet_pause(void)
{
	static const struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	nanosleep(&pause, NULL);
}

/* ---- Redis ---- */

const char *fleet_redis(const char *const *words)
{
	static char answer[ANSWER_BYTES];
	char socket[PATH_BYTES];
	const char *all[32] = { "redis-cli", "-s", socket };
	int ends[2], n = 3;
	size_t bytes = 0;
	ssize_t got;
	snprintf(socket, sizeof socket, "%s/redis.sock", fleet_directory);
	for (; words[n - 3]; n++)
		all[n] = words[n - 3];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(ends[1], STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execvp(all[0], (char *const *)(uintptr_t)all);
		_exit(127);
	}
	close(ends[1]);
	while ((got = read(ends[0], answer + bytes, sizeof answer - 1 - bytes)) > 0)
		bytes += (size_t)got;
	close(ends[0]);
	waitpid(pid, NULL, 0);
	answer[bytes] = 0;
	answer[strcspn(answer, "\n")] = 0;
	return answer;
}

void fleet_redis_start(const char *option, const char *word)
{
	char socket[PATH_BYTES], log[PATH_BYTES];
	snprintf(socket, sizeof socket, "%s/redis.sock", fleet_directory);
	snprintf(log, sizeof log, "%s/redis.log", fleet_directory);
	unlink(socket);
	redis = fork();
	if (redis == 0) {
		const char *const words[] = { "redis-server", "--port", "0", "--unixsocket", socket,
			"--save", "", "--dir", fleet_directory, "--logfile", log, "--appendonly",
			"yes", "--appendfsync", "always", option, word, NULL };
		execv(program, (char *const *)(uintptr_t)words);
		_exit(127);
	}
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	for (;;) {
		const char *answer = REDIS("ping");
		if (strcmp(answer, "PONG") == 0 || strncmp(answer, "NOAUTH", 6) == 0)
			return;
		ck_assert_msg(clock_ns() < deadline, "Redis did not start; see %s", log);
		fleet_pause();
	}
}

void fleet_redis_kill(void)
{
	if (redis > 0) {
		kill(redis, SIGKILL);
		waitpid(redis, NULL, 0);
	}
	redis = 0;
}

static void fleet_wire_end(void)
{
	if (wire > 0) {
		kill(-wire, SIGKILL);
		waitpid(wire, NULL, 0);
	}
	wire = 0;
}

void fleet_begin(void)
{
	snprintf(fleet_directory, sizeof fleet_directory, "%s/fleet-XXXXXX",
	    getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(fleet_directory));
	snprintf(fleet_url, sizeof fleet_url, "unix://%s/redis.sock?queue=test&lease=%dms",
	    fleet_directory, FLEET_LEASE_MS);
	fleet_redis_start(NULL, NULL);
	setenv("PLM_FLEET", fleet_url, 1);
	snprintf(fleet_host[0].name, sizeof fleet_host[0].name, "none");
}

void fleet_end(void)
{
	for (unsigned i = 0; i < FLEET_HOSTS; i++)
		if (fleet_host[i].directory[0]) {
			fleet_host_signal(i, SIGCONT);
			setenv("XDG_RUNTIME_DIR", fleet_host[i].directory, 1);
			runtime_end(&fleet_host[i]);
			fleet_host[i].directory[0] = 0;
		}
	fleet_wire_end();
	fleet_redis_kill();
	rmtree_at(AT_FDCWD, fleet_directory);
}

const char *fleet_nowhere(void)
{
	static char url[64];
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* open until the test ends */
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &length), 0);
	snprintf(url, sizeof url, "redis://127.0.0.1:%u", ntohs(at.sin_port));
	return url;
}

/* ---- hosts ---- */

const char *fleet_host_name(unsigned i)
{
	static char name[128];
	char machine[64] = "";
	gethostname(machine, sizeof machine - 1);
	machine[strcspn(machine, ".")] = 0;
	snprintf(name, sizeof name, "%s:%s", machine, fleet_host[i].name);
	return name;
}

void fleet_host_until(unsigned i, const char *state)
{
	char expected[200];
	snprintf(expected, sizeof expected, "\"host\": \"%s\", \"state\": \"%s\"",
	    fleet_host_name(i), state);
	ctl_until(&fleet_host[0], expected, "hosts", "--json");
}

void fleet_host_up(unsigned i, const char *kinds)
{
	runtime_boot(&fleet_host[i], "--workers", kinds, );
	fleet_host_until(i, "up");
}

/* ---- the wire ---- */

static int fleet_wire_socket(const char *name, bool listens)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	snprintf(at.sun_path, sizeof at.sun_path, "%s/%s", fleet_directory, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = listens ? bind(fd, (struct sockaddr *)&at, sizeof at)
			: connect(fd, (struct sockaddr *)&at, sizeof at);
	if (r == 0 && listens)
		r = listen(fd, 8);
	if (r == 0)
		return fd;
	close(fd);
	return -1;
}

/* Moves bytes both ways until an end closes. */
static void fleet_wire_copy(int a, int b)
{
	char bytes[ANSWER_BYTES];
	for (;;) {
		struct pollfd p[] = { { .fd = a, .events = POLLIN },
			{ .fd = b, .events = POLLIN } };
		if (poll(p, 2, -1) < 0)
			return;
		for (int i = 0; i < 2; i++) {
			if (!p[i].revents)
				continue;
			ssize_t n = read(p[i].fd, bytes, sizeof bytes);
			for (ssize_t at = 0, m; at < n; at += m)
				if ((m = write(p[1 - i].fd, bytes + at, (size_t)(n - at))) <= 0)
					return;
			if (n <= 0)
				return;
		}
	}
}

/* A process for each connection; all end with the test. */
static _Noreturn void fleet_wire_serve(int door)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int near = accept4(door, NULL, NULL, SOCK_CLOEXEC);
		if (near >= 0 && fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			int far = fleet_wire_socket("redis.sock", false);
			if (far >= 0)
				fleet_wire_copy(near, far);
			_exit(0);
		}
		close(near);
	}
}

void fleet_host_up_behind_wire(unsigned i, const char *kinds)
{
	char url[300];
	int door = fleet_wire_socket("wire.sock", true);
	ck_assert_int_ge(door, 0);
	wire = fork();
	if (wire == 0)
		fleet_wire_serve(door);
	setpgid(wire, wire);
	close(door);
	snprintf(url, sizeof url, "unix://%s/wire.sock?queue=test", fleet_directory);
	setenv("PLM_FLEET", url, 1);
	runtime_boot(&fleet_host[i], "--workers", kinds, );
	setenv("PLM_FLEET", fleet_url, 1);
	fleet_host_until(i, "up");
}

void fleet_wire_cut(void)
{
	kill(-wire, SIGSTOP);
}

void fleet_wire_heal(void)
{
	kill(-wire, SIGCONT);
}

void fleet_host_stop(unsigned i)
{
	setenv("XDG_RUNTIME_DIR", fleet_host[i].directory, 1);
	unsetenv("PLM_FLEET");
	runtime_stop(&fleet_host[i]);
	setenv("PLM_FLEET", fleet_url, 1);
}

/* ---- processes ---- */

static pid_t fleet_parent_of(pid_t pid, char name[32])
{
	char path[64], text[512];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -1;
	text[n] = 0;
	char *open_ = strchr(text, '('), *close_ = strrchr(text, ')');
	int parent = -1;
	if (!open_ || !close_ || sscanf(close_ + 1, " %*c %d", &parent) != 1)
		return -1;
	*close_ = 0;
	snprintf(name, 32, "%s", open_ + 1);
	return parent;
}

/* The descendants of a process. */
static unsigned fleet_family(pid_t root, pid_t ret[PIDS])
{
	unsigned n = 0, before;
	ret[n++] = root;
	do {
		before = n;
		DIR *proc = opendir("/proc");
		struct dirent *entry;
		while (proc && (entry = readdir(proc)) != NULL && n < PIDS) {
			pid_t pid = atoi(entry->d_name), parent;
			char name[32];
			bool known = pid <= 0;
			for (unsigned i = 0; i < n; i++)
				known |= ret[i] == pid;
			parent = known ? -1 : fleet_parent_of(pid, name);
			for (unsigned i = 0; i < before && parent > 0; i++)
				if (ret[i] == parent) {
					ret[n++] = pid;
					break;
				}
		}
		if (proc)
			closedir(proc);
	} while (n > before);
	return n;
}

void fleet_host_signal(unsigned i, int signal)
{
	pid_t pids[PIDS];
	if (fleet_host[i].pid <= 0)
		return;
	unsigned n = fleet_family(fleet_host[i].pid, pids);
	for (unsigned j = 0; j < n; j++)
		kill(pids[j], signal);
}

void fleet_host_kill(unsigned i)
{
	fleet_host_signal(i, SIGKILL);
	setenv("XDG_RUNTIME_DIR", fleet_host[i].directory, 1);
	runtime_kill(&fleet_host[i]);
}

pid_t fleet_bridge(unsigned i)
{
	pid_t pids[PIDS];
	char name[32];
	unsigned n = fleet_family(fleet_host[i].pid, pids);
	for (unsigned j = 0; j < n; j++)
		if (fleet_parent_of(pids[j], name) > 0 && strcmp(name, "plm-fleet") == 0)
			return pids[j];
	return -1;
}

/* ---- the ledger ---- */

const char *fleet_ledger(void)
{
	static char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/ledger", fleet_directory);
	return path;
}

unsigned fleet_ledger_lines(const char *begin)
{
	char line[256];
	unsigned n = 0;
	FILE *file = fopen(fleet_ledger(), "r");
	while (file && fgets(line, sizeof line, file))
		n += strncmp(line, begin, strlen(begin)) == 0;
	if (file)
		fclose(file);
	return n;
}

void fleet_ledger_until_gone(void)
{
	char text[32] = "";
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	FILE *file = fopen(fleet_ledger(), "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
	fclose(file);
	pid_t pid = (pid_t)strtol(text, NULL, 10);
	ck_assert_int_gt(pid, 1);
	while (kill(pid, 0) == 0) {
		ck_assert_msg(clock_ns() < deadline, "process %d goes on", (int)pid);
		fleet_pause();
	}
}

void fleet_ledger_until(unsigned lines)
{
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	while (fleet_ledger_lines("") < lines) {
		ck_assert_msg(clock_ns() < deadline, "the ledger has %u lines, not %u",
		    fleet_ledger_lines(""), lines);
		fleet_pause();
	}
}
