/* top_flow.h - the ends of tasks, read from the event log while the pane of functions is shown.
 *
 * The log is written only while a process watches, so top watches as a visit of the runtime, and
 * gives the process slot back with the pane. At a million tasks a second the log has millions of
 * events a second, of which top cannot read all: top reads all events of a window of some
 * milliseconds, then none until the window is paid off (FLOW_SHARE of the time of a core). A window
 * is whole for each process, so rates and percentiles of a window are those of the time around.
 * When all events are cheap enough, windows follow each other without a gap.
 * Allocates: with the log.  Blocks: while the manager does not answer, for CONNECT_MS. */
#ifndef PLM_CLI_TOP_FLOW_H
#define PLM_CLI_TOP_FLOW_H

#include <stdbool.h>

#include "cli/top/top_runs.h"
#include "client/plm_inspect.h"

enum { FLOW_NAMES = 1024, FLOW_NAME_LENGTH = 24, FLOW_TROUBLE_BYTES = 160 };

struct flow_name { /* of a task: the name in its events */
	uint64_t task;
	char text[FLOW_NAME_LENGTH + 1];
};

struct flow {
	plm *rt;                          /* watches; NULL: somebody else does, or nobody */
	plm_events *events;               /* NULL: the log is not read */
	plm_inspect *in;                  /* of the runtime */
	bool lives;                       /* events are written, and read */
	char trouble[FLOW_TROUBLE_BYTES]; /* why not; "" */
	uint64_t again_ns;                /* when to try again */

	struct runs runs;
	uint64_t faded_ns;
	bool in_window;
	uint64_t from_ns, window_ns; /* of the window; or of the last */
	uint64_t due_ns;             /* when the window can be read, or begins */
	uint64_t cost_ns;            /* of the events of this window */
	uint64_t lost;               /* events overwritten before top had read them, at its start */
	uint64_t got;                /* events of the window */
	double covered;              /* by windows, of the time of late: 0 to 1 */
	struct flow_name name[FLOW_NAMES];
};

/* Reads the log from now on, or goes on: `name` and `in` are of the runtime. */
void flow_follow(struct flow *flow, const char *name, plm_inspect *in);
/* Reads the events that are due. */
void flow_read(struct flow *flow);
/* When flow_read() is to be called; UINT64_MAX: no log is read. */
uint64_t flow_due_ns(const struct flow *flow);
/* Of all numbers, the older ones fade: once a frame, in which workers ran `rate` tasks a second. */
void flow_fade(struct flow *flow, double rate);
/* The log is read no more, and nobody is asked to write it. */
void flow_end(struct flow *flow);

#endif
