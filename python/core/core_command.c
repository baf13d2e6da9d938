/* core_command.c - command lines as tasks. */
#include <errno.h>
#include <limits.h>

#include "python/core/core_errors.h"
#include "python/core/core_options.h"
#include "python/core/core_ref.h"
#include "python/core/core_submit.h"

struct command_parts {
	PyObject *words_tuple, *variables_tuple, *futures_tuple; /* keep all texts alive */
	const char **words, **variables;
	plm_command_future *futures;
	size_t words_n, variables_n, futures_n, outs;
};

static PyObject *command_tuple(PyObject *given, const char *name)
{
	if (!given || given == Py_None)
		return PyTuple_New(0);
	if (PyList_Check(given) || PyTuple_Check(given))
		return PySequence_Tuple(given);
	PyErr_Format(PyExc_TypeError, "%s must be a list or a tuple", name);
	return NULL;
}

static const char **command_texts(PyObject *tuple, const char *name, size_t *ret_n)
{
	size_t n = (size_t)PyTuple_Size(tuple);
	const char **texts = PyMem_Calloc(n + 1, sizeof *texts);
	if (!texts) {
		PyErr_NoMemory();
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		PyObject *text = PyTuple_GetItem(tuple, (Py_ssize_t)i);
		if (core_text(text, name, &texts[i]) == 0 && texts[i])
			continue;
		if (!PyErr_Occurred())
			PyErr_Format(PyExc_TypeError, "%s must be a list of str", name);
		PyMem_Free(texts);
		return NULL;
	}
	*ret_n = n;
	return texts;
}

/* 0: no such kind */
static int command_use(const char *kind)
{
	static const struct {
		const char *kind;
		enum plm_command_use use;
	} uses[] = { { "stdin", PLM_COMMAND_STDIN }, { "in", PLM_COMMAND_IN },
		{ "after", PLM_COMMAND_AFTER }, { "after_any", PLM_COMMAND_AFTER_ANY },
		{ "after_failed", PLM_COMMAND_AFTER_FAILED }, { "out", PLM_COMMAND_OUT } };
	for (size_t i = 0; kind && i < sizeof uses / sizeof uses[0]; i++)
		if (strcmp(kind, uses[i].kind) == 0)
			return (int)uses[i].use;
	return 0;
}

/* (kind, name, Ref) */
static int command_future(
    const struct core_state *state, PyObject *row, plm_command_future *ret, size_t *outs)
{
	const char *kind = NULL;
	if (!PyTuple_Check(row) || PyTuple_Size(row) != 3) {
		PyErr_SetString(PyExc_TypeError, "futures must be tuples (kind, name, Ref)");
		return -1;
	}
	if (core_text(PyTuple_GetItem(row, 0), "kind", &kind) < 0 ||
	    core_text(PyTuple_GetItem(row, 1), "name", &ret->name) < 0)
		return -1;
	ret->use = command_use(kind);
	if (!ret->use) {
		PyErr_SetString(PyExc_ValueError,
		    "kind must be \"stdin\", \"in\", \"after\", \"after_any\", \"after_failed\" or "
		    "\"out\"");
		return -1;
	}
	*outs += ret->use == PLM_COMMAND_OUT;
	if (ret->use == PLM_COMMAND_OUT)
		return 0;
	const struct core_ref *ref = core_ref_cast(state, PyTuple_GetItem(row, 2));
	if (!ref) {
		PyErr_SetString(PyExc_TypeError, "futures must be tuples (kind, name, Ref)");
		return -1;
	}
	ret->ref = ref->ref;
	return 0;
}

static int command_futures(const struct core_state *state, struct command_parts *p)
{
	p->futures_n = (size_t)PyTuple_Size(p->futures_tuple);
	p->futures = PyMem_Calloc(p->futures_n + 1, sizeof *p->futures);
	if (!p->futures) {
		PyErr_NoMemory();
		return -1;
	}
	for (size_t i = 0; i < p->futures_n; i++)
		if (command_future(state, PyTuple_GetItem(p->futures_tuple, (Py_ssize_t)i),
			&p->futures[i], &p->outs) < 0)
			return -1;
	return 0;
}

