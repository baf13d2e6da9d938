/* workers.h - worker processes: room, bookings, waits; includes the row below. */
#ifndef PLM_WORKERS_H
#define PLM_WORKERS_H

#include "scheduler/queues.h"

/* ---- worker_room.c ---- */
void room_join(struct scheduler *s, uint32_t process);
void room_leave(struct scheduler *s, uint32_t process);
void room_retire(struct scheduler *s, uint32_t process);  /* LEAVING: no room any more */
void room_refresh(struct scheduler *s, uint32_t process); /* its ring, depth or booking changed */
void room_rebuild(struct scheduler *s);
void room_follow_policy(struct scheduler *s); /* if another policy was asked for */
/* While processes wait for cores, so many looks in a row find a stuck process; else one look. */
enum { ROOM_CROWD_LOOKS = 4 };
void room_look_for_stuck(struct scheduler *s);
/* Workers wake a scheduler that will not look (worker/successor.c). */
void room_tell_looks(struct scheduler *s);
/* Both under the worker heap's lock. Chooses the process to be served next; false: none for now. */
bool room_choose(struct scheduler *s, uint32_t *ret_process);
void room_take(struct scheduler *s, uint32_t process); /* the process gets a task */
/* An idle process of any other worker; false: none is idle. */
bool room_choose_other(struct scheduler *s, uint32_t worker, uint32_t *ret_process);
uint32_t room_process_of(const struct scheduler *s, uint32_t worker);
/* The number of one of the workers, with room or without. */
uint32_t room_choose_among(struct scheduler *s, const uint32_t *workers, uint32_t n);

/* ---- seats.c ---- */
/* Keeps a process for a task or a borrower: the process claims nothing else until freed. */
void seats_keep(
    struct scheduler *s, uint32_t process, uint64_t booked, uint32_t way, uint64_t gpus);
void seats_keep_still(struct scheduler *s, uint32_t process, uint64_t booked);
void seats_free(struct scheduler *s, uint32_t process);
/* The process has come to the top of its loop since the booking, and waits for the booked task
 * alone. */
bool seats_keeps_still(const struct scheduler *s, uint32_t process);
struct booking *seats_find(struct scheduler *s, uint64_t ref); /* NULL: none */
void seats_end(struct scheduler *s, struct booking *b);
void seats_settled(struct scheduler *s, uint64_t ref);
void seats_returned(struct scheduler *s, uint64_t ref, uint64_t word); /* READY */
void seats_gone(struct scheduler *s, uint32_t process);
void seats_retires(struct scheduler *s, uint32_t process); /* the process is LEAVING */
bool seats_is_ready(const struct scheduler *s, uint64_t ref);
uint32_t seats_pending(const struct scheduler *s); /* bookings with a task not running yet */

/* ---- nested_command.c ---- */
/* Client `process` rang: a wait inside a task may have begun or ended. */
void nested_look(struct scheduler *s, uint32_t process);
void nested_look_again(struct scheduler *s);               /* at all waiting clients */
void nested_forget(struct scheduler *s, uint32_t process); /* the client is dead */

#endif
