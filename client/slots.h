/* slots.h - reserved records of our process, ready to become tasks or objects.
 *
 * Where: private memory; the word of each cached record says RESERVED by us.
 * Who: any thread. Several caches, so that threads seldom meet at a mutex.
 * Blocks: slots_take(), while the table is full and the deadline has not passed. */
#ifndef PLM_SLOTS_H
#define PLM_SLOTS_H

#include <pthread.h>
#include <stdint.h>

struct plm;

enum { SLOT_CACHES = 8, SLOT_CACHE_ENTRIES = 256 };

struct slot_cache {
	pthread_mutex_t mutex;
	uint32_t count, refill; /* refill doubles with each use: a short-lived client takes few */
	uint32_t slot[SLOT_CACHE_ENTRIES];
};

/* Takes between 1 and n records: *ret_n. -ENOSPC with a why if none is free at the deadline. */
int slots_take(
    struct plm *rt, uint32_t *ret_slots, uint32_t n, uint32_t *ret_n, uint64_t deadline_ns);
void slots_return_all(struct plm *rt);

#endif
