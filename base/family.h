/* family.h - the children of a process, as the kernel lists them.
 *
 * A process whose parent dies becomes a child of the nearest ancestor that is a subreaper
 * (PR_SET_CHILD_SUBREAPER). So a subreaper's list of children holds every process its descendants
 * left behind, in any session or group; an empty list means that none is left.
 * Where: any process.  Blocks: never.
 * Errors: on a kernel without CONFIG_PROC_CHILDREN (no /proc/PID/task/TID/children) every list is
 * empty. */
#ifndef PLM_FAMILY_H
#define PLM_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { FAMILY_MAX = 256 }; /* children a look; later looks see the rest */

struct family {
	pid_t child[FAMILY_MAX];
	size_t n;
};

/* Does this process have a child, alive or dead and not yet waited for? */
bool family_exists(void);
/* The children of this process; of another process. */
void family_look(struct family *ret);
void family_of(pid_t pid, struct family *ret);
bool family_has(const struct family *family, pid_t pid);

#endif
