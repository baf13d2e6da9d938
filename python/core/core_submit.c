/* core_submit.c - from Python arguments to tasks. */
#include "python/core/core_submit.h"

#include <errno.h>
#include <limits.h>

#include "python/core/core_errors.h"
#include "python/core/core_options.h"
#include "python/core/core_ref.h"

enum { SUBMIT_HERE = 16 };

/* Arguments of one or many tasks. Bytes objects are used in place: the caller's tuple holds them.
 * Any other buffer is held by a Py_buffer until the submission is done. */
struct submit_args {
	const struct core_state *state;
	plm_arg *args;
	size_t n, room;
	Py_buffer *buffers; /* [room], allocated for the first buffer that is no bytes object */
	size_t buffered;
	plm_arg here[SUBMIT_HERE];
};

static int submit_args_begin(struct submit_args *a, const struct core_state *state, size_t room)
{
	a->state = state;
	a->n = a->buffered = 0;
	a->buffers = NULL;
	a->room = room;
	a->args = room <= SUBMIT_HERE ? a->here : PyMem_Malloc(room * sizeof *a->args);
	if (!a->args)
		PyErr_NoMemory();
	return a->args ? 0 : -1;
}

static void submit_args_end(struct submit_args *a)
{
	for (size_t i = 0; i < a->buffered; i++)
		PyBuffer_Release(&a->buffers[i]);
	PyMem_Free(a->buffers);
	if (a->args != a->here)
		PyMem_Free(a->args);
}

static int submit_add_buffer(struct submit_args *a, PyObject *value, plm_arg *arg)
{
	if (!a->buffers) {
		a->buffers = PyMem_Malloc(a->room * sizeof *a->buffers);
		if (!a->buffers) {
			PyErr_NoMemory();
			return -1;
		}
	}
	Py_buffer *buffer = &a->buffers[a->buffered];
	if (PyObject_GetBuffer(value, buffer, PyBUF_SIMPLE) < 0)
		return -1;
	a->buffered++;
	*arg = PLM_BYTES(buffer->buf, (size_t)buffer->len);
	return 0;
}

static int submit_add(struct submit_args *a, PyObject *value)
{
	plm_arg *arg = &a->args[a->n++];
	if (PyBytes_Check(value)) {
		*arg = PLM_BYTES(PyBytes_AsString(value), (size_t)PyBytes_Size(value));
		return 0;
	}
	const struct core_ref *ref = core_ref_cast(a->state, value);
	if (!ref)
		return submit_add_buffer(a, value, arg);
	*arg = PLM_FUTURE(ref->ref);
	return 0;
}

static int submit_add_all(struct submit_args *a, PyObject *tuple)
{
	Py_ssize_t n = PyTuple_Size(tuple);
	for (Py_ssize_t i = 0; i < n; i++)
		if (submit_add(a, PyTuple_GetItem(tuple, i)) < 0)
			return -1;
	return 0;
}

/* A tuple, which nobody changes while the GIL is away. A new reference. */
static PyObject *submit_tuple(PyObject *args)
{
	if (!args)
		return PyTuple_New(0);
	if (PyTuple_Check(args) || PyList_Check(args))
		return PySequence_Tuple(args);
	PyErr_SetString(PyExc_TypeError, "the arguments of a task must be a tuple or a list");
	return NULL;
}

static int submit_function(PyObject *function, plm_task *task)
{
	task->function = NULL;
	if (core_text(function, "function", &task->function) < 0)
		return -1;
	if (!task->function)
		PyErr_SetString(PyExc_TypeError, "function must be a str");
	return task->function ? 0 : -1;
}

/* ---- one task ---- */

static PyObject *submit_task(struct core_client *self, const plm_task *task, PyTypeObject *type)
{
	size_t results = task->results ? task->results : 1;
	plm_ref here[SUBMIT_HERE];
	plm_ref *refs = results <= SUBMIT_HERE ? here : PyMem_Malloc(results * sizeof *refs);
	if (!refs)
		return PyErr_NoMemory();
	PyObject *made = NULL;
	if (core_client_begin(self) == 0) {
		core_release();
		int r = plm_submit(self->rt, task, refs);
		core_acquire();
		made = r < 0      ? core_client_raise(self, r)
		    : results > 1 ? core_ref_tuple(self, refs, results, type)
				  : core_ref_new(self, refs[0], type);
		core_client_end(self);
	}
	if (refs != here)
		PyMem_Free(refs);
	return made;
}

PyObject *core_submit(PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "function", "args", "options", "ref_type", NULL };
	struct core_client *self = (struct core_client *)object;
	PyObject *given[4];
	plm_task task = { 0 };
	if (core_unpack("submit", args, nargs, names, known, 1, given) < 0 ||
	    submit_function(given[0], &task) < 0 ||
	    core_options_apply(self->state, given[2], &task) < 0)
		return NULL;
	PyTypeObject *type = core_ref_class(self->state, given[3]);
	PyObject *tuple = type ? submit_tuple(given[1]) : NULL;
	struct submit_args a;
	if (!tuple || submit_args_begin(&a, self->state, (size_t)PyTuple_Size(tuple)) < 0) {
		Py_XDECREF(tuple);
		return NULL;
	}
	PyObject *made = NULL;
	if (submit_add_all(&a, tuple) == 0) {
		task.args = a.args;
		task.nargs = a.n;
		made = submit_task(self, &task, type);
	}
	submit_args_end(&a);
	Py_DECREF(tuple);
	return made;
}

