/* watching.h - the epoll set of the manager's loop.
 *
 * Where: the manager alone.  Blocks: never.  Errors: -errno with a why.
 * Death: the kernel closes every descriptor; the next manager opens a new set. */
#ifndef PLM_WATCHING_H
#define PLM_WATCHING_H

#include <stdint.h>

struct manager;

enum watch { /* the subject of an epoll event; the low half holds a process slot or a descriptor */
	WATCH_DOOR = 1,
	WATCH_SIGNAL,
	WATCH_JOINED,   /* a member became LIVE, or the scheduler wants more or fewer spares */
	WATCH_STRANGER, /* the descriptor of a connection without a hello */
	WATCH_PROCESS,  /* the pidfd of a process slot */
	WATCH_SOCKET,   /* the connection of a client, by process slot */
	WATCH_LOADER,
	WATCH_ORPHAN,  /* the pidfd of a process left by a dead worker */
	WATCH_OUTER,   /* a token of the outer make may be free */
	WATCH_NURSERY, /* the socket of a zygote, by the number of its interpreter */
	WATCH_ZYGOTE,  /* the pidfd of a zygote, likewise */
	WATCH_PARENT,  /* --tied: the pidfd of the starter */
	WATCH_FLEET,   /* the pidfd of the bridge to a fleet */
};

int watching_add(struct manager *m, int fd, enum watch what, uint32_t which);
void watching_drop(struct manager *m, int fd); /* closes the descriptor, too */

#endif
