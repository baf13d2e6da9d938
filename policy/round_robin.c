#include "policy/policies.h"

/* All 64 bits: with turns counted modulo anything, the same worker would stay the oldest for long.
 */
static uint64_t round_robin_key(const struct policy_worker *worker)
{
	uint64_t turn = worker->last_turn ? worker->last_turn + POLICY_NUMBERS : worker->number;
	return UINT64_MAX - turn;
}

const struct policy policy_round_robin = {
	.name = "round-robin",
	.help = "whose last turn is longest ago; the first time by number",
	.key = round_robin_key,
};
