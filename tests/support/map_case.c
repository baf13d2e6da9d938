#include "tests/support/map_case.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/suite_watcher.h"

enum { PATH_BYTES = 4096, LINE_BYTES = 8192, ENVIRONMENT_BYTES = 1 << 16 };

static char directory[96];

static void look_again(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

void map_setup(void)
{
	const char *where = getenv("PLM_BIN"), *path = getenv("PATH");
	char programs[PATH_BYTES], all[3 * PATH_BYTES];
	ck_assert_ptr_nonnull(realpath(where && where[0] ? where : ".", programs));
	snprintf(all, sizeof all, "%s:%s", programs, path ? path : "/bin:/usr/bin");
	setenv("PATH", all, 1);
	setenv("PLM_BIN", programs, 1);
	unsetenv("PLM_NAME");
	test_path("map-XXXXXX", directory, sizeof directory);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	setenv("XDG_RUNTIME_DIR", directory, 1);
	ck_assert_int_eq(chdir(directory), 0);
}

void map_setup_beside(void)
{
	map_setup();
	setenv("PARALLEL_HOME", "home", 1);
	setenv("PARALLEL_SHELL", "/bin/sh", 1);
	setenv("LC_ALL", "C", 1);
}

/* ---- what is left ---- */

static bool knows_directory(const char *pid)
{
	static char environment[ENVIRONMENT_BYTES];
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "/proc/%s/environ", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, environment, sizeof environment) : 0;
	if (fd >= 0)
		close(fd);
	return n > 0 && memmem(environment, (size_t)n, directory, strlen(directory)) != NULL;
}

/* 0: none. */
static int any_process(void)
{
	DIR *all = opendir("/proc");
	const struct dirent *entry;
	int found = 0;
	while (!found && (entry = readdir(all)) != NULL) {
		int pid = atoi(entry->d_name);
		if (pid > 0 && pid != getpid() && knows_directory(entry->d_name))
			found = pid;
	}
	closedir(all);
	return found;
}

