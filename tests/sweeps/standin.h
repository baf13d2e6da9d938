/* standin.h - processes that stand in for the members of a runtime, in sweeps of its manager: they
 * do nothing, but of one the kernel says that it lives, of the other that it is dead.
 *
 * What leaves the image is answered here (--wrap, Makefile), in the process that plays a manager:
 * whom it forks is the one that lives, in the slot that was claimed for it; no time passes, so that
 * equal images are equal; no other process of the machine is looked at, since no command has run.
 * Where: the sweeps of the manager.  Who may call: one thread.  Blocks: never.
 * Death: both end with the sweep. */
#ifndef PLM_TEST_STANDIN_H
#define PLM_TEST_STANDIN_H

#include "manager/manager.h"

/* The runtime whose manager is played in this process; NULL: nobody is. */
extern const struct tables *standin_plays;

void standin_begin(void); /* before the first victim: makes them */

/* From now on the process of this slot is the one that lives, or that is dead. */
void standin_take(struct process *p, bool lives);
bool standin_lives(const struct process *p);
/* The manager knows of this slot, as of one it has adopted. */
void standin_watch(struct manager *m, uint32_t slot);

#endif
