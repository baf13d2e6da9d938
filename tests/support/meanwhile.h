/* meanwhile.h - another process acts in the middle of a victim's operation, at one exact step.
 *
 * Where: operate() of a steps_only kill sweep; other builds have no steps.
 * Who may call: the victim, also in act().  Death: private changes by act() die with the victim.
 * Blocks: never.
 *
 * When the victim comes to the step with this label (label.h), act() runs before the step, as
 * another process would at that very moment. A label that no step of the program has ends the test.
 */
#ifndef PLM_TEST_MEANWHILE_H
#define PLM_TEST_MEANWHILE_H

void meanwhile(const char *label, void (*act)(void)); /* each time */
void meanwhile_once(const char *label, void (*act)(void));

#endif
