/* core_client_calls.c - the methods of a Client on futures: put, get, wait, cancel, judge. */
#include "python/core/core_client_calls.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "client/refs.h"
#include "python/core/core_errors.h"
#include "python/core/core_ref.h"
#include "python/core/core_submit.h"
#include "python/core/core_view.h"

static struct core_client *core_calls_self(PyObject *self)
{
	return (struct core_client *)self;
}

/* ---- objects and values ---- */

static PyObject *core_calls_create(PyObject *object, PyObject *size)
{
	struct core_client *self = core_calls_self(object);
	long long bytes = 0;
	void *data = NULL;
	plm_ref ref;
	if (core_int(size, "nbytes", 0, LLONG_MAX, &bytes) < 0 || core_client_begin(self) < 0)
		return NULL;
	core_release();
	int r = plm_create(self->rt, (size_t)bytes, &data, &ref);
	core_acquire();
	PyObject *room =
	    r < 0 ? core_client_raise(self, r) : core_room_new(self, data, (size_t)bytes, ref);
	core_client_end(self);
	return room;
}

static PyObject *core_calls_put(
    PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "data", "ref_type", NULL };
	struct core_client *self = core_calls_self(object);
	PyObject *given[2];
	Py_buffer buffer;
	plm_ref ref;
	if (core_unpack("put", args, nargs, names, known, 1, given) < 0)
		return NULL;
	PyTypeObject *type = core_ref_class(self->state, given[1]);
	if (!type || PyObject_GetBuffer(given[0], &buffer, PyBUF_SIMPLE) < 0)
		return NULL;
	PyObject *made = NULL;
	if (core_client_begin(self) == 0) {
		core_release();
		int r = plm_put(self->rt, buffer.buf, (size_t)buffer.len, &ref);
		core_acquire();
		made = r < 0 ? core_client_raise(self, r) : core_ref_new(self, ref, type);
		core_client_end(self);
	}
	PyBuffer_Release(&buffer);
	return made;
}

/* A wait for a future has failed: because of the future, or because of the waiting side. */
static PyObject *core_calls_raise_of(struct core_client *self, PyObject *ref, int r, int timeout_ms)
{
	plm_ref of = ((struct core_ref *)ref)->ref;
	char text[PLM_REF_TEXT_BYTES], sentence[128];
	if (PyErr_Occurred())
		return NULL;
	if (r == -PLM_EFAILED)
		PyErr_SetObject(self->state->task_failed, ref);
	else if (r == -PLM_ECANCELLED && plm_outcome(self->rt, of) == r)
		PyErr_SetObject(self->state->task_cancelled, ref);
	else if (r == -PLM_ECANCELLED)
		PyErr_SetNone(self->state->task_cancelled);
	else if (r == -ETIMEDOUT && timeout_ms >= 0 && plm_outcome(self->rt, of) == -EAGAIN) {
		plm_ref_print(of, text);
		snprintf(
		    sentence, sizeof sentence, "%s is not settled after %d ms", text, timeout_ms);
		PyObject *args = Py_BuildValue("(is)", ETIMEDOUT, sentence);
		if (args)
			PyErr_SetObject(PyExc_TimeoutError, args);
		Py_XDECREF(args);
	} else
		core_client_raise(self, r);
	return NULL;
}

/* A settled value that the process holds is found without a wait: then the GIL stays with us. */
static int core_calls_get_view(
    struct core_client *self, plm_ref ref, plm_view *view, int timeout_ms)
{
	uint64_t word;
	const struct record *r = record_lookup(&self->rt->tables, ref.id, &word);
	if (r && ref.runtime == self->rt->runtime && word_state(word) == RECORD_DONE &&
	    atomic_load_explicit(&self->rt->refs[ref_index(ref.id)], memory_order_acquire))
		return plm_get(self->rt, ref, view, 0);
	core_release();
	int done = plm_get(self->rt, ref, view, timeout_ms);
	core_acquire();
	return done;
}

