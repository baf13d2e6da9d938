/* door_request.c - a conversation with the manager: a request and a reply, both with a deadline.
 *
 * A manager may be stopped or busy. The client waits as long as the caller said, whether the
 * socket's backlog is full, the buffer is full, or no reply comes. A late reply, to a request given
 * up, is recognised by its number and dropped. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/standard.h"
#include "base/why.h"
#include "client/door_request.h"
#include "client/handle.h"

enum { DESCRIPTORS_MAX = 4, DOOR_PATIENCE_MS = 10000 };

/* Milliseconds for poll(), rounded up; 0: the deadline has passed. */
static int door_time_left_ms(uint64_t deadline_ns)
{
	uint64_t now = clock_ns();
	if (now >= deadline_ns)
		return 0;
	uint64_t left = (deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS;
	return left > SAFETY_TICK_MS ? SAFETY_TICK_MS : (int)left;
}

/* False: the deadline has passed. A signal handler of the program is no reason to give up. */
static bool door_wait_until_ready(int socket, short events, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = socket, .events = events };
	for (int ms; (ms = door_time_left_ms(deadline_ns)) > 0;)
		if (poll(&p, 1, ms) > 0)
			return true;
	return false;
}

/* ---- dialling ---- */

static int door_no_runtime(const char *name)
{
	return why(
	    -ENOENT, "no runtime \"%s\" is up; start one: plm --name %s --daemon", name, name);
}

static int door_nobody_opens(const char *name)
{
	return why(-ETIMEDOUT,
	    "the manager of runtime \"%s\" lets nobody in: it is stopped or "
	    "hangs. Find it with `pgrep -af plm`; `kill -CONT PID` lets a stopped one go on; after "
	    "`kill -9 PID`, `plm --name %s --daemon` goes on with the runtime",
	    name, name);
}

/* The kernel waits for a place in the backlog as long as SO_SNDTIMEO says, then returns EAGAIN. */
static int door_connect_before(int fd, const struct sockaddr_un *address, uint64_t deadline_ns)
{
	for (int ms; (ms = door_time_left_ms(deadline_ns)) > 0;) {
		struct timeval patience = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
		if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -ETIMEDOUT;
}

int door_dial(const char *name, uint64_t deadline_ns)
{
	struct sockaddr_un address;
	int r = tables_check_name(name);
	if (r == 0)
		r = door_find(name, &address);
	if (r == -ENOENT)
		return door_no_runtime(name);
	if (r < 0)
		return r;
	int fd = standard_avoid(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	if (fd < 0)
		return why(-errno, "socket: %s", strerror(errno));
	r = door_connect_before(fd, &address, deadline_ns);
	if (r == 0)
		return fd;
	close(fd);
	if (r == -ENOENT || r == -ECONNREFUSED)
		return door_no_runtime(name);
	if (r == -ETIMEDOUT)
		return door_nobody_opens(name);
	return why(r, "connecting to %s: %s", address.sun_path, strerror(-r));
}

/* ---- asking ---- */

static int door_no_answer(int socket)
{
	int pid = 0;
	door_check_peer(socket, &pid);
	if (process_stopped(pid, process_start_time(pid)))
		return why(-ETIMEDOUT,
		    "the manager (pid %d) is stopped and does not answer: `kill "
		    "-CONT %d` lets it go on, and it may then do what it was asked",
		    pid, pid);
	return why(-ETIMEDOUT,
	    "the manager (pid %d) does not answer; it may still do what it was "
	    "asked",
	    pid);
}

static int door_hung_up(void)
{
	return why(-EHOSTDOWN, "the manager closed the connection");
}

static int door_send_before(int socket, const struct door_request *request, uint64_t deadline_ns)
{
	for (;;) {
		ssize_t n = send(socket, request, sizeof *request, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == sizeof *request)
			return 0;
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			return why(-EHOSTDOWN, "the manager does not listen: %s", strerror(errno));
		if (!door_wait_until_ready(socket, POLLOUT, deadline_ns))
			return door_no_answer(socket);
	}
}

struct received {
	int fd[DESCRIPTORS_MAX];
	int fds;
};

static void door_close_received(struct received *r)
{
	for (int i = 0; i < r->fds; i++)
		close(r->fd[i]);
	r->fds = 0;
}

static void door_take_descriptors(struct msghdr *message, struct received *ret)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(message);
	ret->fds = 0;
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return;
	ret->fds = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(ret->fd, CMSG_DATA(c), (size_t)ret->fds * sizeof(int));
}

/* Receives one message, a reply to any request. */
static int door_receive_before(
    int socket, struct door_reply *ret, struct received *ret_descriptors, uint64_t deadline_ns)
{
	enum { SPACE_BYTES = CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int)) };
	union {
		struct cmsghdr align;
		char space[SPACE_BYTES];
	} control;
	struct iovec io = { ret, sizeof *ret };
	struct msghdr message = { .msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };
	ssize_t n;
	ret_descriptors->fds = 0;
	while ((n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)) < 0) {
		if (errno == ECONNRESET)
			return door_hung_up();
		if (errno != EAGAIN && errno != EINTR)
			return why(-errno, "the manager's answer: %s", strerror(errno));
		if (!door_wait_until_ready(socket, POLLIN, deadline_ns))
			return door_no_answer(socket);
	}
	if (n == 0)
		return door_hung_up();
	door_take_descriptors(&message, ret_descriptors);
	if (n == sizeof *ret && ret->magic == DOOR_MAGIC && ret->version == DOOR_VERSION)
		return 0;
	door_close_received(ret_descriptors);
	return why(-EPROTO,
	    "the manager speaks another version of the protocol: use programs of "
	    "one build");
}

