/* command_start.c - from words to a process: where the program is, and why the program does not
 * start.
 *
 * vfork(): the child runs in the memory of the worker until exec, and the worker stands still
 * meanwhile. Nothing of the worker is copied, however large it is, and a failure in the child is
 * told by a store. posix_spawn() would do the same, but has no word for "die with your parent". */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/slice.h"
#include "command/command_run.h"
#include "command/leftovers.h"

#define PATH_IF_NONE "/bin:/usr/bin"

/* Process attributes of the worker which a command must not inherit as they are. A look takes 79
 * system calls, so look again only after a task that may have changed some attribute. */
struct own_state {
	sigset_t odd_signals; /* not at their default */
	struct inherited inherited;
	uint64_t
	    tasks; /* how many tasks the worker had ended if all since were commands; 0: unknown */
};

struct start { /* of a process */
	const char *path;
	char *const *argv, *const *envp;
	const char *directory; /* NULL: stay in the worker's directory */
	int in, out, err;      /* -1: the worker's own */
	int more[2];   /* two more descriptors, under the same numbers in the command; -1: none */
	sigset_t mask; /* the signal mask before ours were blocked */
	pid_t parent;
	int error;                         /* errno; 0: the program runs */
	const struct group *group;         /* the cgroup to enter, if it exists */
	bool in_directory;                 /* entering the directory failed */
	const struct own_state *own;       /* what the command would inherit from the worker */
	const struct inherited *inherited; /* NULL: inherit from the worker */
};

/* ---- the child ---- */

/* A handler would run in the worker's memory. So all signals stay blocked until no handler is
 * left. */
static void command_start_reset_signals(const struct start *s)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	for (int signal = 1; signal < NSIG; signal++)
		if (sigismember(&s->own->odd_signals, signal))
			sigaction(signal, &standard, NULL);
	sigprocmask(SIG_SETMASK, &s->mask, NULL);
}

/* Only system calls and stores: the child runs in the worker's memory. */
static _Noreturn void command_start_become(struct start *s)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != s->parent)
		_exit(1);
	setsid();
	slice_restore();
	if (s->group->exists)
		group_enter(s->group);
	if (s->directory && chdir(s->directory) < 0) {
		s->error = errno;
		s->in_directory = true;
		_exit(1);
	}
	if (s->in >= 0)
		dup2(s->in, STDIN_FILENO);
	dup2(s->out, STDOUT_FILENO);
	dup2(s->err, STDERR_FILENO);
	syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
	for (int i = 0; i < 2; i++)
		if (s->more[i] >= 0)
			fcntl(s->more[i], F_SETFD, 0);
	command_start_reset_signals(s);
	if (s->inherited)
		inherited_take(s->inherited, &s->own->inherited);
	s->error = 0;
	execve(s->path, s->argv, s->envp);
	s->error = errno;
	_exit(1);
}

static __attribute__((noinline)) pid_t command_start_fork(struct start *s)
{
	pid_t pid = vfork();
	if (pid == 0)
		command_start_become(s);
	__asm__ volatile(
	    ""
	    :
	    : "r"(s)
	    : "memory"); /* the child wrote there, and the compiler knows of no child */
	return pid;
}

/* The state comes from plm, from the parent of plm, and from modules. While we run in place of a
 * waiting function, the function may change the state afterwards without being counted. */
static const struct own_state *command_start_own_state(const struct plm_call *call)
{
	static struct own_state state;
	struct own_state *own = &state;
	uint64_t tasks = sh_peek(&call->rt->me->done) + sh_peek(&call->rt->me->failed);
	bool known = own->tasks && own->tasks == tasks;
	own->tasks = call->outer ? 0 : tasks + 1; /* the count once our task is counted */
	if (known && !call->outer)
		return own;
	sigemptyset(&own->odd_signals);
	for (int signal = 1; signal < NSIG; signal++) {
		struct sigaction now;
		if (sigaction(signal, NULL, &now) == 0 && now.sa_handler != SIG_DFL)
			sigaddset(&own->odd_signals, signal);
	}
	inherited_get(&own->inherited);
	return own;
}

/* ---- finding the program ---- */

static const char *command_start_variable(
    char *const *envp, const char *name, const char *otherwise)
{
	size_t length = strlen(name);
	for (; *envp; envp++)
		if (strncmp(*envp, name, length) == 0 && (*envp)[length] == '=')
			return *envp + length + 1;
	return otherwise;
}

