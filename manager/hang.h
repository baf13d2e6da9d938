/* hang.h - kills workers that give no sign of life (--hang-after).
 *
 * Off by default: a task may be long and right. A worker beats when it begins a task, when its task
 * asks whether it is cancelled (plm_cancelled), and each safety tick while it sleeps, for want of
 * work or in a task that waits for another task. A worker that SIGSTOP holds does none of this: it
 * is a suspect until its time is over, and keeps its task.
 * Silence is measured in time that the manager itself ran, so a suspended machine, or a runtime
 * that SIGSTOP held as a whole, goes on as before. Time counts between two steps of the manager's
 * loop that follow each other as fast as its timer says; a longer gap counts nothing.
 * The kill is the fence: no other worker gets the task until the kernel reports the death.
 * Where: the manager.  Blocks: never. */
#ifndef PLM_HANG_H
#define PLM_HANG_H

#include <stdint.h>

struct manager;

struct hang {             /* a clock that stands still while the manager does not run */
	uint64_t now_ns;  /* of that clock */
	uint64_t seen_ns; /* real time of its last setting */
	uint64_t look_ns; /* of that clock, at the last look at the workers */
	uint64_t due_ns;  /* real time of the next look; DEADLINE_NEVER: no --hang-after */
};

void hang_look(struct manager *m);

#endif
