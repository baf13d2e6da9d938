#include "lifecycle/guard.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	EXIT_NO_FORK = 73,
	BOOTED_MS = 100, /* who lived so long was ready: it is not its boot that kills it */
};

struct watch { /* what the guard knows of the one it guards */
	pid_t manager;
	uint64_t born_ns;
	uint64_t delay_ms; /* before the next one */
	sigset_t signals;
};

/* What the terminal sends, it sends to the manager, too. */
static void pass_on(const struct watch *w, const siginfo_t *info)
{
	if (info->si_signo != SIGCHLD && info->si_code <= 0)
		kill(w->manager, info->si_signo);
}

/* Members of a dead manager become our children: they are reaped, and it is their next manager that
 * looks after them. True: the manager has ended. */
static bool reap(const struct watch *w, int *ret_status)
{
	int status;
	pid_t pid;
	bool ended = false;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == w->manager) {
			*ret_status = status;
			ended = true;
		}
	return ended;
}

static int wait_for_end(const struct watch *w)
{
	siginfo_t info;
	int status;
	while (!reap(w, &status))
		if (sigwaitinfo(&w->signals, &info) > 0)
			pass_on(w, &info);
	return status;
}

/* False: somebody had it end meanwhile. */
static bool pause_before_next(struct watch *w)
{
	uint64_t lived_ms = (clock_ns() - w->born_ns) / NS_PER_MS;
	w->delay_ms = lived_ms >= BOOTED_MS       ? 0
		      : w->delay_ms == 0          ? RESTART_DELAY_MIN_MS
						  : w->delay_ms * 2;
	if (w->delay_ms > RESTART_DELAY_MAX_MS)
		w->delay_ms = RESTART_DELAY_MAX_MS;
	if (w->delay_ms <= RESTART_DELAY_MIN_MS)
		return true; /* the first death is mended at once */
	struct timespec pause = clock_timespec(w->delay_ms * NS_PER_MS);
	sigset_t wanted = w->signals;
	siginfo_t info;
	sigdelset(&wanted, SIGCHLD);
	return sigtimedwait(&wanted, &info, &pause) < 0;
}

static int start(struct watch *w, const struct service *service, serve_f *serve)
{
	w->born_ns = clock_ns();
	w->manager = fork();
	if (w->manager != 0) {
		if (service->log >= 0)
			dup2(service->log, STDERR_FILENO);
		return w->manager < 0 ? -1 : 0;
	}
	sigprocmask(SIG_UNBLOCK, &w->signals, NULL);
	_exit(serve(service));
}

int guard_run(const struct service *service, serve_f *serve)
{
	struct watch w = { .delay_ms = 0 };
	sigemptyset(&w.signals);
	sigaddset(&w.signals, SIGCHLD);
	sigaddset(&w.signals, SIGTERM);
	sigaddset(&w.signals, SIGINT);
	sigprocmask(SIG_BLOCK, &w.signals, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	log_open(service->options->name, "guard");
	for (;;) {
		if (start(&w, service, serve) < 0) {
			fprintf(stderr, "plm: the guard cannot fork a manager\n");
			return EXIT_NO_FORK;
		}
		int status = wait_for_end(&w);
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		log_warn("the manager, pid %d, was killed by signal %d (%s): another goes on",
		    (int)w.manager, WTERMSIG(status), strsignal(WTERMSIG(status)));
		if (!pause_before_next(&w))
			return 0;
		service->options->again = true;
		service->options->fresh = false;
	}
}
