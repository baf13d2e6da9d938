/* standin.h - two idle processes that stand in for the members of a runtime, in sweeps of the
 * manager. The kernel reports the first as alive and the second as dead.
 *
 * The linker sends calls that would leave the image to this file (--wrap, Makefile), in the process
 * that plays a manager. A fork returns the living stand-in, for the claimed process slot. No time
 * passes, so equal images stay equal. The manager examines no other process of the machine, because
 * no command has run. Where: the sweeps of the manager. Who may call: one thread. Blocks: never.
 * Death: both stand-ins end with the sweep. */
#ifndef PLM_TEST_STANDIN_H
#define PLM_TEST_STANDIN_H

#include "manager/manager.h"

/* The runtime whose manager this process plays; NULL: none. */
extern const struct tables *standin_plays;

void standin_begin(void); /* before the first victim: forks both stand-ins */

/* From now on the process of this slot is the living stand-in, or the dead one. */
void standin_take(struct process *p, bool lives);
bool standin_lives(const struct process *p);
/* The manager watches this slot, as if the manager had adopted the slot. */
void standin_watch(struct manager *m, uint32_t slot);

#endif
