/* core_ref.h - a future as a Python object: one hold, which ends with the object. */
#ifndef PLM_PYTHON_CORE_REF_H
#define PLM_PYTHON_CORE_REF_H

#include "python/core/core_client.h"

struct core_ref {
	PyObject_HEAD
	plm_ref ref;
	struct core_client *client;
};

int core_ref_init(PyObject *module, struct core_state *state);
/* The class of Refs to be made: an argument of a call; NULL and None: the class of set_types().
 * Borrowed; NULL with a TypeError: no subclass of Ref. */
PyTypeObject *core_ref_class(const struct core_state *state, PyObject *given);
/* The hold goes into the Ref; if the Ref cannot be made, the hold ends. NULL with an exception. */
PyObject *core_ref_new(struct core_client *client, plm_ref ref, PyTypeObject *type);
/* A tuple of n Refs; all holds end if the tuple cannot be made. */
PyObject *core_ref_tuple(
    struct core_client *client, const plm_ref *refs, size_t n, PyTypeObject *type);
/* The Ref behind an object; NULL without an exception: not a Ref. */
struct core_ref *core_ref_cast(const struct core_state *state, PyObject *object);
/* "@RECORD.GENERATION.BOOT" */
PyObject *core_ref_text(plm_ref ref);

#endif
