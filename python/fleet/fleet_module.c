/* fleet_module.c - the module plm._fleet: a handle of libplm-fleet as a Python object.
 *
 * An extension of its own, loaded by programs that use a fleet: it needs hiredis, plm._core does
 * not. Tasks are numbers here; _fleet_client.py makes references of them. Each call raises OSError
 * (TimeoutError) with the sentence of libplm-fleet. Calls that may take a round trip give the GIL
 * back; a wait looks for signals, and for a close() by another thread, between short sleeps. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "python/fleet/fleet_tasks.h"

enum { SLICE_MS = 100 };

struct fleet_object {
	PyObject_HEAD
	plm_fleet *fleet; /* NULL: closed, and nobody is inside */
	uint64_t epoch;
	unsigned inside; /* calls under way */
	bool closed;
};

/* ---- calls under way ---- */

static PyObject *fleet_raise_words(int error, const char *text)
{
	PyObject *raised = PyObject_CallFunction(PyExc_OSError, "is", error, text);
	if (raised)
		PyErr_SetObject((PyObject *)Py_TYPE(raised), raised);
	Py_XDECREF(raised);
	return NULL;
}

static PyObject *fleet_raise(int r)
{
	const char *text = plm_fleet_why();
	return fleet_raise_words(-r, text[0] ? text : strerror(-r));
}

static plm_fleet *fleet_begin(PyObject *object)
{
	struct fleet_object *self = (struct fleet_object *)object;
	if (self->closed || !self->fleet) {
		fleet_raise_words(EHOSTDOWN, "the connection to the fleet was closed");
		return NULL;
	}
	self->inside++;
	return self->fleet;
}

/* The last call that leaves a closed handle ends the connection. */
static void fleet_end(PyObject *object)
{
	struct fleet_object *self = (struct fleet_object *)object;
	if (--self->inside || !self->closed)
		return;
	plm_fleet *fleet = self->fleet;
	self->fleet = NULL;
	Py_BEGIN_ALLOW_THREADS plm_fleet_disconnect(&fleet);
	Py_END_ALLOW_THREADS
}

static plm_ref fleet_ref(PyObject *object, unsigned long long id)
{
	return (plm_ref){ id, ((struct fleet_object *)object)->epoch };
}

/* Waits in slices: `again` looks with a limit, and returns -ETIMEDOUT when the limit is over. */
typedef int fleet_again(plm_fleet *fleet, int timeout_ms, void *argument);

static int fleet_sliced(
    PyObject *object, plm_fleet *fleet, long timeout_ms, fleet_again *again, void *argument)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	long long end_ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000 + timeout_ms;
	for (;;) {
		int r, left = SLICE_MS;
		clock_gettime(CLOCK_MONOTONIC, &now);
		long long rest = end_ms - now.tv_sec * 1000LL - now.tv_nsec / 1000000;
		if (timeout_ms >= 0 && rest < left)
			left = rest > 0 ? (int)rest : 0;
		Py_BEGIN_ALLOW_THREADS r = again(fleet, left, argument);
		Py_END_ALLOW_THREADS if (r != -ETIMEDOUT ||
		    (timeout_ms >= 0 && rest <= left)) return r;
		if (PyErr_CheckSignals() < 0)
			return -EINTR;
		if (((struct fleet_object *)object)->closed)
			return -ECANCELED;
	}
}

/* ---- tasks ---- */

static PyObject *fleet_submit(PyObject *object, PyObject *args)
{
	const char *function;
	PyObject *rows, *options, *ids = NULL;
	struct fleet_tasks tasks;
	if (!PyArg_ParseTuple(args, "sOO", &function, &rows, &options))
		return NULL;
	if (fleet_tasks_read(&tasks, function, rows, options) < 0)
		return NULL;
	plm_fleet *fleet = fleet_begin(object);
	if (fleet) {
		int r;
		Py_BEGIN_ALLOW_THREADS r =
		    plm_fleet_submit_many(fleet, tasks.task, tasks.n, tasks.ref);
		Py_END_ALLOW_THREADS fleet_end(object);
		ids = r < 0 ? fleet_raise(r) : fleet_tasks_ids(&tasks);
	}
	fleet_tasks_free(&tasks);
	return ids;
}

static PyObject *fleet_put(PyObject *object, PyObject *data)
{
	Py_buffer buffer;
	plm_ref ref;
	int r;
	if (PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE) < 0)
		return NULL;
	plm_fleet *fleet = fleet_begin(object);
	if (fleet) {
		Py_BEGIN_ALLOW_THREADS r =
		    plm_fleet_put(fleet, buffer.buf, (size_t)buffer.len, &ref);
		Py_END_ALLOW_THREADS fleet_end(object);
	}
	PyBuffer_Release(&buffer);
	if (!fleet)
		return NULL;
	return r < 0 ? fleet_raise(r) : PyLong_FromUnsignedLongLong(ref.id);
}

