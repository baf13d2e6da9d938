/* core_client.c - connects, counts calls under way, closes. The type: core_client_type.c. */
#include "python/core/core_client.h"

#include <errno.h>
#include <limits.h>

#include "python/core/core_errors.h"
#include "python/core/core_ref.h"

/* ---- life ---- */

struct core_client *core_client_new(struct core_state *state, plm *rt, bool borrowed)
{
	struct core_client *self = (struct core_client *)PyType_GenericAlloc(state->client_type, 0);
	if (!self)
		return NULL;
	self->state = state;
	self->rt = rt;
	self->borrowed = borrowed;
	rt->signalled = core_signalled;
	return self;
}

PyObject *core_connect(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "name", "visit", "timeout_ms", NULL };
	struct core_state *state = core_state_of(module);
	const char *name = NULL;
	PyObject *given[3];
	int timeout_ms = -1;
	if (core_unpack("connect", args, nargs, names, known, 0, given) < 0 ||
	    core_text(given[0], "name", &name) < 0 ||
	    (given[2] && core_timeout(given[2], &timeout_ms) < 0))
		return NULL;
	int visit = given[1] ? PyObject_IsTrue(given[1]) : 0;
	if (visit < 0)
		return NULL;
	plm *rt = NULL;
	core_release();
	int r = plm_connect_with(&rt, name, visit ? PLM_VISIT : 0, timeout_ms);
	core_acquire();
	if (r < 0)
		return core_raise(state, r);
	struct core_client *self = core_client_new(state, rt, false);
	if (!self)
		plm_disconnect(&rt);
	return (PyObject *)self;
}

bool core_client_alive(const struct core_client *client)
{
	return client->rt && *client->rt->alive;
}

/* The calls under way in the parent of a fork are not under way in the child. */
static void core_client_disconnect_if_unused(struct core_client *client)
{
	if (!client->closed || client->users || client->pins || client->borrowed ||
	    !core_client_alive(client))
		return;
	plm *rt = client->rt;
	client->rt = NULL;
	core_release();
	plm_disconnect(&rt);
	core_acquire();
}

int core_client_begin(struct core_client *client)
{
	if (client->closed || !client->rt) {
		core_raise_error(client->state, EBADF, "the client is closed: connect anew");
		return -1;
	}
	if (!core_client_alive(client)) {
		core_raise_error(client->state, ECHILD,
		    "the client belongs to the parent process: connect anew in the child of a "
		    "fork");
		return -1;
	}
	client->users++;
	return 0;
}

void core_client_end(struct core_client *client)
{
	client->users--;
	if (client->closed)
		core_client_disconnect_if_unused(client);
}

PyObject *core_client_raise(const struct core_client *client, int r)
{
	if (r == -EINTR && client->closed && !PyErr_Occurred())
		return core_raise_error(
		    client->state, EBADF, "the client was closed during the call");
	return core_raise(client->state, r);
}

void core_client_pin(struct core_client *client)
{
	client->pins++;
	Py_INCREF((PyObject *)client);
}

void core_client_unpin(struct core_client *client)
{
	client->pins--;
	if (client->closed)
		core_client_disconnect_if_unused(client);
	Py_DECREF((PyObject *)client);
}

int core_client_ref(const struct core_client *client, PyObject *object, plm_ref *ret)
{
	const struct core_ref *ref = core_ref_cast(client->state, object);
	if (ref)
		*ret = ref->ref;
	else
		PyErr_SetString(PyExc_TypeError, "a Ref is expected");
	return ref ? 0 : -1;
}

PyObject *core_client_close(PyObject *object, PyObject *unused)
{
	struct core_client *self = (struct core_client *)object;
	(void)unused;
	if (self->borrowed)
		return core_raise_error(
		    self->state, EPERM, "the handle of a worker process cannot be closed");
	if (self->closed)
		Py_RETURN_NONE;
	if (self->rt && !core_client_alive(self)) {
		self->closed = true;
		Py_RETURN_NONE;
	}
	self->closed = true;
	if (self->users)
		plm_interrupt(self->rt);
	core_client_disconnect_if_unused(self);
	Py_RETURN_NONE;
}

void core_client_dealloc(PyObject *object)
{
	struct core_client *self = (struct core_client *)object;
	self->closed = true;
	/* An exception under way is not that of the disconnection. */
	PyObject *type, *value, *trace;
	PyErr_Fetch(&type, &value, &trace);
	core_client_disconnect_if_unused(self);
	PyErr_Restore(type, value, trace);
	core_free(object);
}
