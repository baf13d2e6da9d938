#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "topology/machine.h"

static const char *const names[PIN_MODES] = {
	[PIN_NONE] = "none",
	[PIN_CORE] = "core",
	[PIN_NUMA] = "numa",
};

enum pin pin_of(const char *word)
{
	enum pin mode = PIN_NONE;
	while (mode < PIN_MODES && strcmp(word, names[mode]) != 0)
		mode++;
	return mode;
}

const char *pin_name(enum pin mode)
{
	return mode < PIN_MODES ? names[mode] : "?";
}

/* A node with cpus, and the next core in the plan. Of several nodes with the same cpus (fast and
 * slow memory) the first counts. */
struct bank {
	hwloc_obj_t node, next;
};

static bool pin_plan_shares_cpus(const struct bank *bank, uint32_t n, hwloc_obj_t node)
{
	for (uint32_t i = 0; i < n; i++)
		if (hwloc_bitmap_intersects(bank[i].node->cpuset, node->cpuset))
			return true;
	return hwloc_bitmap_iszero(node->cpuset);
}

static uint32_t pin_plan_find_banks(hwloc_topology_t hwloc, struct bank *ret)
{
	uint32_t n = 0;
	hwloc_obj_t node = NULL;
	while ((node = hwloc_get_next_obj_by_type(hwloc, HWLOC_OBJ_NUMANODE, node)) != NULL)
		if (!pin_plan_shares_cpus(ret, n, node))
			ret[n++] = (struct bank){ .node = node };
	return n;
}

static struct place pin_plan_place_of(hwloc_obj_t part, hwloc_obj_t node)
{
	struct place place = { .node = (int32_t)node->os_index };
	cpus_of(part->cpuset, &place.cpus);
	return place;
}

static void pin_plan_anywhere(hwloc_topology_t hwloc, const struct bank *bank, uint32_t banks,
    uint32_t workers, struct place *ret)
{
	struct place anywhere = pin_plan_place_of(hwloc_get_root_obj(hwloc), bank[0].node);
	if (banks > 1)
		anywhere.node = PLACE_ANY_NODE;
	for (uint32_t i = 0; i < workers; i++)
		ret[i] = anywhere;
}

static void pin_plan_numa(
    const struct bank *bank, uint32_t banks, uint32_t workers, struct place *ret)
{
	for (uint32_t i = 0; i < workers; i++)
		ret[i] = pin_plan_place_of(bank[i % banks].node, bank[i % banks].node);
}

/* The next free core, from the next bank in turn; NULL when all cores are taken. */
static hwloc_obj_t pin_plan_next_core(hwloc_topology_t hwloc, hwloc_obj_type_t type,
    struct bank *bank, uint32_t banks, uint32_t *turn)
{
	for (uint32_t tries = 0; tries < banks; tries++, ++*turn) {
		struct bank *b = &bank[*turn % banks];
		hwloc_obj_t core =
		    hwloc_get_next_obj_inside_cpuset_by_type(hwloc, b->node->cpuset, type, b->next);
		if (core) {
			b->next = core;
			return core;
		}
	}
	return NULL;
}

/* A virtual machine may not say which cpus share a core: then each cpu counts as a core. */
static hwloc_obj_type_t pin_plan_core_type(hwloc_topology_t hwloc)
{
	return hwloc_get_nbobjs_by_type(hwloc, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
}

static void pin_plan_cores(
    hwloc_topology_t hwloc, struct bank *bank, uint32_t banks, uint32_t workers, struct place *ret)
{
	hwloc_obj_type_t type = pin_plan_core_type(hwloc);
	uint32_t turn = 0, first = 0; /* of the round over all cores */
	for (uint32_t i = 0; i < workers; i++) {
		hwloc_obj_t core = pin_plan_next_core(hwloc, type, bank, banks, &turn);
		if (core) {
			ret[i] = pin_plan_place_of(core, bank[turn++ % banks].node);
			continue;
		}
		/* All cores are taken: repeat the order. */
		CHECK(i > first);
		ret[i] = ret[first++];
	}
}

int topology_plan(const struct topology *t, enum pin mode, uint32_t workers, struct place *ret)
{
	int nodes = hwloc_get_nbobjs_by_type(t->hwloc, HWLOC_OBJ_NUMANODE);
	struct bank *bank = calloc(nodes > 0 ? (size_t)nodes : 1, sizeof *bank);
	if (!bank)
		return why(-ENOMEM, "no memory to plan where workers run");
	uint32_t banks = pin_plan_find_banks(t->hwloc, bank);
	CHECK(banks > 0); /* hwloc promises a node for every cpu */
	if (mode == PIN_CORE)
		pin_plan_cores(t->hwloc, bank, banks, workers, ret);
	else if (mode == PIN_NUMA)
		pin_plan_numa(bank, banks, workers, ret);
	else
		pin_plan_anywhere(t->hwloc, bank, banks, workers, ret);
	free(bank);
	return 0;
}

int place_take(const struct place *place)
{
	char cpus[64];
	if (sched_setaffinity(0, sizeof place->cpus, &place->cpus) == 0)
		return 0;
	int error = errno;
	cpus_print(&place->cpus, cpus, sizeof cpus);
	return why(-error, "cannot be pinned to cpus %s: %s", cpus, strerror(error));
}

void cpus_print(const cpu_set_t *cpus, char *ret, size_t size)
{
	size_t at = 0;
	ret[0] = 0;
	for (int cpu = 0; cpu < CPU_SETSIZE && at < size; cpu++) {
		int first = cpu;
		while (cpu < CPU_SETSIZE && CPU_ISSET(cpu, cpus))
			cpu++;
		if (cpu == first)
			continue;
		at += (size_t)snprintf(ret + at, size - at, "%s%d", at ? "," : "", first);
		if (cpu - 1 > first && at < size)
			at += (size_t)snprintf(ret + at, size - at, "-%d", cpu - 1);
	}
}
