#include "manager/loader_python.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/why.h"
#include "manager/manager.h"
#include "topology/threads.h"

/* A line is NAME<TAB>HELP. The line of a failure begins with a tab. */
enum { ANSWER_BYTES = FUNCTIONS_MAX * 256, DESCRIPTOR = 3, EXIT_NO_PROGRAM = 127 };

bool loader_python_is(const char *path)
{
	size_t length = strlen(path);
	return length > 3 && strcmp(path + length - 3, ".py") == 0;
}

static _Noreturn void loader_python_main(const char *interpreter, const char *path, int to)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (to == DESCRIPTOR ? 0 : dup2(to, DESCRIPTOR) < 0)
		_exit(EXIT_NO_PROGRAM);
	topology_threads_for_program();
	execl(interpreter, interpreter, "-c", "from plm._modules import main; main()", path,
	    (char *)NULL);
	dprintf(DESCRIPTOR, "\tthe interpreter cannot be executed: %s", strerror(errno));
	_exit(EXIT_NO_PROGRAM);
}

/* The answer as a string; what does not fit is left out, and the last line is then incomplete. */
static void loader_python_read(int from, char answer[ANSWER_BYTES])
{
	size_t length = 0;
	ssize_t n = 0;
	while (length < ANSWER_BYTES - 1 &&
	    ((n = read(from, answer + length, ANSWER_BYTES - 1 - length)) > 0 ||
		(n < 0 && errno == EINTR)))
		length += n > 0 ? (size_t)n : 0;
	answer[length] = 0;
}

static int loader_python_run(const char *interpreter, const char *path, char answer[ANSWER_BYTES])
{
	int ends[2], status = 0;
	if (pipe(ends) < 0)
		return why(-errno, "pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		loader_python_main(interpreter, path, ends[1]);
	}
	close(ends[1]);
	if (pid > 0)
		loader_python_read(ends[0], answer);
	close(ends[0]);
	if (pid < 0)
		return why(-errno, "fork: %s", strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (answer[0] == '\t')
		return why(-ELIBBAD, "module %s cannot be imported by %s: %s", path, interpreter,
		    answer + 1);
	if (WIFSIGNALED(status))
		return why(-ELIBBAD, "module %s: its own code ended %s by signal %d (%s)", path,
		    interpreter, WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) != 0)
		return why(-ELIBBAD,
		    "module %s: %s ended with exit code %d; does it have the package plm?", path,
		    interpreter, WEXITSTATUS(status));
	return 0;
}

/* Cuts the answer into names. */
static uint32_t loader_python_names(char *answer, const char *names[FUNCTIONS_MAX])
{
	uint32_t n = 0;
	char *rest = NULL;
	for (char *line = strtok_r(answer, "\n", &rest); line && n < FUNCTIONS_MAX;
	     line = strtok_r(NULL, "\n", &rest)) {
		line[strcspn(line, "\t")] = 0;
		names[n++] = line;
	}
	return n;
}

int loader_python_ask(const struct manager *m, const char *path, char name[MODULE_PATH_BYTES],
    const char *const **ret_names, uint32_t *ret_n)
{
	static char answer[ANSWER_BYTES]; /* a loader loads one module */
	static const char *names[FUNCTIONS_MAX];
	char interpreter[PYTHON_PATH_BYTES];
	const char *file = strrchr(path, '/');
	memcpy(interpreter, m->tables.control->resources.pythons.path[0], sizeof interpreter);
	interpreter[sizeof interpreter - 1] = 0;
	if (!interpreter[0])
		return why(-ENOTSUP,
		    "module %s is a Python file, and this runtime has no Python workers: boot with "
		    "plm --python INTERPRETER",
		    path);
	int r = loader_python_run(interpreter, path, answer);
	if (r < 0)
		return r;
	*ret_names = names;
	*ret_n = loader_python_names(answer, names);
	if (*ret_n == 0)
		return why(-EPROTO,
		    "module %s has no public function: names that begin with _ are its own", path);
	snprintf(name, MODULE_PATH_BYTES, "%s", file ? file + 1 : path);
	name[strlen(name) - strlen(".py")] = 0;
	return 0;
}
