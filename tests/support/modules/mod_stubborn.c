/* mod_stubborn.c - tasks that fail, die, do not stop, or wait for themselves. Each attempt writes
 * lines "MICROSECONDS PID WORD" into a file: the time, the process, and what the attempt did. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "given.h"

enum { US_PER_S = 1000000, NS_PER_US = 1000 };

static void mod_stubborn_note(plm_call *call, const char *what)
{
	char path[GIVEN_BYTES], line[GIVEN_BYTES];
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int n = snprintf(line, sizeof line, "%lld %d %s\n",
	    (long long)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US, (int)getpid(), what);
	int fd = open(given_text(call, 0, path), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		abort();
	close(fd);
}

/* FILE [VALUE]: fails until FILE.enough exists, then yields the value. */
static int mod_stubborn_flaw(plm_call *call)
{
	char path[GIVEN_BYTES], enough[GIVEN_BYTES + sizeof ".enough"];
	size_t length = 0;
	mod_stubborn_note(call, "tries");
	snprintf(enough, sizeof enough, "%s.enough", given_text(call, 0, path));
	if (access(enough, F_OK) != 0)
		return plm_fail(call, EIO, "not yet");
	const void *value = plm_nargs(call) > 1 ? plm_arg_data(call, 1, &length) : "";
	void *result = plm_result(call, length);
	if (!result)
		return plm_fail(call, ENOSPC, "%s", plm_why());
	memcpy(result, value, length);
	return 0;
}

static int mod_stubborn_die(plm_call *call)
{
	mod_stubborn_note(call, "dies");
	return kill(getpid(), SIGKILL);
}

/* FILE: looks at plm_cancelled() often. */
static int mod_stubborn_obey(plm_call *call)
{
	mod_stubborn_note(call, "begins");
	while (!plm_cancelled(call))
		nanosleep(&(struct timespec){ .tv_nsec = US_PER_S }, NULL);
	mod_stubborn_note(call, "obeys");
	return 0;
}

/* FILE: runs until FILE.enough exists or a cancel, then fails. */
static int mod_stubborn_hold(plm_call *call)
{
	char path[GIVEN_BYTES], enough[GIVEN_BYTES + sizeof ".enough"];
	mod_stubborn_note(call, "holds");
	snprintf(enough, sizeof enough, "%s.enough", given_text(call, 0, path));
	while (!plm_cancelled(call) && access(enough, F_OK) != 0)
		nanosleep(&(struct timespec){ .tv_nsec = US_PER_S }, NULL);
	return plm_fail(call, EIO, "not yet");
}

/* FILE MEGABYTES: takes memory step by step, and keeps the memory until a cancel. */
static int mod_stubborn_hog(plm_call *call)
{
	enum { STEP_MB = 8, PACE_MS = 20, NS_PER_MS = 1000000 };
	char word[GIVEN_BYTES];
	size_t wanted = strtoul(given_text(call, 1, word), NULL, 10);
	char **step = calloc(wanted / STEP_MB + 1, sizeof *step);
	mod_stubborn_note(call, "begins");
	for (size_t i = 0; i * STEP_MB < wanted && step && !plm_cancelled(call); i++) {
		step[i] = malloc((size_t)STEP_MB << 20);
		if (step[i])
			memset(step[i], 1, (size_t)STEP_MB << 20);
		nanosleep(&(struct timespec){ .tv_nsec = PACE_MS * NS_PER_MS }, NULL);
	}
	mod_stubborn_note(call, "has");
	while (!plm_cancelled(call))
		nanosleep(&(struct timespec){ .tv_nsec = US_PER_S }, NULL);
	for (size_t i = 0; step && i * STEP_MB < wanted; i++)
		free(step[i]);
	free(step);
	return 0;
}

/* FILE: looks at plm_cancelled() only when a system call returns. */
static int mod_stubborn_doze(plm_call *call)
{
	mod_stubborn_note(call, "begins");
	while (!plm_cancelled(call))
		pause();
	mod_stubborn_note(call, "wakes");
	return 0;
}

/* FILE: never looks at plm_cancelled(). */
static int mod_stubborn_ignore(plm_call *call)
{
	mod_stubborn_note(call, "begins");
	while (pause() < 0)
		;
	return 0;
}

/* REF: waits for the future; with a second argument, for a new task that has the future as an
 * argument. */
static int mod_stubborn_await(plm_call *call)
{
	char word[GIVEN_BYTES];
	plm_view view;
	plm_ref ref;
	plm *rt = plm_runtime(call);
	int r = plm_ref_parse(given_text(call, 0, word), &ref);
	plm_arg future = PLM_FUTURE(ref);
	plm_task below = { .function = "probe.echo", .args = &future, .nargs = 1 };
	if (r == 0 && plm_nargs(call) > 1)
		r = plm_submit(rt, &below, &ref);
	if (r == 0)
		r = plm_get(rt, ref, &view, -1);
	return r < 0 ? plm_fail(call, -r, "%s", plm_why()) : 0;
}

PLM_MODULE(stubborn, { "flaw", mod_stubborn_flaw, "FILE [VALUE]: fails until FILE.enough exists" },
    { "die", mod_stubborn_die, "FILE: ends its worker" },
    { "obey", mod_stubborn_obey, "FILE: runs until it is asked to stop" },
    { "hold", mod_stubborn_hold, "FILE: runs until FILE.enough exists, then fails" },
    { "hog", mod_stubborn_hog,
	"FILE MEGABYTES: takes memory and keeps it until it is asked to stop" },
    { "doze", mod_stubborn_doze, "FILE: sleeps until a signal wakes it" },
    { "ignore", mod_stubborn_ignore, "FILE: does not stop" },
    { "await", mod_stubborn_await, "REF [BELOW]: waits for REF, or for a task after it" });
