/* reign.h - a manager that dies, and the next manager, which adopts the runtime: a small runtime
 * (tests/support/world.h) whose members are stand-ins (tests/sweeps/standin.h), as the image of
 * a kill sweep.
 *
 * Where: the sweeps of the manager. Who may call: one thread. Blocks: never. Death: setup makes
 * a runtime at rest, in which all processes sleep; the victim is the manager; the recovery is
 * the next manager's boot, from the point where the segments are attached. Then reign_judge():
 * living members are watched, dead members were declared dead once, all sleepers have been
 * woken, missing members were started. Then the members come to life, all accepted tasks are
 * done, all processes leave, and no process slot and no byte is lost. */
#ifndef PLM_TEST_REIGN_H
#define PLM_TEST_REIGN_H

#include "manager/manager.h"
#include "tests/support/world.h"

/* A process slot that is free at the start: the first slot for a client or a journal. And a slot
 * that stays unused. */
enum { REIGN_FREE = WORLD_JOINING, REIGN_UNUSED = 40, REIGN_VALUE_BYTES = 100 };

extern struct reign {
	struct manager dying, next;
	struct options options; /* of both */
	char value[REIGN_VALUE_BYTES];
	plm_ref of_b, run_by_worker; /* B's objects: a value, and a task whose result is that
				      * value */
} reign;

/* ---- setup ---- */
void reign_boot(void);
void reign_begin(uint32_t dead); /* last call of a setup: all sleep, and the process of this slot
				  * is dead (0: none) */
struct process *reign_slot(uint32_t slot);
void reign_step(uint32_t slot, enum process_state state);
size_t reign_regions(struct sweep_region *ret);

/* ---- the victim, the recovery, the verdict ---- */
struct manager *reign_play(void); /* from now on this process is the manager that dies */
void reign_adopt(void *image);
/* `dead` is, in the end, in no slot. */
const char *reign_judge(uint32_t dead);

#define REIGN(what, prepare, act, verdict)                                                \
	{                                                                                 \
		.name = what, .regions = reign_regions, .setup = prepare, .operate = act, \
		.recover = reign_adopt, .judge = verdict, .steps_only = true              \
	}

#endif
