/* core_client_rule.c - the methods of a Client on the runtime: descriptor, modules, numbers. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "client/plm_inspect.h"
#include "python/core/core_client_calls.h"
#include "python/core/core_errors.h"

/* A call without the GIL, whose 0 is None. */
static PyObject *core_rule_done(struct core_client *self, int r)
{
	PyObject *ret = r < 0 ? core_client_raise(self, r) : Py_None;
	core_client_end(self);
	return Py_XNewRef(ret);
}

static PyObject *core_rule_fd(PyObject *object, PyObject *unused)
{
	struct core_client *self = (struct core_client *)object;
	(void)unused;
	if (core_client_begin(self) < 0)
		return NULL;
	core_release();
	int r = plm_fd(self->rt);
	core_acquire();
	PyObject *ret = r < 0 ? core_client_raise(self, r) : PyLong_FromLong(r);
	core_client_end(self);
	return ret;
}

static PyObject *core_rule_acknowledge(PyObject *object, PyObject *unused)
{
	struct core_client *self = (struct core_client *)object;
	uint64_t count;
	(void)unused;
	if (core_client_begin(self) < 0)
		return NULL;
	int fd = self->rt->pollable_fd;
	bool told = fd >= 0 && read(fd, &count, sizeof count) == sizeof count;
	core_client_end(self);
	return PyBool_FromLong(told);
}

static PyObject *core_rule_interrupt(PyObject *object, PyObject *unused)
{
	struct core_client *self = (struct core_client *)object;
	(void)unused;
	if (core_client_begin(self) < 0)
		return NULL;
	plm_interrupt(self->rt);
	return core_rule_done(self, 0);
}

static PyObject *core_rule_interrupt_end(PyObject *object, PyObject *unused)
{
	struct core_client *self = (struct core_client *)object;
	(void)unused;
	if (core_client_begin(self) < 0)
		return NULL;
	plm_interrupt_end(self->rt);
	return core_rule_done(self, 0);
}

static PyObject *core_rule_check_function(PyObject *object, PyObject *of)
{
	struct core_client *self = (struct core_client *)object;
	const char *name = "";
	if (core_text(of, "name", &name) < 0 || core_client_begin(self) < 0)
		return NULL;
	core_release();
	int r = plm_check_function(self->rt, name);
	core_acquire();
	PyObject *ret = r == 0 ? Py_True : r == -ENOENT ? Py_False : core_client_raise(self, r);
	core_client_end(self);
	return Py_XNewRef(ret);
}

static PyObject *core_rule_module_load(PyObject *object, PyObject *path)
{
	struct core_client *self = (struct core_client *)object;
	PyObject *bytes;
	if (!PyUnicode_FSConverter(path, &bytes))
		return NULL;
	PyObject *ret = NULL;
	if (core_client_begin(self) == 0) {
		core_release();
		int r = plm_module_load(self->rt, PyBytes_AsString(bytes));
		core_acquire();
		ret = core_rule_done(self, r);
	}
	Py_DECREF(bytes);
	return ret;
}

/* (path, cpus of its workers, all workers are of this interpreter) */
static PyObject *core_rule_python(const plm *rt, const struct resource_names *names, uint32_t i)
{
	unsigned long long cpus = 0;
	bool everywhere = true;
	for (uint32_t k = 0; k < tables_kinds(&rt->tables); k++) {
		const struct worker_kind *kind = &rt->tables.control->kind[k];
		if (kind->python == i + 1)
			cpus += (unsigned long long)kind->count * kind->cpus;
		else
			everywhere = false;
	}
	PyObject *path = PyUnicode_DecodeFSDefault(names->pythons.path[i]);
	return path ? Py_BuildValue("(NKO)", path, cpus, everywhere ? Py_True : Py_False) : NULL;
}

static PyObject *core_rule_pythons(PyObject *object, PyObject *unused)
{
	struct core_client *self = (struct core_client *)object;
	struct resource_names names;
	(void)unused;
	if (core_client_begin(self) < 0)
		return NULL;
	tables_resource_names(&self->rt->tables, &names);
	PyObject *list = PyList_New(0);
	for (uint32_t i = 0; list && i < PYTHONS_MAX && names.pythons.path[i][0]; i++) {
		PyObject *row = core_rule_python(self->rt, &names, i);
		if (!row || PyList_Append(list, row) < 0)
			Py_CLEAR(list);
		Py_XDECREF(row);
	}
	core_client_end(self);
	return list;
}

/* ---- explain ---- */

/* The reasons as lines. Returns how many were written, or -errno. */
static int core_rule_reasons(plm *rt, plm_ref ref, char *text, size_t room)
{
	plm_inspect *in;
	plm_explanation explanation;
	plm_reason reasons[8];
	int r = plm_inspect_of(&in, rt);
	if (r < 0)
		return r;
	r = plm_inspect_explain(
	    in, ref, &explanation, sizeof explanation, reasons, sizeof reasons[0], 8);
	size_t at = 0;
	for (int i = 0; i < r && i < 8 && at < room; i++)
		at +=
		    (size_t)snprintf(text + at, room - at, "%s%s", i ? "\n" : "", reasons[i].text);
	plm_inspect_close(&in);
	return r;
}

static PyObject *core_rule_explain(PyObject *object, PyObject *of)
{
	struct core_client *self = (struct core_client *)object;
	char text[8 * 1024 + 16] = "";
	plm_ref ref;
	if (core_client_ref(self, of, &ref) < 0 || core_client_begin(self) < 0)
		return NULL;
	core_release();
	int r = core_rule_reasons(self->rt, ref, text, sizeof text);
	core_acquire();
	PyObject *ret = r < 0 ? core_client_raise(self, r)
			      : PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
	core_client_end(self);
	return ret;
}

