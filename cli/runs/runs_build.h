/* runs_build.h - the builder of runs from inside: its state, and the functions of runs_places.c
 * that runs.c calls. Who: runs.c, runs_places.c. */
#ifndef PLM_RUNS_BUILD_H
#define PLM_RUNS_BUILD_H

#include "cli/runs/runs_count.h"
#include "cli/runs/runs_names.h"
#include "cli/runs/runs_stack.h"
#include "cli/runs/runs_tasks.h"

enum { ORPHANS_MAX = 1024 };

struct runs {
	struct runs_plan plan;
	struct runs_sink sink;
	void *context;
	struct known_tasks tasks;
	struct run_slots slots;
	struct run_counting counting;
	/* Runs of dead processes. The scheduler writes their ends later. */
	struct open_run orphan[ORPHANS_MAX];
	uint32_t orphans, tracks;
	uint64_t last_ns, senseless;
	struct run_names names; /* of functions */
};

struct run_end {
	uint64_t ns;
	enum run_ending ending;
	uint64_t counted_ns;
	uint32_t reason;
};

/* ---- runs_places.c: runs in process slots ---- */

/* The process was seen: a new process in the slot ends the runs of the old one. */
void runs_enter(
    struct runs *runs, struct run_slot *slot, uint64_t time_ns, uint32_t worker, uint32_t pid);
/* The slot has a track from here on. */
void runs_need_track(struct runs *runs, struct run_slot *slot);
void runs_tell(struct runs *runs, const struct open_run *open, const struct run_end *end);
/* Closes the innermost open run or wait of the slot. */
void runs_close_top(struct runs *runs, struct run_slot *slot, struct run_end end);
/* Closes all that lies above the position, as RUN_LOST. */
void runs_close_above(struct runs *runs, struct run_slot *slot, uint32_t position, uint64_t end_ns);
/* The process goes on with another task: the ends of these runs are among the lost events. */
void runs_close_doubtful(struct runs *runs, struct run_slot *slot, uint64_t end_ns);
/* An event from PLM_EVENT_BORN to PLM_EVENT_DEAD. */
void runs_of_process(struct runs *runs, const plm_event *event);
void runs_mark(struct runs *runs, const plm_event *event);

#endif
