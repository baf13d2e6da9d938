/* graph.h - the life of records: dependencies, limits, memory, frees; includes the row below. */
#ifndef PLM_GRAPH_H
#define PLM_GRAPH_H

#include "scheduler/workers.h"

/* ---- graph.c ---- */
/* First meeting with a WAITING task: counts the arguments and links the task to unsettled ones.
 * Later meetings: graph_check(). */
void graph_admit(struct scheduler *s, uint32_t index);
/* For an admitted task: fails the task if an argument has failed, makes it READY if none is
 * missing. */
void graph_check(struct scheduler *s, uint32_t index);
/* Makes process slot 1 the owner of a task to be ended by the scheduler. False: a client cancelled
 * the task first, or a worker runs it. */
bool graph_take_over(struct record *r, uint64_t *ret_word);
/* Remembers a settled record; graph_spread() tells its dependants. */
void graph_settled(struct scheduler *s, uint32_t index);
void graph_spread(struct scheduler *s);
/* Like plm_cancel(): a waiting task becomes CANCELLED, a running task is asked to stop. */
void graph_cancel(struct scheduler *s, uint32_t index);
/* After the first result of several replicas: cancels the rest. */
void graph_cancel_arguments(struct scheduler *s, struct record *r);
/* A RESERVED record will never settle: fails the dependants; takes back the one of a pair. */
void graph_abandoned(struct scheduler *s, uint32_t index);
/* Ends a task owned by no worker: WAITING, or RUNNING with a dead owner. flags: 0 or
 * FLAG_RETRIABLE. message may be NULL. */
void graph_fail(struct scheduler *s, uint32_t index, const struct record_failure *failure,
    uint32_t flags, const char *message);
/* The same with a detail (plm_failure_detail()). */
void graph_fail_saying(struct scheduler *s, uint32_t index, const struct record_failure *failure,
    uint32_t flags, const struct failure_text *text);

/* ---- free.c ---- */
/* Frees a settled (or abandoned) record and its parts if nobody needs the record. Cancels a tied
 * task that nobody needs. */
void free_if_unneeded(struct scheduler *s, uint32_t index);
/* RESERVED, and its owner let go or died. */
void free_abandoned(struct scheduler *s, uint32_t index);
void free_orphan(struct scheduler *s, uint32_t index); /* a PART without a task */
void free_arguments(struct scheduler *s, struct record *r);
/* Frees extents, not records. False: a result is left, and still named. */
bool free_results(struct scheduler *s, struct record *r);
void free_flush(struct scheduler *s);

/* ---- task_limits.c ---- */
int limits_open(struct scheduler *s);
void limits_close(struct scheduler *s);
/* Note the next limit or the end of a pause. */
void limits_look(struct scheduler *s, uint32_t index);
/* For a task asked to stop. grace_ms NULL: as noted for this attempt, or as its terms say. */
void limits_stop(struct scheduler *s, uint32_t index, const uint32_t *grace_ms);
void limits_forget(struct scheduler *s, uint32_t index); /* the task is settled */
uint32_t limits_enforce(struct scheduler *s);            /* handles due tasks; how many */
uint64_t limits_next_ns(struct scheduler *s);            /* time of the next due task */
/* Ends a task past this limit, as graph_fail() does. word: read before any change. */
void limits_fail(struct scheduler *s, uint32_t index, uint64_t word, enum limit limit);

/* ---- move.c ---- */
/* The process asks for a hold on this task: obeys its order about the task, if there is one. */
void move_look(struct scheduler *s, uint32_t process, uint32_t index);

/* ---- pressure.c ---- */
void pressure_look(struct scheduler *s); /* if the time has come */
uint64_t pressure_next_ns(const struct scheduler *s);
/* For a READY task with a known memory use above what could be given now: when to ask again; 0: the
 * task may start. */
uint64_t pressure_keeps(struct scheduler *s, const struct record *r);
bool pressure_lets_go(struct scheduler *s, struct record *r); /* now it may be claimed */
/* Ends a task for want of memory, as graph_fail() does. */
void pressure_fail(struct scheduler *s, uint32_t index, uint64_t word);

#endif
