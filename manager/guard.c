#include "manager/guard.h"

#include <errno.h>
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
	BOOTED_MS = 100, /* a manager that lived so long was ready: not killed by the boot */
};

struct guard {
	pid_t manager;
	uint64_t born_ns;
	uint64_t delay_ms; /* before the next manager */
	int signal;        /* not known to be taken by a manager; 0: none */
	sigset_t signals;
};

/* A signal from the terminal reaches the manager as well, and is not passed on. */
static void guard_pass_on(struct guard *w, const siginfo_t *info)
{
	if (info->si_signo == SIGCHLD || info->si_code > 0)
		return;
	w->signal = info->si_signo;
	kill(w->manager, w->signal);
}

/* Members of a dead manager become children of the guard and are only reaped here; the next manager
 * looks after members. True: the manager has ended. */
static bool guard_reap(const struct guard *w, int *ret_status)
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

static int guard_wait_for_end(struct guard *w)
{
	siginfo_t info;
	int status = 0;
	while (!guard_reap(w, &status))
		if (sigwaitinfo(&w->signals, &info) > 0)
			guard_pass_on(w, &info);
	return status;
}

static uint64_t guard_next_delay_ms(const struct guard *w, bool failed)
{
	uint64_t lived_ms = (clock_ns() - w->born_ns) / NS_PER_MS;
	if (!failed && lived_ms >= BOOTED_MS)
		return 0;
	uint64_t delay = w->delay_ms == 0 ? RESTART_DELAY_MIN_MS : w->delay_ms * 2;
	return delay < RESTART_DELAY_MAX_MS ? delay : RESTART_DELAY_MAX_MS;
}

/* A signal during the pause is for the next manager, to end the members still living. */
static void guard_pause_before_next(struct guard *w)
{
	if (w->delay_ms <= RESTART_DELAY_MIN_MS)
		return; /* the first death is mended at once */
	struct timespec pause = clock_timespec(w->delay_ms * NS_PER_MS);
	sigset_t wanted = w->signals;
	siginfo_t info;
	sigdelset(&wanted, SIGCHLD);
	int signal = sigtimedwait(&wanted, &info, &pause);
	if (signal > 0)
		w->signal = signal;
}

/* The manager blocks SIGTERM and SIGINT, and takes signals from before. */
static bool guard_start(struct guard *w, const struct service *service, serve_f *serve)
{
	sigset_t deaths;
	sigemptyset(&deaths);
	sigaddset(&deaths, SIGCHLD);
	w->born_ns = clock_ns();
	w->manager = fork();
	if (w->manager == 0) {
		sigprocmask(SIG_UNBLOCK, &deaths, NULL);
		_exit(serve(service));
	}
	if (w->manager > 0 && w->signal)
		kill(w->manager, w->signal);
	return w->manager > 0;
}

/* The guard's exit code, or -1 with the reason logged: start another manager. */
static int guard_judge(struct guard *w, const struct service *service, bool started)
{
	int error = errno, status = started ? guard_wait_for_end(w) : 0;
	bool killed = started && !WIFEXITED(status);
	if (started && !killed && WEXITSTATUS(status) != EXIT_TRY_AGAIN)
		return WEXITSTATUS(status);
	if (!started && !service->options->again) {
		log_error("the guard cannot fork a manager: %s", strerror(error));
		return EXIT_NO_FORK;
	}
	w->delay_ms = guard_next_delay_ms(w, !killed);
	if (killed)
		w->signal =
		    0; /* the mode in the segment shows whether the manager took the signal */
	if (killed)
		log_warn_about(ABOUT(ABOUT_PID(w->manager), ABOUT_SIGNAL(WTERMSIG(status))),
		    "the manager, pid %d, was killed by signal %d (%s): starting another",
		    (int)w->manager, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_warn("no manager can resume the runtime at the moment%s%s: trying again in "
			 "%llu ms",
		    started ? "" : ": fork: ", started ? "" : strerror(error),
		    (unsigned long long)w->delay_ms);
	return -1;
}

int guard_run(const struct service *service, serve_f *serve)
{
	struct guard w = { .delay_ms = 0 };
	sigemptyset(&w.signals);
	sigaddset(&w.signals, SIGCHLD);
	sigaddset(&w.signals, SIGTERM);
	sigaddset(&w.signals, SIGINT);
	sigprocmask(SIG_BLOCK, &w.signals, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	log_open(service->options->name, "guard");
	for (;;) {
		int code = guard_judge(&w, service, guard_start(&w, service, serve));
		if (code >= 0)
			return code;
		guard_pause_before_next(&w);
		service->options->again = true;
		service->options->fresh = false;
	}
}
