/* sleeper_case.h - for sweeps on the world: client A sleeps in its operation until other processes
 * act.
 *
 * While the victim sleeps the scheduler works (meanwhile.h). The scheduler's private memory ends
 * with the victim, so the scheduler dies as well. */
#ifndef PLM_TEST_SLEEPER_CASE_H
#define PLM_TEST_SLEEPER_CASE_H

#include "tests/support/echo_case.h"

extern plm_ref object;

/* A setup: boots without cores, so that no process spins, and each run has the same steps. */
void sleeper_boot(void *image);
void sleeper_plays(void (*act)(void)); /* play A; act() runs at each of its sleeps */
void sleeper_recover(void *image);     /* A and the scheduler were the victims */

/* B holds `object`, with the bytes of `large`, and has the same object in the end. */
void sleeper_setup_object(void *image);
const char *sleeper_object_is_whole(void);
const char *sleeper_judge_object(void *image);

#endif
