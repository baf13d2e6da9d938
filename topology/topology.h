/* topology.h - the machine as this process may use it: nodes, caches, cores, cpus, GPUs.
 *
 * A cpu is a number of the operating system (hwloc: a PU, a thread of a core). Cpus from
 * CPU_SETSIZE on, and cpus outside the affinity mask of this process, are left out. HWLOC_SYNTHETIC
 * and HWLOC_XMLFILE describe another machine instead; then no mask applies.
 * Where: private memory of the manager, once, if workers are pinned; of a plm_machine
 * (plm_inspect.h). Death: nothing is shared. Blocks: reads /sys, for milliseconds.  Allocates: in
 * open. */
#ifndef PLM_TOPOLOGY_H
#define PLM_TOPOLOGY_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct topology;

enum topology_detail {
	TOPOLOGY_CPUS, /* nodes, cores and cpus, enough for a plan */
	TOPOLOGY_ALL,  /* packages, caches and GPUs as well: takes longer */
};

int topology_open(enum topology_detail detail, struct topology **ret);

/* Of a description as in hwloc(7): "numa:2 core:4 pu:2". -EINVAL: not a description. */
int topology_open_synthetic(const char *description, struct topology **ret);

/* As if `cpus` were the affinity mask. -EINVAL: the machine has none of them. */
int topology_restrict(struct topology *t, const cpu_set_t *cpus);

void topology_close(struct topology **tp);

/* ---- what is there ---- */

enum { TOPOLOGY_NO_NUMBER = -1, TOPOLOGY_NAME_BYTES = 96 };

struct topology_part {
	uint32_t depth;                 /* 0: the machine */
	bool alone;                     /* the only part of its parent */
	const char *kind;               /* "machine" "package" "node" "L2" "core" "cpu" "gpu" ... */
	int32_t number;                 /* of the operating system */
	uint64_t bytes;                 /* memory of a node, size of a cache; 0: none */
	char name[TOPOLOGY_NAME_BYTES]; /* may be "" */
	cpu_set_t cpus;                 /* inside, or near a device */
};

/* Visits each part after its parent, in the order of the machine. */
typedef void topology_visit_f(void *context, const struct topology_part *part);
void topology_walk(const struct topology *t, topology_visit_f *visit, void *context);

/* ---- gpus.c ---- */

enum { GPUS_MAX = 64, GPU_ID_BYTES = 64, GPU_BUS_BYTES = 16, GPU_NODE_NONE = -1 };

struct gpu {
	char id[GPU_ID_BYTES];   /* for CUDA_VISIBLE_DEVICES: a number, or the UUID given */
	char bus[GPU_BUS_BYTES]; /* PCI address; "" if unknown */
	char name[TOPOLOGY_NAME_BYTES];
	int32_t node; /* the nearest NUMA node, or GPU_NODE_NONE */
};

/* False: hwloc lacks the component that reads the bus, so no GPU is ever found. Debian has the
 * component in a separate package, libhwloc-plugins. */
bool topology_sees_devices(void);

/* The GPUs in CUDA_VISIBLE_DEVICES, or all if the variable is unset. Returns their number, at most
 * GPUS_MAX. Numbers follow CUDA_DEVICE_ORDER=PCI_BUS_ID, GPUs of NVIDIA first. As in CUDA, the list
 * ends at the first entry that is not a GPU. TOPOLOGY_ALL only; else 0. */
uint32_t topology_gpus(const struct topology *t, struct gpu ret[GPUS_MAX]);

/* ---- pin_plan.c ---- */

enum pin { PIN_NONE, PIN_CORE, PIN_NUMA, PIN_MODES };

/* The mode of a name, PIN_MODES if the name is unknown; and the name of a mode. */
enum pin pin_of(const char *word);
const char *pin_name(enum pin mode);

struct place { /* where a worker runs */
	cpu_set_t cpus;
	int32_t node; /* of the cpus; PLACE_ANY_NODE: of several nodes */
};

enum { PLACE_ANY_NODE = -1 };

/* The places of so many workers. PIN_CORE: a core each with all cpus of the core, the nodes in
 * turn; when all cores are taken, from the start. PIN_NUMA: a node each, in turn. PIN_NONE: all
 * cpus for every worker. A place follows from the machine and its index alone, so a new worker can
 * have the place of the worker it replaces. -ENOMEM. */
int topology_plan(
    const struct topology *t, enum pin mode, uint32_t workers, struct place ret[/* workers */]);

/* Pins this process. -EINVAL with a why: none of the cpus may be used. */
int place_take(const struct place *place);

/* As "0-3,8"; cut to the size. */
void cpus_print(const cpu_set_t *cpus, char *ret, size_t size);

#endif
