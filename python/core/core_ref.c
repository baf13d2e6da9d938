/* core_ref.c - references as Python objects. */
#include "python/core/core_ref.h"

#include <stdlib.h>

#include "python/core/core_errors.h"

struct core_ref *core_ref_cast(const struct core_state *state, PyObject *object)
{
	return PyObject_TypeCheck(object, state->ref_type) ? (struct core_ref *)object : NULL;
}

PyTypeObject *core_ref_class(const struct core_state *state, PyObject *given)
{
	if (!given || given == Py_None)
		return (PyTypeObject *)state->ref_class;
	if (PyType_Check(given) && PyType_IsSubtype((PyTypeObject *)given, state->ref_type))
		return (PyTypeObject *)given;
	PyErr_SetString(PyExc_TypeError, "a subclass of Ref is expected");
	return NULL;
}

PyObject *core_ref_new(struct core_client *client, plm_ref ref, PyTypeObject *type)
{
	struct core_ref *self = (struct core_ref *)PyType_GenericAlloc(type, 0);
	if (!self) {
		plm_drop(client->rt, ref);
		return NULL;
	}
	self->ref = ref;
	self->client = client;
	Py_INCREF((PyObject *)client);
	return (PyObject *)self;
}

PyObject *core_ref_tuple(
    struct core_client *client, const plm_ref *refs, size_t n, PyTypeObject *type)
{
	PyObject *tuple = PyTuple_New((Py_ssize_t)n);
	for (size_t i = 0; i < n; i++) {
		PyObject *ref = tuple ? core_ref_new(client, refs[i], type) : NULL;
		if (ref) {
			PyTuple_SetItem(tuple, (Py_ssize_t)i, ref);
			continue;
		}
		Py_CLEAR(tuple);
		plm_drop_many(client->rt, refs + i, n - i);
		return NULL;
	}
	return tuple;
}

static void core_ref_dealloc(PyObject *object)
{
	struct core_ref *self = (struct core_ref *)object;
	struct core_client *client = self->client;
	if (client && core_client_alive(client))
		plm_drop(client->rt, self->ref);
	core_free(object);
	Py_XDECREF((PyObject *)client);
}

PyObject *core_ref_text(plm_ref ref)
{
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(ref, text);
	return PyUnicode_FromString(text);
}

static PyObject *core_ref_repr(PyObject *object)
{
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(((struct core_ref *)object)->ref, text);
	return PyUnicode_FromFormat("<Ref %s>", text);
}

static Py_hash_t core_ref_hash(PyObject *object)
{
	const struct core_ref *self = (const struct core_ref *)object;
	uint64_t mixed = (self->ref.id ^ self->ref.runtime) * 0x9e3779b97f4a7c15u;
	Py_hash_t hash = (Py_hash_t)(mixed ^ mixed >> 32);
	return hash == -1 ? -2 : hash;
}

static PyObject *core_ref_compare(PyObject *object, PyObject *other, int how)
{
	const struct core_ref *self = (const struct core_ref *)object;
	if (how != Py_EQ && how != Py_NE)
		Py_RETURN_NOTIMPLEMENTED;
	struct core_ref *with = core_ref_cast(self->client->state, other);
	if (!with)
		Py_RETURN_NOTIMPLEMENTED;
	bool same = self->ref.id == with->ref.id && self->ref.runtime == with->ref.runtime;
	return PyBool_FromLong(same == (how == Py_EQ));
}

static PyObject *core_ref_get_id(PyObject *self, void *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(((struct core_ref *)self)->ref.id);
}

static PyObject *core_ref_get_runtime(PyObject *self, void *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(((struct core_ref *)self)->ref.runtime);
}

static PyObject *core_ref_get_text(PyObject *self, void *unused)
{
	(void)unused;
	return core_ref_text(((struct core_ref *)self)->ref);
}

static PyObject *core_ref_get_client(PyObject *self, void *unused)
{
	(void)unused;
	return Py_NewRef((PyObject *)((struct core_ref *)self)->client);
}

static PyGetSetDef core_ref_getset[] = {
	{ "id", core_ref_get_id, NULL, "Record number and generation.", NULL },
	{ "runtime", core_ref_get_runtime, NULL, "The boot of the runtime.", NULL },
	{ "text", core_ref_get_text, NULL, "The reference as text, \"@RECORD.GENERATION.BOOT\".",
	    NULL },
	{ "client", core_ref_get_client, NULL, "The Client that holds the future.", NULL },
	{ 0 },
};

static PyType_Slot core_ref_slots[] = {
	{ Py_tp_doc,
	    (void *)(uintptr_t) "A future: a task to be done, or an object. Made by a Client." },
	{ Py_tp_dealloc, core_ref_dealloc },
	{ Py_tp_repr, core_ref_repr },
	{ Py_tp_hash, core_ref_hash },
	{ Py_tp_richcompare, core_ref_compare },
	{ Py_tp_getset, core_ref_getset },
	{ 0 },
};

static PyType_Spec core_ref_spec = {
	.name = "plm._core.Ref",
	.basicsize = sizeof(struct core_ref),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = core_ref_slots,
};

int core_ref_init(PyObject *module, struct core_state *state)
{
	state->ref_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &core_ref_spec, NULL);
	if (!state->ref_type || PyModule_AddType(module, state->ref_type) < 0)
		return -1;
	state->ref_class = Py_NewRef((PyObject *)state->ref_type);
	return 0;
}
