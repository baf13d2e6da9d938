/* untold.h - drops without room in the ring, while a scheduler stands still (untold.c says why).
 *
 * Where: private memory.  Who: any thread.  Blocks: untold_settle() alone, with a deadline. */
#ifndef PLM_UNTOLD_H
#define PLM_UNTOLD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct plm;

struct untold {
	pthread_mutex_t mutex;
	uint64_t *hint;
	_Atomic uint32_t n;
	uint32_t room;
};

/* Tells the scheduler that holds have ended. Drops without room in the ring are remembered, and
 * told before the next drop or question. */
void untold_tell(struct plm *rt, const uint64_t *hints, uint32_t n, bool wake);
/* 0 when all remembered drops are in the ring. Waits for room as long as for an answer:
 * -ETIMEDOUT. */
int untold_settle(struct plm *rt);
bool untold_any(const struct plm *rt);

#endif
