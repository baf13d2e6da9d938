/* mutate.h - one commit rule broken: a shared step left out, or done one step late.
 *
 * Where: test processes of the variants with PLM_STEPS (shm/steps.h).  Who may call: whoever has
 * set step_hook; it calls mutate_arrive(), may die, and then returns what mutate_step() says.
 * Death: a late step is lost with its process. That is its point.  Blocks: never.
 *
 * $PLM_MUTATE is "left out: FUNCTION: STEP" or "late: FUNCTION: STEP", STEP as in steps.h:
 * "left out: commit: cas &record->word". Late makes it change places with the step that follows. */
#ifndef PLM_TEST_MUTATE_H
#define PLM_TEST_MUTATE_H

#include <stdbool.h>
#include <stddef.h>

#include "shm/steps.h"

#ifdef PLM_STEPS
bool mutate_wanted(void); /* is a rule to be broken? */
bool mutate_is_late(void);

void mutate_arrive(void); /* at any step, before a death there */
bool mutate_step(const struct step *step, const void *at, size_t bytes); /* to be left out? */
void mutate_end(void);    /* what is late comes now */
#endif

#endif
