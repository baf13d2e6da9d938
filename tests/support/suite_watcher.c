#include "tests/support/suite_watcher.h"

#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/family.h"

enum { GRACE_MS = 3000, LOOK_AGAIN_MS = 20, PATH_BYTES = 128, COMM_BYTES = 32 };

#define WATCHER "PLM_TEST_WATCHER" /* environment of the suite: the pid of the watcher */

static struct {
	pid_t suite; /* 0: ended */
	int status;  /* of waitpid() for the suite */
	size_t left; /* processes and names left behind */
	char directory[PATH_BYTES];
} watched;

void test_path(const char *name, char *ret, size_t size)
{
	const char *where = getenv("TMPDIR");
	snprintf(ret, size, "%s/%s", where && where[0] ? where : "/tmp", name);
}

void test_runtime_name(char *ret, size_t size)
{
	static int count;
	const char *watcher = getenv(WATCHER);
	if (watcher)
		snprintf(ret, size, "test-%s-%d-%d", watcher, (int)getpid(), ++count);
	else
		snprintf(ret, size, "test-%d-%d", (int)getpid(), ++count);
}

/* ---- removing ---- */

static int watcher_remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	remove(path);
	return 0;
}

static void watcher_remove_tree(const char *path)
{
	nftw(path, watcher_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Returns the number of names. */
static size_t watcher_remove_all(const char *pattern)
{
	glob_t found;
	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return 0;
	size_t n = found.gl_pathc;
	for (size_t i = 0; i < n; i++) {
		printf("left behind: %s\n", found.gl_pathv[i]);
		watcher_remove_tree(found.gl_pathv[i]);
	}
	globfree(&found);
	return n;
}

static void watcher_remove_named(const char *prefix)
{
	char pattern[PATH_BYTES];
	snprintf(pattern, sizeof pattern, "%stest-%d-*", prefix, (int)getpid());
	watched.left += watcher_remove_all(pattern);
}

/* A living runtime, whatever the name, has a bell below the directory. */
static int watcher_remove_of_bell(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	const char *name = path + at->base, *end = strrchr(name, '.');
	char pattern[PATH_BYTES];
	if (!end || strcmp(end, ".bell") != 0)
		return 0;
	snprintf(pattern, sizeof pattern, "/dev/shm/plm-*-%.*s.*", (int)(end - name), name);
	watched.left += watcher_remove_all(pattern);
	return 0;
}

static void watcher_kill(pid_t pid)
{
	char path[PATH_BYTES], comm[COMM_BYTES] = "";
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	FILE *f = fopen(path, "r");
	if (f && fgets(comm, sizeof comm, f))
		comm[strcspn(comm, "\n")] = 0;
	if (f)
		fclose(f);
	printf("left behind: process %d %s\n", (int)pid, comm);
	kill(pid, SIGKILL);
}

/* ---- watching ---- */

static void watcher_reap(void)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == watched.suite) {
			watched.suite = 0;
			watched.status = status;
		}
}

/* Returns 0 after the end of the suite, or a signal that asks for the end. */
static int watcher_await(const sigset_t *signals)
{
	for (;;) {
		watcher_reap();
		if (watched.suite == 0)
			return 0;
		int signal = sigwaitinfo(signals, NULL);
		if (signal > 0 && signal != SIGCHLD)
			return signal;
	}
}

/* Waits for the descendants of the suite, then kills the rest. */
static void watcher_end_processes(int grace_ms)
{
	static const struct timespec pause = { .tv_nsec = LOOK_AGAIN_MS * (long)NS_PER_MS };
	uint64_t deadline_ns = deadline_after_ms(grace_ms);
	struct family left;
	for (;; nanosleep(&pause, NULL)) {
		watcher_reap();
		family_look(&left);
		if (left.n == 0)
			return;
		if (clock_ns() < deadline_ns)
			continue;
		for (size_t i = 0; i < left.n; i++, watched.left++)
			watcher_kill(left.child[i]);
	}
}

static void watcher_begin(sigset_t *ret_signals, sigset_t *ret_former)
{
	char name[COMM_BYTES];
	snprintf(name, sizeof name, "plm-test-%d", (int)getpid());
	test_path(name, watched.directory, sizeof watched.directory);
	watcher_remove_tree(watched.directory);
	if (mkdir(watched.directory, 0711) < 0) {
		fprintf(stderr, "%s: %s\n", watched.directory, strerror(errno));
		exit(1);
	}
	sigemptyset(ret_signals);
	sigaddset(ret_signals, SIGCHLD);
	sigaddset(ret_signals, SIGTERM);
	sigaddset(ret_signals, SIGINT);
	sigaddset(ret_signals, SIGHUP);
	sigprocmask(SIG_BLOCK, ret_signals, ret_former);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void watcher_environment(void)
{
	char text[COMM_BYTES];
	snprintf(text, sizeof text, "%d", (int)getppid());
	setenv(WATCHER, text, 1);
	setenv("TMPDIR", watched.directory, 1);
	setenv("XDG_RUNTIME_DIR", watched.directory, 1);
}

int watch_suite(int (*suite)(void *context), void *context)
{
	sigset_t signals, former;
	watcher_begin(&signals, &former);
	fflush(NULL);
	watched.suite = fork();
	if (watched.suite == 0) {
		sigprocmask(SIG_SETMASK, &former, NULL);
		watcher_environment();
		exit(suite(context));
	}
	int signal = watcher_await(&signals);
	watcher_end_processes(signal ? 0 : GRACE_MS);
	nftw(watched.directory, watcher_remove_of_bell, 8, FTW_PHYS);
	watcher_remove_named("/dev/shm/plm-*-");
	watcher_remove_named("/sys/fs/cgroup/plm-");
	watcher_remove_named("/sys/fs/cgroup/*/plm-");
	watcher_remove_tree(watched.directory);
	if (signal)
		return 128 + signal;
	if (WIFSIGNALED(watched.status))
		return 128 + WTERMSIG(watched.status);
	return watched.left > 0 ? 1 : WEXITSTATUS(watched.status);
}
