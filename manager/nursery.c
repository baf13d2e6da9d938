#include "manager/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "client/plm.h"
#include "manager/child.h"
#include "manager/manager.h"
#include "manager/watching.h"
#include "tables/segment_plan.h"
#include "topology/threads.h"
#include "worker/life.h"
#include "worker/zygote.h"

enum { HIGH_DESCRIPTOR = 10 }; /* above the socket of a zygote */

/* The control page, if there is one yet, may be damaged, so the text is a bounded copy. */
static const char *nursery_path(
    const struct manager *m, uint32_t python, char ret[PYTHON_PATH_BYTES])
{
	const struct control *c = m->tables.control;
	memcpy(ret, (c ? &c->resources : &m->options->resources)->pythons.path[python],
	    PYTHON_PATH_BYTES);
	ret[PYTHON_PATH_BYTES - 1] = 0;
	return ret;
}

uint32_t nursery_python(const struct manager *m, uint32_t slot)
{
	uint32_t kind = m->tables.process[slot].worker_kind % WORKER_KINDS_MAX;
	uint32_t python = sh_once(m->tables.control->kind[kind].python);
	return python > 0 && python <= PYTHONS_MAX ? python - 1 : (uint32_t)PYTHONS_MAX;
}

/* ---- the life of a zygote ---- */

static _Noreturn void nursery_zygote_fails(int socket, int code)
{
	struct zygote_hello hello = { .magic = ZYGOTE_HELLO, .abi = plan_abi(), .code = code };
	snprintf(hello.text, sizeof hello.text, "%s", why_text());
	send(socket, &hello, sizeof hello, MSG_NOSIGNAL);
	_exit(1);
}

static _Noreturn void nursery_zygote_main(
    const struct manager *m, const char *path, int socket, pid_t parent)
{
	/* Not `-m plm._zygote`: the interpreter takes milliseconds to load what runs a module. */
	char *const words[] = { strdup(path), strdup("-c"),
		strdup("from plm._zygote import main; main()"), NULL };
	int keep = fcntl(socket, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGTERM, SIG_IGN); /* of a service manager, to all: the manager ends the zygote */
	child_begin(&keep, 1);
	if (dup2(keep, ZYGOTE_SOCKET) < 0)
		_exit(1);
	topology_threads_for_program();
	if (m->options->preload)
		setenv("PLM_PRELOAD", m->options->preload, 1);
	execv(path, words);
	nursery_zygote_fails(ZYGOTE_SOCKET,
	    why(-errno,
		"the Python interpreter %s cannot be executed: %s; choose another with --python, "
		"or python= in --workers",
		path, strerror(errno)));
}

/* Before the next start. A zygote that served for long starts again at once. */
static void nursery_pause(struct zygote *z)
{
	uint64_t now = clock_ns(), lived_ms = (now - z->born_ns) / NS_PER_MS;
	z->delay_ms = z->serves && lived_ms >= RESTART_CALM_MS ? 0
	    : z->delay_ms == 0                                 ? RESTART_DELAY_MIN_MS
	    : z->delay_ms * 2 > RESTART_DELAY_MAX_MS           ? RESTART_DELAY_MAX_MS
							       : z->delay_ms * 2;
	z->due_ns = now + z->delay_ms * NS_PER_MS;
}

static int nursery_watch(struct manager *m, uint32_t python)
{
	struct zygote *z = &m->nursery.of[python];
	z->pidfd = (int)syscall(SYS_pidfd_open, z->pid, 0);
	int r = z->pidfd < 0 ? why(-errno, "pidfd_open: %s", strerror(errno))
			     : watching_add(m, z->pidfd, WATCH_ZYGOTE, python);
	if (r == 0)
		r = watching_add(m, z->socket, WATCH_NURSERY, python);
	return r;
}

static int nursery_fork(struct manager *m, uint32_t python, const char *path)
{
	struct zygote *z = &m->nursery.of[python];
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return why(-errno, "socketpair: %s", strerror(errno));
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		nursery_zygote_main(m, path, ends[1], parent);
	int r = pid < 0 ? why(-errno, "fork: %s", strerror(errno)) : 0;
	close(ends[1]);
	if (r < 0) {
		close(ends[0]);
		return r;
	}
	z->pid = pid;
	z->socket = ends[0];
	return nursery_watch(m, python);
}

