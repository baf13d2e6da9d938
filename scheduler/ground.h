/* ground.h - the ground under every file of the scheduler. Includes go down, as calls do: a file
 * includes the header of its own row (README.md), and so sees no function of a row above. */
#ifndef PLM_GROUND_H
#define PLM_GROUND_H

#include "scheduler/state.h"

/* ---- ground.c ---- */
/* For a lock that cannot be had, because its holder is alive but stopped, or because of damage
 * beyond recovery. The manager starts the next scheduler, which derives everything again. */
_Noreturn void scheduler_give_up(void);
void scheduler_lock_heap(struct heap *heap); /* or gives up */
void scheduler_ring_manager(struct scheduler *s);
void scheduler_signal(struct scheduler *s, uint32_t process, int signal); /* to a worker process */

/* ---- task_log.c: the event log; call only if eventlog_on() ---- */
/* The scheduler ended a task, or an attempt (EVENT_RETURNED, with the reason). `word` is the word
 * that was ended. */
void task_log_end(struct scheduler *s, enum event_kind kind, uint32_t index, uint64_t word,
    enum event_return reason);
/* The time of all events of a round, one reading of the clock. */
uint64_t task_log_now(struct scheduler *s);
void task_log_ready(struct scheduler *s, uint32_t index, uint64_t word);
/* Tasks about to be given to a worker process, a batch of hints at most. Written by the caller
 * after the hints are on their way, since the workers wait for them. */
void task_log_placed(struct scheduler *s, const uint64_t *hints, uint32_t n, uint32_t process,
    struct eventlog_batch *ret);
/* A dead worker process: finds the attempts that it did not end. */
void task_log_meet_dead(struct scheduler *s, uint32_t process);
/* The ends of such attempts, as noted since. */
void task_log_flush(struct scheduler *s);
void task_log_forget(struct scheduler *s, uint32_t process);

/* ---- waits.c ---- */
/* The record awaited in a cell of the process; NULL: none, or any record. */
const struct record *waits_awaited(
    const struct scheduler *s, uint32_t process, uint32_t cell, uint64_t *ret_word);
/* All awaited records are settled: the process is about to wake. */
bool waits_is_served(const struct scheduler *s, uint32_t process);
/* The worker process standing still for a client; 0: none. */
uint32_t waits_host(const struct scheduler *s, uint32_t process);
/* For a worker process: the client of the latest wait run by its command; 0: none waits. */
uint32_t waits_nested(const struct scheduler *s, uint32_t process);
/* The process of the wait: the worker process itself, or a client run by its command. 0: no wait.
 */
uint32_t waits_sleeper(const struct scheduler *s, uint32_t process);
/* The task of the process, or a client run by its command, sleeps in a wait and has run nothing in
 * place since. */
bool waits_unserved(const struct scheduler *s, uint32_t process);

/* ---- amounts.c ---- */
/* Finds whole GPUs that nobody uses, or, for a part of a GPU, the fullest GPU with room. False:
 * none fits. */
bool amounts_gpus(
    const struct scheduler *s, uint32_t worker, uint64_t gpus, uint64_t amount, uint64_t *ret);
/* The first resource lacking at this worker now; RESOURCES_MAX: nothing is lacking. */
uint32_t amounts_lacking(const struct scheduler *s, uint32_t worker, const struct worker_kind *kind,
    const struct demand *demand);

#endif
