/* core_call.c - one run of a Python task: the Call, and the function py.call. */
#include "python/core/core_call.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>

#include "base/log.h"
#include "events/eventlog.h"
#include "python/core/core_errors.h"
#include "python/core/core_ref.h"
#include "python/core/core_view.h"
#include "worker/call.h"
#include "worker/modules.h"
#include "worker/needs.h"

struct core_call {
	PyObject_HEAD
	struct core_state *state;
	struct core_client *client;
	plm_call *call; /* NULL: the task has ended */
	struct core_view *views;
	struct core_room *rooms;
	bool spoilt;       /* Python may write to memory that was given back */
	uint64_t *futures; /* [nargs], 0: bytes; read at the first use */
};

/* The worker of this process: there is one at most. */
static struct {
	struct core_state *state;
	PyObject *module, *handler, *begin;
	struct core_client *client;
	bool (*help)(void *context, uint32_t index); /* of the worker itself */
} core_worker;

static struct core_call *core_call_live(PyObject *object)
{
	struct core_call *self = (struct core_call *)object;
	if (self->call)
		return self;
	core_raise_error(self->state, EINVAL, "the task of this Call has ended");
	return NULL;
}

static plm_ref core_call_task(const plm_call *call)
{
	const plm *rt = call->rt;
	return ref_public(
	    rt, record_ref(record_index(&rt->tables, call->record), word_generation(call->word)));
}

/* ---- arguments ---- */

static int core_call_find_futures(struct core_call *self)
{
	struct args_reader reader;
	struct arg arg;
	size_t n = self->call->nargs;
	if (self->futures || n == 0)
		return 0;
	self->futures = PyMem_Calloc(n, sizeof *self->futures);
	if (!self->futures) {
		PyErr_NoMemory();
		return -1;
	}
	if (!args_open(&self->call->rt->tables, self->call->record, &reader))
		return 0;
	for (size_t i = 0; i < n && args_next(&reader, &arg); i++)
		self->futures[i] = arg.future ? arg.future->ref : 0;
	return 0;
}

/* The number of an argument; -1 with an exception. */
static Py_ssize_t core_call_index(struct core_call *self, PyObject *number)
{
	Py_ssize_t i = PyLong_AsSsize_t(number);
	if (i == -1 && PyErr_Occurred())
		return -1;
	if (i >= 0 && (size_t)i < self->call->nargs)
		return core_call_find_futures(self) < 0 ? -1 : i;
	PyErr_Format(PyExc_IndexError, "argument %zd of %zu", i, self->call->nargs);
	return -1;
}

static PyObject *core_call_arg(PyObject *object, PyObject *number)
{
	struct core_call *self = core_call_live(object);
	Py_ssize_t i = self ? core_call_index(self, number) : -1;
	if (i < 0)
		return NULL;
	size_t bytes;
	const void *data = plm_arg_data(self->call, (size_t)i, &bytes);
	if (!self->futures[i])
		return PyBytes_FromStringAndSize(data ? data : "", (Py_ssize_t)bytes);
	return core_view_of_argument(
	    self->client, data, bytes, ref_public(self->call->rt, self->futures[i]), &self->views);
}

static PyObject *core_call_arg_ref(PyObject *object, PyObject *number)
{
	struct core_call *self = core_call_live(object);
	Py_ssize_t i = self ? core_call_index(self, number) : -1;
	if (i < 0)
		return NULL;
	if (!self->futures[i])
		Py_RETURN_NONE;
	plm *rt = self->call->rt;
	plm_ref ref = ref_public(rt, self->futures[i]);
	core_release();
	int r = plm_hold(rt, ref);
	core_acquire();
	return r < 0 ? core_raise(self->state, r)
		     : core_ref_new(self->client, ref, (PyTypeObject *)self->state->ref_class);
}

/* ---- results ---- */

static PyObject *core_call_result(
    PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "nbytes", "which", NULL };
	struct core_call *self = core_call_live(object);
	PyObject *given[2];
	long long bytes = 0, which = 0;
	if (!self || core_unpack("result", args, nargs, names, known, 1, given) < 0 ||
	    core_int(given[0], "nbytes", 0, LLONG_MAX, &bytes) < 0 ||
	    core_int(given[1], "which", 0, INT_MAX, &which) < 0)
		return NULL;
	self->spoilt |= !core_room_replace(&self->rooms, (unsigned)which);
	core_release();
	void *data = plm_result_at(self->call, (unsigned)which, (size_t)bytes);
	core_acquire();
	if (!data)
		return core_raise(
		    self->state, which < self->call->record->results ? -ENOSPC : -EINVAL);
	return core_room_of_result(
	    self->client, data, (size_t)bytes, (unsigned)which, &self->rooms);
}

