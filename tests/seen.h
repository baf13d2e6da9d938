/* seen.h - at which steps of the source victims have died: what no sweep has killed at is not known
 * to be safe.
 *
 * Where: the kill sweeps of the variants with PLM_STEPS.  Who may call: the sweep; seen_here() its
 * victims.  Death: what a victim notes, it notes in shared memory, before it dies.  Blocks: never.
 *
 * The list is a file beside the program, PROGRAM.steps: a line a step, of columns with tabs between
 * them: operation ("-": all steps there are), how ("there", "killed", "recovery"), FILE:LINE,
 * function, step. tools/steps.py reads them all. */
#ifndef PLM_TEST_SEEN_H
#define PLM_TEST_SEEN_H

#include <stdbool.h>

#include "shm/steps.h"

#ifdef PLM_STEPS
void seen_open(void); /* before the first victim */
void seen_here(const struct step *step, bool in_recovery);
void seen_write(const char *operation); /* and forgets them, for the next operation */
#endif

#endif
