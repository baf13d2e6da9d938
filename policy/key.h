/* key.h - what the policies count with: the room of a worker, and keys that no two share; private.
 *
 * A key is what counts in its upper half and what parts equals in its lower. */
#ifndef PLM_POLICY_KEY_H
#define PLM_POLICY_KEY_H

#include "policy/policy.h"

static inline uint64_t key_make(uint64_t counts, uint32_t parts_equals)
{
	return (counts < UINT32_MAX ? counts : UINT32_MAX) << 32 | parts_equals;
}

/* Free slots x weight: how much work it could take up now. */
static inline uint64_t key_room(const struct policy_worker *worker)
{
	return worker->free * worker->weight;
}

/* The one given a task last, whose caches are warm; then the lower number. Turns are counted modulo
 * 2^32: past that a worker of an old turn is taken for a warm one, once, and then is one. */
static inline uint32_t key_warmth(const struct policy_worker *worker)
{
	return worker->last_turn ? (uint32_t)(worker->last_turn + POLICY_NUMBERS)
				 : POLICY_NUMBERS - 1 - worker->number;
}

#endif
