#include "manager/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/group.h"
#include "base/log.h"
#include "base/why.h"
#include "manager/answer.h"
#include "manager/child.h"
#include "manager/loader_python.h"
#include "manager/manager.h"
#include "manager/orphans.h"
#include "manager/watching.h"
#include "command/command.h"
#include "worker/modules.h"

enum { MARK_BYTES = 48 };

struct loader_report {
	int code;
	char text[500];
};

static bool loader_is_loaded(const struct registry *registry, const char *path)
{
	char other[MODULE_PATH_BYTES];
	uint32_t first, count;
	for (uint32_t i = 0; i < registry_modules(registry); i++)
		if (registry_module(registry, i, other, &first, &count) && strcmp(other, path) == 0)
			return true;
	return false;
}

static int loader_load_python(struct manager *m, const char *path)
{
	char name[MODULE_PATH_BYTES];
	const char *const *names;
	uint32_t n;
	int r = loader_python_ask(m, path, name, &names, &n);
	return r < 0 ? r : registry_add(&m->tables.registry, path, name, names, n);
}

static int loader_load_one(struct manager *m, const char *path)
{
	const plm_module *module;
	if (!m->announced && loader_is_loaded(&m->tables.registry, path))
		return 0; /* loaded by a former manager */
	if (loader_python_is(path))
		return loader_load_python(m, path);
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

static bool loader_wants_python(const struct control *control)
{
	for (uint32_t i = 0; i < WORKER_KINDS_MAX; i++)
		if (control->kind[i].python)
			return true;
	return false;
}

/* One process loads the built-in modules, because each process costs boot time. */
static int loader_load(struct manager *m, const char *path)
{
	command_offer();
	int r = loader_load_one(m, path);
	if (r == 0 && strcmp(path, MODULE_BUILTIN) == 0)
		r = loader_load_one(m, MODULE_COMMANDS);
	if (r == 0 && strcmp(path, MODULE_BUILTIN) == 0 && loader_wants_python(m->tables.control))
		r = loader_load_one(m, MODULE_PYTHON);
	return r;
}

/* By the mark the next manager finds processes started by the module's code. */
static void loader_mark(const struct control *control)
{
	char task[MARK_BYTES], slot[MARK_BYTES];
	struct group group;
	snprintf(task, sizeof task, "@0.0.%" PRIx64, control->runtime);
	snprintf(slot, sizeof slot, "%u", SLOT_MANAGER);
	setenv("PLM_TASK", task, 1);
	setenv("PLM_SLOT", slot, 1);
	group_open(control->name, SLOT_MANAGER, &group);
	if (group.exists)
		group_enter(&group);
	group_close(&group);
}

static _Noreturn void loader_main(struct manager *m, const char *path, int report, pid_t parent)
{
	struct loader_report result = { 0 };
	int keep[1] = { report };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGTERM, SIG_DFL);
	child_begin(keep, 1);
	loader_mark(m->tables.control);
	result.code = loader_load(m, path);
	if (result.code < 0)
		snprintf(result.text, sizeof result.text, "%s", why_text());
	while (write(report, &result, sizeof result) < 0 && errno == EINTR)
		;
	_exit(0);
}

static void loader_forget(struct manager *m)
{
	if (m->loader.pidfd >= 0)
		watching_drop(m, m->loader.pidfd);
	close(m->loader.report);
	free(m->loader.path);
	m->loader = (struct loader){ .pid = 0, .boot_due = m->loader.boot_due };
}

/* An unwatched loader must not live: nothing would report the end, and no further module could be
 * loaded. */
static int loader_watch(struct manager *m)
{
	struct loader *l = &m->loader;
	l->pidfd = (int)syscall(SYS_pidfd_open, l->pid, 0);
	int r = l->pidfd < 0 ? why(-errno, "pidfd_open: %s", strerror(errno))
			     : watching_add(m, l->pidfd, WATCH_LOADER, 0);
	if (r == 0)
		return 0;
	kill(l->pid, SIGKILL);
	waitpid(l->pid, NULL, 0);
	loader_forget(m);
	return r;
}

