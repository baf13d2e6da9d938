/* core_view.c - Views and Rooms: the buffer protocol over memory of the runtime. */
#include "python/core/core_view.h"

#include <errno.h>

#include "python/core/core_errors.h"
#include "python/core/core_ref.h"

/* ---- lists of a running task ---- */

#define CORE_LINK(list, item)                              \
	do {                                               \
		(item)->next = *(list);                    \
		(item)->before = (list);                   \
		if (*(list))                               \
			(*(list))->before = &(item)->next; \
		*(list) = (item);                          \
	} while (0)

#define CORE_UNLINK(item)                                              \
	do {                                                           \
		if ((item)->before) {                                  \
			*(item)->before = (item)->next;                \
			if ((item)->next)                              \
				(item)->next->before = (item)->before; \
		}                                                      \
		(item)->before = NULL;                                 \
		(item)->next = NULL;                                   \
	} while (0)

/* ---- View ---- */

struct core_view *core_view_new(struct core_client *client)
{
	return (struct core_view *)PyType_GenericAlloc(client->state->view_type, 0);
}

void core_view_filled(struct core_view *view, struct core_client *client)
{
	if (view->view.ref.id == 0)
		return; /* a small value, in the View */
	view->client = client;
	core_client_pin(client);
}

PyObject *core_view_of_argument(struct core_client *client, const void *data, size_t bytes,
    plm_ref ref, struct core_view **list)
{
	struct core_view *self = core_view_new(client);
	if (!self)
		return NULL;
	self->view.len = bytes;
	if (bytes <= sizeof self->view.small) {
		if (bytes)
			memcpy(self->view.small, data, bytes);
		self->view.data = self->view.small;
		return (PyObject *)self;
	}
	self->view.data = data;
	self->need = ref;
	self->client = client;
	core_client_pin(client);
	CORE_LINK(list, self);
	return (PyObject *)self;
}

/* A memoryview would read what the store uses for another value next. A View that could get no hold
 * points at zeroes, as many as the value had bytes. */
static void core_view_lose(struct core_view *self)
{
	static const char nothing[1];
	self->view.data = nothing;
	self->view.len = 0;
}

int core_view_outlive(struct core_view **list)
{
	int ret = 0;
	for (struct core_view *view = *list; view; view = *list) {
		plm_ref ref = view->need;
		CORE_UNLINK(view);
		view->need = PLM_NONE;
		int r = plm_hold(view->client->rt, ref);
		if (r == 0)
			view->view.ref = ref;
		else
			core_view_lose(view);
		ret = r < 0 ? r : ret;
	}
	return ret;
}

static void core_view_dealloc(PyObject *object)
{
	struct core_view *self = (struct core_view *)object;
	struct core_client *client = self->client;
	CORE_UNLINK(self);
	if (client && core_client_alive(client))
		plm_release(client->rt, &self->view);
	core_free(object);
	if (client)
		core_client_unpin(client);
}

static int core_view_buffer(PyObject *object, Py_buffer *buffer, int flags)
{
	const struct core_view *self = (const struct core_view *)object;
	void *data = (void *)(uintptr_t)self->view.data;
	return PyBuffer_FillInfo(buffer, object, data, (Py_ssize_t)self->view.len, 1, flags);
}

static Py_ssize_t core_view_length(PyObject *object)
{
	return (Py_ssize_t)((struct core_view *)object)->view.len;
}

static PyObject *core_view_nbytes(PyObject *object, void *unused)
{
	(void)unused;
	return PyLong_FromSize_t(((struct core_view *)object)->view.len);
}

static PyGetSetDef core_view_getset[] = {
	{ "nbytes", core_view_nbytes, NULL, "The length of the value.", NULL },
	{ 0 },
};

static PyType_Slot core_view_slots[] = {
	{ Py_tp_doc, (void *)(uintptr_t) "A value, read-only, in place, as a buffer." },
	{ Py_tp_dealloc, core_view_dealloc },
	{ Py_tp_getset, core_view_getset },
	{ Py_sq_length, core_view_length },
	{ Py_bf_getbuffer, core_view_buffer },
	{ 0 },
};

