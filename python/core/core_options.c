/* core_options.c - the options of a task. */
#include "python/core/core_options.h"

#include <limits.h>

enum {
	OPTION_PRIORITY,
	OPTION_RETRIES,
	OPTION_CRASH_RETRIES,
	OPTION_KEEP,
	OPTION_TIED,
	OPTION_RESULTS,
	OPTION_NEEDS,
	OPTION_QUEUE_MS, /* from here on numbers of the terms */
	OPTION_RUN_MS,
	OPTION_TOTAL_MS,
	OPTION_BACKOFF_MS,
	OPTION_BACKOFF_MAX_MS,
	OPTION_GRACE_MS,
	OPTION_KEEP_MS,
	OPTION_REPLICAS,
	OPTIONS
};

static const char *const core_options_names[OPTIONS + 1] = { "priority", "retries",
	"crash_retries", "keep", "tied", "results", "needs", "queue_ms", "run_ms", "total_ms",
	"backoff_ms", "backoff_max_ms", "grace_ms", "keep_ms", "replicas", NULL };

static int core_options_terms(struct core_options *self, PyObject *const *given)
{
	plm_terms *t = &self->terms;
	uint32_t *numbers[] = { &t->queue_ms, &t->run_ms, &t->total_ms, &t->backoff_ms,
		&t->backoff_max_ms, &t->grace_ms, &t->keep_ms, &t->replicas };
	for (int i = 0; i + OPTION_QUEUE_MS < OPTIONS; i++) {
		int option = i + OPTION_QUEUE_MS;
		long long n = 0;
		if (core_int(given[option], core_options_names[option], 0, UINT32_MAX, &n) < 0)
			return -1;
		*numbers[i] = (uint32_t)n;
		self->has_terms |= n != 0;
	}
	PyObject *needs = given[OPTION_NEEDS];
	if (core_text(needs, "needs", &t->needs) < 0)
		return -1;
	self->needs = t->needs ? Py_NewRef(needs) : NULL;
	self->has_terms |= t->needs != NULL;
	return 0;
}

static int core_options_fill(struct core_options *self, PyObject *const *given)
{
	long long priority = 0, retries = 0, crash_retries = 0, results = 1;
	int keep = given[OPTION_KEEP] ? PyObject_IsTrue(given[OPTION_KEEP]) : 0;
	int tied = given[OPTION_TIED] ? PyObject_IsTrue(given[OPTION_TIED]) : 0;
	if (keep < 0 || tied < 0 ||
	    core_int(given[OPTION_PRIORITY], "priority", INT16_MIN, INT16_MAX, &priority) < 0 ||
	    core_int(given[OPTION_RETRIES], "retries", 0, 254, &retries) < 0 ||
	    core_int(given[OPTION_CRASH_RETRIES], "crash_retries", 0, 254, &crash_retries) < 0 ||
	    core_int(given[OPTION_RESULTS], "results", 1, 1024, &results) < 0)
		return -1;
	self->priority = (int)priority;
	self->retries = (unsigned)retries;
	self->crash_retries = (unsigned)crash_retries;
	self->results = (unsigned)results;
	self->flags = (keep ? PLM_KEEP : 0u) | (tied ? PLM_TIED : 0u);
	return core_options_terms(self, given);
}

/* From the arguments of Options(...) as a tuple and a dict to an array. */
static int core_options_unpack(PyObject *args, PyObject *named, PyObject **given)
{
	Py_ssize_t n = PyTuple_Size(args), at = 0;
	PyObject *key, *value;
	if (n > OPTIONS) {
		PyErr_SetString(PyExc_TypeError, "Options() has too many arguments");
		return -1;
	}
	for (Py_ssize_t i = 0; i < n; i++)
		given[i] = PyTuple_GetItem(args, i);
	while (named && PyDict_Next(named, &at, &key, &value)) {
		int i = 0;
		while (i < OPTIONS &&
		    PyUnicode_CompareWithASCIIString(key, core_options_names[i]) != 0)
			i++;
		if (i == OPTIONS || given[i]) {
			PyErr_Format(PyExc_TypeError, "Options() got %s argument '%U'",
			    i == OPTIONS ? "an unexpected" : "two values for the", key);
			return -1;
		}
		given[i] = value;
	}
	return 0;
}

