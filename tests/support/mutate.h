/* mutate.h - one commit rule broken: a shared step left out, or done in the wrong order.
 *
 * Where: test processes of the variants with PLM_STEPS (shm/steps.h).  Who may call: whoever has
 * set step_hook: it returns what mutate_step() says.
 * Death: what is noted is noted in shared memory, and outlives a victim.  Blocks: never.
 *
 * $PLM_MUTATE is "HOW: LABEL", the label of a step as in label.h: "left out: record: cas state".
 * HOW is
 *	left out	as if its line were missing, wherever the process comes to it
 *	late		after steps that should follow it
 *	early		before steps, and all plain stores, that should be in front of it
 * Order is seen by who looks at the image of a death alone: so these two are done to the image. A
 * victim that runs to its end is recorded; others are killed where it matters, and mutate_move()
 * does to what they leave what the wrong order would have done. */
#ifndef PLM_TEST_MUTATE_H
#define PLM_TEST_MUTATE_H

#include <stdbool.h>
#include <stddef.h>

#include "shm/steps.h"

#ifdef PLM_STEPS
bool mutate_wanted(void);   /* is a rule to be broken? */
bool mutate_is_order(void); /* by the wrong order? */
void mutate_open(void);     /* before the first victim */
bool mutate_was_met(void);  /* has anybody come to the step? */

bool mutate_step(const struct step *step, const void *at, size_t bytes); /* to be left out? */

/* What a victim does between these two is recorded. Both by the victim, but in its parent the
 * numbers of what was recorded are known: moves 0 .. mutate_moves() - 1. */
void mutate_record(void);
void mutate_recorded(void);
unsigned mutate_moves(void);
enum { MUTATE_PLACES = 128 }; /* as many later, or earlier, and all fewer */
unsigned mutate_death(unsigned move, unsigned places); /* the step a victim is to die at */
bool mutate_move(unsigned move, unsigned places);      /* then; false: that changes nothing */
#endif

#endif
