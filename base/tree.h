/* tree.h - the memory of a process and all its descendants.
 *
 * Memory means anonymous pages, which only the tree has. Mapped files and shared memory do not
 * count: other processes may have the same pages, and the kernel can drop file pages.
 * A look reads one small file for each process; a page shared by parent and children since their
 * fork counts for each of them. An exact look divides such pages, at a cost that grows with the
 * size of the processes: for a caller about to act on the number.
 * Where: any process.  Blocks: never.  Allocates: a directory at a time.
 * Errors: a process that ends meanwhile counts nothing. */
#ifndef PLM_TREE_H
#define PLM_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { TREE_MAX = 4096 }; /* processes of a tree; further processes count nothing */

struct tree_use {
	uint64_t bytes;
	unsigned processes;
};

/* Resident bytes of one process without shared bytes, such as values in the store; 0: unknown. */
uint64_t tree_private_bytes(pid_t pid);

/* Adds root and all descendants to *sum. */
void tree_add(pid_t root, bool exact, struct tree_use *sum);

#endif
