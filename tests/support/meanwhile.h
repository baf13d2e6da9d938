/* meanwhile.h - other processes act in the middle of a victim's operation, at one of its steps.
 *
 * Where: operate() of a kill sweep that is steps_only: other builds know no steps.
 * Who may call: the victim, act() included.  Death: of the victim; changes by act() to its own
 * memory die with the victim.  Blocks: never.
 *
 * When the victim comes to the step with this label (label.h), act() runs before the step, as
 * another process would at the same moment. A label unknown to the program ends the test. */
#ifndef PLM_TEST_MEANWHILE_H
#define PLM_TEST_MEANWHILE_H

void meanwhile(const char *label, void (*act)(void)); /* each time */
void meanwhile_once(const char *label, void (*act)(void));

#endif
