/* mutate.h - breaks one commit rule: a shared step is left out, or taken in the wrong order.
 *
 * Where: test processes of the variants with PLM_STEPS (shm/steps.h).  Who may call: the owner of
 * step_hook, which returns the answer of mutate_step().
 * Death: notes lie in shared memory and outlive a victim.  Blocks: never.
 *
 * $PLM_MUTATE is "HOW: LABEL", the label of a step as in label.h: "left out: record: cas state".
 * HOW is
 *	left out	as if its line were missing, at each visit
 *	late		after steps that should follow
 *	early		before steps, and plain stores, that should come first
 * A wrong order shows only in the image of a death, so late and early change the image. One victim
 * runs to its end and is recorded. Further victims are killed at the steps concerned, and
 * mutate_move() turns their image into the image of the wrong order. */
#ifndef PLM_TEST_MUTATE_H
#define PLM_TEST_MUTATE_H

#include <stdbool.h>
#include <stddef.h>

#include "shm/steps.h"

#ifdef PLM_STEPS
bool mutate_wanted(void);   /* $PLM_MUTATE is set */
bool mutate_is_order(void); /* late or early */
void mutate_open(void);     /* before the first victim */
bool mutate_was_met(void);  /* a process came to the step */

bool mutate_step(
    const struct step *step, const void *at, size_t bytes); /* true: leave the step out */

/* The victim calls both and is recorded in between. Its parent then knows the number of recorded
 * moves: 0 .. mutate_moves() - 1. */
void mutate_record(void);
void mutate_recorded(void);
unsigned mutate_moves(void);
enum { MUTATE_PLACES = 128 }; /* a step moves by 1 .. MUTATE_PLACES places */
unsigned mutate_death(unsigned move, unsigned places); /* the step to kill a victim at */
bool mutate_move(unsigned move, unsigned places);      /* false: no change */
#endif

#endif