static PyObject *core_calls_get(
    PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "ref", "timeout_ms", NULL };
	struct core_client *self = core_calls_self(object);
	PyObject *given[2];
	plm_ref ref;
	int timeout_ms = -1;
	if (core_unpack("get", args, nargs, names, known, 1, given) < 0 ||
	    core_client_ref(self, given[0], &ref) < 0 ||
	    (given[1] && core_timeout(given[1], &timeout_ms) < 0) || core_client_begin(self) < 0)
		return NULL;
	struct core_view *view = core_view_new(self);
	int r = view ? core_calls_get_view(self, ref, &view->view, timeout_ms) : 0;
	if (view && r == 0) {
		core_view_filled(view, self);
	} else if (view) {
		Py_CLEAR(view);
		core_calls_raise_of(self, given[0], r, timeout_ms);
	}
	core_client_end(self);
	return (PyObject *)view;
}

/* ---- waiting ---- */

/* The references of a sequence of Refs, to be freed by PyMem_Free(). NULL with an exception. */
static plm_ref *core_calls_refs(struct core_client *self, PyObject *sequence, size_t *ret_n)
{
	Py_ssize_t n = PyTuple_Size(sequence);
	plm_ref *refs = PyMem_Malloc(n ? (size_t)n * sizeof *refs : 1);
	if (!refs) {
		PyErr_NoMemory();
		return NULL;
	}
	for (Py_ssize_t i = 0; i < n; i++)
		if (core_client_ref(self, PyTuple_GetItem(sequence, i), &refs[i]) < 0) {
			PyMem_Free(refs);
			return NULL;
		}
	*ret_n = (size_t)n;
	return refs;
}

static PyObject *core_calls_wait_for(
    struct core_client *self, PyObject *tuple, size_t want, int timeout_ms)
{
	size_t n = 0;
	plm_ref *refs = core_calls_refs(self, tuple, &n);
	PyObject *flags = refs ? PyBytes_FromStringAndSize(NULL, (Py_ssize_t)n) : NULL;
	if (flags && core_client_begin(self) == 0) {
		uint8_t *ready = (uint8_t *)PyBytes_AsString(flags);
		memset(ready, 0, n);
		core_release();
		int r = plm_wait(self->rt, refs, n, want, timeout_ms, ready);
		core_acquire();
		if (r < 0 && (r != -ETIMEDOUT || PyErr_Occurred())) {
			Py_CLEAR(flags);
			if (r == -PLM_ECANCELLED && !PyErr_Occurred())
				PyErr_SetNone(self->state->task_cancelled);
			else
				core_client_raise(self, r);
		}
		core_client_end(self);
	} else {
		Py_CLEAR(flags);
	}
	PyMem_Free(refs);
	return flags;
}

static PyObject *core_calls_wait(
    PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "refs", "want", "timeout_ms", NULL };
	PyObject *given[3];
	long long want = 0;
	int timeout_ms = -1;
	if (core_unpack("wait", args, nargs, names, known, 2, given) < 0 ||
	    core_int(given[1], "want", 0, LLONG_MAX, &want) < 0 ||
	    (given[2] && core_timeout(given[2], &timeout_ms) < 0))
		return NULL;
	PyObject *tuple = PySequence_Tuple(given[0]);
	if (!tuple)
		return NULL;
	PyObject *flags =
	    core_calls_wait_for(core_calls_self(object), tuple, (size_t)want, timeout_ms);
	Py_DECREF(tuple);
	return flags;
}

static PyObject *core_calls_wait_all(
    PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "timeout_ms", NULL };
	struct core_client *self = core_calls_self(object);
	PyObject *given[1];
	int timeout_ms = -1;
	if (core_unpack("wait_all", args, nargs, names, known, 0, given) < 0 ||
	    (given[0] && core_timeout(given[0], &timeout_ms) < 0) || core_client_begin(self) < 0)
		return NULL;
	core_release();
	int r = plm_wait_all(self->rt, timeout_ms);
	core_acquire();
	PyObject *ret = r == 0                     ? Py_True
	    : r == -ETIMEDOUT && !PyErr_Occurred() ? Py_False
						   : core_client_raise(self, r);
	core_client_end(self);
	return Py_XNewRef(ret);
}

