/* trace_capture.h - from a runtime into a recording: the log of the last seconds, or everything
 * from now on.
 *
 * Beside the events a recording gets looks at the runtime: how full it is, and which processes
 * there are. A look is put where its time belongs among the events, which come a little late.
 * Memory: a page of events. What the rings lose before it is read is counted in the recording.
 * Who: one thread.  Blocks: live, until the end asked for.  Errors: -errno with a why. */
#ifndef PLM_TRACE_CAPTURE_H
#define PLM_TRACE_CAPTURE_H

#include "cli/runs/recording.h"

struct capture_told {
	uint64_t events, lost, bytes, span_ns;
	uint32_t without_room; /* processes whose events have no room in /dev/shm */
	bool ended;            /* the runtime ended first */
	uint64_t end_ns;
};

int capture_head(plm_inspect *in, struct recording_head *ret);

/* The events of the last last_ns (0: all that the log keeps). -ENODATA: nothing is written there,
 * and the log is off. */
int capture_log(
    plm_inspect *in, uint64_t last_ns, struct recorder *recorder, struct capture_told *ret);

struct capture_plan {
	uint64_t for_ns; /* 0: until SIGINT, SIGTERM or SIGHUP */
	bool progress;   /* a line on stderr, renewed each second */
};
/* Blocks the three signals, switches events on while it lives, and records. A failure of the
 * recorder ends the recording and is returned. */
int capture_live(plm *rt, plm_inspect *in, const struct capture_plan *plan,
    struct recorder *recorder, struct capture_told *ret);
/* The recording has its name: the three signals end the program again. */
void capture_release_signals(void);

#endif
