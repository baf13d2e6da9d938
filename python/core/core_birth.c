/* core_birth.c - zygotes and workers of the interpreter. See core_birth.h. */
#include "python/core/core_birth.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "python/core/core_call.h"
#include "tables/segment_plan.h"
#include "worker/life.h"
#include "worker/zygote.h"

enum { REPARENT_LOOK_NS = 50000 };

/* ---- the zygote ---- */

PyObject *birth_zygote_hello(PyObject *module, PyObject *args)
{
	int fd;
	const char *error = "";
	(void)module;
	if (!PyArg_ParseTuple(args, "i|s:zygote_hello", &fd, &error))
		return NULL;
	struct zygote_hello hello = {
		.magic = ZYGOTE_HELLO, .abi = plan_abi(), .code = error[0] ? -ELIBBAD : 0
	};
	snprintf(hello.version, sizeof hello.version, "%s", PLM_VERSION);
	snprintf(hello.text, sizeof hello.text, "%s", error);
	if (send(fd, &hello, sizeof hello, MSG_NOSIGNAL) != sizeof hello)
		return PyErr_SetFromErrno(PyExc_OSError);
	Py_RETURN_NONE;
}

/* pid 0: no worker was born; pidfd -1 then. */
static bool birth_answer(int socket, const struct worker_order *order, pid_t pid, int pidfd)
{
	struct zygote_answer answer = { ZYGOTE_ANSWER, order->slot, order->generation, pid };
	struct iovec part = { &answer, sizeof answer };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} room = { { 0 } };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	if (pidfd >= 0) {
		message.msg_control = room.bytes;
		message.msg_controllen = sizeof room.bytes;
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		*head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(head), &pidfd, sizeof pidfd);
	}
	ssize_t n;
	do
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == sizeof answer;
}

/* In the worker: waits until the middle process has told the manager and is gone. A worker that the
 * manager does not know, or without the manager, ends. */
static void birth_await_parent(const struct worker_order *order, pid_t middle, int go)
{
	static const struct timespec pause = { .tv_nsec = REPARENT_LOOK_NS };
	char byte;
	ssize_t n;
	while ((n = read(go, &byte, 1)) < 0 && errno == EINTR)
		;
	if (n != 1)
		_exit(1);
	while (read(go, &byte, 1) < 0 && errno == EINTR) /* until the far end is closed */
		;
	close(go);
	while (getppid() == middle)
		nanosleep(&pause, NULL);
	if (order->tied)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != order->manager)
		_exit(1); /* nobody knows the worker; claim_births() waits for the descriptor */
}

/* In the middle process; returns in the worker alone. */
static void birth_fork_worker(int socket, const struct worker_order *order)
{
	int ends[2];
	pid_t middle = getpid();
	if (pipe2(ends, O_CLOEXEC) < 0)
		_exit(errno);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[1]);
		close(socket);
		birth_await_parent(order, middle, ends[0]);
		return;
	}
	int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (pidfd < 0)
		_exit(errno);
	if (birth_answer(socket, order, pid, pidfd) && write(ends[1], "", 1) != 1)
		_exit(errno);
	_exit(0);
}

/* 0 in the worker, else 1. Between the two forks no code of Python runs. */
static int birth_fork(int socket, const struct worker_order *order)
{
	int status = 0;
	PyOS_BeforeFork();
	pid_t middle = fork();
	if (middle == 0) {
		birth_fork_worker(socket, order);
		PyOS_AfterFork_Child();
		return 0;
	}
	int error = middle < 0 ? errno : 0;
	PyOS_AfterFork_Parent();
	while (middle > 0 && waitpid(middle, &status, 0) < 0 && errno == EINTR)
		;
	if (middle > 0 && status != 0)
		error = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
	if (error)
		birth_answer(socket, order, -error, -1);
	return 1;
}

static int birth_given[ZYGOTE_GIVEN]; /* descriptors of the worker, with the last order */

/* The bytes of an order, 0 at the end, -1 with errno. An order without its descriptors is none. */
static ssize_t birth_receive(int socket, struct worker_order *ret)
{
	struct iovec part = { ret, sizeof *ret };
	union {
		char bytes[CMSG_SPACE(sizeof birth_given)];
		struct cmsghdr align;
	} room;
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		.msg_controllen = sizeof room.bytes };
	ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *head = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (n > 0 && (!head || head->cmsg_len != CMSG_LEN(sizeof birth_given)))
		return 1;
	if (head)
		memcpy(birth_given, CMSG_DATA(head), sizeof birth_given);
	return n;
}

PyObject *birth_zygote_serve(PyObject *module, PyObject *args)
{
	int fd;
	struct worker_order order;
	(void)module;
	if (!PyArg_ParseTuple(args, "i:zygote_serve", &fd))
		return NULL;
	for (;;) {
		ssize_t n;
		Py_BEGIN_ALLOW_THREADS;
		n = birth_receive(fd, &order);
		Py_END_ALLOW_THREADS;
		if (n < 0 && errno == EINTR) {
			if (PyErr_CheckSignals() < 0)
				return NULL;
			continue;
		}
		if (n != sizeof order)
			_exit(
			    n == 0 ? 0 : 1); /* the manager has closed the socket, or is another */
		if (birth_fork(fd, &order) == 0)
			return PyBytes_FromStringAndSize((const char *)&order, sizeof order);
		for (int i = 0; i < ZYGOTE_GIVEN; i++)
			close(birth_given[i]);
	}
}

/* ---- the worker ---- */

static int birth_begun(plm *rt)
{
	command_begin(&rt->tables, rt->self);
	core_acquire();
	int r = core_call_worker(rt);
	if (r < 0)
		PyErr_Print();
	core_release();
	return r < 0 ? 1 : 0;
}

/* What tasks have printed. No object may be freed from now on: the handle of the worker is closed.
 */
static void birth_flush(const char *stream)
{
	PyObject *file = PySys_GetObject(stream);
	PyObject *done = file && file != Py_None ? PyObject_CallMethod(file, "flush", NULL) : NULL;
	if (!done)
		PyErr_Clear();
}

/* After a task that took signals: Python's own table knows nothing of our handlers. */
PyObject *birth_take_signals(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	life_take_signals();
	Py_RETURN_NONE;
}

PyObject *birth_worker_main(PyObject *module, PyObject *args)
{
	static struct worker_order order; /* the worker has a pointer to its injection */
	const char *bytes;
	Py_ssize_t n;
	PyObject *handler, *begin;
	if (!PyArg_ParseTuple(args, "y#OO:worker_main", &bytes, &n, &handler, &begin))
		return NULL;
	if (n != sizeof order) {
		PyErr_SetString(PyExc_ValueError, "this is no order of a manager");
		return NULL;
	}
	memcpy(&order, bytes, sizeof order);
	order.runtime[sizeof order.runtime - 1] = 0;
	life_name(&order);
	life_take_signals();
	command_offer();
	if (core_call_prepare(module, handler, begin) < 0)
		return NULL;
	const struct life_files files = { birth_given[ZYGOTE_CONTROL], birth_given[ZYGOTE_STORE],
		birth_given[ZYGOTE_BELL], birth_given[ZYGOTE_LOCK] };
	core_release();
	int code = worker_life(&order, &files, birth_begun);
	core_acquire();
	PyGC_Disable();
	birth_flush("stdout");
	birth_flush("stderr");
	_exit(code);
}
