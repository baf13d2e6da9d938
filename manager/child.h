/* child.h - the life of a process forked by the manager.
 *
 * The manager has one thread and has loaded no user code, so a child is clean. A child keeps the
 * descriptors of the segments and of the bell, closes everything else, and attaches anew. A child
 * outlives the manager, unless plm was started with --tied. */
#ifndef PLM_CHILD_H
#define PLM_CHILD_H

#include <sys/types.h>

#include "tables/tables.h"

struct manager;
struct worker_order;

/* Keeps the n descriptors of `keep`, in ascending order, closes the rest, and resets the
 * signals. */
void child_begin(const int *keep, int n);

/* What the worker of the process slot, claimed already, is to be (worker/life.h). */
void child_order(const struct manager *m, uint32_t slot, struct worker_order *ret);

/* The whole life of a member. parent: the manager; if the manager dies before the child has said
 * its pid, the child ends. */
_Noreturn void child_main(struct manager *m, enum process_kind kind, uint32_t slot, pid_t parent);

#endif
