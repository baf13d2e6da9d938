/* core_submit.h - the calls of a Client that submit tasks. */
#ifndef PLM_PYTHON_CORE_SUBMIT_H
#define PLM_PYTHON_CORE_SUBMIT_H

#include "python/core/core_client.h"

PyObject *core_submit(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names);
PyObject *core_submit_many(
    PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names);
PyObject *core_command(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names);

#endif
