/* nodes.h - NUMA: the number of arenas, the place of their memory, the node of the calling thread.
 * A machine usually has one node, which costs a question to libnuma; hwloc is asked only on a
 * machine with more nodes, or when HWLOC_SYNTHETIC describes a machine to test with.
 * Where: any process.  Who may call: the manager at boot, each worker once.  Blocks: reads /sys. */
#ifndef PLM_NODES_H
#define PLM_NODES_H

#include <stdint.h>

/* Nodes with memory, 1 .. ARENAS_MAX. */
uint32_t nodes_count(void);

/* Asks the kernel to put the pages of a shared mapping on a node; call before the first touch. */
void nodes_bind(void *address, uint64_t bytes, uint32_t node);

/* The node of the calling thread now. */
uint32_t nodes_here(void);

#endif