static PyObject *core_call_reply(
    PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "data", "which", NULL };
	struct core_call *self = core_call_live(object);
	PyObject *given[2];
	Py_buffer buffer;
	long long which = 0;
	if (!self || core_unpack("reply", args, nargs, names, known, 1, given) < 0 ||
	    core_int(given[1], "which", 0, INT_MAX, &which) < 0 ||
	    PyObject_GetBuffer(given[0], &buffer, PyBUF_SIMPLE) < 0)
		return NULL;
	size_t bytes = (size_t)buffer.len;
	self->spoilt |= !core_room_replace(&self->rooms, (unsigned)which);
	if (bytes > RECORD_INLINE_VALUE)
		core_release();
	void *to = plm_result_at(self->call, (unsigned)which, bytes);
	if (to && bytes)
		memcpy(to, buffer.buf, bytes);
	if (bytes > RECORD_INLINE_VALUE)
		core_acquire();
	PyBuffer_Release(&buffer);
	return to
	    ? Py_NewRef(Py_None)
	    : core_raise(self->state, which < self->call->record->results ? -ENOSPC : -EINVAL);
}

static PyObject *core_call_fail(
    PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "code", "message", "detail", NULL };
	struct core_call *self = core_call_live(object);
	PyObject *given[3];
	long long code = 0;
	Py_ssize_t bytes;
	if (!self || core_unpack("fail", args, nargs, names, known, 2, given) < 0 ||
	    core_int(given[0], "code", 0, INT_MAX, &code) < 0)
		return NULL;
	PyObject *encoded = PyUnicode_Check(given[1])
	    ? PyUnicode_AsEncodedString(given[1], "utf-8", "replace")
	    : NULL;
	if (!encoded) {
		if (!PyErr_Occurred())
			PyErr_SetString(PyExc_TypeError, "message must be a str");
		return NULL;
	}
	Py_buffer detail = { 0 };
	if (given[2] && PyObject_GetBuffer(given[2], &detail, PyBUF_SIMPLE) < 0) {
		Py_DECREF(encoded);
		return NULL;
	}
	int r = plm_fail_detail(self->call, detail.buf, (size_t)detail.len);
	bytes = PyBytes_Size(encoded);
	if (r == 0)
		plm_fail(self->call, (int)code, "%.*s", bytes > INT_MAX ? INT_MAX : (int)bytes,
		    PyBytes_AsString(encoded));
	if (given[2])
		PyBuffer_Release(&detail);
	Py_DECREF(encoded);
	if (r < 0)
		return core_raise(self->state, r);
	Py_RETURN_NONE;
}

static PyObject *core_call_cancelled(PyObject *object, PyObject *unused)
{
	struct core_call *self = core_call_live(object);
	(void)unused;
	return self ? PyBool_FromLong(plm_cancelled(self->call)) : NULL;
}

/* The name of a Python function, for the event log; while nobody watches, nothing is looked up. A
 * callable without a name stays nameless. */
static PyObject *core_call_named(PyObject *object, PyObject *function)
{
	struct core_call *self = core_call_live(object);
	if (!self)
		return NULL;
	if (!eventlog_on(&self->call->rt->tables))
		Py_RETURN_NONE;
	Py_ssize_t length = 0;
	PyObject *name = PyObject_GetAttrString(function, "__qualname__");
	const char *text = name ? PyUnicode_AsUTF8AndSize(name, &length) : NULL;
	if (text)
		call_name(self->call, text, (size_t)length);
	else
		PyErr_Clear();
	Py_XDECREF(name);
	Py_RETURN_NONE;
}

/* ---- attributes ---- */

static PyObject *core_call_get_nargs(PyObject *object, void *unused)
{
	struct core_call *self = core_call_live(object);
	(void)unused;
	return self ? PyLong_FromSize_t(self->call->nargs) : NULL;
}

static PyObject *core_call_get_function(PyObject *object, void *unused)
{
	struct core_call *self = core_call_live(object);
	struct function_entry function;
	(void)unused;
	if (!self)
		return NULL;
	if (!registry_function(
		&self->call->rt->tables.registry, self->call->record->function, &function))
		return PyUnicode_FromString("");
	return PyUnicode_FromString(function.name);
}

