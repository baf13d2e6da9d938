#include "fleet/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/why.h"

enum { CALLERS_MOST = 32, BACKLOG = 64, STOP_MS = 2000, STOP_LOOK_MS = 10, FULL_MS = 20 };

struct serve {
	plm *rt;
	int door;
	char address[CARRY_ADDRESS_BYTES];
	pthread_mutex_t lock; /* guards what follows */
	uint8_t secret[CARRY_SECRET_BYTES];
	unsigned threads;
	bool stopped;
};

struct caller {
	struct serve *s;
	int fd;
};

/* ---- one caller ---- */

static bool serve_trusts(
    struct serve *s, const struct carry_hello *hello, const struct carry_wish *wish)
{
	pthread_mutex_lock(&s->lock);
	bool trusted = carry_trusts(hello, wish, s->secret);
	pthread_mutex_unlock(&s->lock);
	return trusted;
}

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
	if (serve_trusts(s, &hello, &wish))
		r = plm_get(s->rt, (plm_ref){ .id = wish.id, .runtime = wish.runtime }, &view, 0);
	carry_answer(&answer, r, r == 0 ? view.len : 0);
	if (carry_send(fd, &answer, sizeof answer) == 0 && r == 0)
		carry_send(fd, view.data, view.len);
	if (r == 0)
		plm_release(s->rt, &view);
}

/* Counts a thread in or out. False: the door is closed, or too many are in. */
static bool serve_count(struct serve *s, bool in)
{
	pthread_mutex_lock(&s->lock);
	bool good = !in || (!s->stopped && s->threads < CALLERS_MOST);
	if (good)
		s->threads += in ? 1 : -1U;
	pthread_mutex_unlock(&s->lock);
	return good;
}

static void *serve_caller(void *argument)
{
	struct caller caller = *(struct caller *)argument;
	free(argument);
	serve_value(caller.s, caller.fd);
	close(caller.fd);
	serve_count(caller.s, false);
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

static bool serve_stopped(struct serve *s)
{
	pthread_mutex_lock(&s->lock);
	bool stopped = s->stopped;
	pthread_mutex_unlock(&s->lock);
	return stopped;
}

/* Callers beyond the limit wait in the backlog of the socket. */
static void *serve_door(void *argument)
{
	struct serve *s = argument;
	while (!serve_stopped(s)) {
		if (!serve_count(s, true)) {
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
			serve_count(s, false);
			if (fd < 0)
				poll(NULL, 0, FULL_MS);
		}
	}
	serve_count(s, false);
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
	s->threads = 1;
	pthread_mutex_init(&s->lock, NULL);
	memcpy(s->secret, secret, sizeof s->secret);
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
	pthread_mutex_lock(&s->lock);
	memcpy(s->secret, secret, sizeof s->secret);
	pthread_mutex_unlock(&s->lock);
}

bool serve_stop(struct serve *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopped = true;
	pthread_mutex_unlock(&s->lock);
	shutdown(s->door, SHUT_RDWR); /* accept() returns */
	for (int ms = 0;; ms += STOP_LOOK_MS) {
		pthread_mutex_lock(&s->lock);
		unsigned threads = s->threads;
		pthread_mutex_unlock(&s->lock);
		if (threads == 0 || ms >= STOP_MS)
			return threads == 0;
		poll(NULL, 0, STOP_LOOK_MS);
	}
}