/* ---- judging ---- */

/* No message and no lock. */
static enum record_state core_calls_state_of(const struct plm *rt, plm_ref ref)
{
	uint64_t word;
	struct record *r =
	    ref.runtime == rt->runtime ? record_lookup(&rt->tables, ref.id, &word) : NULL;
	if (!r)
		return (enum record_state)CORE_GONE;
	ref_speaker(rt, r, &word);
	enum record_state state = word_state(word);
	if (state == RECORD_RUNNING && word_settled(word))
		return RECORD_CANCELLED; /* it will be, by its flag */
	return state == RECORD_RESERVED ? RECORD_WAITING : state;
}

static PyObject *core_calls_state(PyObject *object, PyObject *of)
{
	struct core_client *self = core_calls_self(object);
	plm_ref ref;
	if (core_client_ref(self, of, &ref) < 0 || core_client_begin(self) < 0)
		return NULL;
	long state = core_calls_state_of(self->rt, ref);
	core_client_end(self);
	return PyLong_FromLong(state);
}

static bool core_calls_is_settled(const struct plm *rt, plm_ref ref)
{
	enum record_state state = core_calls_state_of(rt, ref);
	return state != RECORD_WAITING && state != RECORD_READY && state != RECORD_RUNNING;
}

static PyObject *core_calls_settled_among(
    struct core_client *self, PyObject *list, Py_ssize_t start, Py_ssize_t end)
{
	PyObject *found = PyList_New(0);
	for (Py_ssize_t i = start; found && i < end && i < PyList_Size(list); i++) {
		plm_ref ref;
		if (core_client_ref(self, PyList_GetItem(list, i), &ref) < 0) {
			Py_CLEAR(found);
		} else if (core_calls_is_settled(self->rt, ref)) {
			PyObject *index = PyLong_FromSsize_t(i);
			if (!index || PyList_Append(found, index) < 0)
				Py_CLEAR(found);
			Py_XDECREF(index);
		}
	}
	return found;
}

static PyObject *core_calls_settled(
    PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "refs", "start", "limit", NULL };
	struct core_client *self = core_calls_self(object);
	PyObject *given[3];
	long long start = 0, limit = PY_SSIZE_T_MAX;
	if (core_unpack("settled", args, nargs, names, known, 1, given) < 0 ||
	    core_int(given[1], "start", 0, PY_SSIZE_T_MAX, &start) < 0 ||
	    core_int(given[2], "limit", 0, PY_SSIZE_T_MAX, &limit) < 0)
		return NULL;
	if (!PyList_Check(given[0])) {
		PyErr_SetString(PyExc_TypeError, "refs must be a list");
		return NULL;
	}
	long long end = limit > PY_SSIZE_T_MAX - start ? PY_SSIZE_T_MAX : start + limit;
	if (core_client_begin(self) < 0)
		return NULL;
	PyObject *found =
	    core_calls_settled_among(self, given[0], (Py_ssize_t)start, (Py_ssize_t)end);
	core_client_end(self);
	return found;
}

/* 1: cancelled, or will be. 0: too late; or, only_queued, the task runs. */
static int core_calls_cancel_one(struct plm *rt, plm_ref ref, int grace_ms, bool only_queued)
{
	enum record_state state = core_calls_state_of(rt, ref);
	if (only_queued && state == RECORD_RUNNING)
		return 0;
	int r = plm_cancel(rt, ref, grace_ms);
	return r == -EALREADY ? 0 : r < 0 ? r : 1;
}

static PyObject *core_calls_cancel(
    PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "ref", "grace_ms", "only_queued", NULL };
	struct core_client *self = core_calls_self(object);
	PyObject *given[3];
	plm_ref ref;
	long long grace_ms = PLM_GRACE_OF_TASK;
	if (core_unpack("cancel", args, nargs, names, known, 1, given) < 0 ||
	    core_client_ref(self, given[0], &ref) < 0 ||
	    core_int(given[1], "grace_ms", PLM_GRACE_OF_TASK, INT_MAX, &grace_ms) < 0)
		return NULL;
	int only_queued = given[2] ? PyObject_IsTrue(given[2]) : 0;
	if (only_queued < 0 || core_client_begin(self) < 0)
		return NULL;
	core_release();
	int r = core_calls_cancel_one(self->rt, ref, (int)grace_ms, only_queued);
	core_acquire();
	PyObject *ret = r < 0 ? core_client_raise(self, r) : r ? Py_True : Py_False;
	core_client_end(self);
	return Py_XNewRef(ret);
}

