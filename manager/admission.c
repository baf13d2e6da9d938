/* admission.c - the door: who may come in, and what a client may ask of the manager. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "manager/manager.h"

enum { BACKLOG = 128, TELL_AGAIN_S = 60 };

int admission_open(struct manager *m)
{
	struct sockaddr_un address;
	int r = door_address_in(m->directory, m->options->name, &address);
	if (r < 0)
		return r;
	m->door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (m->door < 0)
		return why(-errno, "socket: %s", strerror(errno));
	unlink(address.sun_path); /* a dead runtime's: we hold the lock of the name */
	if (bind(m->door, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(m->door, BACKLOG) < 0)
		/* A path that is taken may be free at the next try; the name is ours. */
		return why(errno == EADDRINUSE ? -EBUSY : -errno, "listening on %s: %s",
		    address.sun_path, strerror(errno));
	return manager_watch(m, m->door, WATCH_DOOR, 0);
}

/* A door that is watched while nobody can be let in would keep the loop awake. */
static void admission_door_rest(struct manager *m)
{
	uint64_t now = clock_ns();
	epoll_ctl(m->epoll, EPOLL_CTL_DEL, m->door, NULL);
	m->door_rests = true;
	m->descriptor_freed = false;
	m->door_due_ns = now + SAFETY_TICK_MS * NS_PER_MS;
	if (m->door_told_ns && now - m->door_told_ns < TELL_AGAIN_S * NS_PER_S)
		return;
	m->door_told_ns = now;
	log_warn("no file descriptor is left for another client: who comes waits until one leaves; "
		 "boot with a larger `ulimit -n`");
}

void admission_step(struct manager *m)
{
	if (!m->door_rests || (!m->descriptor_freed && clock_ns() < m->door_due_ns))
		return;
	if (manager_watch(m, m->door, WATCH_DOOR, 0) == 0)
		m->door_rests = false;
	else
		m->door_due_ns = clock_ns() + SAFETY_TICK_MS * NS_PER_MS;
}

void admission_accept(struct manager *m)
{
	if (descriptors_short(m->door)) {
		admission_door_rest(m);
		return;
	}
	int pid, fd = accept4(m->door, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (door_check_peer(fd, &pid) < 0 || strangers_add(m, fd) < 0)
		close(fd);
}

static void admission_reply(int socket, const struct door_reply *r, const int *fds, int n)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct door_reply copy = *r;
	struct iovec io = { &copy, sizeof copy };
	struct msghdr message = { .msg_iov = &io, .msg_iovlen = 1 };
	if (n) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN((size_t)n * sizeof(int)) };
		memcpy(CMSG_DATA(c), fds, (size_t)n * sizeof(int));
	}
	/* A client that does not read is its own loss: we never wait for one. It hears that no
	 * answer comes. */
	if (sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		shutdown(socket, SHUT_RDWR);
}

static void admission_reply_code(int socket, uint32_t number, int code, const char *text)
{
	struct door_reply r = {
		.magic = DOOR_MAGIC, .version = DOOR_VERSION, .code = code, .number = number
	};
	snprintf(r.text, sizeof r.text, "%s", text);
	admission_reply(socket, &r, NULL, 0);
}

void admission_answer(struct manager *m, uint32_t slot, uint32_t number, int code, const char *text)
{
	if (m->slot[slot].socket >= 0)
		admission_reply_code(m->slot[slot].socket, number, code, text);
}

/* What came is gossip: the size and the magic are looked at before anything else. 0; -EAGAIN:
 * nothing has come; -ECONNRESET: nothing will; -EPROTO. */
static int admission_receive(int socket, struct door_request *ret)
{
	ssize_t n = recv(socket, ret, sizeof *ret, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (n <= 0)
		return -ECONNRESET;
	if (n != sizeof *ret || ret->magic != DOOR_MAGIC)
		return -EPROTO;
	ret->text[sizeof ret->text - 1] = 0;
	return 0;
}

static bool admission_may_be_free(const struct manager *m, uint32_t slot)
{
	return slot != journal_slot(&m->tables) && m->slot[slot].pidfd < 0 &&
	    m->slot[slot].socket < 0 &&
	    process_state(sh_load(&m->tables.process[slot].state)) == PROCESS_FREE;
}

/* Where workers will be looked for first: they do best among the first 64 (process_nth_slot). */
static bool admission_is_for_workers(const struct manager *m, uint32_t slot)
{
	return slot < PROCESSES_STEP && PROCESSES_STEP - slot <= staff_planned(m);
}

static uint32_t admission_slot_for_client(struct manager *m, pid_t pid, const char *name)
{
	uint32_t slots = m->tables.limits.processes - SLOT_FIRST_MEMBER;
	for (uint32_t i = 0; i < 2 * slots; i++) {
		uint32_t slot = process_nth_slot(&m->tables, KIND_CLIENT, i % slots);
		if (admission_may_be_free(m, slot) &&
		    (i >= slots || !admission_is_for_workers(m, slot)) &&
		    tables_open_slot(&m->tables, slot) == 0 &&
		    process_claim(&m->tables.process[slot], KIND_CLIENT, pid, name))
			return slot;
	}
	return 0;
}

/* From a stranger's connection to that of a client. */
static int admission_watch_connection(struct manager *m, uint32_t slot, int socket)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP,
		.data.u64 = (uint64_t)WATCH_SOCKET << 32 | slot };
	if (epoll_ctl(m->epoll, EPOLL_CTL_MOD, socket, &event) == 0)
		return 0;
	return why(-errno, "the manager cannot watch its clients: %s", strerror(errno));
}

