/* mutate.h - one commit rule broken: a shared step left out, or done in the wrong order.
 *
 * Where: test processes of the variants with PLM_STEPS (shm/steps.h).  Who may call: the test that
 * has set step_hook; the hook returns the result of mutate_step().
 * Death: notes live in shared memory, and outlive a victim.  Blocks: never.
 *
 * $PLM_MUTATE is "HOW: LABEL", the label of a step as in label.h: "left out: record: cas state".
 * HOW is
 *	left out	as if the line of the step were missing, at every visit of the process
 *	late		after steps that should follow
 *	early		before steps, and all plain stores, that should come first
 * Only a look at the image of a death shows the order, so late and early are done to the image: a
 * victim that runs to its end is recorded; other victims are killed where the order matters, and
 * mutate_move() changes their image as the wrong order would have done. */
#ifndef PLM_TEST_MUTATE_H
#define PLM_TEST_MUTATE_H

#include <stdbool.h>
#include <stddef.h>

#include "shm/steps.h"

#ifdef PLM_STEPS
bool mutate_wanted(void);   /* shall a rule be broken? */
bool mutate_is_order(void); /* by the wrong order? */
void mutate_open(void);     /* before the first victim */
bool mutate_was_met(void);  /* has anybody come to the step? */

bool mutate_step(const struct step *step, const void *at, size_t bytes); /* to be left out? */

/* Steps of a victim between these two calls are recorded. Both are called by the victim, but the
 * parent knows the numbers of the record: moves 0 .. mutate_moves() - 1. */
void mutate_record(void);
void mutate_recorded(void);
unsigned mutate_moves(void);
enum { MUTATE_PLACES = 128 };                          /* most places later, or earlier */
unsigned mutate_death(unsigned move, unsigned places); /* the step at which a victim must die */
bool mutate_move(
    unsigned move, unsigned places); /* after the death; false: the move changes nothing */
#endif

#endif
