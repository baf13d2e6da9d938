/* key.h - the measures of the policies: the room of a worker, and keys without equals; private.
 *
 * The upper half of a key is the measure; the lower half orders workers with the same measure. */
#ifndef PLM_POLICY_KEY_H
#define PLM_POLICY_KEY_H

#include "policy/policy.h"

static inline uint64_t key_make(uint64_t counts, uint32_t parts_equals)
{
	return (counts < UINT32_MAX ? counts : UINT32_MAX) << 32 | parts_equals;
}

/* Free cpus x weight: how much work the worker could take up now. */
static inline uint64_t key_room(const struct policy_worker *worker)
{
	return worker->free * worker->weight;
}

/* First the worker of the latest placement, with warm caches; then the lower number. Turns are
 * counted modulo 2^32: after a wrap a worker with an old turn is taken for a warm worker, once, and
 * then is warm. */
static inline uint32_t key_warmth(const struct policy_worker *worker)
{
	return worker->last_turn ? (uint32_t)(worker->last_turn + POLICY_NUMBERS)
				 : POLICY_NUMBERS - 1 - worker->number;
}

#endif
