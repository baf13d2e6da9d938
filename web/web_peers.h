/* web_peers.h - connections, each with a deadline for the next request.
 *
 * libmicrohttpd ends a connection on which nothing moves. A peer that sends a byte now and then
 * would keep the connection for days, and a thousand such peers would keep everybody else out. So a
 * request has to arrive as a whole within PEERS_REQUEST_S of the last answer, or of the beginning
 * of the connection. A late connection is shut down, and the library closes the socket.
 * Who: the thread of the loop.  Blocks: never.  Allocates: a peer for each connection; a connection
 * for which there is no memory has no deadline. */
#ifndef PLM_WEB_PEERS_H
#define PLM_WEB_PEERS_H

#include <microhttpd.h>
#include <stdint.h>

enum { PEERS_REQUEST_S = 15 };

struct peer;

struct peers {
	struct peer *first;
	uint64_t swept_ns;
};

/* MHD_NotifyConnectionCallback, with the struct peers as context. */
void peers_notify(void *context, struct MHD_Connection *connection, void **peer,
    enum MHD_ConnectionNotificationCode code);
/* A request has arrived; its answer is sent. */
void peers_asked(struct MHD_Connection *connection);
void peers_answered(struct MHD_Connection *connection);
/* Looks at the deadlines once a second, when called often enough: a peer that sends wakes the loop,
 * and a peer that sends nothing is the library's. */
void peers_sweep(struct peers *peers);

/* The kernel keeps little for a peer that reads slowly, so that a page gets new frames instead of
 * the frames of minutes ago, and gives up a peer that has vanished. */
void peers_keep_short(struct MHD_Connection *connection);

#endif
