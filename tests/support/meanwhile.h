/* meanwhile.h - another process acts in the middle of a victim's operation, at one exact step.
 *
 * Where: operate() of a steps_only kill sweep; other builds have no steps.
 * Who may call: the victim, also in act().  Death: private changes by act() die with the victim.
 * Blocks: never.
 *
 * act() runs just before the victim takes the step (named as in shm/steps.h), as if another process
 * acted at that moment. */
#ifndef PLM_TEST_MEANWHILE_H
#define PLM_TEST_MEANWHILE_H

void meanwhile(
    const char *function, const char *what, void (*act)(void)); /* at each visit of the step */
void meanwhile_once(const char *function, const char *what, void (*act)(void));

#endif
