/* leaders.h - whether the manager and the scheduler of a runtime are alive, for programs that
 * watch.
 *
 * A process slot says what the process said last, and the dead say nothing. So the file of the
 * process in /proc decides. Not kill(pid, 0), which also finds a dead child that its parent leaves
 * (a container whose first process reaps nobody), and a stranger that has the number of the dead.
 * Cost: a look at each process slot, and at two files of /proc.  Blocks, allocates: never. */
#ifndef PLM_CLI_LEADERS_H
#define PLM_CLI_LEADERS_H

#include "client/plm_inspect.h"

enum leader_state {
	LEADER_WELL, /* alive; or there is none in the table of processes */
	LEADER_STOPPED,
	LEADER_DEAD
};

struct leader {
	enum leader_state state;
	int32_t pid; /* 0: there is none */
};

struct leaders {
	struct leader manager, scheduler;
};

void leaders_look(plm_inspect *in, struct leaders *ret);

#endif
