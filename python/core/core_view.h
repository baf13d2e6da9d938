/* core_view.h - memory of the runtime as Python buffers: a View shows a value, read-only; a Room is
 * filled with an object or a result.
 *
 * Life: a View has a hold on its value, or (an argument of a task) is covered by the need of the
 * task; core_view_outlive() takes a hold of its own when the task ends first. A small value lies in
 * the View itself. */
#ifndef PLM_PYTHON_CORE_VIEW_H
#define PLM_PYTHON_CORE_VIEW_H

#include "python/core/core_client.h"

struct core_view {
	PyObject_HEAD
	plm_view view;
	struct core_client *client; /* NULL: the value lies in the View */
	plm_ref need;               /* an argument of the running task: the future; else PLM_NONE */
	struct core_view **before, *next; /* in the list of a Call, if need is set */
};

struct core_room {
	PyObject_HEAD
	struct core_client *client;
	void *data; /* NULL: nothing to be shown any more */
	size_t bytes;
	plm_ref ref; /* what the Room holds; PLM_NONE: a result of the running task */
	bool sealed;
	unsigned exports, which;
	struct core_room **before, *next; /* in the list of a Call, of a result */
};

int core_view_init(PyObject *module, struct core_state *state);
/* An empty View, to be filled by plm_get(). core_view_filled() pins the client if need be. */
struct core_view *core_view_new(struct core_client *client);
void core_view_filled(struct core_view *view, struct core_client *client);
/* An argument of the running task, added to a list. */
PyObject *core_view_of_argument(struct core_client *client, const void *data, size_t bytes,
    plm_ref ref, struct core_view **list);
/* The task ends: each View of the list takes a hold. 0, or -errno with a why: then the Views
 * without a hold show nothing any more. */
int core_view_outlive(struct core_view **list);

PyObject *core_room_new(struct core_client *client, void *data, size_t bytes, plm_ref ref);
/* Room of a result, added to a list. */
PyObject *core_room_of_result(
    struct core_client *client, void *data, size_t bytes, unsigned which, struct core_room **list);
/* Other room takes the place of a result's room. False: a memoryview still shows the memory, which
 * is given back. */
bool core_room_replace(struct core_room **list, unsigned which);
/* The task ends. Room that a memoryview still shows holds the task, so that the memory stays its
 * own as long as the Room lives. 0, or -errno with a why: the memory is given back all the same. */
int core_room_outlive(struct core_room **list, plm_ref task, bool succeeds);

#endif
