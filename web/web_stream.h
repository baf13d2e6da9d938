/* web_stream.h - the task stream: which task ran where, and when, from the event log.
 *
 * An attempt that ended is a rectangle: its last event tells the worker, the process of the worker
 * (a worker of several cpus has a process for each) and how long the attempt ran. A page cannot
 * draw a million rectangles a second, so each tick takes the newest events of each process, and a
 * process that ran more tasks than STREAM_TASKS_A_PROCESS in the tick is a block: its busy share,
 * its rate and the function that ran most.
 *
 * Events are written while a page shows the stream, because the hand thread watches meanwhile.
 * Who: the thread of the loop.  Blocks: never. */
#ifndef PLM_WEB_STREAM_H
#define PLM_WEB_STREAM_H

#include "client/plm_inspect.h"
#include "web/web_hand.h"
#include "web/web_json.h"

enum {
	STREAM_TASKS_MAX = 6000,      /* read in a tick */
	STREAM_TASKS_A_PROCESS = 150, /* shown one by one */
	STREAM_NAMES = 96,            /* different names in a tick; the last stands for the rest */
	STREAM_NAME_BYTES = 64,
	STREAM_KNOWN = 4096, /* names of tasks, remembered by their reference */
};

struct web;

struct stream_task {
	uint64_t begin_ns, end_ns;
	plm_ref ref;
	uint32_t worker, process; /* process slot */
	uint16_t name;
	uint8_t how; /* enum plm_event_kind */
};

struct stream_known { /* a better name of a task than its function */
	plm_ref ref;
	char name[25];
};

struct stream {
	plm_inspect *in;
	plm_events *events; /* NULL: not open */
	uint64_t since_ns;  /* how far the page has seen */
	uint64_t left_out;  /* events since the tick before */
	struct hand_job job;
	bool asked, watched; /* the job is under way; the thread watches */
	uint64_t asked_ns;
	char trouble[256];
	struct stream_task *task;
	size_t tasks;
	char name[STREAM_NAMES][STREAM_NAME_BYTES];
	unsigned names;
	struct stream_known *known;
};

/* Asks the hand thread to watch while a page shows the stream, and to stop afterwards. */
void stream_keep(struct web *web);
void stream_job_done(struct stream *stream);
/* Reads the events since the tick before, and writes {"from", "to", "names", "tasks", "blocks"}. */
void stream_put(struct web *web, struct json *json);
/* The runtime is another. */
void stream_forget(struct stream *stream);

#endif
