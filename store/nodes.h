/* nodes.h - NUMA: how many arenas, where their memory lies, where this process runs.
 * One node is the ordinary case and costs one question to libnuma; hwloc is asked only when there
 * are more, or when HWLOC_SYNTHETIC describes a machine to test with.
 * Who: the manager at boot, each worker once.  Blocks: reads /sys. */
#ifndef PLM_NODES_H
#define PLM_NODES_H

#include <stdint.h>

/* Nodes with memory, 1 .. ARENAS_MAX. */
uint32_t nodes_count(void);

/* Asks for the pages of a mapping of shared memory to lie on that node; before they are touched. */
void nodes_bind(void *address, uint64_t bytes, uint32_t node);

/* The node this thread runs on now. */
uint32_t nodes_here(void);

#endif
