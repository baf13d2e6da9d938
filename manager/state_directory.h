/* state_directory.h - the directory of the journal (--state): ownership, and use by a single
 * runtime.
 *
 * Where: the manager, at boot.  Blocks: never.  Errors: -errno with a why.
 * Death: the kernel drops the lock with the process. */
#ifndef PLM_STATE_DIRECTORY_H
#define PLM_STATE_DIRECTORY_H

struct manager;

int state_claim(struct manager *m); /* -EADDRINUSE: in use by another runtime; 0 without --state */
void state_publish(struct manager *m); /* names the directory to clients */

#endif