static int admission_watch_client(
    struct manager *m, uint32_t slot, pid_t pid, int pidfd, int socket)
{
	int r = manager_watch(m, pidfd, WATCH_PROCESS, slot);
	if (r < 0) {
		close(pidfd);
		return r;
	}
	r = admission_watch_connection(m, slot, socket);
	if (r < 0)
		manager_unwatch(m, pidfd);
	else
		m->slot[slot] = (struct watched){ .pidfd = pidfd,
			.socket = socket,
			.pid = pid,
			.kind = KIND_CLIENT,
			.born_ns = clock_ns(),
			.generation = process_generation(sh_load(&m->tables.process[slot].state)) };
	return r;
}

static void admission_welcome(struct manager *m, uint32_t slot, uint32_t number, bool kept)
{
	const struct watched *w = &m->slot[slot];
	const struct door_reply r = { .magic = DOOR_MAGIC,
		.version = DOOR_VERSION,
		.code = (int)slot,
		.generation = w->generation,
		.number = number,
		.kept = kept };
	int fds[2] = { m->tables.control_segment.fd, m->tables.store_segment.fd };
	admission_reply(w->socket, &r, fds, 2);
}

static int admission_ends_already(const struct manager *m)
{
	return m->ending ? why(-EHOSTDOWN, "the runtime is ending") : 0;
}

/* The peer's pid is of the time of its connect; the socket being open still says that it is that
 * one. Also while the runtime drains, to end: whoever comes may look, cancel, take the stop back or
 * end it at once; submissions are refused by the mode (client/submit.c). */
static int admission_admit(struct manager *m, int socket, const struct door_request *hello)
{
	bool visit = hello->kind == DOOR_VISIT, kept = false;
	int pid, r = door_check_peer(socket, &pid);
	if (r == 0)
		r = admission_ends_already(m);
	if (r == 0)
		r = places_for_client(m, visit, &kept);
	if (r < 0)
		return r;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return why(-errno, "pidfd_open of client %d: %s", pid, strerror(errno));
	uint32_t slot = admission_slot_for_client(m, pid, hello->text);
	if (!slot) {
		close(pidfd);
		return places_none(m);
	}
	r = admission_watch_client(m, slot, pid, pidfd, socket);
	if (r < 0) {
		members_gone(m, slot, 0); /* the slot was taken for it, and it is told so */
		return r;
	}
	admission_welcome(m, slot, hello->number, kept);
	return 0;
}

/* One that a dead manager let in, and that has gone on meanwhile: it wants something of us. */
static int admission_admit_again(struct manager *m, int socket, const struct door_request *again)
{
	const char *text = again->text;
	unsigned slot = 0, generation = 0;
	int pid, r = door_check_peer(socket, &pid);
	if (r < 0)
		return r;
	if (sscanf(text, "%u %u", &slot, &generation) != 2 || slot < SLOT_FIRST_MEMBER ||
	    slot >= m->tables.limits.processes)
		return why(-EPROTO, "\"%.32s\" is no place of a client", text);
	const struct process *p = &m->tables.process[slot];
	uint64_t word = sh_load(&p->state);
	if (process_kind(word) != KIND_CLIENT || process_state(word) != PROCESS_LIVE ||
	    process_generation(word) != generation || p->pid != pid || m->slot[slot].pidfd < 0 ||
	    m->slot[slot].socket >= 0)
		return why(-ESTALE, "place %u is not this client's any more: connect anew", slot);
	r = admission_watch_connection(m, slot, socket);
	if (r < 0)
		return r;
	m->slot[slot].socket = socket;
	admission_reply_code(socket, again->number, (int)slot, "");
	return 0;
}

static int admission_greet(struct manager *m, int socket, const struct door_request *request)
{
	if (request->version != DOOR_VERSION)
		return why(-EPROTO,
		    "the client speaks version %u of the protocol, this runtime %u: use programs "
		    "of one build",
		    request->version, DOOR_VERSION);
	switch (request->kind) {
	case DOOR_HELLO:
	case DOOR_VISIT: return admission_admit(m, socket, request);
	case DOOR_AGAIN: return admission_admit_again(m, socket, request);
	default: return why(-EPROTO, "say hello first");
	}
}

