/* lock.h - the only lock that may live in a segment: a robust process-shared mutex with a rank.
 *
 * Where: lock_shm in the segment, struct lock in this process.  Who: anyone attached.
 * Death: the next lock_acquire() gets the lock together with the dead holder's mess, calls the one
 * recovery function of this lock, and only then returns; the caller never knows. Should the
 * recovery's process die too, the next one recovers again: recovery must be repeatable.
 * Blocks: lock_acquire(), at most LOCK_WAIT_MS behind a live holder (-ETIMEDOUT: never stolen).
 * Rules: take in rising rank; critical sections are short: no system call, allocation or callback.
 * Memory of a lock is never unmapped or reused while anyone is attached. */
#ifndef PLM_LOCK_H
#define PLM_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum lock_rank {       /* taken in rising order only */
	RANK_GROW = 1, /* reserves more of the store: the one lock held over a system call */
	RANK_POOL,
	RANK_GRAPH,
	RANK_TASK_HEAP,
	RANK_WORKER_HEAP,
	RANK_ARENA,
	RANK_REGISTRY,
	RANKS
};

struct lock_shm {
	_Alignas(64) pthread_mutex_t mutex;
};

struct lock {
	struct lock_shm *shm;
	enum lock_rank rank;
	/* Makes what the lock protects sound again. NULL = ok, else why it cannot be: the lock is
	 * then unusable for everybody (-ENOTRECOVERABLE), which is better than wrong. */
	const char *(*recover)(void *context);
	void *context;
};

/* Once, by the creator of the segment, before anybody attaches. */
void lock_init(struct lock_shm *shm);

/* 0, -ETIMEDOUT (a live holder does not let go), -ENOTRECOVERABLE (its recovery failed). */
int lock_acquire(struct lock *lock);
/* Also -EBUSY: somebody has it. For work that its holder, or anybody later, can do as well. */
int lock_try(struct lock *lock);
void lock_release(struct lock *lock);

/* True when this thread holds it: functions named _locked CHECK this. */
bool lock_held(const struct lock *lock);

/* For the dump tool: "free", "held by TID", "owner died", without touching it. */
const char *lock_describe(const struct lock_shm *shm, char *buffer, unsigned long size);

#endif
