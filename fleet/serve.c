#include "fleet/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"

enum { CALLERS_MOST = 32, BACKLOG = 64, STOP_MS = 2000, STOP_LOOK_MS = 10, FULL_MS = 20 };

struct serve {
	plm *rt;
	int door;
	char address[CARRY_ADDRESS_BYTES];
	_Atomic(const uint8_t *) secret; /* replaced as a whole, and then left to its last reader */
	atomic_uint threads;
	atomic_bool stopped;
};

struct caller {
	struct serve *s;
	int fd;
};

/* ---- one caller ---- */

static void serve_value(struct serve *s, int fd)
{
	struct carry_hello hello;
	struct carry_wish wish;
	struct carry_answer answer;
	plm_view view = { .data = NULL };
	carry_greet(&hello);
	if (carry_send(fd, &hello, sizeof hello) < 0 || carry_receive(fd, &wish, sizeof wish) < 0)
		return;
	int r = -EACCES;
	if (carry_trusts(&hello, &wish, atomic_load(&s->secret)))
		r = plm_get(s->rt, (plm_ref){ .id = wish.id, .runtime = wish.runtime }, &view, 0);
	carry_answer(&answer, r, r == 0 ? view.len : 0);
	if (carry_send(fd, &answer, sizeof answer) == 0 && r == 0)
		carry_send(fd, view.data, view.len);
	if (r == 0)
		plm_release(s->rt, &view);
}

/* Counts a thread in. False: the door is closed, or too many are in. */
static bool serve_enter(struct serve *s)
{
	bool good = atomic_fetch_add(&s->threads, 1) < CALLERS_MOST && !atomic_load(&s->stopped);
	if (!good)
		atomic_fetch_sub(&s->threads, 1);
	return good;
}

static void serve_leave(struct serve *s)
{
	atomic_fetch_sub(&s->threads, 1);
}

static void *serve_caller(void *argument)
{
	struct caller caller = *(struct caller *)argument;
	free(argument);
	serve_value(caller.s, caller.fd);
	close(caller.fd);
	serve_leave(caller.s);
	return NULL;
}

static int serve_thread(void *(*run)(void *), void *argument)
{
	pthread_t thread;
	pthread_attr_t detached;
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	int error = pthread_create(&thread, &detached, run, argument);
	pthread_attr_destroy(&detached);
	return -error;
}

/* ---- the door ---- */

/* Callers beyond the limit wait in the backlog of the socket. */
static void *serve_door(void *argument)
{
	struct serve *s = argument;
	while (!atomic_load(&s->stopped)) {
		if (!serve_enter(s)) {
			poll(NULL, 0, FULL_MS);
			continue;
		}
		struct caller *caller = malloc(sizeof *caller);
		int fd = caller ? accept4(s->door, NULL, NULL, SOCK_CLOEXEC) : -1;
		if (fd >= 0)
			*caller = (struct caller){ s, fd };
		if (fd < 0 || serve_thread(serve_caller, caller) < 0) {
			if (fd >= 0)
				close(fd);
			free(caller);
			serve_leave(s);
			if (fd < 0)
				poll(NULL, 0, FULL_MS);
		}
	}
	serve_leave(s);
	return NULL;
}

static int serve_listen(struct serve *s, const char *address)
{
	static const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	struct sockaddr_storage at;
	socklen_t length = sizeof at;
	char host[CARRY_ADDRESS_BYTES - 8], port[8];
	if (getaddrinfo(address, "0", &hints, &found) != 0)
		return why(-EINVAL, "\"%s\" is no address of this machine", address);
	s->door = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = s->door < 0 || bind(s->door, found->ai_addr, found->ai_addrlen) < 0 ||
		listen(s->door, BACKLOG) < 0 ||
		getsockname(s->door, (struct sockaddr *)&at, &length) < 0
	    ? why(-errno, "listening at %s: %s", address, strerror(errno))
	    : 0;
	freeaddrinfo(found);
	if (r == 0 &&
	    getnameinfo((struct sockaddr *)&at, length, host, sizeof host, port, sizeof port,
		NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		r = why(-EINVAL, "the address of %s cannot be written", address);
	if (r == 0)
		snprintf(s->address, sizeof s->address, "%s %s", host, port);
	return r;
}

int serve_start(
    struct serve **ret, plm *rt, const char *address, const uint8_t secret[CARRY_SECRET_BYTES])
{
	struct serve *s = calloc(1, sizeof *s);
	if (!s)
		return why(-ENOMEM, "out of memory");
	s->rt = rt;
	s->door = -1;
	atomic_init(&s->threads, 1);
	serve_trust(s, secret);
	int r = serve_listen(s, address);
	if (r == 0) {
		r = serve_thread(serve_door, s);
		if (r < 0)
			why(r, "no thread for large values: %s", strerror(-r));
	}
	if (r == 0) {
		*ret = s;
		return 0;
	}
	if (s->door >= 0)
		close(s->door);
	free(s);
	return r;
}

const char *serve_address(const struct serve *s)
{
	return s->address;
}

void serve_trust(struct serve *s, const uint8_t secret[CARRY_SECRET_BYTES])
{
	const uint8_t *former = atomic_load(&s->secret);
	if (former && memcmp(former, secret, CARRY_SECRET_BYTES) == 0)
		return;
	uint8_t *copy = malloc(CARRY_SECRET_BYTES);
	CHECK(copy);
	memcpy(copy, secret, CARRY_SECRET_BYTES);
	atomic_store(&s->secret, copy);
}

bool serve_stop(struct serve *s)
{
	atomic_store(&s->stopped, true);
	shutdown(s->door, SHUT_RDWR); /* accept() returns */
	for (int ms = 0;; ms += STOP_LOOK_MS) {
		unsigned threads = atomic_load(&s->threads);
		if (threads == 0 || ms >= STOP_MS)
			return threads == 0;
		poll(NULL, 0, STOP_LOOK_MS);
	}
}
