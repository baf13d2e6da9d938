/* family.h - the children of a process, as the kernel lists them.
 *
 * A process whose parent dies becomes a child of the nearest ancestor that has asked for that
 * (PR_SET_CHILD_SUBREAPER): so who asks for its children finds whatever its descendants left
 * behind, in whatever session or group they are, and an empty list means that nothing is left.
 * Where: any process.  Blocks: never.
 * Errors: without /proc/PID/task/TID/children (a kernel without CONFIG_PROC_CHILDREN) nobody has
 * children. */
#ifndef PLM_FAMILY_H
#define PLM_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { FAMILY_MAX = 256 }; /* children at one look; what is beyond is seen when these are gone */

struct family {
	pid_t child[FAMILY_MAX];
	size_t n;
};

/* Has this process any child, dead ones that nobody waited for with them? */
bool family_exists(void);
/* The children of this process; of another one. */
void family_look(struct family *ret);
void family_of(pid_t pid, struct family *ret);
bool family_has(const struct family *family, pid_t pid);

#endif
