/* reign.h - a manager that dies and the next one, who adopts what it left: a small runtime
 * (tests/support/world.h) whose members are stand-ins (tests/sweeps/standin.h), as the image of a
 * kill sweep.
 *
 * Where: the sweeps of the manager.  Who may call: one thread.  Blocks: never.
 * Death: setup makes a runtime at rest, in which everybody sleeps; the victim is its manager; the
 * recovery is the next one's boot, from where the segments are attached. Then reign_judge(): who
 * lives is watched, who is dead was declared dead, once, all have been woken, who is missing was
 * started; then the members come to life, all that was accepted is done, all leave, and no slot and
 * no byte is lost. */
#ifndef PLM_TEST_REIGN_H
#define PLM_TEST_REIGN_H

#include "manager/manager.h"
#include "tests/support/world.h"

/* A slot that is free at the start: the first that a client is given, or of a journal. And one
 * that nobody ever takes. */
enum { REIGN_FREE = WORLD_JOINING, REIGN_UNUSED = 40, REIGN_VALUE_BYTES = 100 };

extern struct reign {
	struct manager dying, next;
	struct options options; /* of both */
	char value[REIGN_VALUE_BYTES];
	plm_ref of_b, run_by_worker; /* B's: that value, and a task that yields it */
} reign;

/* ---- setup ---- */
void reign_boot(void);
void reign_begin(uint32_t dead); /* last: all sleep, and this slot's process is dead (0: none) */
struct process *reign_slot(uint32_t slot);
void reign_step(uint32_t slot, enum process_state state);
size_t reign_regions(struct sweep_region *ret);

/* ---- the victim, the recovery, the verdict ---- */
struct manager *reign_play(void); /* from now on this process is the one that dies */
void reign_adopt(void *image);
/* `dead` is, in the end, in no slot. */
const char *reign_judge(uint32_t dead);

#define REIGN(what, prepare, act, verdict)                                                \
	{                                                                                 \
		.name = what, .regions = reign_regions, .setup = prepare, .operate = act, \
		.recover = reign_adopt, .judge = verdict, .steps_only = true              \
	}

#endif
