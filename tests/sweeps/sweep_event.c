/* sweep_event.c - waiting for a published value, killed at every step: the waiter, the poster,
 * the bump after a death. That bump, or the next one, wakes every sleeper. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "shm/event.h"
#include "tests/support/sweep.h"

enum { SLEEP_MS = 3, PATIENCE_MS = 2000 };

struct scene {
	struct event event;
	shared32 news; /* the published value */
	uint32_t seen; /* value seen by a process that has slept since the setup */
};

/* ---- a process that really sleeps ---- */

static void sleep_on(struct event *event, uint32_t seen)
{
#ifdef PLM_STEPS
	step_hook = NULL; /* this process is not the victim */
#endif
	uint64_t deadline = deadline_after_ms(PATIENCE_MS);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(sh_futex_wait(&event->word, seen, deadline) < 0);
}

static bool is_asleep(pid_t pid)
{
	char path[40], state = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	bool read = f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1;
	if (f)
		fclose(f);
	return read && state == 'S';
}

static pid_t start_sleeper(struct event *event, uint32_t seen)
{
	uint64_t deadline = deadline_after_ms(PATIENCE_MS);
	pid_t pid = fork();
	if (pid == 0)
		sleep_on(event, seen);
	SWEEP_REQUIRE(pid > 0);
	while (!is_asleep(pid))
		SWEEP_REQUIRE(clock_ns() < deadline);
	return pid;
}

static void must_have_woken(pid_t pid)
{
	int status;
	SWEEP_REQUIRE(waitpid(pid, &status, 0) == pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		sweep_fail("who sleeps was not woken");
}

/* ---- operations ---- */

static void setup(void *image)
{
	struct scene *scene = image;
	scene->seen = event_prepare(&scene->event);
}

static void setup_alone(void *image)
{
	(void)image;
}

static void wait_in_vain(void *image)
{
	struct scene *scene = image;
	uint64_t deadline = deadline_after_ms(SLEEP_MS);
	while (!sh_load(&scene->news) && clock_ns() < deadline) {
		uint32_t seen = event_prepare(&scene->event);
		SWEEP_REQUIRE(event_sleeper(&scene->event));
		event_sleep(&scene->event, seen, deadline);
	}
}

static void publish(void *image)
{
	struct scene *scene = image;
	sh_store(&scene->news, 1);
	event_post(&scene->event);
	/* A wake misses a waiter that is about to sleep; the changed word keeps that waiter
	 * awake. */
	SWEEP_REQUIRE(sh_load(&scene->event.word) != scene->seen);
}

static void bump(void *image)
{
	struct scene *scene = image;
	event_bump(&scene->event);
}

static void publish_and_wake(void *image)
{
	struct scene *scene = image;
	pid_t pid = start_sleeper(&scene->event, scene->seen);
	publish(image);
	must_have_woken(pid);
}

static void bump_and_wake(void *image)
{
	struct scene *scene = image;
	pid_t pid = start_sleeper(&scene->event, sh_load(&scene->event.word));
	bump(image);
	must_have_woken(pid);
}

/* ---- verdicts ---- */

/* The process that has slept since the setup looks again, however far the victim came. */
static const char *judge_seen(void *image)
{
	struct scene *scene = image;
	if (sh_load(&scene->event.word) == scene->seen)
		return "it sleeps on, though somebody died";
	return NULL;
}

/* And a process that sleeps from now on is woken by the next post. */
static const char *judge_post(void *image)
{
	struct scene *scene = image;
	scene->seen = event_prepare(&scene->event);
	publish_and_wake(image);
	return judge_seen(image);
}

static const char *judge(void *image)
{
	const char *why = judge_seen(image);
	return why ? why : judge_post(image);
}

#define EVENT_OP(what, prepare, act, mend, verdict, only_steps)                                \
	{                                                                                      \
		.name = what, .bytes = sizeof(struct scene), .setup = prepare, .operate = act, \
		.recover = mend, .judge = verdict, .steps_only = only_steps                    \
	}

static const struct sweep_op ops[] = {
	EVENT_OP("a post, while somebody sleeps", setup, publish, bump, judge, false),
	EVENT_OP("a bump", setup, bump, bump, judge, false),
	EVENT_OP("a wait that nobody ends", setup_alone, wait_in_vain, bump, judge_post, true),
	EVENT_OP(
	    "a post that wakes a process", setup, publish_and_wake, bump_and_wake, judge, true),
	EVENT_OP("a bump that wakes a process", setup, bump_and_wake, bump_and_wake, judge, true),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
