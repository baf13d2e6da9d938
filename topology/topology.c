#include "topology/topology.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "topology/machine.h"

/* ---- reading ---- */

static int topology_set_filters(hwloc_topology_t hwloc, enum topology_detail detail)
{
	if (detail == TOPOLOGY_ALL)
		return hwloc_topology_set_io_types_filter(hwloc, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
	hwloc_topology_set_all_types_filter(hwloc, HWLOC_TYPE_FILTER_KEEP_NONE);
	return hwloc_topology_set_type_filter(hwloc, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL);
}

static int topology_open_as(
    const char *description, enum topology_detail detail, struct topology **ret)
{
	struct topology *t = calloc(1, sizeof *t);
	if (!t || hwloc_topology_init(&t->hwloc) < 0) {
		free(t);
		return why(-ENOMEM, "no memory to describe the machine");
	}
	int r = 0;
	if (description && hwloc_topology_set_synthetic(t->hwloc, description) < 0)
		r = why(-EINVAL,
		    "\"%s\" does not describe a machine, as \"numa:2 core:4 pu:2\" does",
		    description);
	else if (topology_set_filters(t->hwloc, detail) < 0 || hwloc_topology_load(t->hwloc) < 0)
		r = why(-errno, "hwloc cannot read the machine: %s", strerror(errno));
	if (r < 0)
		topology_close(&t);
	else
		*ret = t;
	return r;
}

int topology_open_synthetic(const char *description, struct topology **ret)
{
	return topology_open_as(description, TOPOLOGY_ALL, ret);
}

int topology_open(enum topology_detail detail, struct topology **ret)
{
	cpu_set_t allowed;
	struct topology *t;
	int r = topology_open_as(NULL, detail, &t);
	if (r < 0)
		return r;
	if (hwloc_topology_is_thissystem(t->hwloc) &&
	    sched_getaffinity(0, sizeof allowed, &allowed) == 0)
		r = topology_restrict(t, &allowed);
	if (r < 0)
		topology_close(&t);
	else
		*ret = t;
	return r;
}

int topology_restrict(struct topology *t, const cpu_set_t *cpus)
{
	hwloc_bitmap_t set = hwloc_bitmap_alloc();
	if (!set)
		return why(-ENOMEM, "no memory for a set of cpus");
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, cpus))
			hwloc_bitmap_set(set, cpu);
	/* ADAPT_IO: a GPU stays, even without a near cpu. */
	int r = hwloc_topology_restrict(t->hwloc, set, HWLOC_RESTRICT_FLAG_ADAPT_IO);
	int error = errno;
	hwloc_bitmap_free(set);
	return r < 0 ? why(-error, "this machine has none of the cpus that this process may use")
		     : 0;
}

void topology_close(struct topology **tp)
{
	struct topology *t = *tp;
	*tp = NULL;
	if (!t)
		return;
	hwloc_topology_destroy(t->hwloc);
	free(t);
}

/* ---- walking ---- */

void cpus_of(hwloc_const_cpuset_t set, cpu_set_t *ret)
{
	CPU_ZERO(ret);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (set && hwloc_bitmap_isset(set, cpu))
			CPU_SET(cpu, ret);
}

static const char *topology_kind_of(hwloc_obj_t o)
{
	switch (o->type) {
	case HWLOC_OBJ_MACHINE: return "machine";
	case HWLOC_OBJ_PACKAGE: return "package";
	case HWLOC_OBJ_DIE: return "die";
	case HWLOC_OBJ_NUMANODE: return "node";
	case HWLOC_OBJ_CORE: return "core";
	case HWLOC_OBJ_PU: return "cpu";
	case HWLOC_OBJ_L1CACHE: return "L1d";
	case HWLOC_OBJ_L2CACHE: return "L2";
	case HWLOC_OBJ_L3CACHE: return "L3";
	case HWLOC_OBJ_L4CACHE: return "L4";
	case HWLOC_OBJ_L5CACHE: return "L5";
	case HWLOC_OBJ_L1ICACHE: return "L1i";
	case HWLOC_OBJ_L2ICACHE: return "L2i";
	case HWLOC_OBJ_L3ICACHE: return "L3i";
	case HWLOC_OBJ_MEMCACHE: return "memory cache";
	default: return is_gpu(o) ? "gpu" : "part";
	}
}

