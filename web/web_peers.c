#include "web/web_peers.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"

enum { SWEEP_MS = 1000, SEND_BYTES = 32 << 10, VANISHED_MS = 30000 };

struct peer {
	int fd;
	uint64_t since_ns; /* waits for a request since; 0: a request is being answered */
	struct peer *next, **at;
};

static int peers_fd(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	return info ? info->connect_fd : -1;
}

static struct peer *peers_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

static void peers_begin(struct peers *peers, struct MHD_Connection *connection, void **ret)
{
	struct peer *peer = calloc(1, sizeof *peer);
	if (!peer)
		return;
	*peer = (struct peer){ .fd = peers_fd(connection),
		.since_ns = clock_ns(),
		.next = peers->first,
		.at = &peers->first };
	if (peer->next)
		peer->next->at = &peer->next;
	peers->first = peer;
	*ret = peer;
}

void peers_notify(void *context, struct MHD_Connection *connection, void **peer,
    enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		peers_begin(context, connection, peer);
		return;
	}
	struct peer *ended = *peer;
	if (!ended)
		return;
	*ended->at = ended->next;
	if (ended->next)
		ended->next->at = ended->at;
	free(ended);
	*peer = NULL;
}

void peers_asked(struct MHD_Connection *connection)
{
	struct peer *peer = peers_of(connection);
	if (peer)
		peer->since_ns = 0;
}

void peers_answered(struct MHD_Connection *connection)
{
	struct peer *peer = peers_of(connection);
	if (peer)
		peer->since_ns = clock_ns();
}

void peers_sweep(struct peers *peers)
{
	uint64_t now = clock_ns();
	if (now - peers->swept_ns < SWEEP_MS * NS_PER_MS)
		return;
	peers->swept_ns = now;
	for (struct peer *peer = peers->first; peer; peer = peer->next)
		if (peer->since_ns && now - peer->since_ns > PEERS_REQUEST_S * NS_PER_S) {
			shutdown(peer->fd, SHUT_RDWR);
			peer->since_ns = now; /* closed by the library in this turn or the next */
		}
}

void peers_keep_short(struct MHD_Connection *connection)
{
	int fd = peers_fd(connection), bytes = SEND_BYTES;
	unsigned ms = VANISHED_MS;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms); /* not of a unix socket */
}