/* ---- numbers ---- */

struct core_number {
	const char *name;
	unsigned long long value;
};

static int core_rule_add_numbers(PyObject *dict, const struct core_number *numbers)
{
	for (; numbers->name; numbers++) {
		PyObject *value = PyLong_FromUnsignedLongLong(numbers->value);
		int r = value ? PyDict_SetItemString(dict, numbers->name, value) : -1;
		Py_XDECREF(value);
		if (r < 0)
			return -1;
	}
	return 0;
}

static PyObject *core_rule_status_dict(const plm_status *s)
{
#define NUMBER(field)                                \
	{                                            \
#field, (unsigned long long)s->field \
	}
	const struct core_number numbers[] = { NUMBER(manager_pid), NUMBER(scheduler_pid),
		NUMBER(workers), NUMBER(workers_busy), NUMBER(clients), NUMBER(processes_max),
		NUMBER(records_max), NUMBER(records_used), NUMBER(waiting), NUMBER(ready),
		NUMBER(running), NUMBER(done), NUMBER(failed), NUMBER(cancelled),
		NUMBER(store_bytes), NUMBER(store_reserved), NUMBER(store_used), NUMBER(restarts),
		NUMBER(returned), NUMBER(evicted), NUMBER(memory_total), NUMBER(memory_free),
		NUMBER(memory_accept_free), NUMBER(memory_return_free), NUMBER(memory_short),
		NUMBER(uptime_ms), NUMBER(stopping), NUMBER(paused), NUMBER(closed),
		NUMBER(workers_drained), NUMBER(workers_spare), NUMBER(reassigned),
		NUMBER(reassign_median_ns), NUMBER(reassign_last_ns), NUMBER(reassign_max_ns),
		NUMBER(journal_accepted), NUMBER(journal_ended), NUMBER(journal_resumed),
		NUMBER(journal_to_resume), NUMBER(left), NUMBER(shm_free), NUMBER(finished),
		NUMBER(store_arguments), { NULL, 0 } };
#undef NUMBER
	PyObject *dict = Py_BuildValue("{ssssssssss}", "name", s->name, "journal", s->journal,
	    "journal_trouble", s->journal_trouble, "journal_damage", s->journal_damage,
	    "keep_finished", s->keep_finished);
	if (dict && core_rule_add_numbers(dict, numbers) < 0)
		Py_CLEAR(dict);
	return dict;
}

static PyObject *core_rule_status(PyObject *object, PyObject *unused)
{
	struct core_client *self = (struct core_client *)object;
	plm_status status;
	(void)unused;
	if (core_client_begin(self) < 0)
		return NULL;
	core_release();
	int r = plm_status_get(self->rt, &status);
	core_acquire();
	PyObject *ret = r < 0 ? core_client_raise(self, r) : core_rule_status_dict(&status);
	core_client_end(self);
	return ret;
}

static PyObject *core_rule_stop(
    PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "now", NULL };
	struct core_client *self = (struct core_client *)object;
	PyObject *given[1];
	if (core_unpack("stop", args, nargs, names, known, 0, given) < 0)
		return NULL;
	int now = given[0] ? PyObject_IsTrue(given[0]) : 0;
	if (now < 0 || core_client_begin(self) < 0)
		return NULL;
	core_release();
	int r = plm_stop(self->rt, now);
	core_acquire();
	return core_rule_done(self, r);
}

static PyObject *core_rule_patience(PyObject *object, PyObject *value)
{
	struct core_client *self = (struct core_client *)object;
	int timeout_ms = 0;
	if (core_timeout(value, &timeout_ms) < 0 || core_client_begin(self) < 0)
		return NULL;
	return core_rule_done(self, plm_patience(self->rt, timeout_ms));
}

static PyObject *core_rule_sync(PyObject *object, PyObject *unused)
{
	struct core_client *self = (struct core_client *)object;
	(void)unused;
	if (core_client_begin(self) < 0)
		return NULL;
	core_release();
	int r = plm_sync(self->rt);
	core_acquire();
	return core_rule_done(self, r);
}

const PyMethodDef core_client_rule_methods[] = {
	{ "sync", core_rule_sync, METH_NOARGS,
	    "Returns when the scheduler has acted on all that the client told it." },
	{ "fd", core_rule_fd, METH_NOARGS,
	    "A descriptor for poll(): readable after a future of the client was settled." },
	{ "acknowledge", core_rule_acknowledge, METH_NOARGS,
	    "Reads what fd() told; False if there was nothing." },
	{ "interrupt", core_rule_interrupt, METH_NOARGS,
	    "Waits end with Error(EINTR) until interrupt_end()." },
	{ "interrupt_end", core_rule_interrupt_end, METH_NOARGS, "Waits sleep again." },
	{ "check_function", core_rule_check_function, METH_O,
	    "check_function(name): False if the runtime has no such function." },
	{ "module_load", core_rule_module_load, METH_O, "module_load(path): loads a module." },
	{ "pythons", core_rule_pythons, METH_NOARGS,
	    "The interpreters of the runtime: (path, cpus, everywhere)." },
	{ "explain", core_rule_explain, METH_O,
	    "explain(ref): why the task is not finished, or how it ended." },
	{ "status", core_rule_status, METH_NOARGS, "The numbers of the runtime, as a dict." },
	{ "stop", CORE_FAST(core_rule_stop), METH_FASTCALL | METH_KEYWORDS,
	    "stop(now=False): ends the runtime when all accepted tasks have run, or at once." },
	{ "patience", core_rule_patience, METH_O,
	    "patience(ms): how long calls wait for room in a full store or table." },
	{ 0 },
};
