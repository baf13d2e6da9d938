/* machine.h - the contents of a `struct topology`. Private to topology/. */
#ifndef PLM_TOPOLOGY_MACHINE_H
#define PLM_TOPOLOGY_MACHINE_H

#include <hwloc.h>

#include "topology/topology.h"

struct topology {
	hwloc_topology_t hwloc;
};

/* The cpus of a part, up to CPU_SETSIZE. */
void cpus_of(hwloc_const_cpuset_t set, cpu_set_t *ret);

/* A device that computes: made by NVIDIA or AMD, or known to CUDA, NVML, RSMI or OpenCL. */
bool is_gpu(hwloc_obj_t device);

/* PCI address and name, as far as known. */
void gpu_title(hwloc_obj_t device, char ret[TOPOLOGY_NAME_BYTES]);

#endif
