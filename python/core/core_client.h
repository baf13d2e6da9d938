/* core_client.h - a connection to a runtime as a Python object; also the handle of a worker.
 *
 * Who: any thread. The fields are read and written with the GIL held.
 * Life: close() refuses further calls at once and ends waits. The connection itself ends when no
 * call is under way and no View or Room shows memory of the runtime.
 * Fork: in the child every call raises Error(ECHILD), and nothing is given back. */
#ifndef PLM_PYTHON_CORE_CLIENT_H
#define PLM_PYTHON_CORE_CLIENT_H

#include "python/core/core.h"

struct core_client {
	PyObject_HEAD
	struct core_state *state;
	plm *rt;        /* NULL: disconnected */
	unsigned users; /* calls under way, without the GIL */
	unsigned pins;  /* Views and Rooms that show memory of the runtime */
	bool closed;
	bool borrowed; /* the handle belongs to a worker: never disconnected */
};

int core_client_init(PyObject *module, struct core_state *state);
/* A Client over a handle; borrowed: of a worker. NULL with an exception. */
struct core_client *core_client_new(struct core_state *state, plm *rt, bool borrowed);
PyObject *core_connect(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *names);

/* Slots of the type. */
PyObject *core_client_close(PyObject *self, PyObject *unused);
void core_client_dealloc(PyObject *self);

/* Begins a call: 0, or -1 with Error(EBADF) of a closed client, Error(ECHILD) in the child of a
 * fork. Each begin has an end, which raises nothing. */
int core_client_begin(struct core_client *client);
void core_client_end(struct core_client *client);
/* Raises the exception of r. A wait that close() interrupted raises Error(EBADF). Returns NULL. */
PyObject *core_client_raise(const struct core_client *client, int r);
/* True: holds may be given back. Not in the child of a fork. */
bool core_client_alive(const struct core_client *client);
/* A View or Room begins, or ends, to show memory. */
void core_client_pin(struct core_client *client);
void core_client_unpin(struct core_client *client);

/* The reference of a Ref; 0, or -1 with a TypeError. */
int core_client_ref(const struct core_client *client, PyObject *object, plm_ref *ret);

#endif