static void nursery_drop_descriptors(struct manager *m, struct zygote *z)
{
	if (z->socket >= 0)
		watching_drop(m, z->socket);
	if (z->pidfd >= 0)
		watching_drop(m, z->pidfd);
	z->socket = z->pidfd = -1;
}

static void nursery_start(struct manager *m, uint32_t python)
{
	struct zygote *z = &m->nursery.of[python];
	char path[PYTHON_PATH_BYTES];
	nursery_path(m, python, path);
	*z = (struct zygote){ .pidfd = -1,
		.socket = -1,
		.needed = true,
		.delay_ms = z->delay_ms,
		.born_ns = clock_ns() };
	int r = nursery_fork(m, python, path);
	if (r == 0)
		return;
	/* An unwatched zygote must not live: nothing would report its end. */
	if (z->pid > 0) {
		kill(z->pid, SIGKILL);
		waitpid(z->pid, NULL, 0);
		z->pid = 0;
	}
	nursery_drop_descriptors(m, z);
	nursery_pause(z);
	log_warn("cannot start %s: %s; trying again in %u ms", path, why_text(), z->delay_ms);
}

/* Only what the boot needs at once. Other interpreters start when a worker is wanted. */
void nursery_begin(struct manager *m)
{
	const struct options *o = m->options;
	for (uint32_t i = 0; i < o->kinds; i++) {
		uint32_t python = o->kind[i].python;
		if (o->kind[i].count > 0 && python > 0 && python <= PYTHONS_MAX &&
		    !m->nursery.of[python - 1].pid)
			nursery_start(m, python - 1);
	}
}

/* ---- orders ---- */

static bool nursery_is_ordered(
    const struct manager *m, uint32_t slot, uint32_t python, enum order_state state)
{
	return m->slot[slot].order == state && nursery_python(m, slot) == python;
}

static bool nursery_any_wanted(const struct manager *m, uint32_t python)
{
	for (uint32_t i = SLOT_FIRST_SHARED; i < m->tables.limits.processes; i++)
		if (nursery_is_ordered(m, i, python, ORDER_WANTED))
			return true;
	return false;
}

void nursery_order(struct manager *m, uint32_t slot)
{
	m->slot[slot].order = ORDER_WANTED;
	m->nursery.wanted = true;
}

/* The order brings the descriptors of the worker, in the order of enum zygote_given. */
static bool nursery_send_order(
    const struct manager *m, int socket, const struct worker_order *order)
{
	const int given[ZYGOTE_GIVEN] = { m->tables.control_segment.fd, m->tables.store_segment.fd,
		m->joined, m->lock };
	struct worker_order copy = *order;
	struct iovec part = { &copy, sizeof copy };
	union {
		char bytes[CMSG_SPACE(sizeof given)];
		struct cmsghdr align;
	} room = { { 0 } };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		.msg_controllen = sizeof room.bytes };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	*head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof given),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(head), given, sizeof given);
	return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof copy;
}

/* A full socket: the rest is sent after the next answer. */
static void nursery_send(struct manager *m, uint32_t python)
{
	struct worker_order order;
	for (uint32_t i = SLOT_FIRST_SHARED; i < m->tables.limits.processes; i++) {
		if (!nursery_is_ordered(m, i, python, ORDER_WANTED))
			continue;
		child_order(m, i, &order);
		if (!nursery_send_order(m, m->nursery.of[python].socket, &order)) {
			m->nursery.wanted = true;
			return;
		}
		m->slot[i].order = ORDER_SENT;
	}
}

void nursery_step(struct manager *m)
{
	if (!m->nursery.wanted || m->nursery.ends)
		return;
	m->nursery.wanted = false;
	for (uint32_t i = 0; i < PYTHONS_MAX; i++) {
		struct zygote *z = &m->nursery.of[i];
		if (z->pid && z->serves)
			nursery_send(m, i);
		else if (!z->pid && (z->needed || nursery_any_wanted(m, i))) {
			z->needed = true;
			if (z->due_ns <= clock_ns())
				nursery_start(m, i);
			m->nursery.wanted |= !z->pid;
		}
	}
}

