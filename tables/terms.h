/* terms.h - the table of terms: what tasks ask for beyond their function, each combination once.
 *
 * Where: the control segment.  Who may call: any client appends, under the registry's lock; any
 * process reads, without a lock, by the release of `given`. A number, once given, is for ever;
 * number 0 means no terms.
 * Death: an entry not counted in `given` does not exist.
 * Blocks: only terms_number(), for the lock. */
#ifndef PLM_TERMS_H
#define PLM_TERMS_H

#include "shm/lock.h"
#include "shm/steps.h"
#include "spec/resources.h"

struct terms_shm {
	shared32 given;
	struct terms entry[TERMS_MAX]; /* number 1 is entry[0] */
};

/* The number of these terms; a new number for new terms. 0, or -ENOSPC. */
int terms_number(
    struct terms_shm *shm, struct lock *lock, const struct terms *terms, uint32_t *ret);
/* NULL: number is 0, or does not exist. */
const struct terms *terms_at(const struct terms_shm *shm, uint32_t number);

#endif
