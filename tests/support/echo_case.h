/* echo_case.h - for sweeps on the world: a task that echoes a value, and a task that echoes the
 * result of the first. Each is done in the end, or shares the failure of the first. */
#ifndef PLM_TEST_ECHO_CASE_H
#define PLM_TEST_ECHO_CASE_H

#include "tests/support/world.h"

enum { LARGE_BYTES = 100 }; /* too long for a record */

extern char large[LARGE_BYTES];
extern plm_ref task, after;

void echo_boot(void *image); /* a setup: fills `large` and boots the world */

/* B submits `task`, which echoes `large`, and `after`, which echoes the result of `task`. */
void echo_submit(unsigned crash_retries, unsigned crash_retries_after);
void echo_setup(unsigned crash_retries, unsigned crash_retries_after); /* boots, submits, settles */

void echo_run(void *image); /* an operation: the worker runs `task`, and reports */

/* Outcomes. */
const char *echo_is_done(void);
const char *echo_or_death(void); /* `task` may also have failed with the death of its worker */

#endif
