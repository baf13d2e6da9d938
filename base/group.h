/* group.h - cgroups (version 2) for processes that must end together, where systemd gave us leave.
 *
 * systemd gives leave to a unit with Delegate=yes: the attribute user.delegate of the unit's cgroup
 * is 1, and processes in the cgroup may make cgroups below. Without leave we make no cgroup and ask
 * nobody. We use no controller. The gain: a cgroup knows every process started inside, whatever
 * session and environment the process moved to, and one write (cgroup.kill, Linux 5.14) ends all
 * of them at once, even processes that fork faster than we could read a list.
 * Where: OWN/plm-NAME.SLOT, a cgroup for each runtime and process slot.
 * Who may call: a worker makes its own cgroup and starts commands inside; the manager removes all
 * cgroups of its runtime.
 * Death: a worker's cgroup stays, and the next worker of the process slot uses it. If the dead
 * worker was no child of the manager, the manager ends the processes in the cgroup, provided the
 * manager runs in the same parent cgroup.
 * Blocks: group_end_all(), until the processes have ended. */
#ifndef PLM_GROUP_H
#define PLM_GROUP_H

#include <stdbool.h>
#include <stdint.h>

struct group {
	bool exists;
	int procs, kill; /* descriptors */
};

/* Makes or finds the cgroup; ret->exists is false where we have no leave. */
void group_open(const char *name, uint32_t slot, struct group *ret);
/* The calling process enters the cgroup: one system call, for a child between fork() and exec(). */
void group_enter(const struct group *group);
/* SIGKILL for every process in the cgroup. */
void group_kill(const struct group *group);
void group_close(struct group *group);

/* Ends the processes in the cgroups of the runtime `name` and removes the cgroups, except those of
 * process slots in lives[] (NULL: no exception). */
void group_end_all(const char *name, const bool *lives);

#endif
