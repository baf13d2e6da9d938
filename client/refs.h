/* refs.h - references: what our process holds, and the records behind references.
 *
 * Where: counts and questions in private memory, hold bits in the segment.
 * Who: any thread; only one question is open at a time (import_mutex).
 * Blocks: ref_hold() and the questions, until the scheduler answers or the deadline. */
#ifndef PLM_REFS_H
#define PLM_REFS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "client/plm.h"
#include "tables/tables.h"

enum { DROP_GATES = 8, HINTS_BATCH = 128 };

/* A thread holds a gate while drops of the thread are counted but not in the ring yet (refs.c). */
struct drop_gate {
	pthread_mutex_t mutex;
	char apart[CACHE_LINE_BYTES]; /* keeps the gates on separate lines */
};

struct late {       /* ref_ask.c: old questions to the scheduler, given up */
	bool open;  /* the scheduler may not have read all of the questions */
	uint32_t n; /* hints for which the ring had no room yet */
	uint64_t hint[2];
	uint32_t at; /* all is read when the scheduler has read our ring up to here */
};

/* ---- ref_resolve.c ---- */

/* The record of a reference, and the judged word. NULL with the error in *ret_error: -EXDEV
 * (another runtime), -ESTALE (no such future any more), -EINVAL (the reference is empty). */
struct record *ref_resolve(const struct plm *rt, plm_ref ref, uint64_t *ret_word, int *ret_error);
/* -ESTALE for a reference without a record; the why says whether the result left because of its
 * age. */
int ref_gone(const struct tables *t, uint64_t ref);
/* The record whose word speaks for r: if r is a PART, the record of the task. */
struct record *ref_speaker(const struct plm *rt, struct record *r, uint64_t *word);
plm_ref ref_public(const struct plm *rt, uint64_t ref);
/* The reference to hold in order to hold ref: for a PART the task, since results of one task live
 * and die together. */
uint64_t ref_held(const struct record *r, uint64_t ref, uint64_t word);
/* The index in rt->refs[] for the count of holds on ref. */
uint32_t ref_held_index(const struct plm *rt, plm_ref ref);

/* ---- refs.c ---- */

/* Counts the first hold on a record just reserved. */
void ref_born(struct plm *rt, uint32_t index);
/* One more hold on ref. Asks the scheduler if our process holds none yet. */
int ref_hold(struct plm *rt, plm_ref ref);
int ref_hold_until(struct plm *rt, plm_ref ref, uint64_t deadline_ns);
/* Ends every hold which a worker's task took and did not drop. */
void ref_drop_adopted(struct plm *rt);

/* ---- ref_ask.c ---- */

/* Asks the scheduler for a hold, under import_mutex. 0: answered; the hold may have been refused.
 * -ETIMEDOUT, or -errno with a why. */
int ref_ask(struct plm *rt, uint64_t ref, uint64_t deadline_ns);
/* Asks in the same way with an order beside the question (tables/moves.h). The caller has a hold.
 */
int ref_ask_move(
    struct plm *rt, uint64_t ref, uint64_t order, uint64_t deadline_ns, uint64_t *ret_answer);
/* Waits until the scheduler has acted on all hints of our process; -ETIMEDOUT. */
int handle_sync(struct plm *rt);

#endif