static void topology_name_of(hwloc_obj_t o, char ret[TOPOLOGY_NAME_BYTES])
{
	static const char *const keys[] = { "SyntheticDescription", "CPUModel", "HostName" };
	ret[0] = 0;
	if (is_gpu(o))
		gpu_title(o, ret);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0] && !ret[0]; i++) {
		const char *value = hwloc_obj_get_info_by_name(o, keys[i]);
		snprintf(ret, TOPOLOGY_NAME_BYTES, "%s", value ? value : "");
	}
}

static uint64_t topology_bytes_of(hwloc_obj_t o)
{
	if (o->type == HWLOC_OBJ_MACHINE)
		return o->total_memory;
	if (o->type == HWLOC_OBJ_NUMANODE)
		return o->attr->numanode.local_memory;
	bool cache = hwloc_obj_type_is_cache(o->type) || o->type == HWLOC_OBJ_MEMCACHE;
	return cache ? o->attr->cache.size : 0;
}

/* A device has the cpus of the part above. */
static hwloc_const_cpuset_t topology_near_cpus(hwloc_obj_t o)
{
	while (o && !o->cpuset)
		o = o->parent;
	return o ? o->cpuset : NULL;
}

struct walk {
	topology_visit_f *visit;
	void *context;
};

static void topology_visit(const struct walk *w, hwloc_obj_t o, uint32_t depth, bool alone)
{
	/* hwloc numbers caches level by level; no user knows a cache by number. */
	bool numbered = o->os_index != HWLOC_UNKNOWN_INDEX && !hwloc_obj_type_is_cache(o->type);
	struct topology_part part = { .depth = depth,
		.alone = alone,
		.kind = topology_kind_of(o),
		.number = numbered ? (int32_t)o->os_index : TOPOLOGY_NO_NUMBER,
		.bytes = topology_bytes_of(o) };
	if (o->type == HWLOC_OBJ_MACHINE || is_gpu(o))
		part.number = TOPOLOGY_NO_NUMBER;
	topology_name_of(o, part.name);
	cpus_of(topology_near_cpus(o), &part.cpus);
	w->visit(w->context, &part);
}

/* Shows GPUs; passes through bridges and the like. */
static void topology_walk_devices(const struct walk *w, hwloc_obj_t device, uint32_t depth)
{
	for (; device; device = device->next_sibling) {
		if (is_gpu(device))
			topology_visit(w, device, depth, false);
		else
			topology_walk_devices(w, device->io_first_child, depth);
	}
}

static bool topology_holds_devices(hwloc_obj_t device)
{
	for (; device; device = device->next_sibling)
		if (is_gpu(device) || topology_holds_devices(device->io_first_child))
			return true;
	return false;
}

static uint32_t topology_walk_nodes(const struct walk *w, hwloc_obj_t o, uint32_t depth)
{
	for (hwloc_obj_t memory = o->memory_first_child; memory; memory = memory->next_sibling) {
		hwloc_obj_t node = memory;
		for (; node->memory_first_child; node = node->memory_first_child)
			topology_visit(w, node, depth, false); /* a cache before the memory */
		topology_visit(w, node, depth, false);
	}
	return depth + (o->memory_arity > 0);
}

/* hwloc hangs a node beside the cores. People see a cache or a core inside a node, and a node
 * inside a package; of several nodes with the same cores (fast and slow memory) the last holds the
 * cores. A group is only an edge of the tree, and is not shown. */
static void topology_walk_part(const struct walk *w, hwloc_obj_t o, uint32_t depth, bool alone)
{
	bool devices = topology_holds_devices(o->io_first_child),
	     group = o->type == HWLOC_OBJ_GROUP;
	bool inside = hwloc_obj_type_is_cache(o->type) || o->type == HWLOC_OBJ_CORE;
	if (inside)
		depth = topology_walk_nodes(w, o, depth);
	if (!group)
		topology_visit(w, o, depth++, alone && !(inside && o->memory_arity));
	if (!inside)
		depth = topology_walk_nodes(w, o, depth);
	topology_walk_devices(w, o->io_first_child, depth);
	for (hwloc_obj_t child = o->first_child; child; child = child->next_sibling)
		topology_walk_part(w, child, depth, o->arity == 1 && !devices);
}

void topology_walk(const struct topology *t, topology_visit_f *visitor, void *context)
{
	const struct walk w = { visitor, context };
	topology_walk_part(&w, hwloc_get_root_obj(t->hwloc), 0, false);
}