static PyObject *core_options_create(PyTypeObject *type, PyObject *args, PyObject *named)
{
	PyObject *given[OPTIONS] = { 0 };
	if (core_options_unpack(args, named, given) < 0)
		return NULL;
	struct core_options *self = (struct core_options *)PyType_GenericAlloc(type, 0);
	if (self && core_options_fill(self, given) < 0)
		Py_CLEAR(self);
	return (PyObject *)self;
}

static void core_options_dealloc(PyObject *object)
{
	Py_CLEAR(((struct core_options *)object)->needs);
	core_free(object);
}

static PyObject *core_options_get(PyObject *object, void *which)
{
	const struct core_options *self = (const struct core_options *)object;
	const plm_terms *t = &self->terms;
	const uint32_t numbers[] = { t->queue_ms, t->run_ms, t->total_ms, t->backoff_ms,
		t->backoff_max_ms, t->grace_ms, t->keep_ms, t->replicas };
	int option = (int)(intptr_t)which;
	switch (option) {
	case OPTION_PRIORITY: return PyLong_FromLong(self->priority);
	case OPTION_RETRIES: return PyLong_FromLong((long)self->retries);
	case OPTION_CRASH_RETRIES: return PyLong_FromLong((long)self->crash_retries);
	case OPTION_KEEP: return PyBool_FromLong(self->flags & PLM_KEEP);
	case OPTION_TIED: return PyBool_FromLong(self->flags & PLM_TIED);
	case OPTION_RESULTS: return PyLong_FromLong((long)self->results);
	case OPTION_NEEDS: return Py_NewRef(self->needs ? self->needs : Py_None);
	default: return PyLong_FromUnsignedLong(numbers[option - OPTION_QUEUE_MS]);
	}
}

int core_options_apply(const struct core_state *state, PyObject *options, plm_task *task)
{
	if (!options || options == Py_None)
		return 0;
	if (!PyObject_TypeCheck(options, state->options_type)) {
		PyErr_SetString(PyExc_TypeError, "options must be an Options or None");
		return -1;
	}
	const struct core_options *self = (const struct core_options *)options;
	task->priority = self->priority;
	task->results = self->results;
	task->retries = self->retries;
	task->crash_retries = self->crash_retries;
	task->flags = self->flags;
	task->terms = self->has_terms ? &self->terms : NULL;
	return 0;
}

int core_options_init(PyObject *module, struct core_state *state)
{
	static PyGetSetDef getset[OPTIONS + 1];
	for (int i = 0; i < OPTIONS; i++)
		getset[i] = (PyGetSetDef){ .name = core_options_names[i],
			.get = core_options_get,
			.closure = (void *)(intptr_t)i };
	PyType_Slot slots[] = {
		{ Py_tp_doc,
		    (void *)(uintptr_t) "Options(priority=0, retries=0, crash_retries=0, "
					"keep=False, tied=False, results=1, needs=None, "
					"queue_ms=0, run_ms=0, total_ms=0, backoff_ms=0, "
					"backoff_max_ms=0, grace_ms=0, keep_ms=0, replicas=0)" },
		{ Py_tp_new, core_options_create },
		{ Py_tp_dealloc, core_options_dealloc },
		{ Py_tp_getset, getset },
		{ 0 },
	};
	PyType_Spec spec = {
		.name = "plm._core.Options",
		.basicsize = sizeof(struct core_options),
		.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
		.slots = slots,
	};
	state->options_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
	return state->options_type ? PyModule_AddType(module, state->options_type) : -1;
}
