#include "fleet/carry.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"

enum { PIECE_BYTES = 1 << 20 };

static const char magic[8] = "PLMVAL1";

/* ---- secrets and hashes ---- */

bool carry_secret(const char *text, uint8_t ret[CARRY_SECRET_BYTES])
{
	size_t n = 0;
	return sodium_hex2bin(ret, CARRY_SECRET_BYTES, text, strlen(text), NULL, &n, NULL) == 0 &&
	    n == CARRY_SECRET_BYTES;
}

void carry_draw_secret(char ret[CARRY_HASH_TEXT])
{
	uint8_t secret[CARRY_SECRET_BYTES];
	randombytes_buf(secret, sizeof secret);
	sodium_bin2hex(ret, CARRY_HASH_TEXT, secret, sizeof secret);
}

void carry_hash(const void *data, size_t bytes, char ret[CARRY_HASH_TEXT])
{
	uint8_t hash[crypto_generichash_BYTES];
	crypto_generichash(hash, sizeof hash, data, bytes, NULL, 0);
	sodium_bin2hex(ret, CARRY_HASH_TEXT, hash, sizeof hash);
}

static void carry_prove(const struct carry_hello *hello, const struct carry_wish *wish,
    const uint8_t secret[CARRY_SECRET_BYTES], uint8_t ret[CARRY_PROOF_BYTES])
{
	crypto_generichash_state state;
	crypto_generichash_init(&state, secret, CARRY_SECRET_BYTES, CARRY_PROOF_BYTES);
	crypto_generichash_update(&state, (const void *)hello, sizeof *hello);
	crypto_generichash_update(&state, (const void *)wish, offsetof(struct carry_wish, proof));
	crypto_generichash_final(&state, ret, CARRY_PROOF_BYTES);
}

/* ---- messages ---- */

void carry_greet(struct carry_hello *ret)
{
	memcpy(ret->magic, magic, sizeof magic);
	randombytes_buf(ret->number, sizeof ret->number);
}

bool carry_trusts(const struct carry_hello *hello, const struct carry_wish *wish,
    const uint8_t secret[CARRY_SECRET_BYTES])
{
	uint8_t proof[CARRY_PROOF_BYTES];
	carry_prove(hello, wish, secret, proof);
	return memcmp(wish->magic, magic, sizeof magic) == 0 &&
	    sodium_memcmp(proof, wish->proof, sizeof proof) == 0;
}

void carry_answer(struct carry_answer *ret, int error, uint64_t bytes)
{
	*ret = (struct carry_answer){ .error = error, .bytes = bytes };
	memcpy(ret->magic, magic, sizeof magic);
}

static int carry_ready(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;
	do
		n = poll(&p, 1, CARRY_SILENT_MS);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

int carry_send(int fd, const void *data, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n =
		    send(fd, (const char *)data + done, bytes - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EAGAIN && carry_ready(fd, POLLOUT) < 0)
			return -ETIMEDOUT;
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return 0;
}

int carry_receive(int fd, void *data, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		size_t piece = bytes - done < PIECE_BYTES ? bytes - done : PIECE_BYTES;
		ssize_t n = recv(fd, (char *)data + done, piece, MSG_DONTWAIT);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0)
			return -ECONNRESET;
		else if (errno == EAGAIN && carry_ready(fd, POLLIN) < 0)
			return -ETIMEDOUT;
		else if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return 0;
}

/* ---- fetching ---- */

static int carry_connect_to(const struct addrinfo *at)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
	socklen_t length = sizeof error;
	if (fd < 0)
		return -errno;
	int r = connect(fd, at->ai_addr, at->ai_addrlen) == 0 ? 0 : -errno;
	if (r == -EINPROGRESS)
		r = carry_ready(fd, POLLOUT);
	if (r == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0)
		r = -error;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

static int carry_connect(const char *address)
{
	static const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	char host[CARRY_ADDRESS_BYTES], port[CARRY_ADDRESS_BYTES];
	struct addrinfo *found = NULL;
	if (sscanf(address, "%79s %79s", host, port) != 2 ||
	    getaddrinfo(host, port, &hints, &found) != 0)
		return why(-EINVAL, "\"%s\" is no address of a host", address);
	int r = carry_connect_to(found);
	freeaddrinfo(found);
	return r < 0 ? why(r, "%s: %s", address, strerror(-r)) : r;
}

static int carry_ask(int fd, const struct carry_order *order)
{
	struct carry_hello hello;
	struct carry_answer answer;
	struct carry_wish wish = { .id = order->ref.id, .runtime = order->ref.runtime };
	memcpy(wish.magic, magic, sizeof magic);
	int r = carry_receive(fd, &hello, sizeof hello);
	if (r < 0 || memcmp(hello.magic, magic, sizeof magic) != 0)
		return r < 0 ? why(r, "%s: %s", order->address, strerror(-r))
			     : why(-EPROTO, "%s: not a host of this version", order->address);
	carry_prove(&hello, &wish, order->secret, wish.proof);
	r = carry_send(fd, &wish, sizeof wish);
	if (r == 0)
		r = carry_receive(fd, &answer, sizeof answer);
	if (r < 0 || memcmp(answer.magic, magic, sizeof magic) != 0)
		return why(r < 0 ? r : -EPROTO, "%s: no answer: %s", order->address, strerror(-r));
	if (answer.error == -EACCES)
		return why(-EACCES, "%s does not accept the secret of the queue", order->address);
	if (answer.error)
		return why(-ENODATA, "%s does not have the value any more", order->address);
	return answer.bytes == order->bytes
	    ? 0
	    : why(-EBADMSG, "%s has a value of another length", order->address);
}

int carry_fetch(const struct carry_order *order, void *to)
{
	char hash[CARRY_HASH_TEXT];
	int fd = carry_connect(order->address);
	if (fd < 0)
		return fd;
	int r = carry_ask(fd, order);
	if (r == 0) {
		r = carry_receive(fd, to, order->bytes);
		if (r < 0)
			why(r, "%s: %s", order->address, strerror(-r));
	}
	close(fd);
	if (r < 0)
		return r;
	carry_hash(to, order->bytes, hash);
	return strcmp(hash, order->hash) == 0
	    ? 0
	    : why(-EBADMSG, "%s: the value that came is not the value that was made",
		  order->address);
}
