#include "policy/key.h"
#include "policy/policies.h"

static uint64_t load_aware_key(const struct policy_worker *worker)
{
	return key_make(key_room(worker), key_warmth(worker));
}

const struct policy policy_load_aware = {
	.name = "load-aware",
	.help = "most free slots x weight; among equals the one given a task last",
	.key = load_aware_key,
	.thrifty = true,
};
