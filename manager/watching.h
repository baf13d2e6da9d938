/* watching.h - the descriptors whose events the manager's loop waits for.
 *
 * Where: the manager alone.  Blocks: never.  Errors: -errno with a why.
 * Death: the kernel closes every descriptor; the next manager opens its own. */
#ifndef PLM_WATCHING_H
#define PLM_WATCHING_H

#include <stdint.h>

struct manager;

enum watch { /* the subject of an epoll event; the low half holds a process slot or a descriptor */
	WATCH_DOOR = 1,
	WATCH_SIGNAL,
	WATCH_JOINED,   /* a member became LIVE, or the scheduler wants more or fewer spares */
	WATCH_STRANGER, /* a connection that has not said hello: its descriptor */
	WATCH_PROCESS,  /* the pidfd of a process slot */
	WATCH_SOCKET,   /* the connection of a client: its process slot */
	WATCH_LOADER,
	WATCH_ORPHAN, /* the pidfd of a process that a dead worker left: its descriptor */
	WATCH_OUTER,  /* a token of the outer make may be free */
	WATCH_PARENT, /* --tied: the pidfd of the process that started plm */
};

int watching_add(struct manager *m, int fd, enum watch what, uint32_t which);
void watching_drop(struct manager *m, int fd); /* closes the descriptor, too */

#endif