uint64_t nursery_due_ns(const struct manager *m)
{
	uint64_t due = DEADLINE_NEVER;
	for (uint32_t i = 0; i < PYTHONS_MAX && m->nursery.wanted && !m->nursery.ends; i++) {
		const struct zygote *z = &m->nursery.of[i];
		if (!z->pid && z->due_ns < due && (z->needed || nursery_any_wanted(m, i)))
			due = z->due_ns;
	}
	return due;
}

/* ---- what a zygote says ---- */

/* The zygote is of no use. The verdict follows when the kernel has reported the end. */
static void nursery_refuse(struct manager *m, uint32_t python, const char *reason)
{
	struct zygote *z = &m->nursery.of[python];
	snprintf(z->reason, sizeof z->reason, "%s", reason);
	kill(z->pid, SIGKILL); /* a child keeps its pid until the manager waits */
}

static void nursery_take_hello(struct manager *m, uint32_t python, struct zygote_hello *hello)
{
	struct zygote *z = &m->nursery.of[python];
	char path[PYTHON_PATH_BYTES];
	nursery_path(m, python, path);
	hello->text[sizeof hello->text - 1] = hello->version[sizeof hello->version - 1] = 0;
	if (hello->code < 0) {
		nursery_refuse(m, python, hello->text);
		return;
	}
	if (hello->abi != plan_abi() || strcmp(hello->version, PLM_VERSION) != 0) {
		why(-EPROTO,
		    "the package plm of %s is version %s (layout %08x), this plm is version %s "
		    "(layout %08x): install the same build of both",
		    path, hello->version, hello->abi, PLM_VERSION, plan_abi());
		nursery_refuse(m, python, why_text());
		return;
	}
	z->serves = true;
	m->nursery.wanted = true;
	log_info_about(ABOUT(ABOUT_PID(z->pid), ABOUT_PATH(path)),
	    "%s, pid %d, forks Python workers, after %llu ms", path, (int)z->pid,
	    (unsigned long long)((clock_ns() - z->born_ns) / NS_PER_MS));
}

/* No worker was born. */
static void nursery_lose(struct manager *m, uint32_t slot, const char *reason)
{
	log_warn("cannot start a Python worker: %s; trying again", reason);
	watched_gone(m, slot, 0);
	m->workers.missing++;
	m->workers.due_ns = clock_ns() + RESTART_DELAY_MIN_MS * NS_PER_MS;
}

static void nursery_take_answer(
    struct manager *m, uint32_t python, const struct zygote_answer *answer, int pidfd)
{
	uint32_t slot = answer->slot;
	if (slot < SLOT_FIRST_SHARED || slot >= m->tables.limits.processes ||
	    !nursery_is_ordered(m, slot, python, ORDER_SENT) ||
	    process_generation(sh_load(&m->tables.process[slot].state)) != answer->generation ||
	    (answer->pid > 0) != (pidfd >= 0)) {
		if (pidfd >= 0)
			close(pidfd);
		return;
	}
	m->slot[slot].order = ORDER_NONE;
	if (answer->pid <= 0) {
		nursery_lose(m, slot, strerror(-answer->pid));
		return;
	}
	int r = members_watch_child(m, slot, KIND_WORKER, answer->pid, pidfd);
	if (r == 0)
		return;
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	close(pidfd);
	m->slot[slot].pidfd = -1;
	nursery_lose(m, slot, why_text());
}

union nursery_packet {
	uint32_t magic;
	struct zygote_hello hello;
	struct zygote_answer answer;
};

/* The bytes of the packet; 0: the far end is closed; -1: none now. */
static ssize_t nursery_receive(int socket, union nursery_packet *ret, int *ret_pidfd)
{
	struct iovec part = { ret, sizeof *ret };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} room;
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		.msg_controllen = sizeof room.bytes };
	ssize_t n;
	*ret_pidfd = -1;
	do
		n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	const struct cmsghdr *head = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
		memcpy(ret_pidfd, CMSG_DATA(head), sizeof *ret_pidfd);
	return n;
}

void nursery_hear(struct manager *m, uint32_t python)
{
	struct zygote *z = &m->nursery.of[python];
	while (z->pid && z->socket >= 0) {
		union nursery_packet packet;
		int pidfd;
		ssize_t n = nursery_receive(z->socket, &packet, &pidfd);
		if (n < 0)
			return;
		if (n == sizeof packet.answer && packet.magic == ZYGOTE_ANSWER) {
			nursery_take_answer(m, python, &packet.answer, pidfd);
			continue;
		}
		if (pidfd >= 0)
			close(pidfd);
		if (n == sizeof packet.hello && packet.magic == ZYGOTE_HELLO) {
			nursery_take_hello(m, python, &packet.hello);
			continue;
		}
		watching_drop(m, z->socket); /* closed, or a message of no known form */
		z->socket = -1;
		kill(z->pid, SIGKILL);
	}
}

