/* runs.h - from events to runs: which attempt of which task ran where, from when to when, and how
 * the attempt ended; beside the runs, numbers over time (queued, running, store, memory).
 *
 * Events come in nearly in the order of time, from the log (plm_events_read) or from a recording
 * (recording.h). Callbacks tell each run once, when the run ends. All runs of a track nest
 * strictly: two runs of a track either lie beside each other or one lies inside the other, whatever
 * the events say. Events may be missing at the beginning (the log was switched on later, or the
 * ring is older) and in the middle (runs_lost): then a start comes from the length that the end
 * event tells, and a run without an end is RUN_LOST.
 *
 * Memory is bounded: an entry for each record of the runtime, 2^20 at most (then the newest of two
 * tasks keeps the entry, and the other loses its times), and a stack of open runs for each process
 * slot. Any bytes in an event are met with an answer.
 * Who: one thread.  Blocks: never.  Errors: only runs_open(), for want of memory. */
#ifndef PLM_RUNS_H
#define PLM_RUNS_H

#include <stdbool.h>

#include "client/plm_inspect.h"

enum run_ending {
	RUN_DONE,
	RUN_FAILED,
	RUN_CANCELLED,
	RUN_RETURNED, /* and the task is queued again */
	RUN_OPEN,     /* runs when the events end */
	RUN_LOST,     /* the event of the end is missing */
	RUN_ENDINGS
};
const char *run_ending_name(enum run_ending ending); /* "done" */

enum { RUN_NAME_BYTES = 64, RUN_BETTER_NAME_BYTES = 24 };

#define RUN_NO_TRACK UINT32_MAX

/* Times are of CLOCK_MONOTONIC in ns; 0: unknown. */
struct run {
	plm_ref ref;
	uint32_t attempt;
	enum run_ending ending;
	uint32_t track;   /* RUN_NO_TRACK: never started, or nobody knows where */
	uint32_t worker;  /* PLM_NOBODY: none */
	uint32_t process; /* process slot, or PLM_NOBODY */
	uint32_t depth;   /* 0: the outermost run of the track at that time */
	uint32_t function;
	int64_t priority;
	bool started;
	bool start_unknown;    /* start_ns comes from the length told by the end */
	uint64_t submitted_ns; /* of the task */
	uint64_t ready_ns;     /* of this attempt: nothing was missing any more */
	uint64_t placed_ns;    /* given to the worker */
	uint64_t start_ns, end_ns;
	uint64_t counted_ns;       /* as the worker itself measured the run; 0: not told */
	uint32_t reason;           /* of RUN_RETURNED: enum plm_return */
	const char *function_name; /* "module.function"; "" unknown; valid in the callback */
	const char *name;          /* the better name of the task, else function_name */
};

/* A task that waits inside its run, with nothing else running in its place, or with nested runs. */
struct run_wait {
	uint32_t track, worker, process;
	uint64_t start_ns, end_ns;
};

/* A process that runs tasks: a new process in the same process slot is a new track. */
struct run_track {
	uint32_t track;   /* 0, 1, 2, ... */
	uint32_t worker;  /* PLM_NOBODY: none */
	uint32_t process; /* process slot */
	uint32_t pid;     /* 0: unknown */
};

/* Something that happened to the runtime as a whole, or to a process. */
struct run_mark {
	uint64_t time_ns;
	int kind; /* enum plm_event_kind: BORN, DEAD, MEMORY_..., LOCK_RECOVERED, JOURNAL; or NONE:
		   * events were lost, `argument` of them */
	uint32_t process, worker;
	uint64_t argument;
};

enum {                     /* bits of run_counters.known and runs_sample.known */
	COUNTER_TASKS = 1, /* waiting, queued, running */
	COUNTER_STORE = 2,
	COUNTER_MEMORY = 4,
};

struct run_counters {
	uint32_t known;
	uint64_t waiting; /* for a missing argument */
	uint64_t queued;  /* ready, and not started */
	uint64_t running;
	uint64_t store_bytes, memory_free;
};

/* A sample of the runtime's own counters, from which the counters go on; one event of the class
 * changes a counter by one, or by bytes. */
struct runs_sample {
	uint64_t time_ns;
	struct run_counters counters;
};

/* A process of a worker, as plm_inspect.h shows it: events of before the first are made up for. */
struct runs_process {
	uint64_t time_ns;
	uint32_t process, worker, pid;
	plm_ref running;               /* the innermost task that runs, or PLM_NONE */
	uint64_t run_ns;               /* since when */
	char function[RUN_NAME_BYTES]; /* of the task that runs */
};

struct runs_sink { /* NULL: not wanted */
	/* When a process of a worker is seen, before its first run, and again when the pid becomes
	 * known. Tracks have the same numbers whenever the same events come. */
	void (*track)(void *context, const struct run_track *track);
	void (*run)(void *context, const struct run *run);
	/* The submission of a task comes after the run of this length was told as done: the task
	 * was handed over at once, and its client was slow to write. */
	void (*late)(void *context, uint64_t ran_ns);
	void (*wait)(void *context, const struct run_wait *wait);
	void (*mark)(void *context, const struct run_mark *mark);
	/* After a change, but at most once in grain_ns, and at the end. */
	void (*counters)(void *context, uint64_t time_ns, const struct run_counters *counters);
};

struct runs_plan {
	uint64_t records_max; /* of the runtime; 0: unknown */
	uint64_t grain_ns;
	bool sampled; /* samples come often: bytes of events do not change the store counter */
};

struct runs;
int runs_open(
    struct runs **ret, const struct runs_plan *plan, const struct runs_sink *sink, void *context);
void runs_event(struct runs *runs, const plm_event *event);
void runs_sample(struct runs *runs, const struct runs_sample *sample);
void runs_process(struct runs *runs, const struct runs_process *process);
/* Events are missing here: open runs become doubtful. */
void runs_lost(struct runs *runs, uint64_t time_ns, uint64_t events);
/* No more events: open runs end as RUN_OPEN at this time, at the last event at least. */
void runs_finish(struct runs *runs, uint64_t time_ns);
void runs_close(struct runs **runs);

void runs_counters(const struct runs *runs, struct run_counters *ret);
/* Events that made no sense: wild numbers, kinds of a later version. */
uint64_t runs_senseless(const struct runs *runs);

#endif
