#include "cli/runs/runs_stack.h"

#include <stdlib.h>

static bool stack_grow_slots(struct run_slots *slots, uint32_t wanted)
{
	uint32_t size = slots->size ? slots->size : 64;
	while (size <= wanted)
		size *= 2;
	struct run_slot **slot = realloc(slots->slot, size * sizeof(struct run_slot *));
	if (!slot)
		return false;
	for (uint32_t i = slots->size; i < size; i++)
		slot[i] = NULL;
	slots->slot = slot;
	slots->size = size;
	return true;
}

struct run_slot *slots_at(struct run_slots *slots, uint32_t process)
{
	if (process >= SLOTS_MAX || (process >= slots->size && !stack_grow_slots(slots, process)))
		return NULL;
	if (!slots->slot[process]) {
		struct run_slot *slot = calloc(1, sizeof *slot);
		if (!slot)
			return NULL;
		slot->process = process;
		slot->worker = PLM_NOBODY;
		slot->track = RUN_NO_TRACK;
		slots->slot[process] = slot;
	}
	return slots->slot[process];
}

void slots_close(struct run_slots *slots)
{
	for (uint32_t i = 0; i < slots->size; i++)
		free(slots->slot[i]);
	free(slots->slot);
	*slots = (struct run_slots){ .size = 0 };
}

struct open_run *slot_top(struct run_slot *slot)
{
	return slot->depth ? &slot->stack[slot->depth - 1] : NULL;
}

uint64_t slot_floor(const struct run_slot *slot)
{
	return slot->depth ? slot->stack[slot->depth - 1].floor_ns : slot->floor_ns;
}

void slot_raise_floor(struct run_slot *slot, uint64_t ns)
{
	uint64_t *floor = slot->depth ? &slot->stack[slot->depth - 1].floor_ns : &slot->floor_ns;
	if (*floor < ns)
		*floor = ns;
}

/* How many runs, without waits, lie below this position. */
static uint32_t stack_runs_below(const struct run_slot *slot, uint32_t position)
{
	uint32_t runs = 0;
	for (uint32_t i = 0; i < position; i++)
		runs += !slot->stack[i].waits;
	return runs;
}

struct open_run *slot_push(struct run_slot *slot, uint64_t start_ns)
{
	if (slot->depth == STACK_MAX)
		return NULL;
	uint64_t floor_ns = slot_floor(slot);
	struct open_run *run = &slot->stack[slot->depth++];
	*run = (struct open_run){ .process = slot->process,
		.track = slot->track,
		.worker = slot->worker,
		.start_ns = start_ns < floor_ns ? floor_ns : start_ns };
	run->depth = stack_runs_below(slot, slot->depth - 1);
	run->floor_ns = run->start_ns + 1; /* so that a track never has two beginnings at a time */
	return run;
}

int slot_find(const struct run_slot *slot, plm_ref ref, uint32_t attempt)
{
	for (int i = (int)slot->depth - 1; i >= 0; i--) {
		const struct open_run *run = &slot->stack[i];
		if (!run->waits && run->ref.id == ref.id &&
		    (run->seeded || run->attempt == attempt))
			return i;
	}
	return -1;
}
