/* pool.h - the free rows of a fixed table: a stack of indices, most recently freed first.
 *
 * Where: pool_shm in the segment, struct pool in each process.  Who may call: any attached process.
 * The truth is the table's own state words; the stack is derived. claim() takes a row by a mark in
 * the table, under the pool's lock; to give back a row, mark it free in the table first, then call
 * pool_give().
 * Death: inside the lock, the next taker rebuilds the stack from the table. Between the mark and
 * pool_give(), the stack misses the row until the scheduler's next pool_rebuild(); the same after a
 * pool_give() that failed because a stopped process holds the lock.
 * Blocks: in the lock.  Allocates: never.
 *
 * Rows never used stay out of the stack: `fresh` counts up, so a boot touches no row, and a scan of
 * the table ends at pool_fresh(). */
#ifndef PLM_POOL_H
#define PLM_POOL_H

#include "shm/lock.h"
#include "shm/steps.h"

struct pool_shm {
	struct lock_shm lock;
	shared32 top;     /* W: under the lock.  R: anyone, as a guess (pool_free_count). */
	shared32 fresh;   /* W: under the lock. R: anyone: rows below have been used once. */
	uint32_t stack[]; /* W: under the lock; then uint32_t place[rows] */
};

struct pool_table { /* the truth from which the stack is derived */
	bool (*is_free)(void *context, uint32_t index);
	void (*claim)(void *context, uint32_t index);
	void *context;
};

struct pool {
	struct pool_shm *shm;
	/* index -> place on the stack, believed only if stack[place] == index: pool_give() must see
	 * whether a rebuild has already pushed the row. */
	uint32_t *place;
	uint32_t rows;
	struct pool_table table;
	struct lock lock;
};

size_t pool_bytes(uint32_t rows);
void pool_create(void *memory); /* once, on zeroed memory */
void pool_attach(struct pool *pool, void *memory, uint32_t rows, struct pool_table table);

/* Takes up to n rows and claims each; *ret_n says how many. 0, or the lock's error. */
int pool_take(struct pool *pool, uint32_t *ret_indices, uint32_t n, uint32_t *ret_n);
int pool_give(struct pool *pool, const uint32_t *indices, uint32_t n);

/* Makes the stack agree with the table. */
int pool_rebuild(struct pool *pool);
int pool_try_rebuild(struct pool *pool); /* also -EBUSY: the lock is taken */

/* First row never used so far; rows at or above are free and zero. */
uint32_t pool_fresh(const struct pool *pool);
uint32_t pool_free_count(const struct pool *pool); /* a guess without the lock */
const char *pool_check(const struct pool *pool);

#endif
