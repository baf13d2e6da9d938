/* web_hand.h - the thread that connects: actions, and the wish that events are written.
 *
 * plmweb looks at shared memory and is no client. An action needs a connection, and the manager may
 * be stopped: then connecting takes seconds. So a thread of its own connects as a visitor, acts and
 * leaves, while the pages go on. Jobs and answers are pointers in two pipes, so the threads share
 * no other data and no lock. While a page shows the task stream, the thread keeps a connection and
 * watches: the death of plmweb ends the watch. Blocks: hand_end(), for a job under way. */
#ifndef PLM_WEB_HAND_H
#define PLM_WEB_HAND_H

#include <pthread.h>
#include <stdbool.h>

#include "client/plm.h"

enum hand_kind {
	HAND_CANCEL,
	HAND_RETRY,
	HAND_REQUEUE,
	HAND_PAUSE,
	HAND_DRAIN,
	HAND_RESUME,
	HAND_DRAIN_WORKER,
	HAND_RESUME_WORKER,
	HAND_WATCH, /* again and again, while a page shows the task stream */
	HAND_UNWATCH
};

struct hand_job {
	int kind;
	plm_ref ref;     /* of the task */
	uint32_t worker; /* number */
	int result;      /* 0 or -errno */
	char text[512];  /* what was done, or why not */
	void *owner;     /* of the giver */
};

struct hand {
	const char *name; /* of the runtime */
	int jobs[2], done[2];
	pthread_t thread;
	bool runs;
	plm *watch; /* of the thread */
};

/* The signals that the caller blocks are blocked in the thread. 0, or -errno. */
int hand_begin(struct hand *hand, const char *name);
/* The thread owns the job until hand_take() returns the job. 0; -EAGAIN: too many wait. */
int hand_give(struct hand *hand, struct hand_job *job);
/* A job that has ended, or NULL. Readable when a job has ended: hand->done[0]. */
struct hand_job *hand_take(struct hand *hand);
/* Ends the thread after the jobs given. Jobs that ended meanwhile can be taken afterwards. */
void hand_end(struct hand *hand);

#endif
