/* core_errors.h - from error numbers of libplm to Python exceptions.
 * Call with the GIL, in the thread of the failed call: plm_why() belongs to the thread. */
#ifndef PLM_PYTHON_CORE_ERRORS_H
#define PLM_PYTHON_CORE_ERRORS_H

#include "python/core/core.h"

/* Creates Error, TaskFailed and TaskCancelled in the module. 0 or -1. */
int core_errors_init(PyObject *module, struct core_state *state);
/* Raises the exception of r, a negative number of the last call: TimeoutError of -ETIMEDOUT, else
 * Error. An exception that is set already (of a signal handler) stays. Returns NULL. */
PyObject *core_raise(const struct core_state *state, int r);
/* Raises Error with a sentence. Returns NULL. */
PyObject *core_raise_error(const struct core_state *state, int error, const char *text);

#endif
