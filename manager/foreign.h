/* foreign.h - the living processes of a runtime with tables of another build.
 *
 * The pids stand in a process table of another layout, so the kernel is asked instead: a process of
 * the same user with the program name plm and the control segment mapped is the manager or a member
 * of the runtime. Clients have the segment mapped as well and run other programs: clients are left
 * alone, and refused at the next request.
 * Where: the manager, at boot.
 * Blocks: reads /proc; foreign_end() until the killed processes have ended. */
#ifndef PLM_FOREIGN_H
#define PLM_FOREIGN_H

#include <sys/types.h>

struct foreign {
	unsigned processes;
	pid_t one;     /* any process */
	pid_t manager; /* 0: dead */
};

void foreign_look(const char *control, struct foreign *ret); /* the segment's path */
void foreign_end(const char *control);                       /* kills, and waits */

#endif