static int command_parts_fill(const struct core_state *state, struct command_parts *p,
    PyObject *words, PyObject *variables, PyObject *futures)
{
	if (!(p->words_tuple = command_tuple(words, "words")) ||
	    !(p->variables_tuple = command_tuple(variables, "variables")) ||
	    !(p->futures_tuple = command_tuple(futures, "futures")))
		return -1;
	p->words = command_texts(p->words_tuple, "words", &p->words_n);
	if (!p->words)
		return -1;
	p->variables = command_texts(p->variables_tuple, "variables", &p->variables_n);
	return p->variables ? command_futures(state, p) : -1;
}

static void command_parts_free(struct command_parts *p)
{
	PyMem_Free(p->words);
	PyMem_Free(p->variables);
	PyMem_Free(p->futures);
	Py_XDECREF(p->words_tuple);
	Py_XDECREF(p->variables_tuple);
	Py_XDECREF(p->futures_tuple);
}

static PyObject *command_submit(struct core_client *self, const struct command_parts *p,
    plm_command_options *options, const plm_task *task, PyTypeObject *type)
{
	size_t n = PLM_COMMAND_RESULTS + p->outs;
	plm_ref *refs = PyMem_Calloc(n, sizeof *refs);
	if (!refs)
		return PyErr_NoMemory();
	options->size = sizeof *options;
	options->variables = p->variables;
	options->variable_count = p->variables_n;
	options->futures = p->futures_n ? p->futures : NULL;
	options->future_count = p->futures_n;
	PyObject *made = NULL;
	if (core_client_begin(self) == 0) {
		core_release();
		int r = plm_submit_command(self->rt, options, p->words, p->words_n, task, refs);
		core_acquire();
		made = r < 0 ? core_client_raise(self, r) : core_ref_tuple(self, refs, n, type);
		core_client_end(self);
	}
	PyMem_Free(refs);
	return made;
}

PyObject *core_command(PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	enum {
		WORDS,
		OPTIONS,
		DIRECTORY,
		INPUT,
		LABEL,
		VARIABLES,
		MEMORY,
		CAP,
		FUTURES,
		TYPE,
		ALL
	};
	static const char *const known[] = { "words", "options", "directory", "input", "label",
		"variables", "memory_limit", "output_cap", "futures", "ref_type", NULL };
	struct core_client *self = (struct core_client *)object;
	PyObject *given[ALL];
	plm_task task = { 0 };
	plm_command_options options = { 0 };
	long long memory = 0, cap = 0;
	if (core_unpack("command", args, nargs, names, known, 1, given) < 0 ||
	    core_options_apply(self->state, given[OPTIONS], &task) < 0 ||
	    core_text(given[DIRECTORY], "directory", &options.directory) < 0 ||
	    core_text(given[INPUT], "input", &options.input) < 0 ||
	    core_text(given[LABEL], "label", &options.label) < 0 ||
	    core_int(given[MEMORY], "memory_limit", 0, LLONG_MAX, &memory) < 0 ||
	    core_int(given[CAP], "output_cap", 0, LLONG_MAX, &cap) < 0)
		return NULL;
	options.memory_limit = (uint64_t)memory;
	options.output_cap = (uint64_t)cap;
	struct command_parts parts = { 0 };
	PyObject *made = NULL;
	PyTypeObject *type = core_ref_class(self->state, given[TYPE]);
	if (type &&
	    command_parts_fill(
		self->state, &parts, given[WORDS], given[VARIABLES], given[FUTURES]) == 0)
		made = command_submit(self, &parts, &options, &task, type);
	command_parts_free(&parts);
	return made;
}
