/* ground.c - the ground under every file of the scheduler: calls no other file of the folder. */
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/why.h"
#include "scheduler/ground.h"

void scheduler_give_up(void)
{
	log_warn("the scheduler ends, and the manager starts another: %s", why_text());
	exit(1);
}

/* The scheduler alone uses the heaps; the dump tool takes no lock. */
void scheduler_lock_heap(struct heap *heap)
{
	if (heap_lock(heap) < 0)
		scheduler_give_up();
}

void scheduler_ring_manager(struct scheduler *s)
{
	if (s->manager >= 0)
		eventfd_write(s->manager, 1);
}

void scheduler_signal(struct scheduler *s, uint32_t process, int signal)
{
	const struct worker_process *w = &s->worker_process[process];
	if (w->generation && w->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, w->pidfd, signal, NULL, 0);
}
