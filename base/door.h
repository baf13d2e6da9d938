/* door.h - the manager's socket: what a client says once, and the few requests it may make later.
 *
 * A SOCK_SEQPACKET socket NAME.sock in the runtime directory (0700, of this user). The peer's uid
 * is checked on both sides (SO_PEERCRED). After the admission the socket stays open: it is how a
 * client asks for a module or a stop. Tasks never pass here: when the manager is dead a client goes
 * on without it, and dials again when it next has something to ask. The client numbers its
 * requests, and the reply carries the number of its request: the answer to a request that the
 * client has given up may still come, and must not be taken for that to a later one. Raise
 * DOOR_VERSION when a message changes. */
#ifndef PLM_DOOR_H
#define PLM_DOOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#define DOOR_MAGIC UINT32_C(0x706c6d64)
#define DOOR_VERSION UINT32_C(2)

enum door_request_kind {
	DOOR_HELLO = 1, /* -> admitted: code = process slot, two descriptors: control, store */
	DOOR_MODULE,    /* text = path -> code 0 when loaded */
	DOOR_STOP,      /* -> code 0 when accepted: drain, then end */
	DOOR_STOP_NOW,
	DOOR_WORKERS,      /* text = how many of the first kind -> code 0 when accepted */
	DOOR_ADMISSION,    /* text = one of the verbs below -> code 0 when it is so */
	DOOR_WORKER_DRAIN, /* text = number of a worker -> code 0 when accepted */
	DOOR_WORKER_RESUME,
	DOOR_AGAIN, /* instead of HELLO, of one whom a manager let in that is dead: text =
		     * process slot, blank, its generation -> code = the slot */
	DOOR_VISIT, /* instead of HELLO, of one who comes to look or to rule, and leaves soon:
		     * as HELLO, but when clients have all the slots they may have, the manager
		     * gives it one of those it keeps for visits */
};

#define DOOR_PAUSE "pause"
#define DOOR_DRAIN "drain"
#define DOOR_RESUME "resume"

struct door_request {
	uint32_t magic, version;
	uint32_t kind;
	uint32_t number; /* the client's count of its requests */
	char text[512];  /* HELLO: the client's name.  Others: as said above. */
};

struct door_reply {
	uint32_t magic, version;
	int32_t code;        /* 0 or more: fine.  -errno: refused, text says why. */
	uint32_t generation; /* of the process slot */
	uint32_t number;     /* of the request that this answers */
	uint32_t kept;       /* 1: the slot is one of those kept for visits */
	char text[512];
};

/* Directory of sockets, bells and logs: $XDG_RUNTIME_DIR/plm, else /tmp/plm-UID. With make set
 * it is created (0700). Refused if it is not a directory of this user that nobody else may enter,
 * and to a set-id program, whose environment is another's. 0 or -errno with a why. */
int door_directory(char *ret, unsigned long size, int make);

/* 0, or -errno with a why: the directory is not this user's alone. With make it is created. */
int door_directory_check(const char *path, bool make);

/* Path of NAME's socket: in this directory; in that of this environment. 0 or -errno with a why. */
int door_address_in(const char *directory, const char *name, struct sockaddr_un *ret);
int door_address(const char *name, struct sockaddr_un *ret);

/* "/dev/shm/plm-UID-NAME.lock": held by the manager, and its one line says where the socket is, for
 * those whose environment names another directory. */
enum { DOOR_LOCK_BYTES = 80 };
void door_lock_path(const char *name, char ret[DOOR_LOCK_BYTES]);
/* What the line of that file says; false: nothing that could be a socket. */
bool door_recorded(int lock, struct sockaddr_un *ret);
/* For a client: the socket that is recorded, else door_address(). Not for the manager itself: the
 * kernel drops its lock when it closes any descriptor of that file. */
int door_find(const char *name, struct sockaddr_un *ret);

/* 0 if the other end of this socket is a process of this user, *ret_pid its pid; else -EPERM. */
int door_check_peer(int socket, int *ret_pid);

#endif
