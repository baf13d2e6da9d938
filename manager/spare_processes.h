/* spare_processes.h - processes that stand in for workers whose tasks wait.
 *
 * The scheduler sets a bit in the control page for each worker process that is to have a spare
 * (scheduler/spares.c). The manager compares bits and spares at each turn of its loop: a dead spare
 * comes back only if it is still wanted, and a spare leaves when the process it stood in for has
 * died or leaves. Spares of one worker are equal: the least busy of them leaves.
 * Where: the manager.  Blocks: never. */
#ifndef PLM_SPARE_PROCESSES_H
#define PLM_SPARE_PROCESSES_H

#include <stdbool.h>

struct manager;
struct vacancy;

bool spare_processes_vacancy(const struct manager *m, struct vacancy *ret);
void spare_processes_adjust(struct manager *m); /* to the number that the scheduler wants */

#endif
