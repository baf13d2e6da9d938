/* seen.h - lists the steps of the source at which victims have died; a step without a death is not
 * known to be safe.
 *
 * Where: the kill sweeps and the explorer.  Who may call: the sweep; seen_here(): its victims.
 * Death: a victim notes the step in shared memory before its death.  Blocks: never.
 *
 * The list is a file beside the program, PROGRAM.steps: a line a step, of columns with tabs between
 * them: operation ("-": all steps there are), how ("there", "killed", "recovery"; of the explorer
 * "reached"), FILE:LINE, the label of the step (label.h). tools/steps.py reads them all. */
#ifndef PLM_TEST_SEEN_H
#define PLM_TEST_SEEN_H

#include "shm/steps.h"

#ifdef PLM_STEPS
enum seen { SEEN_KILLED = 1, SEEN_KILLED_IN_RECOVERY = 2, SEEN_REACHED = 4 };

void seen_open(void); /* before the first victim */
void seen_here(const struct step *step, enum seen how);
void seen_write(const char *operation); /* and begins anew for the next operation */
#endif

#endif
