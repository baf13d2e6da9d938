/* leftovers.h - processes left behind by a finished command, and the cgroup for commands.
 *
 * Where: the worker, whose children the leftovers are.
 * Blocks: leftovers_end(), for five seconds and a half at most. */
#ifndef PLM_LEFTOVERS_H
#define PLM_LEFTOVERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/family.h"
#include "base/group.h"

/* The cgroup for commands of our process, if it exists: command_begin(). */
const struct group *command_group(void);
void command_group_open(const char *runtime, uint32_t slot);

/* Ends every child of our process born since `before`, and everything in the group: SIGTERM, then
 * SIGKILL. Adds the resources used to *usage; returns how many children. */
unsigned leftovers_end(
    const struct family *before, const struct group *group, bool at_once, struct rusage *usage);
void leftovers_add_usage(struct rusage *sum, const struct rusage *one);

#endif
