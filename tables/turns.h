/* turns.h - whose turn it is among tasks of one priority: clients that flood take turns.
 *
 * Start-time fair queueing: a task's turn is a number, the lower goes first. The turn in force
 * (control->turn) is that of what was placed last, or finished. Who has nothing queued gets it, and
 * moves it on by one: so single tasks of many clients go in the order in which they were submitted.
 * Who has much queued is given numbers ahead of it, and moves nothing: whoever comes later is not
 * behind all of that, but in between.
 * Who: turns_take() a client for what it submits; turns_passed() the scheduler.
 * Death: the word only grows and any value of it is good; a client's own numbers go with it.
 * Blocks: never. */
#ifndef PLM_TURNS_H
#define PLM_TURNS_H

#include "tables/tables.h"

/* The first of n turns in a row; *next belongs to the one who submits, all its threads. */
uint64_t turns_take(struct tables *t, _Atomic uint64_t *next, uint64_t n);
/* A task was handed to a worker at once and waited for nobody: its turn was not used. */
void turns_give_back(_Atomic uint64_t *next, uint64_t turn);
void turns_passed(struct tables *t, uint64_t turn); /* all up to this one had theirs */

#endif
