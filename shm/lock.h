/* lock.h - the only lock that may live in a segment: a robust process-shared mutex with a rank.
 *
 * Where: lock_shm in the segment, struct lock in each process.  Who may call: any attached process.
 * Death: the next lock_acquire() gets the lock with the dead holder's half-done change, calls the
 * lock's only recovery function, and then returns; the caller never knows. Should the recovering
 * process die, too, the next taker recovers again: recovery must be repeatable.
 * Blocks: lock_acquire(), at most LOCK_WAIT_MS behind a live holder (-ETIMEDOUT: never stolen).
 * Rules: take locks in rising rank; keep critical sections short: no system call, allocation or
 * callback. Memory of a lock is never unmapped or reused while a process is attached. */
#ifndef PLM_LOCK_H
#define PLM_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum lock_rank {       /* taken in rising order only */
	RANK_GROW = 1, /* reserves more of the store: the only lock held over a system call */
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

/* Is told of each recovery, after the structure is sound again. */
struct lock_watch {
	void (*recovered)(void *context, enum lock_rank rank); /* NULL: nobody listens */
	void *context;
};

struct lock {
	struct lock_shm *shm;
	enum lock_rank rank;
	const struct lock_watch *watch; /* NULL: none */
	/* Makes the protected structure sound again. NULL: sound; else the reason why not. Then no
	 * process can take the lock any more (-ENOTRECOVERABLE), which is better than wrong data.
	 */
	const char *(*recover)(void *context);
	void *context;
};

/* Once, by the creator of the segment, before another process attaches. */
void lock_init(struct lock_shm *shm);

/* 0, -ETIMEDOUT (a live holder keeps the lock), -ENOTRECOVERABLE (the recovery failed). */
int lock_acquire(struct lock *lock);
/* Also -EBUSY: the lock is taken. For work that the holder, or a later taker, can do as well. */
int lock_try(struct lock *lock);
void lock_release(struct lock *lock);

/* True when this thread holds the lock: functions named _locked CHECK it. */
bool lock_held(const struct lock *lock);

/* For the dump tool: "free", "held by thread TID", "its owner died", without touching the lock. */
const char *lock_describe(const struct lock_shm *shm, char *buffer, unsigned long size);

#endif
