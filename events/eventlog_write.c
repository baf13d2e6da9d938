/* eventlog_write.c - opens the ring of this process at its first event. */
#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/why.h"
#include "events/eventlog_read.h"

enum { SMALL_SHARE = 16 };

/* The log takes no room that the store may still need, unless the ring is small against what is
 * free: a task must not fail because the runtime is watched. */
static bool write_has_room(const struct tables *t, uint64_t bytes)
{
	struct arena_usage store;
	struct statvfs fs;
	if (fstatvfs(t->event_segment.fd, &fs) < 0 || fs.f_blocks == 0)
		return true; /* a file system without a limit has no blocks to count */
	uint64_t there = (uint64_t)fs.f_bavail * fs.f_frsize;
	store_usage(t, &store);
	uint64_t wanted =
	    store.total_bytes > store.reserved_bytes ? store.total_bytes - store.reserved_bytes : 0;
	return bytes <= there / SMALL_SHARE || (bytes <= there && wanted <= there - bytes);
}

/* Reserves memory for the ring: a full /dev/shm must never end a process by SIGBUS. */
static int write_reserve(
    const struct tables *t, const struct eventlog_plan *plan, struct eventlog_ring *ring)
{
	uint64_t at = plan->ring + t->self * plan->ring_bytes;
	if (sh_load(&ring->state) == EVENT_RING_READY)
		return 0; /* reserved by a former process of the process slot */
	int r = write_has_room(t, plan->ring_bytes)
	    ? segment_reserve(t->event_segment.fd, at, plan->ring_bytes)
	    : -ENOSPC;
	sh_store(&ring->state, r < 0 ? EVENT_RING_NO_ROOM : EVENT_RING_READY, "state");
	return r;
}

static int write_open_ring(struct tables *t)
{
	struct eventlog_plan plan;
	int r = 0;
	if (!t->event_segment.header && t->shared)
		return -ENOENT; /* the owner of the mappings has no log */
	if (!t->event_segment.header)
		r = eventlog_segment_open(t, true, &t->event_segment);
	if (r < 0)
		return r;
	eventlog_segment_plan(t, &t->event_segment, &plan);
	struct eventlog_ring *ring = eventlog_ring_at(&t->event_segment, &plan, t->self);
	r = write_reserve(t, &plan, ring);
	if (r < 0)
		return r;
	eventlog_ring_of(&t->event_segment, &plan, t->self, &t->event_writer);
	return 0;
}

/* A process without a ring asks again when the log is switched anew. A thread that comes while
 * another thread opens the ring writes no event. */
bool eventlog_open(struct tables *t)
{
	struct eventlog_writer *w = &t->event_writer;
	uint32_t new = EVENT_WRITER_NEW;
	uint64_t word = sh_glance(&t->control->events);
	if (atomic_load_explicit(&w->refused, memory_order_relaxed) == word ||
	    !atomic_compare_exchange_strong(&w->state, &new, EVENT_WRITER_OPENING))
		return false;
	char said[WHY_TEXT_BYTES];
	int error = errno;
	snprintf(said, sizeof said, "%s", why_text());
	int r = write_open_ring(t);
	if (r < 0) {
		why(0, "%s", said); /* no call fails because of the log */
		atomic_store_explicit(&w->refused, word, memory_order_relaxed);
	}
	errno = error;
	atomic_store_explicit(
	    &w->state, r < 0 ? EVENT_WRITER_NEW : EVENT_WRITER_OPEN, memory_order_release);
	return r == 0;
}

/* A lock was taken from a dead holder. Under the lock no ring is opened. */
static void write_lock_recovered(void *context, enum lock_rank rank)
{
	struct tables *t = context;
	if (eventlog_on(t) && atomic_load(&t->event_writer.state) == EVENT_WRITER_OPEN)
		eventlog_put(t,
		    (struct logged_event){ .kind = EVENT_LOCK_RECOVERED,
			.worker = EVENT_NOBODY,
			.function = EVENT_NOBODY,
			.time_ns = clock_ns(),
			.argument = rank });
}

void eventlog_attach(struct tables *t)
{
	t->lock_watch = (struct lock_watch){ write_lock_recovered, t };
}
