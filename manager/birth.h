/* birth.h - starts the scheduler, the workers and the journal, and says where workers run.
 *
 * Where: the manager.  Blocks: never.
 * Death of the manager between the fork and the pid in the process table: the child still has the
 * descriptor of the lock file, and the next manager waits until the child has said its pid or has
 * ended (claim.c:claim_births). */
#ifndef PLM_BIRTH_H
#define PLM_BIRTH_H

#include "tables/tables.h"

struct manager;

int birth_plan(struct manager *m); /* where workers will run, before the first is started */
int birth_spawn(struct manager *m, enum process_kind kind); /* -EEXIST: no worker is missing */
void birth_spawn_due(struct manager *m);
void birth_complete(struct manager *m); /* missing members are due now */

#endif
