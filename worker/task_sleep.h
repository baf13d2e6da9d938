/* task_sleep.h - do the tasks of this worker sleep, or do they use the core?
 *
 * While quick workers use every core, plm wakes no further worker for a short task. Tasks that
 * sleep (for a disk, a database, a command) leave the core to others, so their workers do not
 * count. The kernel knows: it counts how often a thread gave up the core by itself.
 * Where: `tasks_sleep` of the worker's process slot.  Who may call: the worker, after each task.
 * Blocks: never.  Death: the next process of the slot begins with 0. */
#ifndef PLM_TASK_SLEEP_H
#define PLM_TASK_SLEEP_H

#include <stdint.h>

struct worker;

struct task_sleep {
	uint64_t looked_ns;
	uint64_t switches; /* counted by the kernel at the last look */
	uint32_t tasks;    /* since the last look */
	uint32_t parks;    /* of the worker itself, between tasks, since the last look */
};

void task_sleep_note(struct worker *w);

#endif
