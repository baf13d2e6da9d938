/* core.c - the GIL, signals, and the arguments of calls. */
#include "python/core/core.h"

#include <limits.h>

struct core_state *core_state_of(PyObject *module)
{
	return PyModule_GetState(module);
}

/* Not NULL: the thread has given the GIL back. */
static _Thread_local PyThreadState *core_saved;

void core_release(void)
{
	core_saved = PyEval_SaveThread();
}

void core_acquire(void)
{
	PyThreadState *saved = core_saved;
	core_saved = NULL;
	PyEval_RestoreThread(saved);
}

static _Thread_local bool core_module_runs;

bool core_set_in_module(bool in_module)
{
	bool before = core_module_runs;
	core_module_runs = in_module;
	return before;
}

bool core_in_module(void)
{
	return core_module_runs;
}

bool core_signalled(void *unused)
{
	(void)unused;
	if (!core_saved || core_module_runs)
		return false;
	core_acquire();
	bool raised = PyErr_CheckSignals() < 0;
	core_release();
	return raised;
}

static int core_find_name(const char *const *names, PyObject *name)
{
	for (int i = 0; names[i]; i++)
		if (PyUnicode_CompareWithASCIIString(name, names[i]) == 0)
			return i;
	return -1;
}

int core_unpack(const char *function, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
    const char *const *names, int required, PyObject **out)
{
	int most = 0;
	for (; names[most]; most++)
		out[most] = most < nargs ? args[most] : NULL;
	if (nargs > most) {
		PyErr_Format(PyExc_TypeError, "%s() takes at most %d arguments (%zd given)",
		    function, most, nargs);
		return -1;
	}
	Py_ssize_t named = kwnames ? PyTuple_Size(kwnames) : 0;
	for (Py_ssize_t i = 0; i < named; i++) {
		PyObject *name = PyTuple_GetItem(kwnames, i);
		int at = core_find_name(names, name);
		if (at < 0 || out[at]) {
			PyErr_Format(PyExc_TypeError, "%s() got %s argument '%U'", function,
			    at < 0 ? "an unexpected" : "two values for the", name);
			return -1;
		}
		out[at] = args[nargs + i];
	}
	for (int i = 0; i < required; i++)
		if (!out[i]) {
			PyErr_Format(
			    PyExc_TypeError, "%s() misses the argument '%s'", function, names[i]);
			return -1;
		}
	return 0;
}

int core_int(PyObject *value, const char *name, long long least, long long most, long long *ret)
{
	if (!value)
		return 0;
	int overflow;
	long long n = PyLong_AsLongLongAndOverflow(value, &overflow);
	if (n == -1 && PyErr_Occurred())
		return -1;
	if (overflow || n < least || n > most) {
		PyErr_Format(
		    PyExc_ValueError, "%s must be a number from %lld to %lld", name, least, most);
		return -1;
	}
	*ret = n;
	return 0;
}

int core_timeout(PyObject *value, int *ret)
{
	long long ms = *ret;
	if (core_int(value, "timeout_ms", LLONG_MIN, LLONG_MAX, &ms) < 0)
		return -1;
	*ret = ms < 0 ? -1 : ms > INT_MAX ? INT_MAX : (int)ms;
	return 0;
}

int core_text(PyObject *value, const char *name, const char **ret)
{
	if (!value || value == Py_None)
		return 0;
	if (!PyUnicode_Check(value)) {
		PyErr_Format(PyExc_TypeError, "%s must be a str", name);
		return -1;
	}
	Py_ssize_t bytes;
	const char *text = PyUnicode_AsUTF8AndSize(value, &bytes);
	if (!text)
		return -1;
	if (strlen(text) != (size_t)bytes) {
		PyErr_Format(PyExc_ValueError, "%s contains a null character", name);
		return -1;
	}
	*ret = text;
	return 0;
}

void core_free(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);
	freefunc free_memory = (freefunc)PyType_GetSlot(type, Py_tp_free);
	free_memory(self);
	Py_DECREF(type);
}
