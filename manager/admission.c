#include "manager/admission.h"

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
#include "manager/answer.h"
#include "manager/descriptors.h"
#include "manager/manager.h"
#include "manager/mode.h"
#include "manager/places.h"
#include "manager/staff.h"
#include "manager/staff_requests.h"
#include "manager/watching.h"

enum { BACKLOG = 128, TELL_AGAIN_S = 60 };

/* ---- the door ---- */

int admission_open(struct manager *m)
{
	struct sockaddr_un address;
	int r = door_address_in(m->directory, m->options->name, &address);
	if (r < 0)
		return r;
	m->door.socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (m->door.socket < 0)
		return why(-errno, "socket: %s", strerror(errno));
	unlink(address.sun_path); /* of a dead runtime: the manager holds the lock of the name */
	if (bind(m->door.socket, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(m->door.socket, BACKLOG) < 0)
		/* Not -EADDRINUSE, the code for a taken name: the manager has the name, and the
		 * path may be free at the next try. */
		return why(errno == EADDRINUSE ? -EBUSY : -errno, "listening on %s: %s",
		    address.sun_path, strerror(errno));
	return watching_add(m, m->door.socket, WATCH_DOOR, 0);
}

/* A watched door would keep the loop awake while no client can be let in. */
static void admission_door_rest(struct manager *m)
{
	uint64_t now = clock_ns();
	epoll_ctl(m->epoll, EPOLL_CTL_DEL, m->door.socket, NULL);
	m->door.rests = true;
	m->descriptor_freed = false;
	m->door.due_ns = now + SAFETY_TICK_MS * NS_PER_MS;
	if (m->door.told_ns && now - m->door.told_ns < TELL_AGAIN_S * NS_PER_S)
		return;
	m->door.told_ns = now;
	log_warn(
	    "no file descriptor is left for another client: clients wait at the door until one "
	    "leaves; boot with a larger `ulimit -n`");
}

void admission_step(struct manager *m)
{
	if (!m->door.rests || (!m->descriptor_freed && clock_ns() < m->door.due_ns))
		return;
	if (watching_add(m, m->door.socket, WATCH_DOOR, 0) == 0)
		m->door.rests = false;
	else
		m->door.due_ns = clock_ns() + SAFETY_TICK_MS * NS_PER_MS;
}

void admission_accept(struct manager *m)
{
	if (descriptors_short(m->door.socket)) {
		admission_door_rest(m);
		return;
	}
	int pid, fd = accept4(m->door.socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (door_check_peer(fd, &pid) < 0 || strangers_add(m, fd) < 0)
		close(fd);
}

/* A request is gossip: size and magic are checked before anything else. 0; -EAGAIN: no request has
 * come; -ECONNRESET: none will come; -EPROTO. */
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

/* Workers do best in the first 64 process slots (process_nth_slot): clients take the same ones
 * last. */
static bool admission_is_for_workers(const struct manager *m, uint32_t slot)
{
	return slot < EXTENSION_SLOTS && EXTENSION_SLOTS - slot <= staff_planned(m);
}

static uint32_t admission_slot_for_client(struct manager *m, pid_t pid, const char *name)
{
	uint32_t slots = m->tables.limits.processes - SLOT_FIRST_SHARED;
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

/* Turns a stranger into a client. */
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
	int r = watching_add(m, pidfd, WATCH_PROCESS, slot);
	if (r < 0) {
		close(pidfd);
		return r;
	}
	r = admission_watch_connection(m, slot, socket);
	if (r < 0)
		watching_drop(m, pidfd);
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
	answer_send(w->socket, &r, fds, 2);
}

static int admission_ends_already(const struct manager *m)
{
	return m->ending ? why(-EHOSTDOWN, "the runtime is ending") : 0;
}

/* The kernel tells the peer's pid as of its connect; the socket is still open, so the pid still
 * names the peer. A stopping runtime admits clients, too, to look, to cancel tasks, to take the
 * stop back or to end the runtime at once; the mode refuses submissions (client/submit.c). */
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
		watched_gone(m, slot, 0); /* the scheduler frees the claimed process slot */
		return r;
	}
	if (eventlog_on(&m->tables))
		members_log(m, EVENT_BORN, slot);
	admission_welcome(m, slot, hello->number, kept);
	return 0;
}

