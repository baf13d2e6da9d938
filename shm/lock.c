#include "shm/lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/why.h"
#include "shm/steps.h"

/* The locks of this thread, by rank: a thread never holds two arenas, so a rank has at most one
 * lock. */
static _Thread_local const struct lock_shm *held[RANKS];

static const char *const rank_names[RANKS] = {
	[RANK_GROW] = "store growth",
	[RANK_POOL] = "record pool",
	[RANK_TASK_HEAP] = "task heap",
	[RANK_WORKER_HEAP] = "worker heap",
	[RANK_ARENA] = "store arena",
	[RANK_REGISTRY] = "registry",
	[RANK_GRAPH] = "graph",
};

void lock_init(struct lock_shm *shm)
{
	pthread_mutexattr_t attr;
	CHECK(pthread_mutexattr_init(&attr) == 0);
	CHECK(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0);
	CHECK(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0);
	CHECK(pthread_mutex_init(&shm->mutex, &attr) == 0);
	pthread_mutexattr_destroy(&attr);
}

static void lock_check_order(const struct lock *lock)
{
	for (int rank = lock->rank; rank < RANKS; rank++)
		CHECK(held[rank] == NULL);
}

/* The only place that handles a dead holder. */
static int lock_inherit(struct lock *lock)
{
	held[lock->rank] = lock->shm;
	const char *unsound = lock->recover ? lock->recover(lock->context) : NULL;
	if (!unsound) {
		step_here("lock consistent");
		CHECK(pthread_mutex_consistent(&lock->shm->mutex) == 0);
		if (lock->watch && lock->watch->recovered)
			lock->watch->recovered(lock->watch->context, lock->rank);
		return 0;
	}
	held[lock->rank] = NULL;
	pthread_mutex_unlock(
	    &lock->shm->mutex); /* unlocked without consistent(): refused for ever */
	return why(-ENOTRECOVERABLE, "the %s lock cannot be recovered: %s; restart the runtime",
	    rank_names[lock->rank], unsound);
}

/* ThreadSanitizer does not know clocklock(), and would think the lock never taken. */
#ifdef __SANITIZE_THREAD__
static int lock_wait(struct lock *lock)
{
	struct timespec until = clock_timespec(clock_of(CLOCK_REALTIME) + LOCK_WAIT_MS * NS_PER_MS);
	return pthread_mutex_timedlock(&lock->shm->mutex, &until);
}
#else
static int lock_wait(struct lock *lock)
{
	struct timespec until = clock_timespec(clock_ns() + LOCK_WAIT_MS * NS_PER_MS);
	return pthread_mutex_clocklock(&lock->shm->mutex, CLOCK_MONOTONIC, &until);
}
#endif

/* The mutex's answer as -errno with a why; r == 0 or EOWNERDEAD: the lock is ours. */
static int lock_taken(struct lock *lock, int r)
{
	switch (r) {
	case 0: held[lock->rank] = lock->shm; return 0;
	case EOWNERDEAD: return lock_inherit(lock);
	case ETIMEDOUT:
		return why(-ETIMEDOUT,
		    "a live process has held the %s lock for %d ms: "
		    "is one of the runtime's processes stopped?",
		    rank_names[lock->rank], LOCK_WAIT_MS);
	case ENOTRECOVERABLE:
		return why(-ENOTRECOVERABLE, "the %s lock is beyond recovery; restart the runtime",
		    rank_names[lock->rank]);
	default: /* the bytes are no mutex: a damaged segment */
		return why(-ENOTRECOVERABLE,
		    "the %s lock is damaged (error %d); restart the runtime",
		    rank_names[lock->rank], r);
	}
}

int lock_acquire(struct lock *lock)
{
	lock_check_order(lock);
	step_here("lock acquire");
	int r = pthread_mutex_trylock(&lock->shm->mutex);
	return lock_taken(lock, r == EBUSY ? lock_wait(lock) : r);
}

int lock_try(struct lock *lock)
{
	lock_check_order(lock);
	step_here("lock try");
	int r = pthread_mutex_trylock(&lock->shm->mutex);
	return r == EBUSY ? -EBUSY : lock_taken(lock, r);
}

void lock_release(struct lock *lock)
{
	CHECK(lock_held(lock));
	held[lock->rank] = NULL;
	step_here("lock release");
	CHECK(pthread_mutex_unlock(&lock->shm->mutex) == 0);
	step_here("lock released");
}

bool lock_held(const struct lock *lock)
{
	return held[lock->rank] == lock->shm;
}

/* A peek at glibc's words, because the dump tool must not take a lock in order to describe it. */
const char *lock_describe(const struct lock_shm *shm, char *buffer, unsigned long size)
{
	enum { NOT_RECOVERABLE = 0x7ffffffe }; /* glibc's owner word in such a lock */
	uint32_t word = (uint32_t)__atomic_load_n(&shm->mutex.__data.__lock, __ATOMIC_RELAXED);
	uint32_t owner = (uint32_t)__atomic_load_n(&shm->mutex.__data.__owner, __ATOMIC_RELAXED);
	if (owner == NOT_RECOVERABLE)
		snprintf(buffer, size, "beyond recovery");
	else if (word == 0)
		snprintf(buffer, size, "free");
	else if (word & FUTEX_OWNER_DIED)
		snprintf(buffer, size, "its owner died; the next taker recovers");
	else
		snprintf(buffer, size, "held by thread %u%s", word & FUTEX_TID_MASK,
		    word & FUTEX_WAITERS ? ", others wait" : "");
	return buffer;
}
