/* web_guard.h - who may ask plmweb, and for what.
 *
 * A browser on this machine shows pages of strangers, and their scripts can send requests to
 * 127.0.0.1. Three rules keep such scripts out. The Host header must name this server: an address,
 * "localhost" or a name from --host, because a stranger's name that resolves to 127.0.0.1 (DNS
 * rebinding) would make the stranger's page and ours the same origin. A request that a page of
 * another origin sends (Sec-Fetch-Site, Origin) is refused, unless a person followed a link to the
 * page itself. An action needs the token, which only the terminal shows.
 * A fourth rule keeps the users apart: on a loopback address or a unix socket the other end of the
 * connection must be a process of our user, or of root.
 * All functions but guard_peer() and guard_make_token() are pure: they take any text.
 * Blocks, allocates: never. */
#ifndef PLM_WEB_GUARD_H
#define PLM_WEB_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { TOKEN_BYTES = 33, GUARD_HOSTS_MAX = 8 }; /* 128 bits in hexadecimal, and the end */

/* The headers of a request; NULL: not sent. */
struct guard_headers {
	const char *host, *origin, *site, *mode, *authorization;
};

/* The Host header names this server. names: further names, `count` of them. */
bool guard_host(const char *host, const char *const *names, size_t count);

/* The request comes from our page, from a program, or (`page`: the request asks for the page
 * itself) from a person who follows a link. */
bool guard_site(const struct guard_headers *headers, bool page);

/* The Authorization header is "Bearer TOKEN". The time taken does not depend on where the texts
 * differ. */
bool guard_token(const char *authorization, const char *token);

/* 0 or -errno, from the kernel's random numbers. */
int guard_make_token(char ret[TOKEN_BYTES]);

/* Does the other end of the connection belong to our user, or to root? True also for connections
 * from another machine: a server on such an address was asked for. */
bool guard_peer(int connection, const struct sockaddr *address);

#endif
