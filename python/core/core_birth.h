/* core_birth.h - the births of Python workers, from the side of the interpreter: what a zygote and
 * its workers call (manager/nursery.h).
 *
 * Who: python/plm/_zygote.py alone, in the first thread.
 * Where: a zygote, forked by the manager, until birth_zygote_serve() returns; it returns in workers
 * alone.
 * Death: of the zygote: its workers go on. A worker that the manager has not been told of ends. */
#ifndef PLM_PYTHON_CORE_BIRTH_H
#define PLM_PYTHON_CORE_BIRTH_H

#include "python/core/core.h"

/* zygote_hello(fd, error=""): tells the manager that the interpreter serves, or why not. */
PyObject *birth_zygote_hello(PyObject *module, PyObject *args);
/* zygote_serve(fd) -> bytes: forks a worker for each order; returns the order, in the worker. The
 * zygote ends when the manager closes the socket. */
PyObject *birth_zygote_serve(PyObject *module, PyObject *args);
/* worker_main(order, handler, begin): the life of the worker; does not return. begin(client) is
 * called once, handler(call) for each task (core_call.h). */
PyObject *birth_worker_main(PyObject *module, PyObject *args);

/* take_signals(): the handlers of a worker again, after a task that had its own. */
PyObject *birth_take_signals(PyObject *module, PyObject *unused);

/* Rows for the table of the module's functions. */
#define CORE_BIRTH_METHODS                                                                      \
	{ "zygote_hello", birth_zygote_hello, METH_VARARGS,                                     \
		"zygote_hello(fd, error=''): tells the manager that this interpreter serves" }, \
	    { "zygote_serve", birth_zygote_serve, METH_VARARGS,                                 \
		    "zygote_serve(fd): forks workers; returns the order, in a worker" },        \
	    { "take_signals", birth_take_signals, METH_NOARGS,                                  \
		    "take_signals(): the signal handlers of a worker again" },                  \
	{                                                                                       \
		"worker_main", birth_worker_main, METH_VARARGS,                                 \
		    "worker_main(order, handler, begin): the life of a worker; does not return" \
	}

#endif
