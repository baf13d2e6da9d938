/* death.h - the end of a scheduler, a worker or a journal: its reason, and whether a successor
 * comes at once, later or not at all.
 *
 * A pidfd names each dead process. SIGCHLD would not do: pending signals merge, and two deaths
 * would look like one; a pidfd also works for clients and adopted processes.
 * Where: the manager.  Blocks: for orphans of the dead worker, 100 ms at most; of an adopted worker
 * for each process killed, two seconds at most (orphans_unowned()). */
#ifndef PLM_DEATH_H
#define PLM_DEATH_H

#include <stdint.h>

struct manager;

void death_of_member(struct manager *m, uint32_t slot);

#endif
