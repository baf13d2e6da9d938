/* command_watch.c - while a command runs: takes its output, and heeds requests to stop.
 *
 * The worker does not poll; three things wake the worker: the pipes, the pidfd, and interrupts. The
 * scheduler sends interrupts to a worker whose process slot says `alert` when the task is asked to
 * stop (scheduler/task_limits.c). Interrupts are blocked except during the sleep, so none is lost
 * between the look at the task's word and the sleep. */
#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "command/command_run.h"
#include "command/leftovers.h"

static void command_watch_signal_group(const struct run *run, int signal)
{
	kill(-run->pid, signal);
	kill(-run->pid, SIGCONT); /* for a stopped command */
}

/* No time to ask. */
static void command_watch_kill_at_once(struct run *run)
{
	run->killed = true;
	command_watch_signal_group(run, SIGKILL);
}

static void command_watch_ask(struct run *run)
{
	bool stopped = sh_peek(&run->call->rt->tables.control->mode) == MODE_STOPPED;
	run->asked = true;
	run->interrupts = 0;
	run->kill_ns = stopped ? clock_ns() + STOP_GRACE_MS / 2 * NS_PER_MS : DEADLINE_NEVER;
	command_watch_signal_group(run, SIGTERM);
}

/* The last interrupt but one comes when a quarter of the grace is left: time enough to end all
 * descendants of the command, before the worker itself is killed. */
static void command_watch_heed_cancellation(struct run *run)
{
	if (run->killed || !plm_cancelled(run->call))
		return;
	if (word_flags(sh_load(&run->call->record->state)) & FLAG_MEMORY) {
		command_watch_kill_at_once(run);
		return;
	}
	if (!run->asked)
		command_watch_ask(run);
	if (run->interrupts < GRACE_INTERRUPTS - 1 && clock_ns() < run->kill_ns)
		return;
	run->killed = true;
	command_watch_signal_group(run, SIGKILL);
}

static void command_watch_take_end(struct run *run)
{
	struct rusage usage;
	if (wait4(run->pid, &run->status, WNOHANG, &usage) != run->pid)
		return;
	leftovers_add_usage(&run->usage, &usage);
	run->ended = true;
}

/* A tick is the worker's sign of life, and finds what no interrupt told. */
static void command_watch_sleep_until_something(struct run *run)
{
	struct pollfd wake[] = { { .fd = run->pidfd, .events = POLLIN },
		{ .fd = run->out.pipe, .events = POLLIN },
		{ .fd = run->err.pipe, .events = POLLIN },
		{ .fd = run->parts.pipe, .events = POLLOUT }, { .fd = -1 }, { .fd = -1 } };
	uint64_t now = clock_ns(),
		 look_ns = run->memory.next_ns > now ? run->memory.next_ns - now : 0;
	uint64_t wait_ns =
	    (run->kill_ns == DEADLINE_NEVER ? SAFETY_TICK_MS : STOP_GRACE_MS / 4) * NS_PER_MS;
	wait_ns = look_ns < wait_ns ? look_ns : wait_ns;
	jobserver_wait(run->jobserver, wake + 4, &wait_ns);
	struct timespec tick = clock_timespec(wait_ns);
	int n = ppoll(wake, COUNT_OF(wake), &tick, &run->waiting);
	if (n < 0)
		run->interrupts += errno == EINTR;
	if (n <= 0)
		return;
	if (wake[1].revents)
		capture_take(&run->out);
	if (wake[2].revents)
		capture_take(&run->err);
	if (wake[3].revents)
		input_parts_give(&run->parts);
	if (wake[0].revents)
		command_watch_take_end(run);
}

void command_watch(struct run *run)
{
	command_memory_begin(run);
	while (!run->ended) {
		command_watch_heed_cancellation(run);
		jobserver_step(run->jobserver);
		if (!command_memory_look(run) && !run->killed)
			command_watch_kill_at_once(run);
		command_watch_sleep_until_something(run);
	}
	command_memory_end(run);
	run->left = leftovers_end(&run->before, command_group(), run->killed, &run->usage);
	capture_drain(&run->out);
	capture_drain(&run->err);
}
