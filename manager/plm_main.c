/* plm_main.c - boots a task runtime: options.c is the command line, manager.h the manager. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/standard.h"
#include "base/why.h"
#include "manager/guard.h"
#include "manager/manager.h"

enum { EXIT_CANNOT_BOOT = 73, EXIT_IS_UP = 75 };

/* The exit code. Errors before the ready line go to stderr. */
static int plm_main_serve(const struct service *service)
{
	static struct manager manager;
	log_open(service->options->name, "manager");
	int r = manager_boot(&manager, service->options, service->ready);
	bool goes_on = r < 0;
	if (r == 0) {
		r = manager_run(&manager); /* has logged its errors */
		goes_on = manager.abandoned;
	} else if (r != -ESHUTDOWN) {
		log_error("%s", why_text());
	}
	if (r == 0 || r == -ESHUTDOWN)
		return 0;
	if (r == -EADDRINUSE)
		return EXIT_IS_UP;
	return service->options->again && goes_on ? EXIT_TRY_AGAIN : EXIT_CANNOT_BOOT;
}

static int plm_main_run(const struct service *service)
{
	return service->options->guard ? guard_run(service, plm_main_serve)
				       : plm_main_serve(service);
}

/* ---- in the background ---- */

/* A daemon and its children write to the log alone, from the first message on: a pipe of the
 * starter must end with the starter. */
static int plm_main_open_log(const char *name, int *ret)
{
	char path[160], directory[108];
	int r = door_directory(directory, sizeof directory, 1);
	if (r < 0)
		return r;
	snprintf(path, sizeof path, "%s/%s.log", directory, name);
	*ret = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *ret < 0 ? why(-errno, "%s: %s", path, strerror(errno)) : 0;
}

static int plm_main_become_daemon(struct options *options, int ready, int log)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(log, STDERR_FILENO);
	if (setsid() < 0 || null < 0) {
		log_error("cannot become a daemon: %s", strerror(errno));
		return EXIT_CANNOT_BOOT;
	}
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
	close(log);
	return plm_main_run(&(struct service){ .options = options, .ready = ready });
}

static pid_t booting; /* for the handler below */

static void plm_main_pass_on(int signal)
{
	(void)signal;
	kill(booting, SIGTERM);
}

/* A signal for the starter is meant for the boot. */
static void plm_main_pass_signals_on(pid_t daemon)
{
	struct sigaction action = { .sa_handler = plm_main_pass_on, .sa_flags = SA_RESTART };
	booting = daemon;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Shows at the terminal what the boot has logged. */
static void plm_main_show_log(int log, off_t from)
{
	char text[4096];
	struct stat st;
	ssize_t n = fstat(log, &st) < 0 ? 0 : 1;
	while (n > 0 && from < st.st_size && (n = pread(log, text, sizeof text, from)) > 0) {
		from += n;
		n = write(STDERR_FILENO, text, (size_t)n);
	}
}

/* The starter of a daemon passes on the ready line, or the exit code of the boot. */
static int plm_main_await_daemon(pid_t child, int ready, int log, off_t from)
{
	char line[256];
	int status = 0;
	ssize_t n = read(ready, line, sizeof line);
	if (n <= 0)
		waitpid(child, &status, 0);
	plm_main_show_log(log, from);
	if (n > 0) {
		ssize_t ignored = write(STDOUT_FILENO, line, (size_t)n);
		(void)ignored;
		return 0;
	}
	/* Exit code 0: the boot was told to end before it was ready. */
	return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_CANNOT_BOOT;
}

static int plm_main_run_daemon(struct options *options)
{
	int ends[2], log = -1;
	if (plm_main_open_log(options->name, &log) < 0) {
		log_error("%s", why_text());
		return EXIT_CANNOT_BOOT;
	}
	off_t from = lseek(log, 0, SEEK_END);
	/* A signal that comes while nobody would pass it on waits. */
	sigset_t ending, before;
	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigprocmask(SIG_BLOCK, &ending, &before);
	pid_t child = pipe2(ends, O_CLOEXEC) < 0 ? -1 : fork();
	if (child < 0) {
		log_error("cannot start the daemon process: %s", strerror(errno));
		return EXIT_CANNOT_BOOT;
	}
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		close(ends[0]);
		return plm_main_become_daemon(options, ends[1], log);
	}
	close(ends[1]);
	plm_main_pass_signals_on(child);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return plm_main_await_daemon(child, ends[0], log, from);
}

int main(int argc, char **argv)
{
	static struct options options;
	standard_open();
	int r = options_parse(argc, argv, &options);
	if (r)
		return r - 1;
	if (options.quiet)
		setenv(LOG_QUIET, "1", 1);
	setenv(LOG_FORM, options.log == LOG_AS_JSON ? "json" : "text", 1);
	log_open(options.name, "manager");
	if (options.daemon)
		return plm_main_run_daemon(&options);
	int ready = options.ready_fd ? (int)options.ready_fd : STDOUT_FILENO;
	return plm_main_run(&(struct service){ .options = &options, .ready = ready });
}
