#include "store/nodes.h"

#include <hwloc.h>
#include <numa.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/limits.h"

static uint32_t nodes_count_by_hwloc(void)
{
	hwloc_topology_t topology;
	int n = 1;
	if (hwloc_topology_init(&topology) < 0)
		return 1;
	hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
	if (hwloc_topology_load(topology) == 0)
		n = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
	hwloc_topology_destroy(topology);
	return n < 1 ? 1 : n > ARENAS_MAX ? ARENAS_MAX : (uint32_t)n;
}

uint32_t nodes_count(void)
{
	/* hwloc takes milliseconds to examine the machine: ask only on a machine with several
	 * nodes. */
	bool simple = numa_available() < 0 || numa_max_node() == 0;
	return simple && !getenv("HWLOC_SYNTHETIC") ? 1 : nodes_count_by_hwloc();
}

void nodes_bind(void *address, uint64_t bytes, uint32_t node)
{
	/* A synthetic machine has nodes that the real machine lacks: nothing to bind to. */
	if (numa_available() >= 0 && node <= (uint32_t)numa_max_node() && numa_max_node() > 0)
		numa_tonode_memory(address, bytes, (int)node);
}

uint32_t nodes_here(void)
{
	int cpu = sched_getcpu();
	int node = cpu >= 0 && numa_available() >= 0 ? numa_node_of_cpu(cpu) : 0;
	return node < 0 || node >= ARENAS_MAX ? 0 : (uint32_t)node;
}