/* A client let in by a dead manager, with a request for the new manager. */
static int admission_admit_again(struct manager *m, int socket, const struct door_request *again)
{
	const char *text = again->text;
	unsigned slot = 0, generation = 0;
	int pid, r = door_check_peer(socket, &pid);
	if (r < 0)
		return r;
	if (sscanf(text, "%u %u", &slot, &generation) != 2 || slot < SLOT_FIRST_SHARED ||
	    slot >= m->tables.limits.processes)
		return why(-EPROTO, "\"%.32s\" is not the process slot of a client", text);
	const struct process *p = &m->tables.process[slot];
	uint64_t word = sh_load(&p->state);
	if (process_kind(word) != KIND_CLIENT || process_state(word) != PROCESS_LIVE ||
	    process_generation(word) != generation || p->pid != pid || m->slot[slot].pidfd < 0 ||
	    m->slot[slot].socket >= 0)
		return why(-ESTALE,
		    "process slot %u does not belong to this client any more: connect again", slot);
	r = admission_watch_connection(m, slot, socket);
	if (r < 0)
		return r;
	m->slot[slot].socket = socket;
	answer_code(socket, again->number, (int)slot, "");
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
		return; /* closed by an earlier event of the turn */
	int r = admission_receive(socket, &request);
	if (r == -EAGAIN)
		return;
	strangers_remove(m, socket);
	if (r == 0)
		r = admission_greet(m, socket, &request);
	else if (r == -EPROTO)
		why(r, "this is not a plm client");
	if (r == 0)
		return;
	if (r != -ECONNRESET)
		answer_code(socket, request.number, r, why_text());
	watching_drop(m, socket);
}

static void admission_close_socket(struct manager *m, uint32_t slot)
{
	watching_drop(m, m->slot[slot].socket);
	m->slot[slot].socket = -1;
	free(m->slot[slot].module);
	m->slot[slot].module = NULL;
	if (m->loader.slot == slot)
		m->loader.slot =
		    SLOT_MANAGER; /* the answer is not for the next client in the process slot */
}

/* A LEAVING client, or a client never let in, touches the segments no more. After a mere close of
 * the socket the client may still have the segments mapped: the pidfd decides later. */
static void admission_client_hung_up(struct manager *m, uint32_t slot)
{
	admission_close_socket(m, slot);
	enum process_state state = process_state(sh_load(&m->tables.process[slot].state));
	if (state != PROCESS_LEAVING && state != PROCESS_STARTING)
		return;
	watching_drop(m, m->slot[slot].pidfd);
	m->slot[slot].pidfd = -1;
	watched_gone(m, slot, 0);
}

void admission_client_died(struct manager *m, uint32_t slot)
{
	if (m->slot[slot].socket >= 0)
		admission_close_socket(m, slot);
	watching_drop(m, m->slot[slot].pidfd);
	m->slot[slot].pidfd = -1;
	watched_gone(m, slot, 0);
}

/* A drain clears a pause, because tasks must run to be drained. A stop refuses a pause, because the
 * stop would never end. */
static int admission_set(struct manager *m, const char *verb)
{
	uint32_t now = sh_peek(&m->tables.control->admission);
	if (m->stopping && strcmp(verb, DOOR_RESUME) == 0)
		return mode_take_back(m);
	if (m->stopping)
		return why(-ESHUTDOWN,
		    "the runtime is being stopped: accepted tasks run, new ones are refused; "
		    "`plmctl resume` takes the stop back");
	if (strcmp(verb, DOOR_PAUSE) == 0)
		mode_admit(m, now | ADMISSION_PAUSED);
	else if (strcmp(verb, DOOR_DRAIN) == 0)
		mode_admit(m, ADMISSION_CLOSED);
	else if (strcmp(verb, DOOR_RESUME) == 0)
		mode_admit(m, 0);
	else
		return why(-EINVAL, "no such request: \"%.32s\"", verb);
	return 0;
}

/* Requests for a change of the runtime. */
static int admission_rule(struct manager *m, const struct door_request *request)
{
	int r = admission_ends_already(m);
	if (r < 0)
		return r;
	if (!m->announced)
		return why(-EAGAIN, "the runtime is still booting: wait for its ready line");
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
		loader_serve(m);
		break;
	case DOOR_STOP:
		answer_client(m, slot, request.number, 0, "");
		mode_stop(m);
		break;
	case DOOR_STOP_NOW:
		answer_client(m, slot, request.number, 0, "");
		mode_end(m);
		break;
	case DOOR_WORKERS:
	case DOOR_WORKER_DRAIN:
	case DOOR_WORKER_RESUME:
	case DOOR_ADMISSION:
		r = admission_rule(m, &request);
		answer_client(m, slot, request.number, r, r < 0 ? why_text() : "");
		break;
	default: answer_client(m, slot, request.number, -EINVAL, "no such request");
	}
}
