/* tree.h - the memory of a process and of all that descends from it.
 *
 * Memory is what nobody but the tree has: anonymous pages. Files that are mapped, and the shared
 * memory of others, may be had by many and go when they are wanted elsewhere.
 * A look reads one small file a process; pages that a parent shares with its children since their
 * fork count for each of them. An exact look divides such pages, and costs as much as the
 * processes are large: for who is about to act on the number.
 * Where: any process.  Blocks: never.  Allocates: a directory at a time.
 * Errors: what ends meanwhile counts nothing. */
#ifndef PLM_TREE_H
#define PLM_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { TREE_MAX = 4096 }; /* processes of one tree; what is beyond counts nothing */

struct tree_use {
	uint64_t bytes;
	unsigned processes;
};

/* Adds those of root and its descendants. */
void tree_add(pid_t root, bool exact, struct tree_use *sum);

#endif
