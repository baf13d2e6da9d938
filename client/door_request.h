/* door_request.h - a conversation with the manager: connect, then a reply for each request.
 * Blocks: until the deadline at most. */
#ifndef PLM_DOOR_REQUEST_H
#define PLM_DOOR_REQUEST_H

#include "base/door.h"
#include "client/handle.h"

/* How long a conversation may take if the caller said timeout_ms; negative: the caller said
 * nothing. */
int door_patience_ms(int timeout_ms);
/* A connection to the manager of the named runtime. A descriptor, or -errno with a why: -ENOENT (no
 * such runtime), -ETIMEDOUT. */
int door_dial(const char *name, uint64_t deadline_ns);
/* Sends a request and waits for the reply. fds: how many descriptors must come with the reply. 0 or
 * -errno with a why, possibly the manager's. */
int door_ask(struct plm *rt, int socket, enum door_request_kind kind, const char *text,
    uint64_t deadline_ns, struct door_reply *ret, int *ret_fds, int fds);

#endif