/* For the client of the process slot; takes over path. */
static int loader_start(struct manager *m, char *path, uint32_t slot)
{
	int ends[2] = { -1, -1 };
	int r =
	    pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 ? why(-errno, "pipe: %s", strerror(errno)) : 0;
	pid_t parent = getpid(), pid = r < 0 ? -1 : fork();
	if (pid == 0)
		loader_main(m, path, ends[1], parent);
	if (r == 0 && pid < 0)
		r = why(-errno, "a process to load module %s: fork: %s", path, strerror(errno));
	if (ends[1] >= 0)
		close(ends[1]);
	if (r < 0) {
		if (ends[0] >= 0)
			close(ends[0]);
		free(path);
		return r;
	}
	int64_t limit_ms = (int64_t)m->options->module_limit_ms;
	m->loader = (struct loader){ .pid = pid,
		.pidfd = -1,
		.report = ends[0],
		.slot = slot,
		.path = path,
		.boot_due = m->loader.boot_due,
		.deadline_ns = deadline_after_ms(limit_ms) };
	return loader_watch(m);
}

/* The report of a dead loader, or the manner of death. */
static int loader_verdict(const struct manager *m, int status)
{
	const struct loader *l = &m->loader;
	struct loader_report result;
	ssize_t n;
	do
		n = read(l->report, &result, sizeof result);
	while (n < 0 && errno == EINTR);
	if (n == sizeof result) {
		result.text[sizeof result.text - 1] = 0;
		return result.code < 0 ? why(result.code, "%s", result.text) : 0;
	}
	if (l->overdue)
		return why(-ETIMEDOUT,
		    "module %s: its own code, run while it is loaded, did not "
		    "end in %" PRIu64 " ms and was killed; plm --module-limit gives it longer",
		    l->path, m->options->module_limit_ms);
	if (WIFSIGNALED(status))
		return why(-ELIBBAD, "module %s: its own code ended its loader by signal %d (%s)",
		    l->path, WTERMSIG(status), strsignal(WTERMSIG(status)));
	return why(-ELIBBAD, "module %s: its own code ended its loader with exit code %d", l->path,
	    WEXITSTATUS(status));
}

/* ---- the modules of the boot ---- */

static int loader_start_boot(struct manager *m)
{
	uint32_t next = m->options->module_count - (m->loader.boot_due - 1);
	const char *path = next ? m->options->modules[next - 1] : MODULE_BUILTIN;
	char *full = next ? realpath(path, NULL) : strdup(path);
	return full ? loader_start(m, full, SLOT_MANAGER)
		    : why(-errno, "module %s: %s", path, strerror(errno));
}

/* 0, or -errno with a why: the boot failed. */
static int loader_done_boot(struct manager *m, int code)
{
	if (m->loader.boot_due == 0)
		return 0; /* the boot was given up meanwhile */
	if (code < 0)
		return code;
	m->loader.boot_due--;
	return m->loader.boot_due > 0 && !m->ending ? loader_start_boot(m) : 0;
}

int loader_begin(struct manager *m)
{
	m->loader.boot_due = 1 + m->options->module_count;
	return loader_start_boot(m);
}

/* ---- for the event loop ---- */

void loader_serve(struct manager *m)
{
	for (uint32_t i = SLOT_FIRST_SHARED;
	     i < m->tables.limits.processes && !m->loader.pid && !m->loader.boot_due; i++) {
		char *path = m->slot[i].module;
		if (!path)
			continue;
		m->slot[i].module = NULL;
		uint32_t number = m->slot[i].module_number;
		int r = loader_start(m, path, i);
		m->loader.number = number;
		if (r < 0)
			answer_client(m, i, number, r, why_text());
	}
}

int loader_done(struct manager *m)
{
	uint32_t slot = m->loader.slot, number = m->loader.number;
	int status = 0, failed = 0;
	if (!m->loader.pid || waitpid(m->loader.pid, &status, WNOHANG) != m->loader.pid)
		return 0;
	orphans_end(m); /* processes started by the module's code */
	int r = loader_verdict(m, status);
	loader_forget(m);
	if (slot == SLOT_MANAGER)
		failed = loader_done_boot(m, r);
	else
		answer_client(m, slot, number, r, r < 0 ? why_text() : "");
	if (failed == 0 && !m->ending)
		loader_serve(m);
	return failed;
}

void loader_overdue(struct manager *m)
{
	if (!m->loader.pid || clock_ns() < m->loader.deadline_ns)
		return;
	log_warn_about(ABOUT(ABOUT_PID(m->loader.pid), ABOUT_PATH(m->loader.path)),
	    "the loader of module %s, pid %d, did not end in %" PRIu64 " ms: killed",
	    m->loader.path, m->loader.pid, m->options->module_limit_ms);
	m->loader.overdue = true;
	loader_kill(m);
}

void loader_kill(struct manager *m)
{
	if (m->loader.pid)
		kill(m->loader.pid, SIGKILL);
	m->loader.deadline_ns = DEADLINE_NEVER;
}