struct fleet_wait {
	plm_ref *refs;
	size_t n, want;
	uint8_t *ready;
};

static int fleet_wait_again(plm_fleet *fleet, int timeout_ms, void *argument)
{
	const struct fleet_wait *w = argument;
	return plm_fleet_wait(fleet, w->refs, w->n, w->want, timeout_ms, w->ready);
}

static PyObject *fleet_wait(PyObject *object, PyObject *args)
{
	PyObject *ids, *ready = NULL;
	Py_ssize_t want;
	long timeout_ms;
	if (!PyArg_ParseTuple(args, "O!nl", &PyList_Type, &ids, &want, &timeout_ms))
		return NULL;
	size_t n = (size_t)PyList_Size(ids);
	struct fleet_wait w = { PyMem_Malloc((n + 1) * sizeof *w.refs), n, (size_t)want,
		PyMem_Malloc(n + 1) };
	for (size_t i = 0; w.refs && i < n; i++)
		w.refs[i] = fleet_ref(
		    object, PyLong_AsUnsignedLongLong(PyList_GetItem(ids, (Py_ssize_t)i)));
	plm_fleet *fleet = !PyErr_Occurred() && w.refs && w.ready ? fleet_begin(object) : NULL;
	if (fleet) {
		int r = fleet_sliced(object, fleet, timeout_ms, fleet_wait_again, &w);
		fleet_end(object);
		if (r == 0 || r == -ETIMEDOUT)
			ready = PyBytes_FromStringAndSize((const char *)w.ready, (Py_ssize_t)n);
		else if (!PyErr_Occurred())
			fleet_raise(r);
	}
	PyMem_Free(w.refs);
	PyMem_Free(w.ready);
	return ready || PyErr_Occurred() ? ready : PyErr_NoMemory();
}

static int fleet_wait_all_again(plm_fleet *fleet, int timeout_ms, void *argument)
{
	(void)argument;
	return plm_fleet_wait_all(fleet, timeout_ms);
}

static PyObject *fleet_wait_all(PyObject *object, PyObject *args)
{
	long timeout_ms;
	if (!PyArg_ParseTuple(args, "l", &timeout_ms))
		return NULL;
	plm_fleet *fleet = fleet_begin(object);
	if (!fleet)
		return NULL;
	int r = fleet_sliced(object, fleet, timeout_ms, fleet_wait_all_again, NULL);
	fleet_end(object);
	if (r < 0 && r != -ETIMEDOUT)
		return PyErr_Occurred() ? NULL : fleet_raise(r);
	return PyBool_FromLong(r == 0);
}

struct fleet_get {
	plm_ref ref;
	plm_fleet_value value;
};

static int fleet_get_again(plm_fleet *fleet, int timeout_ms, void *argument)
{
	struct fleet_get *get = argument;
	return plm_fleet_get(fleet, get->ref, &get->value, timeout_ms);
}

static PyObject *fleet_get(PyObject *object, PyObject *args)
{
	unsigned long long id;
	long timeout_ms;
	if (!PyArg_ParseTuple(args, "Kl", &id, &timeout_ms))
		return NULL;
	struct fleet_get get = { .ref = fleet_ref(object, id) };
	plm_fleet *fleet = fleet_begin(object);
	if (!fleet)
		return NULL;
	int r = fleet_sliced(object, fleet, timeout_ms, fleet_get_again, &get);
	fleet_end(object);
	if (r < 0)
		return PyErr_Occurred() ? NULL : fleet_raise(r);
	PyObject *bytes = PyBytes_FromStringAndSize(get.value.data, (Py_ssize_t)get.value.len);
	plm_fleet_release(&get.value);
	return bytes;
}

/* ---- calls on one task ---- */

typedef int fleet_call(plm_fleet *fleet, plm_ref ref);

static int fleet_of_one(PyObject *object, PyObject *number, fleet_call *call)
{
	unsigned long long id = PyLong_AsUnsignedLongLong(number);
	plm_fleet *fleet = PyErr_Occurred() ? NULL : fleet_begin(object);
	int r;
	if (!fleet)
		return -EINVAL;
	Py_BEGIN_ALLOW_THREADS r = call(fleet, fleet_ref(object, id));
	Py_END_ALLOW_THREADS fleet_end(object);
	return r;
}

static PyObject *fleet_truth(int r)
{
	if (PyErr_Occurred())
		return NULL;
	return r < 0 ? fleet_raise(r) : PyBool_FromLong(r);
}

static PyObject *fleet_cancel(PyObject *object, PyObject *number)
{
	int r = fleet_of_one(object, number, plm_fleet_cancel);
	return fleet_truth(r == -EALREADY ? 0 : r == 0 ? 1 : r);
}

