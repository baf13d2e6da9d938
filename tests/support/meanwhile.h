/* meanwhile.h - others who act in the middle of a victim's operation, at one step of it.
 *
 * Where: operate() of a kill sweep that is steps_only: other builds know no steps.
 * Who may call: the victim, act() included.  Death: of the victim; what act() changed in memory of
 * its own dies with it.  Blocks: never.
 *
 * When the victim comes to the step with this label (label.h), act() runs before the step, as
 * another process would at that very moment. A label that no step of the program has ends the test.
 */
#ifndef PLM_TEST_MEANWHILE_H
#define PLM_TEST_MEANWHILE_H

void meanwhile(const char *label, void (*act)(void)); /* each time */
void meanwhile_once(const char *label, void (*act)(void));

#endif
