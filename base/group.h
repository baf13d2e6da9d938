/* group.h - cgroups (version 2) for processes that are to end together, where we were given leave.
 *
 * Leave is what systemd says of a unit with Delegate=yes: the attribute user.delegate of its cgroup
 * is 1, and who runs in it may make cgroups below it. Elsewhere there are none, and nothing is
 * asked of anybody. No controller is used: what counts is that a cgroup knows all that was started
 * in it, in whatever session and environment, and that one write (cgroup.kill, Linux 5.14) ends all
 * of it at once, also what forks faster than a list of it is read.
 * Where: OWN/plm-NAME.SLOT, a runtime and process slot each.
 * Who: a worker makes its own and starts commands in it; the manager removes all of its name.
 * Death: a cgroup stays, and the next of the slot goes on with it. The manager ends what is in it
 * when the worker was no child of its own, if it runs in the same cgroup as who made it.
 * Blocks: group_end_all(), until they have ended. */
#ifndef PLM_GROUP_H
#define PLM_GROUP_H

#include <stdbool.h>
#include <stdint.h>

struct group {
	bool exists;
	int procs, kill; /* descriptors */
};

/* Makes it, or finds it; it does not exist if there can be none. */
void group_open(const char *name, uint32_t slot, struct group *ret);
/* This process enters it: one system call, for a child before it becomes another program. */
void group_enter(const struct group *group);
/* SIGKILL for all that is in it. */
void group_kill(const struct group *group);
void group_close(struct group *group);

/* Ends what is in those of the name, and removes them; but of slots that live, NULL: of none. */
void group_end_all(const char *name, const bool *lives);

#endif