/* move(id, place, priority): place is a number of enum plm_place. */
static PyObject *fleet_move(PyObject *object, PyObject *args)
{
	unsigned long long id;
	int place, priority, r;
	if (!PyArg_ParseTuple(args, "Kii:move", &id, &place, &priority))
		return NULL;
	plm_fleet *fleet = fleet_begin(object);
	if (!fleet)
		return NULL;
	Py_BEGIN_ALLOW_THREADS r =
	    plm_fleet_move(fleet, fleet_ref(object, id), (enum plm_place)place, priority);
	Py_END_ALLOW_THREADS fleet_end(object);
	return fleet_truth(r == -EALREADY ? 0 : r == 0 ? 1 : r);
}

static PyObject *fleet_running(PyObject *object, PyObject *number)
{
	return fleet_truth(fleet_of_one(object, number, plm_fleet_running));
}

static int fleet_drop_one(plm_fleet *fleet, plm_ref ref)
{
	plm_fleet_drop(fleet, ref);
	return 0;
}

static PyObject *fleet_drop(PyObject *object, PyObject *number)
{
	return fleet_truth(fleet_of_one(object, number, fleet_drop_one));
}

/* Of a held task this is a look at a table, which gives no GIL away. */
static PyObject *fleet_outcome(PyObject *object, PyObject *number)
{
	unsigned long long id = PyLong_AsUnsignedLongLong(number);
	plm_fleet *fleet = PyErr_Occurred() ? NULL : fleet_begin(object);
	if (!fleet)
		return NULL;
	int r = plm_fleet_outcome(fleet, fleet_ref(object, id));
	fleet_end(object);
	return r == -EXDEV || r == -ENOTCONN ? fleet_raise(r) : PyLong_FromLong(-r);
}

static PyObject *fleet_error(PyObject *object, PyObject *number)
{
	unsigned long long id = PyLong_AsUnsignedLongLong(number);
	plm_fleet *fleet = PyErr_Occurred() ? NULL : fleet_begin(object);
	plm_fleet_value detail = { .data = NULL };
	plm_failure failure;
	int r;
	if (!fleet)
		return NULL;
	Py_BEGIN_ALLOW_THREADS r = plm_fleet_error(fleet, fleet_ref(object, id), &failure, &detail);
	Py_END_ALLOW_THREADS fleet_end(object);
	if (r < 0)
		return fleet_raise(r);
	PyObject *message =
	    PyUnicode_DecodeUTF8(failure.message, (Py_ssize_t)strlen(failure.message), "replace");
	PyObject *row = message ? Py_BuildValue("(iiOy#)", failure.code, failure.signal, message,
				      detail.data ? detail.data : "", (Py_ssize_t)detail.len)
				: NULL;
	Py_XDECREF(message);
	plm_fleet_release(&detail);
	return row;
}

static PyObject *fleet_explain(PyObject *object, PyObject *number)
{
	unsigned long long id = PyLong_AsUnsignedLongLong(number);
	plm_fleet *fleet = PyErr_Occurred() ? NULL : fleet_begin(object);
	char text[1024];
	int r;
	if (!fleet)
		return NULL;
	Py_BEGIN_ALLOW_THREADS r =
	    plm_fleet_explain(fleet, fleet_ref(object, id), text, sizeof text);
	Py_END_ALLOW_THREADS fleet_end(object);
	return r < 0 ? fleet_raise(r)
		     : PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

/* ---- the whole ---- */

static PyObject *fleet_status(PyObject *object, PyObject *unused)
{
	plm_fleet *fleet = fleet_begin(object);
	plm_fleet_status s;
	int r;
	(void)unused;
	if (!fleet)
		return NULL;
	Py_BEGIN_ALLOW_THREADS r = plm_fleet_status_get(fleet, &s);
	Py_END_ALLOW_THREADS fleet_end(object);
	if (r < 0)
		return fleet_raise(r);
	return Py_BuildValue("{sKsKsKsKsKsKsKsKsK}", "hosts", s.hosts, "waiting", s.waiting,
	    "ready", s.ready, "pause", s.pause, "running", s.running, "done", s.done, "failed",
	    s.failed, "cancelled", s.cancelled, "parked", s.parked);
}

static PyObject *fleet_fd(PyObject *object, PyObject *unused)
{
	plm_fleet *fleet = fleet_begin(object);
	(void)unused;
	if (!fleet)
		return NULL;
	int fd = plm_fleet_fd(fleet);
	fleet_end(object);
	return fd < 0 ? fleet_raise(fd) : PyLong_FromLong(fd);
}

static PyObject *fleet_close(PyObject *object, PyObject *unused)
{
	struct fleet_object *self = (struct fleet_object *)object;
	(void)unused;
	if (!self->closed && self->fleet) {
		self->inside++;
		self->closed = true;
		fleet_end(object);
	}
	Py_RETURN_NONE;
}

static void fleet_free(PyObject *object)
{
	PyTypeObject *type = Py_TYPE(object);
	Py_XDECREF(fleet_close(object, NULL));
	freefunc free_ = (freefunc)PyType_GetSlot(type, Py_tp_free);
	free_(object);
	Py_DECREF(type);
}

static PyObject *fleet_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
	const char *address = NULL;
	plm_fleet *fleet;
	int timeout_ms = -1, r;
	(void)names;
	if (!PyArg_ParseTuple(args, "|zi", &address, &timeout_ms))
		return NULL;
	Py_BEGIN_ALLOW_THREADS r = plm_fleet_connect(&fleet, address, timeout_ms);
	Py_END_ALLOW_THREADS if (r < 0) return fleet_raise(r);
	allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	struct fleet_object *self = (struct fleet_object *)alloc(type, 0);
	if (!self) {
		plm_fleet_disconnect(&fleet);
		return NULL;
	}
	self->fleet = fleet;
	self->epoch = plm_fleet_epoch(fleet);
	return (PyObject *)self;
}

