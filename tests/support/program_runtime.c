#include "tests/support/program_runtime.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/door.h"
#include "tables/tables.h"
#include "tests/support/suite_watcher.h"

enum { ARGUMENTS_MAX = 2048, PATH_BYTES = 256, LINE_BYTES = 256, LOOK_AGAIN_NS = 2000000 };

static int left_ms(uint64_t deadline_ns)
{
	uint64_t now = clock_ns();
	return deadline_ns > now ? (int)((deadline_ns - now) / NS_PER_MS) + 1 : 0;
}

static void program_path(const char *program, char *ret, size_t size)
{
	const char *where = getenv("PLM_BIN");
	snprintf(ret, size, "%s/%s", where && where[0] ? where : ".", program);
}

void scratch_path(const struct runtime *rt, const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "%s/%s", rt->directory, name);
}

void scratch_write(const struct runtime *rt, const char *name, const void *data, size_t bytes,
    char *ret_path, size_t size)
{
	scratch_path(rt, name, ret_path, size);
	int fd = open(ret_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, bytes), (ssize_t)bytes);
	close(fd);
}

void runtime_segment(const struct runtime *rt, const char *what, char *ret, size_t size)
{
	snprintf(ret, size, "/dev/shm/plm-%u-%s.%s", (unsigned)geteuid(), rt->name, what);
}

/* ---- processes ---- */

/* Call in a child; never returns. */
static void become(const char *path, const char *const *arguments)
{
	char *argv[ARGUMENTS_MAX + 2];
	size_t n = 0;
	argv[n++] = strdup(path);
	for (; n <= ARGUMENTS_MAX && arguments[n - 1]; n++)
		argv[n] = strdup(arguments[n - 1]);
	argv[n] = NULL;
	execv(path, argv);
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

static int pidfd_of(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

bool wait_for_death(pid_t pid)
{
	int fd = pidfd_of(pid);
	if (fd < 0)
		return errno == ESRCH;
	struct pollfd dead = { .fd = fd, .events = POLLIN };
	int n = poll(&dead, 1, DEADLINE_MS);
	close(fd);
	return n == 1;
}

/* Reaps a child. Returns the wait status; -1 if the child was killed at the deadline. */
static int reap(pid_t pid)
{
	int status;
	bool ended = wait_for_death(pid);
	if (!ended)
		kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return ended ? status : -1;
}

static char *slurp(int fd, size_t *ret_bytes)
{
	off_t size = lseek(fd, 0, SEEK_END);
	ck_assert_int_ge(size, 0);
	char *text = calloc((size_t)size + 1, 1);
	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(pread(fd, text, (size_t)size, 0), size);
	close(fd);
	*ret_bytes = (size_t)size;
	return text;
}

static int pipe_with(const void *input, size_t bytes)
{
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	if (bytes > 0) {
		ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, INPUT_BYTES_MAX), (int)bytes);
		ck_assert_int_eq(write(ends[1], input, bytes), (ssize_t)bytes);
	}
	close(ends[1]);
	return ends[0];
}

struct output_of program_run(const struct runtime *rt, const char *program,
    const char *const *arguments, const void *input, size_t input_bytes)
{
	char path[PATH_BYTES];
	program_path(program, path, sizeof path);
	/* Output goes to memory: with pipes the test would have to read along. */
	int out = memfd_create("stdout", MFD_CLOEXEC), err = memfd_create("stderr", MFD_CLOEXEC);
	int in = pipe_with(input, input_bytes);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		setenv("PLM_NAME", rt->name, 1);
		dup2(in, STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		become(path, arguments);
	}
	close(in);
	int status = reap(pid);
	struct output_of ret = { .code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0 };
	ret.out = slurp(out, &ret.out_bytes);
	ret.err = slurp(err, &ret.err_bytes);
	ck_assert_msg(status != -1, "%s %s hangs; it said: %s", program, arguments[0], ret.err);
	return ret;
}

void output_free(struct output_of *output)
{
	free(output->out);
	free(output->err);
	*output = (struct output_of){ 0 };
}

char *program_expect(const struct runtime *rt, int code, const char *const *arguments)
{
	struct output_of o = program_run(rt, "plmctl", arguments, NULL, 0);
	ck_assert_msg(o.code == code, "plmctl %s: exit code %d (signal %d), not %d; stderr: %s",
	    arguments[0], o.code, o.signal, code, o.err);
	char *text = o.out;
	if (o.out_bytes > 0 && text[o.out_bytes - 1] == '\n')
		text[o.out_bytes - 1] = 0;
	free(o.err);
	return text;
}

void program_until(const struct runtime *rt, const char *expected, const char *const *arguments)
{
	static const struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	for (;;) {
		struct output_of o = program_run(rt, "plmctl", arguments, NULL, 0);
		bool found = strstr(o.out, expected) != NULL;
		bool late = clock_ns() >= deadline;
		ck_assert_msg(found || !late, "plmctl %s never printed \"%s\"; at last: %s%s",
		    arguments[0], expected, o.out, o.err);
		output_free(&o);
		if (found)
			return;
		nanosleep(&pause, NULL);
	}
}

long scratch_number(const struct runtime *rt, const char *name)
{
	static const struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	char path[PATH_BYTES], line[LINE_BYTES] = "";
	scratch_path(rt, name, path, sizeof path);
	while (!strchr(line, '\n')) {
		ck_assert_msg(clock_ns() < deadline, "no process has written %s", path);
		nanosleep(&pause, NULL);
		FILE *file = fopen(path, "r");
		if (file && !fgets(line, sizeof line, file))
			line[0] = 0;
		if (file)
			fclose(file);
	}
	return atol(line);
}

