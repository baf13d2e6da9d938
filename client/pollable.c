/* pollable.c - plm_fd(): settlements as a descriptor, for programs asleep in poll(). */
#include "client/pollable.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/standard.h"
#include "base/why.h"
#include "client/wait.h"

/* A thread sleeps on the event count and makes the descriptor readable each time the count moves.
 * The thread registers for the next movement before it tells of the last: after a settlement while
 * the program looks, the descriptor is readable again. */
static void *pollable_run(void *context)
{
	struct plm *rt = context;
	uint32_t told = 0;
	int cell = wait_cell_join(rt);
	struct event *event = &rt->me->waiter[cell].event;
	while (!atomic_load(&rt->pollable_stop) && handle_runtime_gone(rt) == 0) {
		wait_cell_announce(rt, cell, AWAITING_ANY);
		uint32_t seen = event_prepare(event);
		if (seen != told)
			eventfd_write(rt->pollable_fd, 1);
		told = seen;
		event_sleep(event, seen, DEADLINE_NEVER);
	}
	eventfd_write(rt->pollable_fd, 1); /* the end of the runtime is news too */
	wait_cell_leave(rt, cell);
	return NULL;
}

static int pollable_open(struct plm *rt)
{
	int fd = standard_avoid(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (fd < 0)
		return why(-errno, "eventfd for plm_fd() failed");
	rt->pollable_fd = fd;
	int r = pthread_create(&rt->pollable_thread, NULL, pollable_run, rt);
	if (r == 0)
		return 0;
	close(fd);
	rt->pollable_fd = -1;
	return why(-r, "starting the thread behind plm_fd() failed");
}

static int pollable_descriptor(plm *rt)
{
	int r = handle_check(rt);
	if (r < 0)
		return r;
	pthread_mutex_lock(&rt->pollable_mutex);
	if (rt->pollable_fd < 0)
		r = pollable_open(rt);
	pthread_mutex_unlock(&rt->pollable_mutex);
	return r < 0 ? r : rt->pollable_fd;
}

int plm_fd(plm *rt)
{
	unsigned said = why_count();
	return handle_end(said, pollable_descriptor(rt));
}

void pollable_close(struct plm *rt)
{
	if (rt->pollable_fd < 0)
		return;
	atomic_store(&rt->pollable_stop, true);
	process_bump(&rt->tables, rt->self);
	pthread_join(rt->pollable_thread, NULL);
	close(rt->pollable_fd);
	rt->pollable_fd = -1;
}
