/* moves.h - an order of a client: a queued task gets another place in the queue.
 *
 * The client writes the order into its process slot, and asks the scheduler for a hold on the task
 * (HINT_IMPORT); the scheduler obeys, writes the result over the order, and answers the question.
 * Where: the `move` of a process slot.  Who may call: any code.
 * Why by the scheduler: it alone frees records, so between its look at the task and its store of
 * the key no other life of the record can begin. Death: of the scheduler: the client asks again,
 * and the next scheduler obeys if the order still stands. Obeying twice is obeying once. Of the
 * client: the order is obeyed, or the next holder of the process slot begins without it
 * (process_claim()). Blocks: never. */
#ifndef PLM_MOVES_H
#define PLM_MOVES_H

#include "tables/record.h"

enum move_kind {
	MOVE_NONE,
	MOVE_TO_FRONT,    /* before all queued tasks of its priority */
	MOVE_TO_PRIORITY, /* to this priority, with the turn of its submission */
	MOVE_ASIDE,       /* FLAG_PARKED: no worker starts the task */
	MOVE_BACK,        /* no FLAG_PARKED any more */
	MOVE_DONE,        /* the answers: obeyed */
	MOVE_LATE,        /* not queued any more */
};

static inline uint64_t move_make(enum move_kind kind, int priority)
{
	return (uint64_t)(uint16_t)(priority - PRIORITY_MIN) << 8 | kind;
}

static inline enum move_kind move_kind(uint64_t move)
{
	return (enum move_kind)(move & 0xff);
}

static inline int move_priority(uint64_t move)
{
	return (int)(move >> 8 & 0xffff) + PRIORITY_MIN;
}

#endif
