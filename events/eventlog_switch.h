/* eventlog_switch.h - events are written while somebody watches: one word in the control segment.
 *
 * A watcher sets the flag in its process slot first, then switches the word on. After the death of
 * a watcher, and when a watcher ends, the flags of all living processes are looked at again:
 * without any the word is switched off. The word counts its changes, and every watcher changes the
 * word, so a look that began before a new watcher came fails its compare-and-swap. Who may call: a
 * client (watch, unwatch), the manager (recompute). Death: a watcher that dies between flag and
 * word has changed nothing; the manager's look follows every death and every adoption. Blocks:
 * never. */
#ifndef PLM_EVENTLOG_SWITCH_H
#define PLM_EVENTLOG_SWITCH_H

#include "tables/tables.h"

void eventlog_watch(struct tables *t, uint32_t process);
void eventlog_unwatch(struct tables *t, uint32_t process);
/* Switches events off if no living process wants them, and the boot did not ask for them. */
void eventlog_recompute(struct tables *t);

#endif
