/* topology.h - the machine as this process may use it: nodes, caches, cores, cpus, GPUs.
 *
 * A cpu is what the operating system numbers (hwloc: a PU, one thread of a core). Cpus from
 * CPU_SETSIZE on are not seen.
 * What the affinity mask of this process leaves out is not there. HWLOC_SYNTHETIC and HWLOC_XMLFILE
 * describe another machine in place of this one: then no mask applies.
 * Where: this process's memory.  Who: the manager, once, if workers are pinned; plmctl.
 * Death: nothing is shared.  Blocks: reads /sys, for milliseconds.  Allocates: in open. */
#ifndef PLM_TOPOLOGY_H
#define PLM_TOPOLOGY_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct topology;

enum topology_detail {
	TOPOLOGY_CPUS, /* nodes, cores and cpus: what a plan needs */
	TOPOLOGY_ALL,  /* packages, caches and GPUs as well: takes longer */
};

int topology_open(enum topology_detail detail, struct topology **ret);

/* Of a description as hwloc(7) reads it: "numa:2 core:4 pu:2". -EINVAL: it is none. */
int topology_open_synthetic(const char *description, struct topology **ret);

/* As if the affinity mask were this one. -EINVAL: none of these cpus is there. */
int topology_restrict(struct topology *t, const cpu_set_t *cpus);

void topology_close(struct topology **tp);

/* ---- what is there ---- */

enum { TOPOLOGY_NO_NUMBER = -1, TOPOLOGY_NAME_BYTES = 96 };

struct topology_part {
	uint32_t depth;                 /* 0: the machine */
	bool alone;                     /* the only part of what it is in */
	const char *kind;               /* "machine" "package" "node" "L2" "core" "cpu" "gpu" ... */
	int32_t number;                 /* that the operating system gave it */
	uint64_t bytes;                 /* memory of a node, size of a cache; 0: it has none */
	char name[TOPOLOGY_NAME_BYTES]; /* what it calls itself; may be "" */
	cpu_set_t cpus;                 /* in it, or near it */
};

/* Each part after the one it is in, in the order of the machine. */
typedef void topology_visit_f(void *context, const struct topology_part *part);
void topology_walk(const struct topology *t, topology_visit_f *visit, void *context);

/* ---- gpus.c ---- */

enum { GPUS_MAX = 64, GPU_ID_BYTES = 64, GPU_BUS_BYTES = 16, GPU_NODE_NONE = -1 };

struct gpu {
	char id[GPU_ID_BYTES]; /* for CUDA_VISIBLE_DEVICES: a number, or a UUID if that was given */
	char bus[GPU_BUS_BYTES]; /* PCI address; "" if it has none, or is known by its UUID alone */
	char name[TOPOLOGY_NAME_BYTES];
	int32_t node; /* NUMA node near it, GPU_NODE_NONE */
};

/* False: hwloc has no part that looks at the bus, so no GPU is ever found. Debian has that part in
 * a package of its own, libhwloc-plugins. */
bool topology_sees_devices(void);

/* Those that CUDA_VISIBLE_DEVICES lets this process use, all if it is not set; how many, at most
 * GPUS_MAX. Numbers are those of CUDA_DEVICE_ORDER=PCI_BUS_ID, NVIDIA's before others. As in CUDA,
 * the list ends at the first entry that is no GPU. TOPOLOGY_ALL only; else 0. */
uint32_t topology_gpus(const struct topology *t, struct gpu ret[GPUS_MAX]);

/* ---- pin_plan.c ---- */

enum pin { PIN_NONE, PIN_CORE, PIN_NUMA, PIN_MODES };

/* The mode of a word, PIN_MODES if there is none of that name; and the other way round. */
enum pin pin_of(const char *word);
const char *pin_name(enum pin mode);

struct place { /* where a worker runs */
	cpu_set_t cpus;
	int32_t node; /* that they are of; PLACE_ANY_NODE: of more than one */
};

enum { PLACE_ANY_NODE = -1 };

/* The places of so many workers. PIN_CORE: a core each with all its cpus, one node after the other
 * in turn; when all cores are taken, from the start. PIN_NUMA: a node each, in turn. PIN_NONE: all
 * cpus for everybody. A place follows from the machine and the number alone, so whoever replaces
 * worker i has the same. -ENOMEM. */
int topology_plan(
    const struct topology *t, enum pin mode, uint32_t workers, struct place ret[/* workers */]);

/* Pins this process. -EINVAL with a why: none of the cpus is there or may be used. */
int place_take(const struct place *place);

/* "0-3,8"; cut to the size. */
void cpus_print(const cpu_set_t *cpus, char *ret, size_t size);

#endif
