/* placing.h - which task starts where, and which process stands in; includes the row below. */
#ifndef PLM_PLACING_H
#define PLM_PLACING_H

#include "scheduler/graph.h"

/* ---- place.c ---- */
void place_flush(struct scheduler *s);       /* READY tasks into the heap */
uint32_t place_tasks(struct scheduler *s);   /* heap to workers; how many were given */
void place_rebuild(struct scheduler *s);     /* the task heap, from the records */
bool place_idle(const struct scheduler *s);  /* nothing queued, nothing given */
void place_tell_demand(struct scheduler *s); /* to the manager: whether tasks wait */

/* ---- booking.c ---- */
uint32_t booking_place(struct scheduler *s); /* how many were begun */
void booking_adopt(struct scheduler *s, uint32_t process);
/* Processes born meanwhile, after all the dead are buried. */
void booking_welcome(struct scheduler *s);

/* ---- lend.c ---- */
bool lend_look(struct scheduler *s);                          /* true: processes came back */
bool lend_has_of(const struct scheduler *s, uint32_t worker); /* a process of the worker is lent */
uint32_t lend_short(struct scheduler *s); /* a borrower with a claim above its loans, 0 none */
void lend_one(struct scheduler *s, uint32_t borrower, uint32_t process);

/* ---- spares.c ---- */
void spares_begin(struct scheduler *s); /* of a round, before hints are read */
void spares_look(struct scheduler *s);
void spares_start(struct scheduler *s); /* resting spares now due go to work */
/* The process rests and should be at work. */
bool spares_is_due(const struct scheduler *s, uint32_t process);
void spares_forget(struct scheduler *s, uint32_t process); /* the process is dead */
void spares_rebuild(struct scheduler *s);
/* If the process waits: another process stands in, or may come. */
bool spares_may_relieve(const struct scheduler *s, uint32_t process);

/* ---- near.c ---- */
/* Like room_choose(), for a task with many bytes to read; false: any worker will do. */
bool near_choose(struct scheduler *s, struct record *task, uint32_t *ret_process);

/* ---- leave.c ---- */
uint32_t leave_look(struct scheduler *s); /* expired results leave; how many were looked at */
/* If dropped records gave no room to a waiting process: the oldest results leave. */
void leave_make_room(struct scheduler *s);

#endif
