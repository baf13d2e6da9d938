/* child.h - what runs in a process that the manager has forked.
 *
 * The manager has one thread and has loaded no user code, so a child is clean. A child keeps the
 * descriptors of the segments and of the bell, closes everything else, and attaches anew. A child
 * outlives its manager, unless plm was started with --tied. */
#ifndef PLM_CHILD_H
#define PLM_CHILD_H

#include <sys/types.h>

#include "tables/tables.h"

struct manager;

/* Keeps the n descriptors of `keep`, in ascending order, closes the rest, and gives the child its
 * own signals. */
void child_begin(const int *keep, int n);

/* The whole life of a member. parent: the manager, by whose death the child ends before it is
 * known to anybody. */
_Noreturn void child_main(struct manager *m, enum process_kind kind, uint32_t slot, pid_t parent);

#endif
