/* machine.h - what stands behind a `struct topology`. Private to topology/. */
#ifndef PLM_TOPOLOGY_MACHINE_H
#define PLM_TOPOLOGY_MACHINE_H

#include <hwloc.h>

#include "topology/topology.h"

struct topology {
	hwloc_topology_t hwloc;
};

/* The cpus of a part that CPU_SETSIZE lets us name. */
void cpus_of(hwloc_const_cpuset_t set, cpu_set_t *ret);

/* A device that computes: of a maker of such, or known to CUDA, NVML, RSMI or OpenCL as one. */
bool is_gpu(hwloc_obj_t device);

/* Its PCI address and what it calls itself, as far as it has them. */
void gpu_title(hwloc_obj_t device, char ret[TOPOLOGY_NAME_BYTES]);

#endif
