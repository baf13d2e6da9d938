#include "policy/key.h"
#include "policy/policies.h"

/* Counts all cpus of a worker, free or not: so the position of a worker in the order never changes,
 * and a worker is filled completely before the next gets anything. */
static uint64_t static_fill_key(const struct policy_worker *worker)
{
	return key_make((uint64_t)worker->slots * worker->weight, UINT32_MAX - worker->number);
}

const struct policy policy_static_fill = {
	.name = "static-fill",
	.help = "most slots x weight, until it is full; then the next",
	.key = static_fill_key,
};
