/* mod_parent.c - functions that change their worker. The first has a child process and waits for a
 * command, which the same worker runs meanwhile; yields the output of the command, and whether the
 * child still lives. The others leave a descriptor open, and ignore a signal: both would survive an
 * exec. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plm.h"

static int result_of(plm_call *call, const plm_view *view, const char *word)
{
	char *result = plm_result(call, view->len + strlen(word));
	if (!result)
		return plm_fail(call, ENOSPC, "%s", plm_why());
	memcpy(result, view->data, view->len);
	memcpy(result + view->len, word, strlen(word));
	return 0;
}

static int wait_for_command(plm_call *call)
{
	static const plm_arg args[] = { PLM_BYTES("", 0), PLM_BYTES("", 0), PLM_BYTES("echo", 4),
		PLM_BYTES("value", 5) };
	plm *rt = plm_runtime(call);
	plm_task task = { .function = "command.run", .args = args, .nargs = 4 };
	plm_ref ref;
	plm_view view;
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	int r = child < 0 ? -errno : plm_submit(rt, &task, &ref);
	if (r == 0)
		r = plm_get(rt, ref, &view, -1);
	if (r < 0)
		return plm_fail(call, -r, "%s", plm_why());
	bool alive = waitpid(child, NULL, WNOHANG) == 0;
	kill(child, SIGKILL);
	if (alive)
		waitpid(child, NULL, 0);
	r = result_of(call, &view, alive ? "alive" : "dead");
	plm_release(rt, &view);
	return r;
}

static int leave_open(plm_call *call)
{
	return open("/dev/null", O_RDONLY) < 0 ? plm_fail(call, errno, "no descriptor") : 0;
}

static int mod_parent_ignore(plm_call *call)
{
	return signal(SIGALRM, SIG_IGN) == SIG_ERR ? plm_fail(call, errno, "no signal") : 0;
}

PLM_MODULE(parent, { "wait", wait_for_command, "a command in its place, and a child of its own" },
    { "open", leave_open, "leaves a descriptor open in its worker" },
    { "ignore", mod_parent_ignore, "makes its worker ignore SIGALRM" });