static PyObject *fleet_get_epoch(PyObject *object, void *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(((struct fleet_object *)object)->epoch);
}

static PyObject *fleet_get_closed(PyObject *object, void *unused)
{
	(void)unused;
	return PyBool_FromLong(((struct fleet_object *)object)->closed);
}

/* ---- the module ---- */

static PyMethodDef fleet_methods[] = {
	{ "submit", fleet_submit, METH_VARARGS,
	    "submit(function, rows, options): the numbers of the new tasks." },
	{ "put", fleet_put, METH_O, "put(data): the number of a value in the queue." },
	{ "wait", fleet_wait, METH_VARARGS,
	    "wait(ids, want, timeout_ms): a byte for each, 1: ended." },
	{ "wait_all", fleet_wait_all, METH_VARARGS,
	    "wait_all(timeout_ms): True when all tasks of the handle have ended." },
	{ "get", fleet_get, METH_VARARGS, "get(id, timeout_ms): the value." },
	{ "cancel", fleet_cancel, METH_O, "cancel(id): False: the task has ended." },
	{ "move", fleet_move, METH_VARARGS, "move(id, place, priority): False: too late." },
	{ "running", fleet_running, METH_O, "running(id): the task runs on a host just now." },
	{ "drop", fleet_drop, METH_O, "drop(id): ends one hold." },
	{ "outcome", fleet_outcome, METH_O, "outcome(id): 0, or an errno." },
	{ "error", fleet_error, METH_O, "error(id): code, signal, message, detail." },
	{ "explain", fleet_explain, METH_O, "explain(id): why the task has not ended." },
	{ "status", fleet_status, METH_NOARGS, "The numbers of the queue, as a dict." },
	{ "fd", fleet_fd, METH_NOARGS, "A descriptor, readable after a task has ended." },
	{ "close", fleet_close, METH_NOARGS, "Ends the connection." },
	{ 0 },
};

static PyGetSetDef fleet_attributes[] = {
	{ "epoch", fleet_get_epoch, NULL, "The second half of references.", NULL },
	{ "closed", fleet_get_closed, NULL, "close() was called.", NULL },
	{ 0 },
};

static PyType_Slot fleet_slots[] = {
	{ Py_tp_new, fleet_new },
	{ Py_tp_dealloc, fleet_free },
	{ Py_tp_methods, fleet_methods },
	{ Py_tp_getset, fleet_attributes },
	{ Py_tp_doc, "Fleet(address=None, timeout_ms=-1): a connection to a fleet." },
	{ 0 },
};

static PyType_Spec fleet_spec = {
	.name = "plm._fleet.Fleet",
	.basicsize = sizeof(struct fleet_object),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = fleet_slots,
};

static int fleet_exec(PyObject *module)
{
	PyObject *type = PyType_FromModuleAndSpec(module, &fleet_spec, NULL);
	int r = type ? PyModule_AddObjectRef(module, "Fleet", type) : -1;
	Py_XDECREF(type);
	return r;
}

static PyModuleDef_Slot fleet_module_slots[] = {
	{ Py_mod_exec, fleet_exec },
	{ 0 },
};

static struct PyModuleDef fleet_definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "plm._fleet",
	.m_doc = "libplm-fleet for Python: tasks for many machines.",
	.m_slots = fleet_module_slots,
};

PyMODINIT_FUNC PyInit__fleet(void);
PyMODINIT_FUNC PyInit__fleet(void)
{
	return PyModuleDef_Init(&fleet_definition);
}