static const char *const core_calls_places[] = { [PLM_TO_FRONT] = "front",
	[PLM_TO_PRIORITY] = "priority",
	[PLM_ASIDE] = "parked",
	[PLM_BACK] = "todo" };

/* 0 with *ret; -1 with an exception. */
static int core_calls_place(PyObject *word, enum plm_place *ret)
{
	const char *text = "";
	if (core_text(word, "to", &text) < 0)
		return -1;
	for (size_t i = PLM_TO_FRONT; i < COUNT_OF(core_calls_places); i++)
		if (strcmp(text, core_calls_places[i]) == 0) {
			*ret = (enum plm_place)i;
			return 0;
		}
	PyErr_Format(PyExc_ValueError, "to is front, priority, parked or todo, not %R", word);
	return -1;
}

/* 1: moved. 0: too late. `todo` puts a running task back into the queue, and ends the parking of a
 * queued task. */
static int core_calls_move_one(struct plm *rt, plm_ref ref, enum plm_place place, int priority)
{
	int r = place == PLM_BACK ? plm_requeue(rt, ref, PLM_GRACE_OF_TASK) : 0;
	if (r == 0) {
		r = plm_move(rt, ref, place, priority);
		if (r == -EALREADY && place == PLM_BACK)
			return 1; /* it ran, and is on its way back */
	}
	return r == -EALREADY ? 0 : r < 0 ? r : 1;
}

static PyObject *core_calls_move(
    PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "ref", "to", "priority", NULL };
	struct core_client *self = core_calls_self(object);
	PyObject *given[3];
	enum plm_place place;
	plm_ref ref;
	long long priority = 0;
	if (core_unpack("move", args, nargs, names, known, 2, given) < 0 ||
	    core_client_ref(self, given[0], &ref) < 0 || core_calls_place(given[1], &place) < 0 ||
	    core_int(given[2], "priority", PRIORITY_MIN, PRIORITY_MAX, &priority) < 0 ||
	    core_client_begin(self) < 0)
		return NULL;
	core_release();
	int r = core_calls_move_one(self->rt, ref, place, (int)priority);
	core_acquire();
	PyObject *ret = r < 0 ? core_client_raise(self, r) : r ? Py_True : Py_False;
	core_client_end(self);
	return Py_XNewRef(ret);
}

static PyObject *core_calls_failure(PyObject *object, PyObject *of)
{
	struct core_client *self = core_calls_self(object);
	plm_failure failure;
	plm_view detail = { 0 };
	plm_ref ref;
	if (core_client_ref(self, of, &ref) < 0 || core_client_begin(self) < 0)
		return NULL;
	core_release();
	int r = plm_error(self->rt, ref, &failure);
	if (r == 0 && failure.code != PLM_ECANCELLED)
		plm_failure_detail(self->rt, ref, &detail);
	core_acquire();
	PyObject *ret = NULL;
	if (r < 0) {
		core_client_raise(self, r);
	} else {
		PyObject *message = PyUnicode_DecodeUTF8(
		    failure.message, (Py_ssize_t)strlen(failure.message), "replace");
		if (message)
			ret = Py_BuildValue("(iisNy#)", failure.code, failure.signal,
			    failure.function, message, detail.len ? detail.data : NULL,
			    (Py_ssize_t)detail.len);
		plm_release(self->rt, &detail);
	}
	core_client_end(self);
	return ret;
}

/* ---- holds ---- */

