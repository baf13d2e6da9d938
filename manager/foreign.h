/* foreign.h - the living processes of a runtime whose tables this build cannot read.
 *
 * The pids stand in a process table of another layout, so the kernel is asked instead: a process of
 * this user that runs a program called plm and has the control segment mapped is the manager or a
 * member of that runtime. Clients have the segment mapped as well and run other programs: they are
 * left alone, and are refused at their next request.
 * Where: the manager, at its boot.  Blocks: reads /proc; foreign_end() until the killed processes
 * have ended. */
#ifndef PLM_FOREIGN_H
#define PLM_FOREIGN_H

#include <sys/types.h>

struct foreign {
	unsigned processes;
	pid_t one;     /* any of them */
	pid_t manager; /* 0: dead */
};

void foreign_look(const char *control, struct foreign *ret); /* the segment's path */
void foreign_end(const char *control);                       /* kills them, and waits */

#endif