/* The path as seen by the command: from its directory. */
static bool command_start_seen_from(const struct command *c, const char *path, char ret[PATH_MAX])
{
	bool absolute = path[0] == '/' || !c->directory;
	int n = snprintf(
	    ret, PATH_MAX, "%s%s%s", absolute ? "" : c->directory, absolute ? "" : "/", path);
	return n > 0 && n < PATH_MAX;
}

/* 0; EACCES: the file is no program; EISDIR, ENOENT and more. */
static int command_start_judge(const struct command *c, const char *path)
{
	char full[PATH_MAX];
	struct stat st;
	if (!command_start_seen_from(c, path, full))
		return ENAMETOOLONG;
	if (access(full, X_OK) < 0)
		return errno;
	if (stat(full, &st) < 0)
		return errno;
	return S_ISDIR(st.st_mode) ? EISDIR : 0;
}

/* 0, or the most telling errno: a file that cannot be run goes before no file at all. */
static int command_start_find_program(const struct command *c, const char *word, char ret[PATH_MAX])
{
	const char *at = command_start_variable(c->envp, "PATH", PATH_IF_NONE);
	int worst = ENOENT;
	for (;;) {
		size_t length = strcspn(at, ":");
		int n =
		    snprintf(ret, PATH_MAX, "%.*s%s%s", (int)length, at, length ? "/" : "./", word);
		int error = n < PATH_MAX ? command_start_judge(c, ret) : ENAMETOOLONG;
		if (error == 0)
			return 0;
		if (error == EACCES)
			worst = EACCES;
		if (!at[length])
			return worst;
		at += length + 1;
	}
}

/* ---- why the program did not start ---- */

static void command_start_say_not_found(const struct command *c, const char *word)
{
	plm_fail(c->call, COMMAND_NOT_FOUND, "command not found: %s (PATH is %s)", word,
	    command_start_variable(c->envp, "PATH", PATH_IF_NONE));
}

static void command_start_say_exec(const struct command *c, const char *path, int error)
{
	struct plm_call *call = c->call;
	int there = command_start_judge(c, path);
	if (error == ENOENT && there == ENOENT)
		plm_fail(call, COMMAND_NOT_FOUND, "command not found: %s", path);
	else if (error == ENOENT)
		plm_fail(call, COMMAND_NOT_FOUND,
		    "the interpreter that %s asks for in its first line was not found", path);
	else if (there == EISDIR)
		plm_fail(call, COMMAND_NOT_EXECUTABLE, "not executable: %s is a directory", path);
	else if (error == ENOEXEC)
		plm_fail(call, COMMAND_NOT_EXECUTABLE,
		    "not executable: %s is neither a program "
		    "for this machine nor a script that begins with #!",
		    path);
	else
		plm_fail(
		    call, COMMAND_NOT_EXECUTABLE, "not executable: %s: %s", path, strerror(error));
}

static void command_start_say_error(const struct command *c, const struct start *s, pid_t pid)
{
	if (pid < 0)
		plm_fail(c->call, COMMAND_OURS,
		    "no process could be started: %s; the machine or "
		    "its user has too many (ulimit -u)",
		    strerror(s->error));
	else if (s->in_directory)
		plm_fail(c->call, COMMAND_OURS, "cannot enter the directory %s (--dir): %s",
		    s->directory, strerror(s->error));
	else
		command_start_say_exec(c, s->path, s->error);
}

pid_t command_start(const struct command *c, const sigset_t *mask, int in, int out, int err)
{
	char found[PATH_MAX];
	const char *word = c->argv[0];
	sigset_t all, before;
	if (!strchr(word, '/')) {
		int error = command_start_find_program(c, word, found);
		if (error == ENOENT)
			command_start_say_not_found(c, word);
		else if (error)
			command_start_say_exec(c, word, error);
		if (error)
			return -1;
		word = found;
	}
	struct start s = { .path = word,
		.argv = c->argv,
		.envp = c->envp,
		.in = in,
		.out = out,
		.err = err,
		.more = { c->jobserver.read, c->jobserver.write },
		.directory = c->directory,
		.mask = *mask,
		.parent = getpid(),
		.group = command_group(),
		.inherited = c->inherits ? &c->inherited : NULL };
	sigfillset(&all);
	s.own = command_start_own_state(c->call);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = command_start_fork(&s);
	if (pid < 0)
		s.error = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid > 0 && s.error == 0)
		return pid;
	if (pid > 0)
		waitpid(pid, NULL, 0);
	command_start_say_error(c, &s, pid);
	return -1;
}