static PyObject *core_calls_hold(
    PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
	static const char *const known[] = { "text", "ref_type", NULL };
	struct core_client *self = core_calls_self(object);
	const char *text = NULL;
	PyObject *given[2];
	plm_ref ref;
	if (core_unpack("hold", args, nargs, names, known, 1, given) < 0 ||
	    core_text(given[0], "text", &text) < 0)
		return NULL;
	if (!text) {
		PyErr_SetString(PyExc_TypeError, "the text of a reference is expected");
		return NULL;
	}
	PyTypeObject *type = core_ref_class(self->state, given[1]);
	if (!type || core_client_begin(self) < 0)
		return NULL;
	core_release();
	int r = plm_ref_parse(text, &ref);
	if (r == 0)
		r = plm_hold(self->rt, ref);
	core_acquire();
	PyObject *made = r < 0 ? core_client_raise(self, r) : core_ref_new(self, ref, type);
	core_client_end(self);
	return made;
}

static PyObject *core_calls_tell(PyObject *object, PyObject *of, int (*call)(plm *, plm_ref))
{
	struct core_client *self = core_calls_self(object);
	plm_ref ref;
	if (core_client_ref(self, of, &ref) < 0 || core_client_begin(self) < 0)
		return NULL;
	core_release();
	int r = call(self->rt, ref);
	core_acquire();
	PyObject *ret = r < 0 ? core_client_raise(self, r) : Py_None;
	core_client_end(self);
	return Py_XNewRef(ret);
}

static PyObject *core_calls_keep(PyObject *object, PyObject *of)
{
	return core_calls_tell(object, of, plm_keep);
}

static PyObject *core_calls_forget(PyObject *object, PyObject *of)
{
	return core_calls_tell(object, of, plm_forget);
}

enum { CORE_NAMED = METH_FASTCALL | METH_KEYWORDS };

const PyMethodDef core_client_methods[] = {
	{ "submit", CORE_FAST(core_submit), CORE_NAMED,
	    "submit(function, args=(), options=None, ref_type=None): a Ref, or a "
	    "tuple of several results." },
	{ "submit_many", CORE_FAST(core_submit_many), CORE_NAMED,
	    "submit_many(function, rows, options=None, ref_type=None): a list of "
	    "Refs, one for each row." },
	{ "command", CORE_FAST(core_command), CORE_NAMED,
	    "command(words, options=None, ...): stdout, the log, and output files as Refs." },
	{ "create", core_calls_create, METH_O, "create(nbytes): a Room to fill and seal." },
	{ "put", CORE_FAST(core_calls_put), CORE_NAMED,
	    "put(data, ref_type=None): copies bytes into the store." },
	{ "get", CORE_FAST(core_calls_get), CORE_NAMED,
	    "get(ref, timeout_ms=-1): waits, and shows the value in place." },
	{ "wait", CORE_FAST(core_calls_wait), CORE_NAMED,
	    "wait(refs, want, timeout_ms=-1): a byte for each Ref, 1 if settled." },
	{ "wait_all", CORE_FAST(core_calls_wait_all), CORE_NAMED,
	    "wait_all(timeout_ms=-1): True when every task of the client is settled." },
	{ "state", core_calls_state, METH_O, "state(ref): a constant of the module." },
	{ "settled", CORE_FAST(core_calls_settled), CORE_NAMED,
	    "settled(refs, start=0, limit=...): the indexes of settled Refs of a list." },
	{ "cancel", CORE_FAST(core_calls_cancel), CORE_NAMED,
	    "cancel(ref, grace_ms=-1, only_queued=False): False if too late." },
	{ "move", CORE_FAST(core_calls_move), CORE_NAMED,
	    "move(ref, to, priority=0): another place in the queue; False if too late." },
	{ "failure", core_calls_failure, METH_O,
	    "failure(ref): code, signal, function, message, detail." },
	{ "hold", CORE_FAST(core_calls_hold), CORE_NAMED,
	    "hold(text, ref_type=None): a Ref of a reference as text." },
	{ "keep", core_calls_keep, METH_O, "keep(ref): the runtime holds the future, too." },
	{ "forget", core_calls_forget, METH_O, "forget(ref): ends the runtime's hold." },
	{ 0 },
};
