/* core_module.c - the module plm._core: its types, constants and functions. */
#include "python/core/core.h"

#include <stdlib.h>

#include "python/core/core_birth.h"
#include "python/core/core_call.h"
#include "python/core/core_client.h"
#include "python/core/core_errors.h"
#include "python/core/core_options.h"
#include "python/core/core_ref.h"
#include "python/core/core_view.h"

static PyObject *core_set_types(PyObject *module, PyObject *ref_type)
{
	struct core_state *state = core_state_of(module);
	if (!core_ref_class(state, ref_type))
		return NULL;
	PyObject *before = state->ref_class;
	state->ref_class = Py_NewRef(ref_type);
	Py_DECREF(before);
	Py_RETURN_NONE;
}

/* os.environ is a copy made at the start, and does not show what C code sets. */
static PyObject *core_getenv(PyObject *module, PyObject *name)
{
	(void)module;
	const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;
	if (!text) {
		if (!PyErr_Occurred())
			PyErr_SetString(PyExc_TypeError, "name must be a str");
		return NULL;
	}
	const char *value = getenv(text);
	return value ? PyUnicode_DecodeFSDefault(value) : Py_NewRef(Py_None);
}

static PyMethodDef core_functions[] = {
	{ "connect", CORE_FAST(core_connect), METH_FASTCALL | METH_KEYWORDS,
	    "connect(name=None, visit=False, timeout_ms=-1): a Client of a runtime." },
	{ "set_types", core_set_types, METH_O,
	    "set_types(ref_type): the subclass of Ref that Clients make from now on." },
	{ "getenv", core_getenv, METH_O,
	    "getenv(name): a variable of the process as C code sees the variable, or None." },
	CORE_BIRTH_METHODS,
	{ 0 },
};

/* States in the order in which a task passes them, GONE (no such future any more) last; and the
 * signal that interrupts a task which was asked to stop. */
static int core_add_constants(PyObject *module)
{
	static const struct {
		const char *name;
		long value;
	} constants[] = { { "WAITING", RECORD_WAITING }, { "READY", RECORD_READY },
		{ "RUNNING", RECORD_RUNNING }, { "DONE", RECORD_DONE }, { "FAILED", RECORD_FAILED },
		{ "CANCELLED", RECORD_CANCELLED }, { "GONE", CORE_GONE },
		{ "INTERRUPT", PROCESS_INTERRUPT } };
	for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
		if (PyModule_AddIntConstant(module, constants[i].name, constants[i].value) < 0)
			return -1;
	return PyModule_AddStringConstant(module, "VERSION", PLM_VERSION);
}

static int core_exec(PyObject *module)
{
	struct core_state *state = core_state_of(module);
	if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
		PyErr_SetString(PyExc_ImportError, "plm._core works in the main interpreter alone");
		return -1;
	}
	if (core_errors_init(module, state) < 0 || core_ref_init(module, state) < 0 ||
	    core_view_init(module, state) < 0 || core_options_init(module, state) < 0 ||
	    core_call_init(module, state) < 0 || core_client_init(module, state) < 0)
		return -1;
	return core_add_constants(module);
}

static int core_traverse(PyObject *module, visitproc visit, void *arg)
{
	struct core_state *state = core_state_of(module);
	Py_VISIT(state->client_type);
	Py_VISIT(state->ref_type);
	Py_VISIT(state->view_type);
	Py_VISIT(state->room_type);
	Py_VISIT(state->options_type);
	Py_VISIT(state->call_type);
	Py_VISIT(state->ref_class);
	Py_VISIT(state->error);
	Py_VISIT(state->task_failed);
	Py_VISIT(state->task_cancelled);
	return 0;
}

static int core_clear(PyObject *module)
{
	struct core_state *state = core_state_of(module);
	Py_CLEAR(state->client_type);
	Py_CLEAR(state->ref_type);
	Py_CLEAR(state->view_type);
	Py_CLEAR(state->room_type);
	Py_CLEAR(state->options_type);
	Py_CLEAR(state->call_type);
	Py_CLEAR(state->ref_class);
	Py_CLEAR(state->error);
	Py_CLEAR(state->task_failed);
	Py_CLEAR(state->task_cancelled);
	return 0;
}

static void core_module_free(void *module)
{
	core_clear(module);
}

static PyModuleDef_Slot core_slots[] = {
	{ Py_mod_exec, core_exec },
#ifdef Py_mod_multiple_interpreters
	{ Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED },
#endif
#ifdef Py_mod_gil
	{ Py_mod_gil, Py_MOD_GIL_USED },
#endif
	{ 0 },
};

static struct PyModuleDef core_definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "plm._core",
	.m_doc = "libplm for Python: futures, tasks and values of a runtime (_core.pyi).",
	.m_size = sizeof(struct core_state),
	.m_methods = core_functions,
	.m_slots = core_slots,
	.m_traverse = core_traverse,
	.m_clear = core_clear,
	.m_free = core_module_free,
};

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void)
{
	return PyModuleDef_Init(&core_definition);
}
