/* hang.h - kills workers without a sign of life (--hang-after).
 *
 * Off by default: a task may be long and right. A worker beats at the begin of a task, when the
 * task calls plm_cancelled(), and at each safety tick of a sleep, for want of work or in a task
 * that waits for another task. A worker held by SIGSTOP does not beat: a suspect until the time is
 * over, if a task runs.
 * Silence is measured in running time of the manager, so a suspended
 * machine, or a runtime held by SIGSTOP as a whole, goes on as before. Time counts between two
 * steps of the manager's loop as near as the timer says; a longer gap counts nothing. The kill is
 * the fence: no other worker gets the task until the kernel reports the death.
 * Where: the manager.  Blocks: never. */
#ifndef PLM_HANG_H
#define PLM_HANG_H

#include <stdint.h>

struct manager;

struct hang {             /* a clock, still while the manager does not run */
	uint64_t now_ns;  /* of the hang clock */
	uint64_t seen_ns; /* real time of the last setting */
	uint64_t look_ns; /* of the hang clock, at the last look at the workers */
	uint64_t due_ns;  /* real time of the next look; DEADLINE_NEVER: no --hang-after */
};

void hang_look(struct manager *m);

#endif
