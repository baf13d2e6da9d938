/* plm - boots a task runtime. See options.c for its face, manager.h for what it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/standard.h"
#include "base/why.h"
#include "lifecycle/guard.h"
#include "lifecycle/manager.h"

enum { EXIT_CANNOT_BOOT = 73, EXIT_IS_UP = 75 };

/* Until it is ready, errors go to who started us. */
static int serve(const struct service *service)
{
	static struct manager manager;
	log_open(service->options->name, "manager");
	int r = manager_boot(&manager, service->options, service->ready);
	if (r < 0 && r != -ESHUTDOWN)
		fprintf(stderr, "plm: %s\n", why_text());
	if (service->log >= 0)
		dup2(service->log, STDERR_FILENO);
	if (r == 0)
		return manager_run(&manager) < 0 ? EXIT_CANNOT_BOOT : 0;
	return r == -ESHUTDOWN ? 0 : r == -EADDRINUSE ? EXIT_IS_UP : EXIT_CANNOT_BOOT;
}

static int run(const struct service *service)
{
	return service->options->guard ? guard_run(service, serve) : serve(service);
}

/* The log takes the place of the terminal. */
static int become_daemon(struct options *options, int ready)
{
	char path[160], directory[108];
	if (setsid() < 0 || door_directory(directory, sizeof directory, 1) < 0) {
		fprintf(stderr, "plm: %s\n", why_text());
		return EXIT_CANNOT_BOOT;
	}
	snprintf(path, sizeof path, "%s/%s.log", directory, options->name);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (null < 0 || log < 0) {
		fprintf(stderr, "plm: %s: %s\n", path, strerror(errno));
		return EXIT_CANNOT_BOOT;
	}
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	return run(&(struct service){ .options = options, .ready = ready, .log = log });
}

/* The parent of a daemon: passes on the ready line, or the child's exit code. */
static int await_daemon(pid_t child, int ready)
{
	char line[256];
	ssize_t n = read(ready, line, sizeof line);
	if (n > 0) {
		ssize_t ignored = write(STDOUT_FILENO, line, (size_t)n);
		(void)ignored;
		return 0;
	}
	int status = 0;
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_CANNOT_BOOT;
}

static int run_daemon(struct options *options)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0) {
		fprintf(stderr, "plm: pipe: %s\n", strerror(errno));
		return EXIT_CANNOT_BOOT;
	}
	pid_t child = fork();
	if (child < 0) {
		fprintf(stderr, "plm: fork: %s\n", strerror(errno));
		return EXIT_CANNOT_BOOT;
	}
	if (child == 0) {
		close(ends[0]);
		return become_daemon(options, ends[1]);
	}
	close(ends[1]);
	return await_daemon(child, ends[0]);
}

int main(int argc, char **argv)
{
	static struct options options;
	standard_open();
	int r = options_parse(argc, argv, &options);
	if (r)
		return r - 1;
	if (options.daemon)
		return run_daemon(&options);
	return run(&(struct service){ .options = &options, .ready = STDOUT_FILENO, .log = -1 });
}