static PyObject *core_call_get_path(PyObject *object, void *unused)
{
	struct core_call *self = core_call_live(object);
	struct function_entry function;
	char path[MODULE_PATH_BYTES];
	uint32_t first, count;
	(void)unused;
	if (!self)
		return NULL;
	const struct registry *registry = &self->call->rt->tables.registry;
	if (!registry_function(registry, self->call->record->function, &function) ||
	    !registry_module(registry, function.module, path, &first, &count))
		return PyUnicode_FromString("");
	return PyUnicode_DecodeFSDefault(path);
}

static PyObject *core_call_get_client(PyObject *object, void *unused)
{
	(void)unused;
	return Py_NewRef((PyObject *)((struct core_call *)object)->client);
}

/* The task as text; the attempt may go on when the text is read, so no hold is taken. */
static PyObject *core_call_get_text(PyObject *object, void *unused)
{
	struct core_call *self = core_call_live(object);
	(void)unused;
	if (!self)
		return NULL;
	return core_ref_text(core_call_task(self->call));
}

static PyObject *core_call_get_attempt(PyObject *object, void *unused)
{
	struct core_call *self = core_call_live(object);
	(void)unused;
	return self ? PyLong_FromUnsignedLong(word_attempt(self->call->word)) : NULL;
}

static PyObject *core_call_get_results(PyObject *object, void *unused)
{
	struct core_call *self = core_call_live(object);
	(void)unused;
	return self ? PyLong_FromLong(self->call->record->results) : NULL;
}

static PyObject *core_call_get_environment(PyObject *object, void *unused)
{
	(void)object, (void)unused;
	return PyLong_FromUnsignedLong(needs_changes());
}

static void core_call_dealloc(PyObject *object)
{
	struct core_call *self = (struct core_call *)object;
	PyMem_Free(self->futures);
	struct core_client *client = self->client;
	core_free(object);
	Py_XDECREF((PyObject *)client);
}

static PyGetSetDef core_call_getset[] = {
	{ "function", core_call_get_function, NULL, "The name of the function.", NULL },
	{ "path", core_call_get_path, NULL, "The file of the function's module.", NULL },
	{ "nargs", core_call_get_nargs, NULL, "The number of arguments.", NULL },
	{ "results", core_call_get_results, NULL, "The number of results.", NULL },
	{ "attempt", core_call_get_attempt, NULL, "1 for the first attempt.", NULL },
	{ "text", core_call_get_text, NULL, "The reference of the task as text.", NULL },
	{ "environment", core_call_get_environment, NULL,
	    "A number that changes with the environment that plm sets (_core.getenv).", NULL },
	{ "client", core_call_get_client, NULL, "The Client of the worker.", NULL },
	{ 0 },
};

static PyMethodDef core_call_methods[] = {
	{ "arg", core_call_arg, METH_O, "arg(i): bytes, or a View of the value of a future." },
	{ "arg_ref", core_call_arg_ref, METH_O, "arg_ref(i): the Ref of a future, else None." },
	{ "result", CORE_FAST(core_call_result), METH_FASTCALL | METH_KEYWORDS,
	    "result(nbytes, which=0): the Room of a result." },
	{ "reply", CORE_FAST(core_call_reply), METH_FASTCALL | METH_KEYWORDS,
	    "reply(data, which=0): bytes as a result." },
	{ "fail", CORE_FAST(core_call_fail), METH_FASTCALL | METH_KEYWORDS,
	    "fail(code, message, detail=b\"\"): the task fails when the handler returns." },
	{ "named", core_call_named, METH_O,
	    "named(function): the event log shows the name of the function." },
	{ "cancelled", core_call_cancelled, METH_NOARGS,
	    "True: the task was asked to stop; also a sign of life." },
	{ 0 },
};

static PyType_Slot core_call_slots[] = {
	{ Py_tp_doc, (void *)(uintptr_t) "A running task; valid while the handler runs." },
	{ Py_tp_dealloc, core_call_dealloc },
	{ Py_tp_methods, core_call_methods },
	{ Py_tp_getset, core_call_getset },
	{ 0 },
};

static PyType_Spec core_call_spec = {
	.name = "plm._core.Call",
	.basicsize = sizeof(struct core_call),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = core_call_slots,
};

int core_call_init(PyObject *module, struct core_state *state)
{
	state->call_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &core_call_spec, NULL);
	return state->call_type ? PyModule_AddType(module, state->call_type) : -1;
}

/* ---- the function py.call ---- */

static struct core_call *core_call_new(plm_call *call)
{
	struct core_state *state = core_worker.state;
	struct core_call *self = (struct core_call *)PyType_GenericAlloc(state->call_type, 0);
	if (!self)
		return NULL;
	self->state = state;
	self->client = core_worker.client;
	Py_INCREF((PyObject *)self->client);
	self->call = call;
	return self;
}

