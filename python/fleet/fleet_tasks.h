/* fleet_tasks.h - from Python arguments to tasks of a fleet. With the GIL; no state. */
#ifndef PLM_PYTHON_FLEET_TASKS_H
#define PLM_PYTHON_FLEET_TASKS_H

#include "client/plm_fleet.h"

struct fleet_tasks {
	plm_task *task;
	plm_ref *ref;
	plm_arg *arg;      /* of all tasks, one behind the other */
	Py_buffer *buffer; /* what the arguments point into */
	size_t n, args, buffers;
	plm_terms terms;
};

/* rows: a list of tuples of buffers, and of pairs (number, epoch) for tasks; options: the tuple of
 * _fleet_client.py. 0, or -1 with an exception. */
int fleet_tasks_read(
    struct fleet_tasks *t, const char *function, PyObject *rows, PyObject *options);
PyObject *fleet_tasks_ids(const struct fleet_tasks *t);
void fleet_tasks_free(struct fleet_tasks *t);

#endif
