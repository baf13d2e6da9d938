/* loader.c - learning what a module exports, in a process of its own.
 *
 * dlopen() runs the module's code. The manager must not, so a child does, writes the names into the
 * registry (the only code of this folder that takes a shared lock, and it is not the manager's
 * process), and reports by a pipe. A module that crashes or hangs while it is loaded costs this
 * child. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "lifecycle/manager.h"
#include "worker/modules.h"

enum { LOADER_PATIENCE_MS = 10000 };

struct loader_report {
	int code;
	char text[500];
};

static bool is_loaded(const struct registry *registry, const char *path)
{
	char other[MODULE_PATH_BYTES];
	uint32_t first, count;
	for (uint32_t i = 0; i < registry_modules(registry); i++)
		if (registry_module(registry, i, other, &first, &count) && strcmp(other, path) == 0)
			return true;
	return false;
}

static int load_one(struct manager *m, const char *path)
{
	const plm_module *module;
	if (!m->announced && is_loaded(&m->tables.registry, path))
		return 0; /* an earlier manager of this runtime has */
	int r = module_open(path, &module);
	if (r < 0)
		return r;
	const char **names = calloc(module->count, sizeof *names);
	if (!names)
		return -ENOMEM;
	for (uint32_t i = 0; i < module->count; i++)
		names[i] = module->exports[i].function ? module->exports[i].name : NULL;
	r = registry_add(&m->tables.registry, path, module->name, names, module->count);
	free(names);
	return r;
}

/* The built-in ones are loaded by one process: each costs a boot. */
static int load(struct manager *m, const char *path)
{
	int r = load_one(m, path);
	if (r == 0 && strcmp(path, MODULE_BUILTIN) == 0)
		r = load_one(m, MODULE_COMMANDS);
	return r;
}

static _Noreturn void loader_main(struct manager *m, const char *path, int report)
{
	struct loader_report result = { 0 };
	int keep[1] = { report };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_DFL);
	child_begin(keep, 1);
	result.code = load(m, path);
	if (result.code < 0)
		snprintf(result.text, sizeof result.text, "%s", why_text());
	while (write(report, &result, sizeof result) < 0 && errno == EINTR)
		;
	_exit(0);
}

static int start(struct manager *m, const char *path, uint32_t slot)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return why(-errno, "pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0)
		loader_main(m, path, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return why(-errno, "fork: %s", strerror(errno));
	}
	m->loader = (struct loader){ .pid = pid, .pidfd = (int)syscall(SYS_pidfd_open, pid, 0),
		.report = ends[0], .slot = slot,
		.deadline_ns = clock_ns() + LOADER_PATIENCE_MS * NS_PER_MS };
	return 0;
}

/* The loader has ended: what it said, or how it died. */
static int finish(struct manager *m)
{
	struct loader_report result;
	int status = 0, code;
	ssize_t n;
	do
		n = read(m->loader.report, &result, sizeof result);
	while (n < 0 && errno == EINTR);
	waitpid(m->loader.pid, &status, 0);
	if (n == sizeof result) {
		result.text[sizeof result.text - 1] = 0;
		code = result.code < 0 ? why(result.code, "%s", result.text) : 0;
	} else if (WIFSIGNALED(status)) {
		code = why(-ELIBBAD, "the module's own code ended its loader by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	} else {
		code = why(-ELIBBAD, "the module's own code ended its loader with exit code %d",
		    WEXITSTATUS(status));
	}
	manager_unwatch(m, m->loader.report);
	if (m->loader.pidfd >= 0)
		manager_unwatch(m, m->loader.pidfd);
	m->loader = (struct loader){ .pid = 0 };
	return code;
}

int loader_boot(struct manager *m, const char *path)
{
	char *full = strcmp(path, MODULE_BUILTIN) == 0 ? strdup(path) : realpath(path, NULL);
	if (!full)
		return why(-errno, "module %s: %s", path, strerror(errno));
	int r = start(m, full, SLOT_MANAGER);
	free(full);
	return r < 0 ? r : finish(m); /* read() in it waits for the report or the end */
}

void loader_next(struct manager *m)
{
	for (uint32_t i = SLOT_FIRST_MEMBER; i < m->tables.limits.processes && !m->loader.pid;
	     i++) {
		char *path = m->slot[i].module;
		if (!path)
			continue;
		m->slot[i].module = NULL;
		uint32_t number = m->slot[i].module_number;
		int r = start(m, path, i);
		free(path);
		m->loader.number = number;
		if (r == 0)
			r = manager_watch(m, m->loader.pidfd, WATCH_LOADER, i);
		if (r < 0)
			admission_answer(m, i, number, r, why_text());
	}
}

void loader_done(struct manager *m)
{
	uint32_t slot = m->loader.slot, number = m->loader.number;
	int r = finish(m);
	admission_answer(m, slot, number, r, r < 0 ? why_text() : "");
	loader_next(m);
}

void loader_overdue(struct manager *m)
{
	if (!m->loader.pid || clock_ns() < m->loader.deadline_ns)
		return;
	log_warn("the loader of a module, pid %d, did not end in %d ms: killed", m->loader.pid,
	    LOADER_PATIENCE_MS);
	kill(m->loader.pid, SIGKILL);
	m->loader.deadline_ns = DEADLINE_NEVER;
}
