#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "python/fleet/fleet_tasks.h"

static int tasks_count(PyObject *rows, size_t *ret_n, size_t *ret_args)
{
	size_t args = 0, n = PyList_Check(rows) ? (size_t)PyList_Size(rows) : 0;
	for (size_t i = 0; i < n; i++) {
		PyObject *row = PyList_GetItem(rows, (Py_ssize_t)i);
		if (!PyTuple_Check(row)) {
			PyErr_SetString(PyExc_TypeError, "a row of arguments is a tuple");
			return -1;
		}
		args += (size_t)PyTuple_Size(row);
	}
	*ret_n = n;
	*ret_args = args;
	return 0;
}

static int tasks_read_arg(struct fleet_tasks *t, PyObject *given)
{
	plm_arg *arg = &t->arg[t->args++];
	unsigned long long id, epoch;
	if (PyTuple_Check(given)) {
		if (!PyArg_ParseTuple(given, "KK", &id, &epoch))
			return -1;
		*arg = PLM_FUTURE(((plm_ref){ id, epoch }));
		return 0;
	}
	Py_buffer *buffer = &t->buffer[t->buffers];
	if (PyObject_GetBuffer(given, buffer, PyBUF_SIMPLE) < 0)
		return -1;
	t->buffers++;
	*arg = PLM_BYTES(buffer->buf, (size_t)buffer->len);
	return 0;
}

/* In the order of _fleet_client.py. */
static int tasks_read_options(struct fleet_tasks *t, PyObject *options, plm_task *ret)
{
	plm_terms *terms = &t->terms;
	int keep;
	if (!PyArg_ParseTuple(options, "iIIpzIIIIIII", &ret->priority, &ret->retries,
		&ret->crash_retries, &keep, &terms->needs, &terms->queue_ms, &terms->run_ms,
		&terms->total_ms, &terms->backoff_ms, &terms->backoff_max_ms, &terms->grace_ms,
		&terms->keep_ms))
		return -1;
	ret->flags = keep ? PLM_KEEP : 0;
	return 0;
}

int fleet_tasks_read(struct fleet_tasks *t, const char *function, PyObject *rows, PyObject *options)
{
	plm_task model = { .function = function, .terms = &t->terms };
	size_t args;
	*t = (struct fleet_tasks){ .n = 0 };
	if (tasks_count(rows, &t->n, &args) < 0 || tasks_read_options(t, options, &model) < 0)
		return -1;
	t->task = PyMem_Calloc(t->n + 1, sizeof *t->task);
	t->ref = PyMem_Calloc(t->n + 1, sizeof *t->ref);
	t->arg = PyMem_Calloc(args + 1, sizeof *t->arg);
	t->buffer = PyMem_Calloc(args + 1, sizeof *t->buffer);
	if (!t->task || !t->ref || !t->arg || !t->buffer) {
		PyErr_NoMemory();
		fleet_tasks_free(t);
		return -1;
	}
	for (size_t i = 0; i < t->n; i++) {
		PyObject *row = PyList_GetItem(rows, (Py_ssize_t)i);
		t->task[i] = model;
		t->task[i].args = t->arg + t->args;
		t->task[i].nargs = (size_t)PyTuple_Size(row);
		for (Py_ssize_t j = 0; j < PyTuple_Size(row); j++)
			if (tasks_read_arg(t, PyTuple_GetItem(row, j)) < 0) {
				fleet_tasks_free(t);
				return -1;
			}
	}
	return 0;
}

PyObject *fleet_tasks_ids(const struct fleet_tasks *t)
{
	PyObject *ids = PyList_New((Py_ssize_t)t->n);
	for (size_t i = 0; ids && i < t->n; i++) {
		PyObject *id = PyLong_FromUnsignedLongLong(t->ref[i].id);
		if (!id || PyList_SetItem(ids, (Py_ssize_t)i, id) < 0)
			Py_CLEAR(ids);
	}
	return ids;
}

void fleet_tasks_free(struct fleet_tasks *t)
{
	for (size_t i = 0; i < t->buffers; i++)
		PyBuffer_Release(&t->buffer[i]);
	PyMem_Free(t->task);
	PyMem_Free(t->ref);
	PyMem_Free(t->arg);
	PyMem_Free(t->buffer);
	*t = (struct fleet_tasks){ .n = 0 };
}