/* ---- many tasks ---- */

/* The tasks submitted before an error stay accepted: their Refs go into error.accepted. */
static void submit_many_failed(
    struct core_client *self, int r, const plm_ref *refs, size_t n, PyTypeObject *ref_type)
{
	size_t accepted = 0;
	while (accepted < n && refs[accepted].id)
		accepted++;
	core_client_raise(self, r);
	PyObject *type, *value, *trace;
	PyErr_Fetch(&type, &value, &trace);
	PyErr_NormalizeException(&type, &value, &trace);
	PyObject *tuple = core_ref_tuple(self, refs, accepted, ref_type);
	if (!tuple || !value || PyObject_SetAttrString(value, "accepted", tuple) < 0)
		PyErr_Clear();
	Py_XDECREF(tuple);
	PyErr_Restore(type, value, trace);
}

static PyObject *submit_many_list(
    struct core_client *self, const plm_ref *refs, size_t n, PyTypeObject *type)
{
	PyObject *list = PyList_New((Py_ssize_t)n);
	for (size_t i = 0; i < n; i++) {
		PyObject *ref = list ? core_ref_new(self, refs[i], type) : NULL;
		if (ref) {
			PyList_SetItem(list, (Py_ssize_t)i, ref);
			continue;
		}
		Py_CLEAR(list);
		plm_drop_many(self->rt, refs + i, n - i);
		return NULL;
	}
	return list;
}

static PyObject *submit_many_tasks(
    struct core_client *self, const plm_task *tasks, size_t n, PyTypeObject *type)
{
	plm_ref *refs = PyMem_Calloc(n ? n : 1, sizeof *refs);
	if (!refs)
		return PyErr_NoMemory();
	PyObject *made = NULL;
	if (core_client_begin(self) == 0) {
		core_release();
		int r = plm_submit_many(self->rt, tasks, n, refs);
		core_acquire();
		if (r < 0)
			submit_many_failed(self, r, refs, n, type);
		else
			made = submit_many_list(self, refs, n, type);
		core_client_end(self);
	}
	PyMem_Free(refs);
	return made;
}

/* Replaces each row of a list by a tuple, and counts the arguments of all rows. */
static PyObject *submit_many_rows(PyObject *rows, size_t *ret_args)
{
	PyObject *all = PySequence_List(rows);
	Py_ssize_t n = all ? PyList_Size(all) : 0;
	*ret_args = 0;
	for (Py_ssize_t i = 0; i < n; i++) {
		PyObject *row = submit_tuple(PyList_GetItem(all, i));
		if (!row) {
			Py_DECREF(all);
			return NULL;
		}
		*ret_args += (size_t)PyTuple_Size(row);
		PyList_SetItem(all, i, row);
	}
	return all;
}

static PyObject *submit_many_of(struct core_client *self, PyObject *rows, size_t nargs,
    const plm_task *like, PyTypeObject *type)
{
	size_t n = (size_t)PyList_Size(rows);
	plm_task *tasks = PyMem_Malloc((n ? n : 1) * sizeof *tasks);
	struct submit_args a;
	if (!tasks || submit_args_begin(&a, self->state, nargs) < 0) {
		PyMem_Free(tasks);
		return PyErr_NoMemory();
	}
	size_t i = 0;
	for (; i < n; i++) {
		size_t first = a.n;
		if (submit_add_all(&a, PyList_GetItem(rows, (Py_ssize_t)i)) < 0)
			break;
		tasks[i] = *like;
		tasks[i].args = a.args + first;
		tasks[i].nargs = a.n - first;
	}
	PyObject *made = i == n ? submit_many_tasks(self, tasks, n, type) : NULL;
	submit_args_end(&a);
	PyMem_Free(tasks);
	return made;
}

PyObject *core_submit_many(
    PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "function", "rows", "options", "ref_type", NULL };
	struct core_client *self = (struct core_client *)object;
	PyObject *given[4];
	plm_task like = { 0 };
	if (core_unpack("submit_many", args, nargs, names, known, 2, given) < 0 ||
	    submit_function(given[0], &like) < 0 ||
	    core_options_apply(self->state, given[2], &like) < 0)
		return NULL;
	if (like.results > 1) {
		PyErr_SetString(PyExc_ValueError, "submit_many() takes tasks of one result alone");
		return NULL;
	}
	size_t all_args;
	PyTypeObject *type = core_ref_class(self->state, given[3]);
	PyObject *rows = type ? submit_many_rows(given[1], &all_args) : NULL;
	PyObject *made = rows ? submit_many_of(self, rows, all_args, &like, type) : NULL;
	Py_XDECREF(rows);
	return made;
}
