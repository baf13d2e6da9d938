/* orphans.h - kills processes left running by dead processes.
 *
 * A command dies with its worker (PDEATHSIG), but the children of the command do not. The manager
 * is a child subreaper (PR_SET_CHILD_SUBREAPER): every orphan of a worker becomes a child of the
 * manager, in any session, and is killed; grandchildren follow later. Orphans of an adopted worker
 * go to another process, and are found by PLM_TASK and PLM_SLOT in the environments of the user's
 * processes, and in the cgroups of process slots where cgroups exist. Without cgroups an orphan
 * with a cleared environment is not found.
 * Where: the manager.  Blocks: orphans_await() as stated; orphans_of() for each killed process,
 * two seconds at most.
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

void orphans_adopt(void);                         /* makes the manager a child subreaper */
void orphans_end(struct manager *m);              /* kills all children but members */
void orphans_ended(struct manager *m, int pidfd); /* an orphan has ended, and may leave orphans */
/* Waits for the killed orphans, 100 ms at most; then the death is told all the same. */
void orphans_await(struct manager *m);
void orphans_reap(struct manager *m); /* children already ended */
/* Kills the processes of a runtime, found by environment. lives: marks process slots to be spared;
 * NULL: spare none. */
void orphans_of(uint64_t runtime, const bool *lives);
void orphans_unowned(struct manager *m); /* of adopted workers */

#endif