static PyType_Spec core_view_spec = {
	.name = "plm._core.View",
	.basicsize = sizeof(struct core_view),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = core_view_slots,
};

/* ---- Room ---- */

PyObject *core_room_new(struct core_client *client, void *data, size_t bytes, plm_ref ref)
{
	struct core_room *self =
	    (struct core_room *)PyType_GenericAlloc(client->state->room_type, 0);
	if (!self) {
		if (ref.id)
			plm_drop(client->rt, ref);
		return NULL;
	}
	self->client = client;
	self->data = data;
	self->bytes = bytes;
	self->ref = ref;
	core_client_pin(client);
	return (PyObject *)self;
}

PyObject *core_room_of_result(
    struct core_client *client, void *data, size_t bytes, unsigned which, struct core_room **list)
{
	PyObject *object = core_room_new(client, data, bytes, PLM_NONE);
	struct core_room *self = (struct core_room *)object;
	if (self) {
		self->which = which;
		CORE_LINK(list, self);
	}
	return object;
}

bool core_room_replace(struct core_room **list, unsigned which)
{
	bool shown = false;
	struct core_room *next;
	for (struct core_room *room = *list; room; room = next) {
		next = room->next;
		if (room->which != which)
			continue;
		shown |= room->exports > 0;
		room->data = NULL;
		CORE_UNLINK(room);
	}
	return !shown;
}

int core_room_outlive(struct core_room **list, plm_ref task, bool succeeds)
{
	int ret = 0;
	for (struct core_room *room = *list; room; room = *list) {
		CORE_UNLINK(room);
		room->data = NULL; /* nobody sees the room for the first time now */
		if (room->exports == 0)
			continue;
		int r = succeeds
		    ? plm_hold(room->client->rt, task)
		    : why(-EBUSY, "a memoryview shows the room of a result that fails");
		if (r == 0)
			room->ref = task;
		ret = r < 0 ? r : ret;
	}
	return ret;
}

/* Memoryviews may still show the room, so the Room goes on holding the object. */
static PyObject *core_room_sealed(struct core_room *self)
{
	self->sealed = true;
	if (self->exports == 0) {
		plm_ref ref = self->ref;
		self->ref = PLM_NONE;
		self->data = NULL;
		return core_ref_new(
		    self->client, ref, (PyTypeObject *)self->client->state->ref_class);
	}
	self->data = NULL;
	int r = plm_hold(self->client->rt, self->ref);
	if (r < 0)
		return core_client_raise(self->client, r);
	return core_ref_new(
	    self->client, self->ref, (PyTypeObject *)self->client->state->ref_class);
}

static PyObject *core_room_seal(PyObject *object, PyObject *unused)
{
	struct core_room *self = (struct core_room *)object;
	struct core_client *client = self->client;
	(void)unused;
	if (core_client_begin(client) < 0)
		return NULL;
	PyObject *made = NULL;
	if (self->sealed || self->ref.id == 0) {
		core_raise_error(client->state, EINVAL,
		    self->sealed ? "the object is sealed already"
				 : "the room of a result is not sealed: the end of the task does");
	} else {
		int r = plm_seal(client->rt, self->ref);
		made = r < 0 ? core_client_raise(client, r) : core_room_sealed(self);
	}
	core_client_end(client);
	return made;
}

/* The bytes are copied without the GIL if they are many. */
static int core_room_copy(struct core_room *self, size_t at, const Py_buffer *from)
{
	enum { COPY_ALONE_BYTES = 1 << 20 };
	if (!self->data) {
		core_raise_error(self->client->state, EINVAL,
		    "the room was sealed, given anew, or its task has ended");
		return -1;
	}
	if (at > self->bytes || (size_t)from->len > self->bytes - at) {
		PyErr_Format(PyExc_ValueError, "%zd bytes at %zu do not fit into %zu", from->len,
		    at, self->bytes);
		return -1;
	}
	char *to = (char *)self->data + at;
	if (from->len < COPY_ALONE_BYTES) {
		if (from->len)
			memcpy(to, from->buf, (size_t)from->len);
		return 0;
	}
	self->exports++;
	core_release();
	memcpy(to, from->buf, (size_t)from->len);
	core_acquire();
	self->exports--;
	return 0;
}

