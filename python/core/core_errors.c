/* core_errors.c - the exceptions of the extension. */
#include "python/core/core_errors.h"

#include <errno.h>

static PyObject *core_errors_add(
    PyObject *module, const char *name, const char *doc, PyObject *base)
{
	char full[48];
	snprintf(full, sizeof full, "plm._core.%s", name);
	PyObject *type = PyErr_NewExceptionWithDoc(full, doc, base, NULL);
	if (type && PyModule_AddObjectRef(module, name, type) < 0)
		Py_CLEAR(type);
	return type;
}

int core_errors_init(PyObject *module, struct core_state *state)
{
	state->error = core_errors_add(module, "Error",
	    "A call failed: errno is the number, strerror the sentence of plm_why().",
	    PyExc_OSError);
	state->task_failed = core_errors_add(module, "TaskFailed",
	    "The task of the future failed: args[0] is the Ref.", PyExc_Exception);
	state->task_cancelled = core_errors_add(module, "TaskCancelled",
	    "The task of the future was cancelled: args[0] is the Ref. Without a "
	    "Ref: the task that "
	    "waits was cancelled.",
	    PyExc_Exception);
	return state->error && state->task_failed && state->task_cancelled ? 0 : -1;
}

static PyObject *core_errors_raise(PyObject *type, int error, const char *text)
{
	PyObject *sentence = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
	PyObject *args = sentence ? Py_BuildValue("(iO)", error, sentence) : NULL;
	if (args)
		PyErr_SetObject(type, args);
	Py_XDECREF(sentence);
	Py_XDECREF(args);
	return NULL;
}

PyObject *core_raise_error(const struct core_state *state, int error, const char *text)
{
	return core_errors_raise(state->error, error, text);
}

PyObject *core_raise(const struct core_state *state, int r)
{
	if (PyErr_Occurred())
		return NULL;
	return core_errors_raise(
	    r == -ETIMEDOUT ? PyExc_TimeoutError : state->error, -r, plm_why());
}
