/* places.h - at which places the victims of an operation have died. A place is a shared step of the
 * source and the number of the visit to that step, so "the second time at record: cas state".
 *
 * Why not the k-th step of a run: how many steps come before a place may depend on time or on the
 * core of the process. A death by number then misses places that each run comes to. With places, no
 * place that the last victim came to is without a death, whatever the earlier victims met. If all
 * runs are equal, victim k dies at step k.
 * A step that a process repeats on one word, and takes no other step in between, is a wait: how
 * often depends on time, so only the first few visits are places.
 * Where: kill sweeps of the variants with PLM_STEPS.  Who may call: the sweep; places_is_new(): a
 * victim.  Death: a victim notes the place in shared memory before its death.  Blocks: never. */
#ifndef PLM_TEST_PLACES_H
#define PLM_TEST_PLACES_H

#include <stdbool.h>

#include "shm/steps.h"

#ifdef PLM_STEPS
struct places; /* at which victims have died */

struct places *places_open(void); /* before the first victim; stays until the sweep ends */
void places_forget(struct places *places);
/* The victim comes to this step, on the word `at`. True: no victim has died at this place, so this
 * victim will. The visits of a process are counted from the process's birth, for one `places` only.
 */
bool places_is_new(struct places *places, const struct step *step, const void *at);
#endif

#endif
