/* reserved.h - reserved records of our process, ready to become tasks or objects.
 *
 * Where: private memory; the word of each cached record says RESERVED by us.
 * Who: any thread. Several caches, so that threads seldom meet at a mutex.
 * Blocks: reserved_take(), while the table is full and the deadline has not passed. */
#ifndef PLM_RESERVED_H
#define PLM_RESERVED_H

#include <pthread.h>
#include <stdint.h>

struct plm;

enum { RESERVED_CACHES = 8, RESERVED_CACHE_ENTRIES = 256 };

struct reserved_cache {
	pthread_mutex_t mutex;
	uint32_t count, refill; /* refill doubles with each use: a short-lived client takes few */
	uint32_t index[RESERVED_CACHE_ENTRIES];
};

/* Takes between 1 and n records: *ret_n. -ENOSPC with a why if none is free at the deadline. */
int reserved_take(
    struct plm *rt, uint32_t *ret_indices, uint32_t n, uint32_t *ret_n, uint64_t deadline_ns);
void reserved_return_all(struct plm *rt);

#endif