void nursery_hear_all(struct manager *m)
{
	for (uint32_t i = 0; i < PYTHONS_MAX; i++)
		nursery_hear(m, i);
}

/* ---- ends ---- */

/* The last words: a middle process that comes later cannot send, and lets its worker end. */
static void nursery_shut(struct manager *m, uint32_t python)
{
	struct zygote *z = &m->nursery.of[python];
	if (z->socket < 0)
		return;
	shutdown(z->socket, SHUT_RD);
	nursery_hear(m, python);
}

/* 0: the end says nothing about the interpreter; the log has a line. */
static int nursery_verdict(const struct manager *m, uint32_t python, const siginfo_t *end)
{
	const struct zygote *z = &m->nursery.of[python];
	char path[PYTHON_PATH_BYTES];
	bool killed = end->si_code != CLD_EXITED;
	nursery_path(m, python, path);
	if (z->reason[0])
		return why(-ELIBBAD, "%s", z->reason);
	if (!z->serves && !killed)
		return why(-ELIBBAD,
		    "the Python interpreter %s ended with exit code %d, before it could fork "
		    "workers; it wrote the reason above. Has it the package plm? (%s -m pip "
		    "install plm)",
		    path, end->si_status, path);
	if (!z->serves && end->si_status != SIGKILL)
		return why(-ELIBBAD,
		    "the Python interpreter %s was killed by signal %d (%s) while it imported its "
		    "modules",
		    path, end->si_status, strsignal(end->si_status));
	log_warn_about(
	    ABOUT(ABOUT_PID(z->pid), ABOUT_PATH(path), ABOUT_SIGNAL(killed ? end->si_status : -1),
		ABOUT_EXIT_CODE(killed ? -1 : end->si_status)),
	    "%s, pid %d, which forks Python workers, ended by %s %d: started anew in %u ms", path,
	    (int)z->pid, killed ? "signal" : "exit code", end->si_status, z->delay_ms);
	return 0;
}

int nursery_ended(struct manager *m, uint32_t python)
{
	struct zygote *z = &m->nursery.of[python];
	siginfo_t end = { 0 };
	if (!z->pid || waitid(P_PIDFD, (id_t)z->pidfd, &end, WEXITED | WNOHANG) < 0 || !end.si_pid)
		return 0;
	nursery_shut(m, python);
	nursery_drop_descriptors(m, z);
	for (uint32_t i = SLOT_FIRST_SHARED; i < m->tables.limits.processes; i++)
		if (nursery_is_ordered(m, i, python, ORDER_SENT))
			m->slot[i].order = ORDER_WANTED;
	nursery_pause(z);
	m->nursery.wanted = true;
	int r = m->nursery.ends ? 0 : nursery_verdict(m, python, &end);
	z->pid = 0;
	return r;
}

uint32_t nursery_delay_ms(const struct manager *m, uint32_t python)
{
	return m->nursery.of[python].delay_ms;
}

void nursery_end(struct manager *m)
{
	m->nursery.ends = true;
	for (uint32_t i = 0; i < PYTHONS_MAX; i++) {
		struct zygote *z = &m->nursery.of[i];
		if (!z->pid)
			continue;
		nursery_shut(m, i);
		kill(z->pid, SIGKILL);
	}
	for (uint32_t i = SLOT_FIRST_SHARED; m->slot && i < m->tables.limits.processes; i++) {
		if (m->slot[i].order == ORDER_NONE)
			continue;
		m->slot[i].order = ORDER_NONE;
		watched_gone(m, i, 0);
	}
}

bool nursery_has(const struct manager *m, pid_t pid)
{
	for (uint32_t i = 0; i < PYTHONS_MAX; i++)
		if (m->nursery.of[i].pid == pid)
			return true;
	return false;
}

bool nursery_is_empty(const struct manager *m)
{
	for (uint32_t i = 0; i < PYTHONS_MAX; i++)
		if (m->nursery.of[i].pid)
			return false;
	return true;
}
