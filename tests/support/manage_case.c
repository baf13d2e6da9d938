#include "tests/support/manage_case.h"

#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/plm.h"
#include "tests/support/json.h"

enum { WORDS_MAX = 16, PATH_BYTES = 256, MANY = 1500 };

void manage_boot(void)
{
	host_boot("1");
}

void manage_stop(void)
{
	free(ctl_expect(&host, 0, "resume"));
	free(ctl_expect(&host, 0, "cancel", "--all"));
	host_stop();
}

void check_found(char *found, const char *const *refs)
{
	size_t lines = found[0] != 0, wanted = 0;
	for (const char *at = found; *at; at++)
		lines += *at == '\n';
	for (; refs[wanted]; wanted++)
		ck_assert_msg(
		    strstr(found, refs[wanted]) != NULL, "%s is not in: %s", refs[wanted], found);
	ck_assert_msg(lines == wanted, "%zu found, not %zu: %s", lines, wanted, found);
	free(found);
}

void expect_cell(const char *ref, const char *key, const char *expected)
{
	char *lines = ctl_expect(&host, 0, "tasks", "--json"), *at = strstr(lines, ref);
	ck_assert_msg(at != NULL, "%s is not in %s", ref, lines);
	char *value = json_field(at, key);
	ck_assert_msg(value && strcmp(value, expected) == 0, "%s is %s, not %s, in %s", key,
	    value ? value : "missing", expected, at);
	free(value);
	free(lines);
}

void refuse(int code, const char *why, const char *const *arguments)
{
	struct output_of o = program_run(&host, "plmctl", arguments, NULL, 0);
	ck_assert_msg(o.code == code, "plmctl %s %s: exit code %d, not %d: %s", arguments[0],
	    arguments[1] ? arguments[1] : "", o.code, code, o.err);
	ck_assert_msg(strstr(o.err, why) != NULL, "stderr is %s, without %s", o.err, why);
	output_free(&o);
}

struct each one_of_each(void)
{
	struct each e;
	e.done = detached("--label", "good", "--", "echo", "all is well");
	e.failed = detached("--label", "bad", "--shell", "exit 3");
	e.dead = detached("--retries", "1", "--shell", "exit 4");
	free(ctl_expect(&host, 2, "wait", e.done, e.failed, e.dead));
	e.running = detached("--", "sleep", "1000");
	ctl_until(&host, e.running, "tasks", "--in-progress", "--quiet");
	e.ready = detached("--label", "good", "--", "echo", "later");
	e.waiting = ctl_expect(&host, 0, "call", "--detach", "probe.sum", e.running);
	e.cancelled = detached("--", "echo", "never");
	free(ctl_expect(&host, 0, "cancel", e.cancelled));
	return e;
}

void each_free(struct each *e)
{
	free(e->done), free(e->failed), free(e->dead), free(e->running), free(e->ready);
	free(e->waiting), free(e->cancelled);
}

void submit_many(void)
{
	static plm_ref refs[MANY];
	static plm_task tasks[MANY];
	plm *rt;
	free(ctl_expect(&host, 0, "pause"));
	ck_assert_int_eq(plm_connect(&rt, host.name), 0);
	for (size_t i = 0; i < MANY; i++)
		tasks[i] = (plm_task){ .function = "probe.noop", .flags = PLM_KEEP };
	ck_assert_int_eq(plm_submit_many(rt, tasks, MANY, refs), 0);
	plm_disconnect(&rt);
}

pid_t start_ctl(int out, int err, bool ignoring, const char *const *words)
{
	const char *where = getenv("PLM_BIN"), *argv[WORDS_MAX] = { "plmctl", "--name", host.name };
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/plmctl", where && where[0] ? where : ".");
	for (size_t i = 0; words[i]; i++)
		argv[3 + i] = words[i];
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	signal(SIGPIPE, ignoring ? SIG_IGN : SIG_DFL);
	dup2(out, STDOUT_FILENO);
	if (err >= 0)
		dup2(err, STDERR_FILENO);
	execv(path, (char **)(uintptr_t)argv);
	_exit(127);
}