/* An exception left the handler, which should have made a failure of it. */
static void core_call_fail_by_exception(plm_call *call)
{
	PyObject *type, *value, *trace;
	PyErr_Fetch(&type, &value, &trace);
	PyErr_NormalizeException(&type, &value, &trace);
	PyObject *text = value ? PyObject_Repr(value) : NULL;
	const char *utf8 = text ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
	plm_fail(call, EPROTO, "the handler of Python tasks raised %s",
	    utf8 ? utf8 : "an exception without words");
	PyErr_Clear();
	Py_XDECREF(text);
	Py_XDECREF(type);
	Py_XDECREF(value);
	Py_XDECREF(trace);
}

/* The worker leaves after this task, and the manager starts another: no Python code runs here any
 * more that could write to memory which it does not own. */
static void core_call_leave(plm *rt)
{
	uint64_t word = sh_load(&rt->me->state);
	if (process_state(word) != PROCESS_LIVE || !process_step(rt->me, &word, PROCESS_LEAVING))
		return;
	log_info("leaves, since Python keeps a memoryview of memory that was given back");
	processes_changed(&rt->tables);
}

/* Views and Rooms that Python keeps beyond the task take holds. */
static void core_call_end(struct core_call *self, plm_call *call)
{
	self->call = NULL;
	int r = core_room_outlive(&self->rooms, core_call_task(call), call->code == 0);
	self->spoilt |= r < 0;
	if (r == 0)
		r = core_view_outlive(&self->views);
	else
		core_view_outlive(&self->views);
	if (r < 0 && call->code == 0)
		plm_fail(
		    call, -r, "a value that outlives the task could not be held: %s", plm_why());
	if (self->spoilt)
		core_call_leave(call->rt);
}

static int core_call_run(plm_call *call)
{
	bool before = core_set_in_module(false);
	core_acquire();
	struct core_call *self = core_call_new(call);
	PyObject *ret =
	    self ? PyObject_CallFunctionObjArgs(core_worker.handler, (PyObject *)self, NULL) : NULL;
	if (!ret)
		core_call_fail_by_exception(call);
	Py_XDECREF(ret);
	if (self)
		core_call_end(self, call);
	Py_XDECREF((PyObject *)self);
	core_release();
	core_set_in_module(before);
	return call->code;
}

/* ---- the worker ---- */

/* A function of a module in C may run in place of a waiting Python task. */
static bool core_call_help(void *context, uint32_t index)
{
	bool before = core_set_in_module(true);
	bool ran = core_worker.help(context, index);
	core_set_in_module(before);
	return ran;
}

/* Modules in C are not linked with libplm: they find plm_* among the global symbols. */
static int core_call_promote(void)
{
	Dl_info info;
	if (dladdr((void *)(uintptr_t)&core_call_promote, &info) &&
	    dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL))
		return 0;
	PyErr_Format(PyExc_ImportError, "the extension cannot offer plm_*: %s", dlerror());
	return -1;
}

int core_call_prepare(PyObject *module, PyObject *handler, PyObject *begin)
{
	static const plm_export exports[] = { { MODULE_PYTHON_CALL, core_call_run,
	    "FUNCTION ARGUMENTS: calls a Python function, both pickled" } };
	static const plm_module py = { PLM_MODULE_ABI, sizeof(plm_view), sizeof(plm_task), 1,
		MODULE_PYTHON_NAME, exports };
	if (!PyCallable_Check(handler) || !PyCallable_Check(begin)) {
		PyErr_SetString(PyExc_TypeError, "handler and begin must be callable");
		return -1;
	}
	if (core_call_promote() < 0)
		return -1;
	core_worker.state = core_state_of(module);
	core_worker.module = Py_NewRef(module);
	core_worker.handler = Py_NewRef(handler);
	core_worker.begin = Py_NewRef(begin);
	module_offer(MODULE_PYTHON, &py);
	module_run_python(core_call_run);
	return 0;
}

int core_call_worker(plm *rt)
{
	core_worker.client = core_client_new(core_worker.state, rt, true);
	if (!core_worker.client)
		return -1;
	core_worker.help = rt->help;
	rt->help = core_call_help;
	rt->adopts = core_in_module;
	PyObject *begun =
	    PyObject_CallFunctionObjArgs(core_worker.begin, (PyObject *)core_worker.client, NULL);
	Py_XDECREF(begun);
	core_set_in_module(true);
	return begun ? 0 : -1;
}