static bool is_empty(const char *path)
{
	DIR *all = opendir(path);
	const struct dirent *entry;
	bool empty = true;
	while (all && (entry = readdir(all)) != NULL)
		empty = empty && entry->d_name[0] == '.';
	if (all)
		closedir(all);
	return empty;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

void map_teardown(void)
{
	uint64_t deadline_ns = deadline_after_ms(DEADLINE_MS);
	int pid;
	while ((pid = any_process()) != 0 && clock_ns() < deadline_ns)
		look_again();
	ck_assert_msg(pid == 0, "process %d is left", pid);
	ck_assert_msg(is_empty("plm"), "files of a runtime are left in %s/plm", directory);
	ck_assert_int_eq(chdir("/"), 0);
	nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- a runtime for the lines ---- */

void map_boot(const char *workers, const char *store)
{
	/* Kept results must not leave to make room. */
	runtime_boot(&host, "--workers", workers, "--tasks", "4096", "--store", store,
	    "--keep-finished", "all", );
	setenv("PLM_NAME", host.name, 1);
}

void map_stop(void)
{
	unsetenv("PLM_NAME");
	host_stop();
}

void map_stop_and_teardown(void)
{
	map_stop();
	map_teardown();
}

/* ---- lines ---- */

static pid_t map_case_start(const char *line, int out, int err)
{
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	if (err >= 0)
		dup2(err, STDERR_FILENO);
	execl("/bin/sh", "sh", "-c", line, (char *)NULL);
	_exit(127);
}

static char *map_case_slurp(int fd, size_t *ret_bytes)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = calloc((size_t)size + 1, 1);
	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(pread(fd, text, (size_t)size, 0), size);
	close(fd);
	*ret_bytes = (size_t)size;
	return text;
}

int shell_end(pid_t pid)
{
	int status;
	bool ended = wait_for_death(pid);
	if (!ended)
		kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(ended, "a line hangs");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static struct output_of map_case_run(const char *line)
{
	int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
	pid_t pid = map_case_start(line, out, err);
	struct output_of ret = { .code = shell_end(pid) };
	ret.out = map_case_slurp(out, &ret.out_bytes);
	ret.err = map_case_slurp(err, &ret.err_bytes);
	return ret;
}

struct output_of shell(const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;
	va_start(args, format);
	ck_assert_int_lt(vsnprintf(line, sizeof line, format, args), LINE_BYTES);
	va_end(args);
	return map_case_run(line);
}

void check_shell(int code, const char *out, const char *err, const char *line)
{
	struct output_of o = map_case_run(line);
	ck_assert_msg(o.code == code, "%.400s: exit code %d, not %d; stdout: %.400s stderr: %.400s",
	    line, o.code, code, o.out, o.err);
	ck_assert_msg(!out || strcmp(o.out, out) == 0,
	    "%.400s: stdout is \"%.400s\", not \"%s\"; "
	    "%.400s",
	    line, o.out, out, o.err);
	ck_assert_msg(!err || (err[0] ? strstr(o.err, err) != NULL : !o.err[0]),
	    "%.400s: stderr is \"%.400s\", without \"%s\"", line, o.err, err);
	output_free(&o);
}

pid_t shell_start(const char *line)
{
	return map_case_start(line, -1, -1);
}

/* ---- files ---- */

char *file_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t bytes;
	ck_assert_msg(fd >= 0, "there is no %s", path);
	return map_case_slurp(fd, &bytes);
}

void file_write(const char *path, const char *text)
{
	char draft[PATH_BYTES];
	snprintf(draft, sizeof draft, "%s.draft", path);
	int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	ck_assert_int_eq(rename(draft, path), 0);
}

void wait_for_file(const char *path, const char *text)
{
	uint64_t deadline_ns = deadline_after_ms(DEADLINE_MS);
	for (;; look_again()) {
		char *all = access(path, R_OK) == 0 ? file_text(path) : NULL;
		bool found = all && strstr(all, text);
		free(all);
		if (found)
			return;
		ck_assert_msg(clock_ns() < deadline_ns, "\"%s\" never was in %s", text, path);
	}
}

/* Bell and lock file exist while a runtime lives; the kernel knows the owner of the lock. */
static pid_t lock_owner(void)
{
	DIR *all = opendir("plm");
	const struct dirent *entry;
	struct flock lock = { .l_type = F_UNLCK };
	while (all && lock.l_type == F_UNLCK && (entry = readdir(all)) != NULL) {
		char path[PATH_BYTES];
		const char *end = strrchr(entry->d_name, '.');
		if (!end || strcmp(end, ".bell") != 0)
			continue;
		snprintf(path, sizeof path, "/dev/shm/plm-%u-%.*s.lock", (unsigned)geteuid(),
		    (int)(end - entry->d_name), entry->d_name);
		int fd = open(path, O_RDWR | O_CLOEXEC);
		lock = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
		if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0)
			lock.l_type = F_UNLCK;
		if (fd >= 0)
			close(fd);
	}
	if (all)
		closedir(all);
	return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

pid_t private_manager(void)
{
	uint64_t deadline_ns = deadline_after_ms(DEADLINE_MS);
	pid_t pid;
	while ((pid = lock_owner()) == 0) {
		ck_assert_msg(clock_ns() < deadline_ns, "no runtime was booted");
		look_again();
	}
	return pid;
}

void count_numbers(const char *text, unsigned n, unsigned *ret_count)
{
	memset(ret_count, 0, (n + 1) * sizeof *ret_count);
	for (char *end; *text; text = *end ? end + 1 : end) {
		unsigned long number = strtoul(text, &end, 10);
		ck_assert_msg(end > text && *end == '\n', "no line with a number: %.40s", text);
		ck_assert_msg(number >= 1 && number <= n, "no number of this map: %lu", number);
		ret_count[number]++;
	}
}
