/* door.h - the manager's socket: the admission of a client, and a few requests later.
 *
 * Where: a SOCK_SEQPACKET socket NAME.sock in the runtime directory (0700, of this user).
 * Who may call: the manager and the clients. Both sides check the uid of the peer (SO_PEERCRED).
 * Death: no task passes through the socket, so a client goes on without a dead manager, and dials
 * again when the next request is due.
 * Blocks: only where the caller waits for a reply.
 *
 * After the admission the socket stays open for requests: load a module, stop, and so on. The
 * client numbers the requests, and a reply carries the number of the request: the reply to a
 * request given up by the client may still arrive, and must not pass for the reply to a later
 * request. Raise DOOR_VERSION when a message changes. */
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
	DOOR_STOP,      /* -> code 0 when accepted: run the accepted tasks, then end */
	DOOR_STOP_NOW,
	DOOR_WORKERS,      /* text = how many of the first kind -> code 0 when accepted */
	DOOR_ADMISSION,    /* text = a verb from below -> code 0 when in force */
	DOOR_WORKER_DRAIN, /* text = worker number -> code 0 when accepted */
	DOOR_WORKER_RESUME,
	DOOR_AGAIN, /* instead of HELLO, from a client that a dead manager admitted: text =
		     * process slot, blank, generation of the slot -> code = the process slot */
	DOOR_VISIT, /* instead of HELLO, from a client that looks or gives orders, and leaves soon:
		     * as HELLO, but when clients hold all process slots allowed to clients, the
		     * manager gives the visitor a process slot kept for visits */
};

#define DOOR_PAUSE "pause"
#define DOOR_DRAIN "drain"
#define DOOR_RESUME "resume"

struct door_request {
	uint32_t magic, version;
	uint32_t kind;
	uint32_t number; /* the client's count of its requests */
	char text[512];  /* HELLO: the client's name.  Other kinds: see above. */
};

struct door_reply {
	uint32_t magic, version;
	int32_t code;        /* 0 or more: fine.  -errno: refused, text says why. */
	uint32_t generation; /* of the process slot */
	uint32_t number;     /* of the answered request */
	uint32_t kept;       /* 1: the process slot is kept for visits */
	char text[512];
};

/* Directory of sockets, bells and logs: $XDG_RUNTIME_DIR/plm, else /tmp/plm-UID. With make set the
 * directory is created (0700). Refused unless the directory belongs to this user and no other user
 * may enter; refused to a set-id program, whose environment comes from another user. 0 or -errno
 * with a why. */
int door_directory(char *ret, unsigned long size, int make);

/* 0, or -errno with a why if other users may enter the directory. With make set: created. */
int door_directory_check(const char *path, bool make);

/* Path of NAME's socket: in the given directory; in the directory of our environment. 0 or
 * -errno with a why. */
int door_address_in(const char *directory, const char *name, struct sockaddr_un *ret);
int door_address(const char *name, struct sockaddr_un *ret);

/* "/dev/shm/plm-UID-NAME.lock": locked by the manager. Its only line is the path of the socket, for
 * clients whose environment names another directory. */
enum { DOOR_LOCK_BYTES = 80 };
void door_lock_path(const char *name, char ret[DOOR_LOCK_BYTES]);
/* Reads the line of the lock file; false: the line cannot be the path of a socket. */
bool door_recorded(int lock, struct sockaddr_un *ret);
/* For a client: the recorded socket, else door_address(). Not for the manager: when a process
 * closes any descriptor of a file, the kernel drops the process's locks on the file. */
int door_find(const char *name, struct sockaddr_un *ret);

/* 0 and *ret_pid = pid of the peer if the peer is a process of this user; else -EPERM. */
int door_check_peer(int socket, int *ret_pid);

#endif
