/* core.h - what all files of the extension plm._core share: the state of the module, the lock of
 * the interpreter (GIL), and how arguments of a call are read.
 *
 * Where: the state lives in the module object; each Client has a pointer to the state, and the type
 * of the Client keeps the module alive.
 * Rule: code between core_release() and core_acquire() touches no Python object. What Python calls
 * with the GIL held never waits for tasks: a thread in a wait may ask for the GIL. */
#ifndef PLM_PYTHON_CORE_H
#define PLM_PYTHON_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "client/handle.h"

struct core_state {
	PyTypeObject *client_type, *ref_type, *view_type, *room_type, *options_type, *call_type;
	PyObject *ref_class; /* ref_type, or the subclass given to set_types() */
	PyObject *error, *task_failed, *task_cancelled;
};

/* The state of a future that is gone: behind every other state. */
enum { CORE_GONE = RECORD_STATES };

struct core_state *core_state_of(PyObject *module);

/* ---- the GIL ---- */

/* Gives the GIL back, and takes it again, in the same thread. A task that runs in place of a wait
 * takes the GIL by core_acquire() and gives it back by core_release(), too. */
void core_release(void);
void core_acquire(void);
/* Does the calling thread run a function of a module in C, in a worker? Then waits handle no
 * signals, and holds end with the task. Returns what was so before. */
bool core_set_in_module(bool in_module);
bool core_in_module(void);
/* For struct plm: true if a Python signal handler raised an exception, which is set then. */
bool core_signalled(void *unused);

/* ---- arguments ---- */

/* Arguments of METH_FASTCALL | METH_KEYWORDS by position and name: out[i] is borrowed, or NULL.
 * names ends with NULL; the first `required` must be given. 0, or -1 with a TypeError. */
int core_unpack(const char *function, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
    const char *const *names, int required, PyObject **out);
/* Whole numbers; NULL leaves *ret as found. 0, or -1 with an exception. */
int core_int(PyObject *value, const char *name, long long least, long long most, long long *ret);
/* Milliseconds from -1 (for ever) on. */
int core_timeout(PyObject *value, int *ret);
/* Text; NULL and None leave *ret as found. The text lives as long as the object. */
int core_text(PyObject *value, const char *name, const char **ret);

#define CORE_FAST(function) (PyCFunction)(void (*)(void))(function)

/* Gives back an object's memory and the hold on its type: the end of each tp_dealloc. */
void core_free(PyObject *self);

#endif
