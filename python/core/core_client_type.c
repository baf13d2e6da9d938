/* core_client_type.c - the type Client: the methods of all files, and the attributes. */
#include "python/core/core_client_calls.h"

/* ---- attributes ---- */

static PyObject *core_client_get_name(PyObject *object, void *unused)
{
	struct core_client *self = (struct core_client *)object;
	(void)unused;
	if (core_client_begin(self) < 0)
		return NULL;
	PyObject *name = PyUnicode_FromString(self->rt->tables.control->name);
	core_client_end(self);
	return name;
}

static PyObject *core_client_get_closed(PyObject *object, void *unused)
{
	(void)unused;
	return PyBool_FromLong(((struct core_client *)object)->closed);
}

static PyObject *core_client_get_worker(PyObject *object, void *unused)
{
	(void)unused;
	return PyBool_FromLong(((struct core_client *)object)->borrowed);
}

static PyGetSetDef core_client_getset[] = {
	{ "name", core_client_get_name, NULL, "The name of the runtime.", NULL },
	{ "closed", core_client_get_closed, NULL, "True after close().", NULL },
	{ "worker", core_client_get_worker, NULL, "True: the handle of a worker process.", NULL },
	{ 0 },
};

static PyMethodDef core_client_own[] = {
	{ "close", core_client_close, METH_NOARGS,
	    "Ends the connection; waits of other threads end with Error(EBADF)." },
	{ 0 },
};

int core_client_init(PyObject *module, struct core_state *state)
{
	static PyMethodDef methods[48];
	size_t n = 0;
	const PyMethodDef *parts[] = { core_client_own, core_client_methods,
		core_client_rule_methods };
	for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++)
		for (const PyMethodDef *m = parts[p]; m->ml_name; m++)
			methods[n++] = *m;
	PyType_Slot slots[] = {
		{ Py_tp_doc, (void *)(uintptr_t) "A connection to a runtime: connect()." },
		{ Py_tp_dealloc, core_client_dealloc },
		{ Py_tp_methods, methods },
		{ Py_tp_getset, core_client_getset },
		{ 0 },
	};
	PyType_Spec spec = {
		.name = "plm._core.Client",
		.basicsize = sizeof(struct core_client),
		.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
		.slots = slots,
	};
	state->client_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
	return state->client_type ? PyModule_AddType(module, state->client_type) : -1;
}
