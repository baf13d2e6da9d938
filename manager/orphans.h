/* orphans.h - kills what dead processes leave running.
 *
 * A command dies with its worker (PDEATHSIG), but the children of the command do not. The manager
 * is a child subreaper (PR_SET_CHILD_SUBREAPER): whatever a worker leaves becomes a child of the
 * manager, in any session, and is killed; its own children follow at its end. The orphans of a
 * worker that was no child of this manager go to another process. They are found by PLM_TASK and
 * PLM_SLOT in the environments of this user's processes, and in the cgroups of their process slots
 * where those exist. Without cgroups an orphan that has cleared its environment is not found.
 * Where: the manager.  Blocks: orphans_await() as stated; orphans_of() until killed processes have
 * ended.
 * Death of the manager: the next manager searches again (adopt.c). */
#ifndef PLM_ORPHANS_H
#define PLM_ORPHANS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct manager;

enum { ORPHANS_MAX = 256 }; /* at a time */

struct orphans { /* killed, and not yet reported dead */
	struct orphan {
		pid_t pid;
		int pidfd;
	} each[ORPHANS_MAX];
	uint32_t count;
};

void orphans_adopt(void);                         /* makes this process a child subreaper */
void orphans_end(struct manager *m);              /* kills all children that are no members */
void orphans_ended(struct manager *m, int pidfd); /* an orphan has ended, and may leave orphans */
/* Waits for the killed orphans, 100 ms at most: a death is told when its orphans have ended. */
void orphans_await(struct manager *m);
void orphans_reap(struct manager *m); /* children that ended by themselves */
/* Kills the processes of a runtime, found by their environment. lives: spare those of the process
 * slots it marks; NULL: spare none. */
void orphans_of(uint64_t runtime, const bool *lives);
void orphans_unowned(struct manager *m); /* of workers that were no children of this manager */

#endif
