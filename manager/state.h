/* state.h - the directory of the journal (--state): its owner, and its use by one runtime at a
 * time.
 *
 * Where: the manager, at its boot.  Blocks: never.  Errors: -errno with a why.
 * Death: the kernel drops the lock with the process. */
#ifndef PLM_STATE_H
#define PLM_STATE_H

struct manager;

int state_claim(struct manager *m);    /* -EADDRINUSE: another runtime uses it; 0 without --state */
void state_publish(struct manager *m); /* clients learn of it */

#endif
