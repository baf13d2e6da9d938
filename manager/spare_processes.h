/* spare_processes.h - spares: processes standing in for workers with waiting tasks.
 *
 * The scheduler sets a bit in the control page for each worker process in want of a spare
 * (scheduler/spares.c). The manager compares bits and spares at each turn of the loop: a dead spare
 * comes back only if still wanted, and a spare leaves when the relieved process has died or leaves.
 * Spares of a worker are equal: the least busy spare leaves.
 * Where: the manager.  Blocks: never. */
#ifndef PLM_SPARE_PROCESSES_H
#define PLM_SPARE_PROCESSES_H

#include <stdbool.h>

struct manager;
struct vacancy;

bool spare_processes_vacancy(const struct manager *m, struct vacancy *ret);
void spare_processes_adjust(struct manager *m); /* to the number wanted by the scheduler */

#endif