static PyObject *core_room_write(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
	struct core_room *self = (struct core_room *)object;
	long long at = 0;
	Py_buffer buffer;
	if (nargs != 2) {
		PyErr_SetString(PyExc_TypeError, "write() takes an offset and bytes");
		return NULL;
	}
	if (core_int(args[0], "offset", 0, PY_SSIZE_T_MAX, &at) < 0 ||
	    PyObject_GetBuffer(args[1], &buffer, PyBUF_SIMPLE) < 0)
		return NULL;
	int r = core_client_alive(self->client) ? core_room_copy(self, (size_t)at, &buffer) : -1;
	if (r < 0 && !PyErr_Occurred())
		core_raise_error(
		    self->client->state, ECHILD, "the room belongs to the parent process");
	PyBuffer_Release(&buffer);
	return r < 0 ? NULL : Py_NewRef(Py_None);
}

static void core_room_dealloc(PyObject *object)
{
	struct core_room *self = (struct core_room *)object;
	struct core_client *client = self->client;
	CORE_UNLINK(self);
	if (self->ref.id && core_client_alive(client))
		plm_drop(client->rt, self->ref);
	core_free(object);
	core_client_unpin(client);
}

static int core_room_buffer(PyObject *object, Py_buffer *buffer, int flags)
{
	struct core_room *self = (struct core_room *)object;
	if (!self->data) {
		buffer->obj = NULL;
		PyErr_SetString(
		    PyExc_BufferError, "the room was sealed, given anew, or its task has ended");
		return -1;
	}
	int r = PyBuffer_FillInfo(buffer, object, self->data, (Py_ssize_t)self->bytes, 0, flags);
	self->exports += r == 0;
	return r;
}

static void core_room_release_buffer(PyObject *object, Py_buffer *buffer)
{
	(void)buffer;
	((struct core_room *)object)->exports--;
}

static Py_ssize_t core_room_length(PyObject *object)
{
	return (Py_ssize_t)((struct core_room *)object)->bytes;
}

static PyObject *core_room_nbytes(PyObject *object, void *unused)
{
	(void)unused;
	return PyLong_FromSize_t(((struct core_room *)object)->bytes);
}

static PyGetSetDef core_room_getset[] = {
	{ "nbytes", core_room_nbytes, NULL, "The length of the room.", NULL },
	{ 0 },
};

static PyMethodDef core_room_methods[] = {
	{ "write", CORE_FAST(core_room_write), METH_FASTCALL,
	    "write(offset, data): copies bytes into the room." },
	{ "seal", core_room_seal, METH_NOARGS,
	    "seal(): makes the bytes the value of a future, the Ref that is returned." },
	{ 0 },
};

static PyType_Slot core_room_slots[] = {
	{ Py_tp_doc, (void *)(uintptr_t) "Room in the store, writable: of an object or a result." },
	{ Py_tp_dealloc, core_room_dealloc },
	{ Py_tp_methods, core_room_methods },
	{ Py_tp_getset, core_room_getset },
	{ Py_sq_length, core_room_length },
	{ Py_bf_getbuffer, core_room_buffer },
	{ Py_bf_releasebuffer, core_room_release_buffer },
	{ 0 },
};

static PyType_Spec core_room_spec = {
	.name = "plm._core.Room",
	.basicsize = sizeof(struct core_room),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = core_room_slots,
};

int core_view_init(PyObject *module, struct core_state *state)
{
	state->view_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &core_view_spec, NULL);
	state->room_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &core_room_spec, NULL);
	if (!state->view_type || !state->room_type ||
	    PyModule_AddType(module, state->view_type) < 0)
		return -1;
	return PyModule_AddType(module, state->room_type);
}
