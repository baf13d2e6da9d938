/* turns.h - turns among tasks of equal priority: clients that flood the queue alternate.
 *
 * Start-time fair queueing: a turn is a number, and the lower turn goes first. The turn in force
 * (control->turn) is the turn of the task placed or finished last. A client with nothing queued
 * gets the turn in force and moves it on by one, so single tasks of many clients run in the order
 * of submission. A client with many queued tasks gets numbers ahead of the turn in force and moves
 * nothing: a later client comes not behind all of those tasks, but in between.
 * Where: a word of the control page; each client's next number in its own memory.
 * Who may call: turns_take() a client for its submissions; turns_passed() the scheduler.
 * Death: the word only grows, and any value is good; a client's numbers die with the client.
 * Blocks: never. */
#ifndef PLM_TURNS_H
#define PLM_TURNS_H

#include "tables/tables.h"

/* The first of n turns in a row; *next belongs to the submitting client, all threads together. */
uint64_t turns_take(struct tables *t, _Atomic uint64_t *next, uint64_t n);
/* After a task went into a hand and waited for no other task: its turn was not used. */
void turns_give_back(_Atomic uint64_t *next, uint64_t turn);
void turns_passed(struct tables *t, uint64_t turn); /* all turns up to this are over */

#endif
