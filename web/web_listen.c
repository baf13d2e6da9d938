#include "web/web_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/why.h"
#include "web/web_query.h"

enum { BACKLOG = 128, PORT_MOST = 65535, ADDRESS_BYTES = 64 };

#define USAGE "--listen is ADDRESS:PORT, such as 127.0.0.1:4756 or [::1]:0, or unix:PATH"

union listen_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

/* ---- the text ---- */

static int listen_parse(const char *where, union listen_address *ret, socklen_t *ret_size)
{
	const char *colon = strrchr(where, ':');
	char address[ADDRESS_BYTES];
	uint64_t port;
	*ret = (union listen_address){ .any.sa_family = AF_UNSPEC };
	if (!colon || !query_number(colon + 1, PORT_MOST, &port))
		return why(-EINVAL, USAGE ", not \"%s\"", where);
	bool bracket = where[0] == '[' && colon > where && colon[-1] == ']';
	snprintf(
	    address, sizeof address, "%.*s", (int)(colon - where) - 2 * bracket, where + bracket);
	if (strcmp(address, "localhost") == 0)
		snprintf(address, sizeof address, "127.0.0.1");
	if (inet_pton(AF_INET, address, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons((uint16_t)port);
		*ret_size = sizeof ret->v4;
		return 0;
	}
	if (bracket && inet_pton(AF_INET6, address, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons((uint16_t)port);
		*ret_size = sizeof ret->v6;
		return 0;
	}
	return why(-EINVAL, USAGE ": \"%s\" is no address", address);
}

/* ---- TCP ---- */

static int listen_failed(const char *where, int error)
{
	return why(-error, "cannot listen on %s: %s%s", where, strerror(error),
	    error == EADDRINUSE ? "; another --listen ADDRESS:PORT may be free, and port 0 takes "
				  "any free port"
				: "");
}

static void listen_name(struct listener *listener, const union listen_address *address)
{
	char text[ADDRESS_BYTES];
	if (address->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof text);
		snprintf(listener->url, sizeof listener->url, "http://%s:%u/", text,
		    ntohs(address->v4.sin_port));
		listener->everybody = ntohl(address->v4.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET;
		return;
	}
	inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof text);
	snprintf(listener->url, sizeof listener->url, "http://[%s]:%u/", text,
	    ntohs(address->v6.sin6_port));
	listener->everybody = !IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

static int listen_tcp(struct listener *listener, const char *where)
{
	union listen_address address;
	socklen_t size;
	int on = 1, r = listen_parse(where, &address, &size);
	if (r < 0)
		return r;
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return listen_failed(where, errno);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(fd, &address.any, size) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, &address.any, &size) < 0) {
		r = listen_failed(where, errno);
		close(fd);
		return r;
	}
	listener->fd = fd;
	listen_name(listener, &address);
	return 0;
}

/* ---- a unix socket ---- */

/* Removes a socket to which nobody listens. */
static void listen_replace(const struct sockaddr_un *address)
{
	struct stat found;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	bool dead = lstat(address->sun_path, &found) == 0 && S_ISSOCK(found.st_mode) &&
	    connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 &&
	    errno == ECONNREFUSED;
	if (dead)
		unlink(address->sun_path);
	close(fd);
}

static int listen_unix(struct listener *listener, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (!path[0] || strlen(path) >= sizeof address.sun_path)
		return why(-EINVAL, "the path of a unix socket has 1 to %zu bytes: \"%s\"",
		    sizeof address.sun_path - 1, path);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	listen_replace(&address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return listen_failed(path, errno);
	mode_t mask = umask(0077);
	int bound = bind(fd, (struct sockaddr *)&address, sizeof address), error = errno;
	umask(mask);
	if (bound < 0 || listen(fd, BACKLOG) < 0) {
		error = bound < 0 ? error : errno;
		close(fd);
		return listen_failed(path, error);
	}
	listener->fd = fd;
	listener->path = path;
	snprintf(listener->url, sizeof listener->url, "unix:%s", path);
	return 0;
}

int listen_open(struct listener *listener, const char *where)
{
	static const char prefix[] = "unix:";
	*listener = (struct listener){ .fd = -1 };
	if (strncmp(where, prefix, sizeof prefix - 1) == 0)
		return listen_unix(listener, where + sizeof prefix - 1);
	return listen_tcp(listener, where);
}

void listen_close(struct listener *listener)
{
	if (listener->fd >= 0)
		close(listener->fd);
	if (listener->path)
		unlink(listener->path);
	listener->fd = -1;
}