void admission_hello(struct manager *m, int socket)
{
	struct door_request request = { .number = 0 };
	if (!strangers_has(m, socket))
		return; /* sent away by an earlier event of this turn */
	int r = admission_receive(socket, &request);
	if (r == -EAGAIN)
		return;
	strangers_remove(m, socket);
	if (r == 0)
		r = admission_greet(m, socket, &request);
	else if (r == -EPROTO)
		why(r, "this is no plm client");
	if (r == 0)
		return;
	if (r != -ECONNRESET)
		admission_reply_code(socket, request.number, r, why_text());
	manager_unwatch(m, socket);
}

static void admission_close_socket(struct manager *m, uint32_t slot)
{
	manager_unwatch(m, m->slot[slot].socket);
	m->slot[slot].socket = -1;
	free(m->slot[slot].module);
	m->slot[slot].module = NULL;
	if (m->loader.slot == slot)
		m->loader.slot = SLOT_MANAGER; /* its answer is not for the next in this slot */
}

/* A client that said LEAVING, or never came in, touches nothing any more. One that closed the
 * socket and lives may still have our segments mapped: its pidfd decides, later. */
static void admission_client_hung_up(struct manager *m, uint32_t slot)
{
	admission_close_socket(m, slot);
	enum process_state state = process_state(sh_load(&m->tables.process[slot].state));
	if (state != PROCESS_LEAVING && state != PROCESS_STARTING)
		return;
	manager_unwatch(m, m->slot[slot].pidfd);
	m->slot[slot].pidfd = -1;
	members_gone(m, slot, 0);
}

void admission_client_died(struct manager *m, uint32_t slot)
{
	if (m->slot[slot].socket >= 0)
		admission_close_socket(m, slot);
	manager_unwatch(m, m->slot[slot].pidfd);
	m->slot[slot].pidfd = -1;
	members_gone(m, slot, 0);
}

/* To be drained it must run: what was paused goes on. A pause would keep a stop from its end. */
static int admission_set(struct manager *m, const char *verb)
{
	uint32_t now = sh_peek(&m->tables.control->admission);
	if (m->draining && strcmp(verb, DOOR_RESUME) == 0)
		return manager_take_back(m);
	if (m->draining)
		return why(-ESHUTDOWN,
		    "the runtime is being stopped: what was accepted runs, and "
		    "nothing new is taken; `plmctl resume` takes the stop back");
	if (strcmp(verb, DOOR_PAUSE) == 0)
		manager_admit(m, now | ADMISSION_PAUSED);
	else if (strcmp(verb, DOOR_DRAIN) == 0)
		manager_admit(m, ADMISSION_CLOSED);
	else if (strcmp(verb, DOOR_RESUME) == 0)
		manager_admit(m, 0);
	else
		return why(-EINVAL, "no such request: \"%.32s\"", verb);
	return 0;
}

/* What changes how the runtime works. */
static int admission_rule(struct manager *m, const struct door_request *request)
{
	int r = admission_ends_already(m);
	if (r < 0)
		return r;
	if (!m->announced)
		return why(-EAGAIN, "the runtime is coming up: wait for its ready line");
	switch (request->kind) {
	case DOOR_WORKERS: return staff_set(m, request->text);
	case DOOR_WORKER_DRAIN: return staff_drain(m, request->text);
	case DOOR_WORKER_RESUME: return staff_resume(m, request->text);
	default: return admission_set(m, request->text);
	}
}

void admission_request(struct manager *m, uint32_t slot)
{
	struct door_request request;
	if (m->slot[slot].socket < 0)
		return;
	int r = admission_receive(m->slot[slot].socket, &request);
	if (r == -ECONNRESET)
		admission_client_hung_up(m, slot);
	if (r < 0)
		return;
	switch (request.kind) {
	case DOOR_MODULE:
		free(m->slot[slot].module);
		m->slot[slot].module = strdup(request.text);
		m->slot[slot].module_number = request.number;
		loader_next(m);
		break;
	case DOOR_STOP:
		admission_answer(m, slot, request.number, 0, "");
		manager_drain(m);
		break;
	case DOOR_STOP_NOW:
		admission_answer(m, slot, request.number, 0, "");
		manager_end(m);
		break;
	case DOOR_WORKERS:
	case DOOR_WORKER_DRAIN:
	case DOOR_WORKER_RESUME:
	case DOOR_ADMISSION:
		r = admission_rule(m, &request);
		admission_answer(m, slot, request.number, r, r < 0 ? why_text() : "");
		break;
	default: admission_answer(m, slot, request.number, -EINVAL, "no such request");
	}
}