static int door_receive_answer(int socket, uint32_t number, struct door_reply *ret,
    struct received *ret_descriptors, uint64_t deadline_ns)
{
	for (;;) {
		int r = door_receive_before(socket, ret, ret_descriptors, deadline_ns);
		if (r < 0 || ret->number == number)
			return r;
		door_close_received(ret_descriptors);
	}
}

static int door_converse(int socket, struct door_request *request, uint64_t deadline_ns,
    struct door_reply *ret, int *ret_fds, int fds)
{
	struct received received;
	request->magic = DOOR_MAGIC;
	request->version = DOOR_VERSION;
	int r = door_send_before(socket, request, deadline_ns);
	if (r == 0)
		r = door_receive_answer(socket, request->number, ret, &received, deadline_ns);
	if (r < 0)
		return r;
	ret->text[sizeof ret->text - 1] = 0;
	if (ret->code < 0)
		r = why(ret->code, "%s", ret->text);
	else if (received.fds != fds)
		r = why(-EPROTO, "the manager passed %d descriptors, not %d", received.fds, fds);
	if (r < 0)
		door_close_received(&received);
	else if (fds)
		memcpy(ret_fds, received.fd, (size_t)fds * sizeof(int));
	return r;
}

/* A round trip to the manager takes microseconds, a scheduling delay on a crowded machine a good
 * part of a second. A caller with a shorter timeout means the waits of the program, not this
 * conversation. */
int door_patience_ms(int timeout_ms)
{
	if (timeout_ms < 0)
		return DOOR_PATIENCE_MS;
	return timeout_ms < ANSWER_LEAST_MS ? ANSWER_LEAST_MS : timeout_ms;
}

int door_ask(struct plm *rt, int socket, enum door_request_kind kind, const char *text,
    uint64_t deadline_ns, struct door_reply *ret, int *ret_fds, int fds)
{
	struct door_request request = { .kind = kind, .number = ++rt->requests };
	size_t length = strlen(text);
	if (length >= sizeof request.text)
		return why(
		    -ENAMETOOLONG, "over %zu bytes: %.40s...", sizeof request.text - 1, text);
	memcpy(request.text, text, length);
	return door_converse(socket, &request, deadline_ns, ret, ret_fds, fds);
}
