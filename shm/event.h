/* event.h - futex event count: how a process waits for data that another process publishes.
 *
 * Where: a 32-bit word in a segment.  Who may call: any number of waiters and posters.
 * Death: a killed waiter costs a needless wake. A poster killed between the bump and the wake, or a
 * woken waiter killed before its look, loses a wake: the manager bumps every event after each
 * death, and event_sleep() returns after a safety tick at the latest, so truth is always looked at
 * again.
 * Blocks: event_sleep() only.
 *
 * Bit 0 says "a process may sleep", the rest counts. Posting costs a fence and a load while no
 * process sleeps. The only correct wait:
 *
 *	while (!condition()) {
 *		uint32_t seen = event_prepare(ev);       from here on a post will wake us
 *		if (condition())                         published before the prepare
 *			break;
 *		if (event_sleep(ev, seen, deadline) == -ETIMEDOUT && clock_ns() >= deadline)
 *			return -ETIMEDOUT;
 *	}
 *
 * Wrong: looking at the condition only before event_prepare(), since a post in between wakes
 *nobody. No wake is lost: the poster publishes, fences, loads the word; the waiter sets bit 0 by a
 *seq_cst operation, then looks. Either the poster sees the bit, or the waiter sees the data. */
#ifndef PLM_EVENT_H
#define PLM_EVENT_H

#include <limits.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/limits.h"
#include "shm/steps.h"

struct event {
	shared32 word; /* W: any waiter (bit 0), any poster (bump).  R: anyone. */
};

static inline uint32_t event_prepare(struct event *ev)
{
	return sh_or(&ev->word, 1u) | 1u;
}

/* 0: woken, or the word moved, or a safety tick passed; -ETIMEDOUT: the deadline passed. */
static inline int event_sleep(struct event *ev, uint32_t seen, uint64_t deadline_ns)
{
	uint64_t tick = clock_ns() + SAFETY_TICK_MS * NS_PER_MS;
	if (tick < deadline_ns) {
		sh_futex_wait(&ev->word, seen, tick);
		return 0;
	}
	return sh_futex_wait(&ev->word, seen, deadline_ns);
}

/* Wakes every waiter whatever the word says: after a death, at shutdown. */
static inline void event_bump(struct event *ev)
{
	uint32_t seen = sh_peek(&ev->word);
	while (!sh_cas(&ev->word, &seen, (seen | 1u) + 1u, "word, bumped"))
		;
	sh_futex_wake(&ev->word, INT_MAX);
}

/* May a waiter sleep? The caller has published and fenced. */
static inline bool event_sleeper(const struct event *ev)
{
	return sh_peek(&ev->word) & 1u;
}

/* The woken waiter sees all stores before this call. The caller has fenced (event_post() does). */
static inline void event_post_fenced(struct event *ev)
{
	uint32_t seen = sh_peek(&ev->word);
	if (!(seen & 1u))
		return;
	/* Losing the race to another poster is fine: the winner's bump came after our publication.
	 */
	if (sh_cas(&ev->word, &seen, seen + 1u, "word, posted"))
		sh_futex_wake(&ev->word, INT_MAX);
}

static inline void event_post(struct event *ev)
{
	sh_fence();
	event_post_fenced(ev);
}

#endif
