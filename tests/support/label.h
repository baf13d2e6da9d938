/* label.h - how the lists of the tests name a shared step: "MODULE: OPERATION FIELD" (shm/steps.h).
 *
 * Where: test processes of the variants with PLM_STEPS.  Who may call: any test code.
 * Death: leaves nothing.  Blocks: never. */
#ifndef PLM_TEST_LABEL_H
#define PLM_TEST_LABEL_H

#include <stddef.h>

#include "shm/steps.h"

#ifdef PLM_STEPS
enum { LABEL_BYTES = 128 };

/* FIELD is "?" where the step names no member and no name: tools/steps.py refuses such a step. */
const char *step_label(const struct step *step, char label[LABEL_BYTES]);

/* All steps of this program, by the linker: [first, end). */
extern const struct step __start_steps[], __stop_steps[];

bool label_is_known(const char *label);
#endif

#endif
