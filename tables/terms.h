/* terms.h - the table of terms: what tasks ask for beyond their function, each combination once.
 *
 * Where: the control segment.  Writer: any client, under the registry's lock; readers without, by
 * the release of `given`. A number, once given, is for ever; number 0 asks for nothing.
 * Death: an entry that was not counted was not given.
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

/* The number of these terms, a new one if nobody asked for them before. 0, or -ENOSPC. */
int terms_number(
    struct terms_shm *shm, struct lock *lock, const struct terms *terms, uint32_t *ret);
/* NULL: there is no such number, or it is 0. */
const struct terms *terms_at(const struct terms_shm *shm, uint32_t number);

#endif
