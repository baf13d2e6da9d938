/* meanwhile.h - others who act in the middle of a victim's operation, at one step of it.
 *
 * Where: operate() of a kill sweep that is steps_only: other builds know no steps.
 * Who may call: the victim, act() included.  Death: of the victim; what act() changed in memory of
 * its own dies with it.  Blocks: never.
 *
 * When the victim comes to the step, as shm/steps.h names it, act() happens before it, as by
 * another process at that very moment. */
#ifndef PLM_TEST_MEANWHILE_H
#define PLM_TEST_MEANWHILE_H

void meanwhile(const char *function, const char *what, void (*act)(void)); /* each time */
void meanwhile_once(const char *function, const char *what, void (*act)(void));

#endif
