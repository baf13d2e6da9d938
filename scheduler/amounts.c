/* amounts.c - memory, GPUs and named resources in use: the sum over the bookings, so no second
 * counter can be wrong. A booking counts for its worker, whichever process runs the task. */
#include "scheduler/ground.h"

static uint64_t amounts_used(const struct scheduler *s, uint32_t worker, uint32_t resource)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < s->bookings.n; i++)
		if (resource == RESOURCE_MEMORY || s->bookings.booking[i].worker == worker)
			sum += s->bookings.booking[i].demand->amount[resource];
	return sum;
}

static uint64_t amounts_gpu_used(const struct scheduler *s, uint32_t worker, uint32_t gpu)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < s->bookings.n; i++) {
		const struct booking *b = &s->bookings.booking[i];
		uint64_t all = b->demand->amount[RESOURCE_GPUS];
		if (b->worker == worker && b->gpus >> gpu & 1)
			sum += all < AMOUNT_UNIT ? all : AMOUNT_UNIT;
	}
	return sum;
}

bool amounts_gpus(
    const struct scheduler *s, uint32_t worker, uint64_t gpus, uint64_t amount, uint64_t *ret)
{
	uint64_t part = amount < AMOUNT_UNIT ? amount : AMOUNT_UNIT, best = 0;
	uint64_t wanted = (amount + AMOUNT_UNIT - 1) / AMOUNT_UNIT;
	*ret = 0;
	for (uint32_t gpu = 0; gpu < gpus && wanted > 0; gpu++) {
		uint64_t in_use = amounts_gpu_used(s, worker, gpu);
		if (in_use + part > AMOUNT_UNIT)
			continue;
		if (part == AMOUNT_UNIT) {
			*ret |= UINT64_C(1) << gpu;
			wanted--;
		} else if (*ret == 0 || in_use > best) {
			*ret = UINT64_C(1) << gpu;
			best = in_use;
		}
	}
	return part == AMOUNT_UNIT ? wanted == 0 : *ret != 0;
}

uint32_t amounts_lacking(const struct scheduler *s, uint32_t worker, const struct worker_kind *kind,
    const struct demand *demand)
{
	uint64_t gpus;
	for (uint32_t i = RESOURCE_MEMORY; i < RESOURCES_MAX; i++) {
		uint64_t amount = demand->amount[i], there = kind->amount[i];
		if (amount == 0)
			continue;
		if (i == RESOURCE_MEMORY)
			there = s->t->control->memory ? s->t->control->memory : UINT64_MAX;
		if (i == RESOURCE_GPUS &&
		    !amounts_gpus(s, worker, there / AMOUNT_UNIT, amount, &gpus))
			return i;
		if (i != RESOURCE_GPUS && amounts_used(s, worker, i) + amount > there)
			return i;
	}
	return RESOURCES_MAX;
}
