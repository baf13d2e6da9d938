/* mod_constructor.c - a module with code that runs during loading. The code writes the pid of each
 * process into the file $PLM_TEST_PIDS, then does what $PLM_TEST_CONSTRUCTOR says:
 *	hang	never returns
 *	abort	leaves a child that sleeps, and aborts
 *	leave	leaves such a child in another session, and returns */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plm.h"

enum { LINE_BYTES = 32 };

static void mod_constructor_tell(pid_t pid)
{
	char line[LINE_BYTES];
	int n = snprintf(line, sizeof line, "%d\n", (int)pid);
	int fd = open(getenv("PLM_TEST_PIDS"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		abort();
	close(fd);
}

static void leave_child(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		for (;;)
			pause();
	}
	mod_constructor_tell(pid);
}

__attribute__((constructor)) static void mod_constructor_begin(void)
{
	const char *what = getenv("PLM_TEST_CONSTRUCTOR");
	if (!what)
		return;
	if (strcmp(what, "hang") != 0)
		leave_child();
	mod_constructor_tell(getpid());
	if (strcmp(what, "abort") == 0)
		abort();
	while (strcmp(what, "hang") == 0)
		pause();
}

static int mod_constructor_nothing(plm_call *call)
{
	(void)call;
	return 0;
}

PLM_MODULE(constructor, { "nothing", mod_constructor_nothing, "" });
