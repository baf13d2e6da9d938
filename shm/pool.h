/* pool.h - which slots of a fixed table are free: a stack of indices, most recently freed first.
 *
 * Where: pool_shm in the segment, struct pool in this process.  Who: anyone attached.
 * The truth is the table's own state words; the stack is derived from it. A slot is taken by
 * claim(), which marks it in the table under the pool's lock; a slot is given back by marking it
 * free in the table first and then calling pool_give().
 * Death: inside the lock, the next taker rebuilds the stack from the table; between the mark and
 * pool_give(), the slot is missing from the stack until the scheduler's next pool_rebuild(). So
 * it is after a pool_give() that failed, because a process stands still inside the lock.
 * Blocks: in the lock.  Allocates: never.
 *
 * Slots never used stay out of the stack: `fresh` counts up, so a boot touches no slot and a scan
 * of the table ends at pool_fresh(). */
#ifndef PLM_POOL_H
#define PLM_POOL_H

#include "shm/lock.h"
#include "shm/steps.h"

struct pool_shm {
	struct lock_shm lock;
	shared32 top;     /* W: under the lock.  R: anyone, as a guess (pool_free_count). */
	shared32 fresh;   /* W: under the lock.  R: anyone: slots below it have been used once. */
	uint32_t stack[]; /* W: under the lock; then uint32_t place[slots] */
};

struct pool_table { /* the truth the stack is derived from */
	bool (*is_free)(void *context, uint32_t index);
	void (*claim)(void *context, uint32_t index);
	void *context;
};

struct pool {
	struct pool_shm *shm;
	/* index -> its place on the stack, believed only if stack[place] == index: who gives back
	 * what a rebuild has found free already sees that it is there. */
	uint32_t *place;
	uint32_t slots;
	struct pool_table table;
	struct lock lock;
};

size_t pool_bytes(uint32_t slots);
void pool_create(void *memory); /* once, on zeroed memory */
void pool_attach(struct pool *pool, void *memory, uint32_t slots, struct pool_table table);

/* Takes up to n slots and claims each; *ret_n says how many. 0, or the lock's error. */
int pool_take(struct pool *pool, uint32_t *ret_indices, uint32_t n, uint32_t *ret_n);
int pool_give(struct pool *pool, const uint32_t *indices, uint32_t n);

/* Makes the stack agree with the table. */
int pool_rebuild(struct pool *pool);
int pool_try_rebuild(struct pool *pool); /* also -EBUSY: somebody has the lock */

/* First slot never used so far; slots at or above it are free and zero. */
uint32_t pool_fresh(const struct pool *pool);
uint32_t pool_free_count(const struct pool *pool); /* a guess without the lock */
const char *pool_check(const struct pool *pool);

#endif
