#include "web/web_guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

enum { HOST_BYTES = 256, REPLY_BYTES = 4096, PROC_ADDRESS_BYTES = 48 };

/* ---- Host ---- */

/* The name in NAME[:PORT] or [ADDRESS][:PORT]; false: malformed. */
static bool guard_host_name(const char *host, char ret[HOST_BYTES])
{
	bool bracket = host[0] == '[';
	const char *begin = bracket ? host + 1 : host;
	size_t length = strcspn(begin, bracket ? "]" : ":");
	const char *end = begin + length;
	if (length == 0 || length >= HOST_BYTES || (bracket && *end != ']'))
		return false;
	end += bracket;
	if (*end == ':')
		end += 1 + strspn(end + 1, "0123456789");
	if (*end)
		return false;
	memcpy(ret, begin, length);
	ret[length] = 0;
	return true;
}

static bool guard_is_address(const char *name, bool bracket)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	return inet_pton(bracket ? AF_INET6 : AF_INET, name, bytes) == 1;
}

bool guard_host(const char *host, const char *const *names, size_t count)
{
	char name[HOST_BYTES];
	if (!host || !guard_host_name(host, name))
		return false;
	if (guard_is_address(name, host[0] == '['))
		return true; /* no name was resolved */
	if (strcasecmp(name, "localhost") == 0)
		return true;
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

/* ---- the page that sends the request ---- */

/* "http://HOST" or "https://HOST", with the Host of the request. */
static bool guard_origin_is_host(const char *origin, const char *host)
{
	const char *rest = strncmp(origin, "http://", 7) == 0 ? origin + 7
	    : strncmp(origin, "https://", 8) == 0             ? origin + 8
							      : NULL;
	return rest && host && strcasecmp(rest, host) == 0;
}

bool guard_site(const struct guard_headers *headers, bool page)
{
	if (headers->origin && !guard_origin_is_host(headers->origin, headers->host))
		return false;
	if (!headers->site || strcmp(headers->site, "same-origin") == 0 ||
	    strcmp(headers->site, "none") == 0)
		return true;
	return page && headers->mode && strcmp(headers->mode, "navigate") == 0;
}

/* ---- the token ---- */

bool guard_token(const char *authorization, const char *token)
{
	static const char scheme[] = "Bearer ";
	if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
		return false;
	const char *given = authorization + sizeof scheme - 1;
	size_t length = strlen(token);
	unsigned different = length == 0 || strlen(given) != length;
	for (size_t i = 0, at = 0; i < length; i++) {
		different |= (unsigned char)(given[at] ^ token[i]);
		at += given[at] != 0;
	}
	return different == 0;
}

int guard_make_token(char ret[TOKEN_BYTES])
{
	unsigned char bytes[(TOKEN_BYTES - 1) / 2];
	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return errno ? -errno : -EIO;
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

/* ---- the user at the other end ---- */

static bool guard_is_ours(uid_t uid)
{
	return uid == geteuid() || uid == 0;
}

static bool guard_unix_peer(int connection)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	    guard_is_ours(peer.uid);
}

static bool guard_is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)address;
		return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	}
	const struct sockaddr_in6 *v6 = (const void *)address;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
	    (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
}

static void guard_diag_address(const struct sockaddr *from, __be32 address[4], __be16 *port)
{
	if (from->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)from;
		memcpy(address, &v4->sin_addr, sizeof v4->sin_addr);
		*port = v4->sin_port;
		return;
	}
	const struct sockaddr_in6 *v6 = (const void *)from;
	memcpy(address, &v6->sin6_addr, sizeof v6->sin6_addr);
	*port = v6->sin6_port;
}

/* The kernel knows which user made the socket at the other end: sock_diag(7). */
static bool guard_ask_kernel(
    int netlink, const struct sockaddr *peer, const struct sockaddr *ours, uid_t *ret)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 diag;
	} request = { .header = { .nlmsg_len = sizeof request,
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST },
		.diag = { .sdiag_family = (__u8)peer->sa_family,
		    .sdiag_protocol = IPPROTO_TCP,
		    .idiag_states = UINT32_MAX,
		    .id.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } };
	_Alignas(struct nlmsghdr) char reply[REPLY_BYTES];
	guard_diag_address(peer, request.diag.id.idiag_src, &request.diag.id.idiag_sport);
	guard_diag_address(ours, request.diag.id.idiag_dst, &request.diag.id.idiag_dport);
	if (send(netlink, &request, sizeof request, 0) != (ssize_t)sizeof request)
		return false;
	ssize_t n = recv(netlink, reply, sizeof reply, 0);
	const struct nlmsghdr *header = (const void *)reply;
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct inet_diag_msg)) ||
	    header->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return false;
	*ret = ((const struct inet_diag_msg *)NLMSG_DATA(header))->idiag_uid;
	return true;
}

/* Where the kernel has no sock_diag: the table of /proc, a line for each socket, as hexadecimal
 * words in the byte order of the machine. */
static void guard_proc_text(const struct sockaddr *address, char ret[PROC_ADDRESS_BYTES])
{
	__be32 word[4] = { 0 };
	__be16 port;
	guard_diag_address(address, word, &port);
	int n = 0;
	for (int i = 0; i < (address->sa_family == AF_INET ? 1 : 4); i++)
		n += snprintf(ret + n, PROC_ADDRESS_BYTES - (size_t)n, "%08X", word[i]);
	snprintf(ret + n, PROC_ADDRESS_BYTES - (size_t)n, ":%04X", ntohs(port));
}

static bool guard_ask_proc(const struct sockaddr *peer, const struct sockaddr *ours, uid_t *ret)
{
	char from[PROC_ADDRESS_BYTES], to[PROC_ADDRESS_BYTES];
	char local[PROC_ADDRESS_BYTES], remote[PROC_ADDRESS_BYTES], line[HOST_BYTES];
	bool found = false;
	FILE *file = fopen(peer->sa_family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6", "re");
	guard_proc_text(peer, from);
	guard_proc_text(ours, to);
	while (file && !found && fgets(line, sizeof line, file)) {
		unsigned uid;
		found =
		    sscanf(line, "%*s %47s %47s %*s %*s %*s %*s %u", local, remote, &uid) == 3 &&
		    strcmp(local, from) == 0 && strcmp(remote, to) == 0;
		*ret = found ? (uid_t)uid : 0;
	}
	if (file)
		fclose(file);
	return found;
}

static bool guard_loopback_peer(int connection, const struct sockaddr *peer)
{
	struct sockaddr_storage ours;
	socklen_t size = sizeof ours;
	uid_t uid;
	if (getsockname(connection, (struct sockaddr *)&ours, &size) < 0)
		return false;
	int netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	const struct sockaddr *us = (const struct sockaddr *)&ours;
	bool known = (netlink >= 0 && guard_ask_kernel(netlink, peer, us, &uid)) ||
	    guard_ask_proc(peer, us, &uid);
	if (netlink >= 0)
		close(netlink);
	return known && guard_is_ours(uid);
}

bool guard_peer(int connection, const struct sockaddr *address)
{
	if (address->sa_family == AF_UNIX)
		return guard_unix_peer(connection);
	return !guard_is_loopback(address) || guard_loopback_peer(connection, address);
}