/* ---- the runtime ---- */

void runtime_print_log(const struct runtime *rt)
{
	char path[PATH_BYTES], line[LINE_BYTES];
	scratch_path(rt, "plm.log", path, sizeof path);
	FILE *log = fopen(path, "r");
	while (log && fgets(line, sizeof line, log))
		fputs(line, stderr);
	if (log)
		fclose(log);
}

/* Reads the first line; a shorter text at the end of the stream or at the deadline. */
static void read_line(int fd, char *line, size_t size)
{
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	size_t n = 0;
	while (n < size - 1 && (n == 0 || line[n - 1] != '\n')) {
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		if (poll(&readable, 1, left_ms(deadline)) <= 0 || read(fd, line + n, 1) != 1)
			break;
		n++;
	}
	line[n] = 0;
}

static void start(struct runtime *rt, int out, const char *const *arguments)
{
	char path[PATH_BYTES], log[PATH_BYTES];
	const char *all[ARGUMENTS_MAX] = { "--name", rt->name };
	size_t own = 2;
	program_path("plm", path, sizeof path);
	scratch_path(rt, "plm.log", log, sizeof log);
	if (!rt->loose)
		all[own++] = "--tied";
	for (size_t n = 0; arguments[n] && n + own + 1 < ARGUMENTS_MAX; n++)
		all[n + own] = arguments[n];
	int err = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	become(path, all);
}

void runtime_reboot_with(struct runtime *rt, const char *const *arguments)
{
	char line[LINE_BYTES], expected[LINE_BYTES];
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	rt->pid = fork();
	ck_assert_int_ge(rt->pid, 0);
	if (rt->pid == 0)
		start(rt, ends[1], arguments);
	close(ends[1]);
	rt->ready_fd = ends[0];
	read_line(rt->ready_fd, line, sizeof line);
	snprintf(expected, sizeof expected, "plm: ready name=%s pid=", rt->name);
	const char *workers = strstr(line, " workers=");
	if (strncmp(line, expected, strlen(expected)) != 0 || !workers) {
		runtime_print_log(rt);
		ck_abort_msg("plm did not boot: \"%s\", not \"%s...\"", line, expected);
	}
	rt->workers = (unsigned)strtoul(workers + strlen(" workers="), NULL, 10);
}

void runtime_prepare(struct runtime *rt)
{
	*rt = (struct runtime){ .ready_fd = -1 };
	test_runtime_name(rt->name, sizeof rt->name);
	test_path("rt-XXXXXX", rt->directory, sizeof rt->directory);
	ck_assert_ptr_nonnull(mkdtemp(rt->directory));
	setenv("XDG_RUNTIME_DIR", rt->directory, 1);
	unsetenv("PLM_NAME");
}

void runtime_boot_with(struct runtime *rt, const char *const *arguments)
{
	runtime_prepare(rt);
	runtime_reboot_with(rt, arguments);
}

void runtime_boot_loose_with(struct runtime *rt, const char *const *arguments)
{
	runtime_prepare(rt);
	rt->loose = true;
	runtime_reboot_with(rt, arguments);
}

static bool name_is_left(const struct runtime *rt, const char *what)
{
	char path[PATH_BYTES];
	runtime_segment(rt, what, path, sizeof path);
	return access(path, F_OK) == 0;
}

static int reap_manager(struct runtime *rt)
{
	int status = reap(rt->pid);
	rt->pid = 0;
	close(rt->ready_fd);
	rt->ready_fd = -1;
	return status;
}

void runtime_stop(struct runtime *rt)
{
	free(ctl_expect(rt, 0, "stop"));
	int status = reap_manager(rt);
	if (status != 0)
		runtime_print_log(rt);
	ck_assert_msg(
	    status == 0, "plm ended with wait status %#x after plmctl stop", (unsigned)status);
	ck_assert_msg(!name_is_left(rt, "control") && !name_is_left(rt, "store") &&
		!name_is_left(rt, "files") && !name_is_left(rt, "lock"),
	    "plm left something of %s in /dev/shm", rt->name);
}

void runtime_kill(struct runtime *rt)
{
	kill(rt->pid, SIGKILL);
	reap_manager(rt);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

/* Members that outlived the manager. */
static void kill_members(const struct runtime *rt)
{
	char path[PATH_BYTES];
	struct tables left;
	runtime_segment(rt, "control", path, sizeof path);
	if (tables_inspect(open(path, O_RDONLY | O_CLOEXEC), -1, &left) < 0)
		return;
	for (uint32_t i = SLOT_SCHEDULER; i < left.limits.processes; i++) {
		const struct process *p = &left.process[i];
		uint64_t word = sh_load(&p->state);
		if (process_present(word) && process_kind(word) != KIND_CLIENT && p->pid > 1 &&
		    process_start_time(p->pid) == p->start_time)
			kill(p->pid, SIGKILL);
	}
	tables_detach(&left);
}

void runtime_end(struct runtime *rt)
{
	char path[DOOR_LOCK_BYTES];
	if (rt->pid > 0)
		runtime_kill(rt);
	if (rt->loose)
		kill_members(rt);
	tables_unlink(rt->name);
	door_lock_path(rt->name, path);
	unlink(path);
	nftw(rt->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
