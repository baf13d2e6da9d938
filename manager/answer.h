/* answer.h - replies of the manager over the door's sockets.
 *
 * Where: the manager.  Blocks: never: a client that does not read finds the connection shut down,
 * and no answer. */
#ifndef PLM_ANSWER_H
#define PLM_ANSWER_H

#include <stdint.h>

#include "base/door.h"

struct manager;

void answer_send(int socket, const struct door_reply *r, const int *fds, int n);
void answer_code(int socket, uint32_t number, int code, const char *text);
/* To the client of the process slot, if still connected. */
void answer_client(struct manager *m, uint32_t slot, uint32_t number, int code, const char *text);

#endif
