/* descriptors.h - how many files the manager may have open: a socket and a pidfd for each client, a
 * pidfd for each member.
 *
 * The usual soft limit, 1024, is meant for programs that use select(); the manager takes what the
 * hard limit allows. A child gets back the limit of plm's own start: a command must find the limit
 * chosen by the user.
 * Where: the manager.  Blocks: never. */
#ifndef PLM_DESCRIPTORS_H
#define PLM_DESCRIPTORS_H

#include <stdbool.h>

void descriptors_raise(void);
void descriptors_restore(void);  /* in a child */
bool descriptors_short(int any); /* no descriptor is left for a client; any: an open descriptor */

#endif
