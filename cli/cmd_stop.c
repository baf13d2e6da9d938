#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/arguments.h"
#include "cli/result.h"

enum { LOOK_AGAIN_MS = 1000 };

static const struct option_row rows[] = {
	{ "now", NULL, NULL, OPTION_FLAG,
	    .help = "end at once; tasks that have not finished are lost", .bytes = sizeof(bool) },
	{ 0 },
};

/* A visit each time: waiting for an end that may be far must not keep a process slot. */
static bool stop_was_taken_back(const struct context *context)
{
	plm_status status;
	plm *rt = NULL;
	if (plm_connect_with(&rt, context->name, PLM_VISIT, LOOK_AGAIN_MS) < 0)
		return false; /* the runtime ends, or is busy */
	bool goes_on = plm_status_get(rt, &status) == 0 && !status.stopping;
	plm_disconnect(&rt);
	return goes_on;
}

/* Waits on a pidfd: by then the pid may be the number of another process. */
static int stop_wait_for_end(const struct context *context, int pidfd, uint64_t deadline_ns)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };
	for (;;) {
		int left = milliseconds_left(deadline_ns);
		int n = poll(&ended, 1, left < 0 || left > LOOK_AGAIN_MS ? LOOK_AGAIN_MS : left);
		if (n > 0)
			return EXIT_FINE;
		if (n < 0 && errno != EINTR)
			return failed(-errno, "waiting for the runtime's end");
		if (clock_ns() >= deadline_ns)
			break;
		if (n == 0 && stop_was_taken_back(context)) {
			fputs("plmctl: stop: the runtime goes on: somebody resumed it\n", stderr);
			return EXIT_CANCELLED;
		}
	}
	fputs("plmctl: stop: --timeout ran out: the runtime ends when its tasks have; `plmctl stop "
	      "--now` cancels them\n",
	    stderr);
	return EXIT_TIMED_OUT;
}

static int stop_stop(struct context *context, bool now)
{
	plm_status status;
	uint64_t deadline = deadline_of(context);
	int r = now ? 0 : refuse_inside(context, "call it from outside, or with --now");
	if (r == 0)
		r = plm_status_get(context->rt, &status);
	if (r < 0)
		return failed(r, "stop");
	int pidfd = (int)syscall(SYS_pidfd_open, status.manager_pid, 0);
	if (pidfd < 0)
		return failed(-errno, "watching the manager");
	r = plm_stop(context->rt, now);
	int code = r < 0 ? failed(r, "stop") : EXIT_FINE;
	plm_disconnect(&context->rt); /* a connected client delays the end */
	if (code == EXIT_FINE)
		code = stop_wait_for_end(context, pidfd, deadline);
	close(pidfd);
	return code;
}

static int stop_run(struct context *context, int argc, char **argv)
{
	bool now = false;
	take_options(context, argc, argv, (void *[]){ &now });
	expect_operands(context, argc, 0, 0);
	int code = runtime(context);
	return code == EXIT_FINE ? stop_stop(context, now) : code;
}

const struct command cmd_stop = {
	.name = "stop",
	.usage = "[OPTION]...",
	.help = "let the accepted tasks finish, then end the runtime; returns when it has ended",
	.options = { rows },
	.notes =
	    "While the runtime ends, new tasks are refused, and everything else works: looking,\n"
	    "cancelling, stop --now to end at once, resume to take the stop back. Exit code 124:\n"
	    "time ran out, the runtime goes on stopping; 130: somebody resumed.\n",
	.run = stop_run,
	.visits = true,
};
