/* claim.h - the lock file of a name: /dev/shm/plm-UID-NAME.lock.
 *
 * The lock lies beside the segments: every process that sees the same segments sees the same lock,
 * under any XDG_RUNTIME_DIR. The kernel drops the lock with the process. The file holds a line with
 * the path of the socket: clients with another XDG_RUNTIME_DIR find the door by the line
 * (base/door.c:door_find), and the next manager uses the same directory again, because living
 * members ring the bell there. Everybody may write to /dev/shm, so the file is judged by the
 * descriptor. The file is removed while locked.
 * Where: the manager, at boot and end.  Blocks: claim_births(), for STOP_GRACE_MS at most.
 * Errors: -errno with a why. */
#ifndef PLM_CLAIM_H
#define PLM_CLAIM_H

struct manager;

int claim_take(struct manager *m);   /* the lock of the name; -EADDRINUSE: a manager is up */
int claim_births(struct manager *m); /* waits until each child of a dead manager has a known pid */
int claim_record(struct manager *m); /* where the socket is; an adopted runtime keeps the place */
void claim_remove(const struct manager *m);

#endif
