/* core_call.h - a running task as a Python object, and the function of the module `py`, which gives
 * each Python task to the handler of the worker.
 *
 * Who: the thread of the worker. A task that runs in place of a waiting task has a Call of its own.
 * Life: a Call is valid while the handler runs; later every use raises Error(EINVAL). */
#ifndef PLM_PYTHON_CORE_CALL_H
#define PLM_PYTHON_CORE_CALL_H

#include "python/core/core_client.h"

int core_call_init(PyObject *module, struct core_state *state);
/* Before the worker opens modules, with the GIL: remembers handler(call) and begin(client), offers
 * the module `py`, and makes the plm_* of the extension visible to modules in C. 0, or -1 with an
 * exception. */
int core_call_prepare(PyObject *module, PyObject *handler, PyObject *begin);
/* After worker_open(), with the GIL: makes the Client of the worker, and calls begin(client). Holds
 * of Python objects do not end with the task from now on. 0, or -1 with an exception. Then
 * core_release(), and worker_run(). */
int core_call_worker(plm *rt);

#endif
