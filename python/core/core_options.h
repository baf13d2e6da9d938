/* core_options.h - what a task asks for beyond its function, as an immutable Python object. */
#ifndef PLM_PYTHON_CORE_OPTIONS_H
#define PLM_PYTHON_CORE_OPTIONS_H

#include "python/core/core.h"

struct core_options {
	PyObject_HEAD
	int priority;
	unsigned results, retries, crash_retries, flags;
	plm_terms terms;
	bool has_terms;
	PyObject *needs; /* the text behind terms.needs, or NULL */
};

int core_options_init(PyObject *module, struct core_state *state);
/* Fills the task from an Options object; NULL and None: nothing is asked for. 0, or -1 with a
 * TypeError. The object must outlive the task. */
int core_options_apply(const struct core_state *state, PyObject *options, plm_task *task);

#endif
