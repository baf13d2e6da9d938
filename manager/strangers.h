/* strangers.h - connections without a hello.
 *
 * Each connection costs a descriptor, so STRANGERS_MAX is the bound. A client says hello within
 * microseconds of the connect: a connection silent for GREETING_MS is closed, and the oldest makes
 * way when there is no room. So silent connections keep no client out.
 * Where: the manager.  Blocks: never. */
#ifndef PLM_STRANGERS_H
#define PLM_STRANGERS_H

#include <stdbool.h>
#include <stdint.h>

struct manager;

enum { STRANGERS_MAX = 128 };

struct strangers {
	struct stranger {
		int socket;
		uint64_t since_ns;
	} each[STRANGERS_MAX]; /* the oldest first */
	uint32_t count;
};

int strangers_add(struct manager *m, int socket); /* 0 or -errno; the oldest makes room */
bool strangers_has(const struct manager *m, int socket);
void strangers_remove(struct manager *m, int socket); /* said hello; the socket stays open */
void strangers_overdue(struct manager *m);            /* closes connections silent for too long */

#endif
