/* worker.h - the role of a worker process: runs tasks, one at a time.
 *
 * Where: a process forked by the manager; or a thread, in tests. A worker is a client of the
 * runtime too: functions submit and wait through the worker's handle.
 * A worker takes hints from its down ring; a hint is an order only if the CAS READY -> RUNNING
 * succeeds. The worker commits a result by one CAS, wakes the waiting holders, and tells the
 * scheduler, in batches.
 * Death: at any point. Until the commit the record says RUNNING with our process slot as owner, and
 * the scheduler ends or repeats the task. */
#ifndef PLM_WORKER_H
#define PLM_WORKER_H

#include "events/eventlog.h"
#include "tables/cores.h"
#include "worker/call.h"
#include "worker/modules.h"
#include "worker/recycle.h"
#include "worker/task_sleep.h"

enum { WORKER_BATCH = 32, REPORT_DELAY_NS = 10000 };
#define NO_RECORD UINT32_MAX

struct worker {
	struct plm rt;
	struct functions functions;
	const struct injection *injection; /* faults on purpose; NULL: none */
	struct recycling recycling;
	uint64_t private_at_first;     /* bytes, before the first task */
	uint64_t growth_look_ns;       /* when to measure growth again */
	struct plm_call *call;         /* the innermost running task */
	uint64_t report[WORKER_BATCH]; /* hints not yet told to the scheduler */
	uint32_t reports;
	bool untold; /* the scheduler was not told of room in our ring */
	bool urgent; /* somebody waits for the effect of a report */
	uint64_t report_since_ns;
	struct dry { /* since the worker ran out of tasks */
		uint32_t looks;
		bool saw_task; /* a task to steal, in the ring of another worker */
		bool missed; /* and could not have it: no further look, so that the worker sleeps */
	} dry;
	struct task_sleep task_sleep;
	struct cores_look cores_look;
	struct unfreed {       /* unfreed.c */
		uint64_t most; /* bytes let go and not told; with more the scheduler is woken */
		struct let_go {
			uint64_t free; /* since the scheduler was last woken for the sake of room */
			uint64_t held; /* by clients, since the last report */
		} kept;
		uint64_t told;     /* the scheduler was woken for, and may not have read of yet */
		uint32_t told_end; /* of the ring after the last such wake */
	} unfreed;
	uint32_t next;   /* the READY task to run next; NO_RECORD */
	uint64_t now_ns; /* the last reading of the clock, one for each task */
	uint32_t average_ns;
	struct left { /* retries left to other workers, since when, and when last seen */
		uint64_t ref, word;
		uint64_t since_ns, seen_ns;
	} left[64];
	struct worker_log {       /* task_events.c */
		bool rests;       /* the log says that the worker is idle */
		bool pending;     /* the end of `started` is to be written, with the next start */
		uint64_t started; /* of the last start written, if a first attempt; or 0 */
		uint64_t stamp;   /* of its end */
		uint64_t time_ns, ran_ns; /* of its end, if pending */
	} log;
	bool dressed; /* the environment is set for a task with needs (needs.h) */
	_Atomic bool stop;
};

/* Takes the place prepared in the process slot; rt.tables is attached already. */
int worker_open(struct worker *w, uint32_t slot);
/* False: the worker was asked to leave, or the queue is paused. Then it claims only tasks awaited
 * by the task it runs. */
bool worker_may_start(const struct worker *w);
/* One round; 0 when no hint was found. Reports may be kept back. */
uint32_t worker_step(struct worker *w);
/* Runs until w->stop, until the process slot is LEAVING, or until the end of the runtime. */
void worker_run(struct worker *w);
void worker_close(struct worker *w);

/* ---- run_task.c ---- */

/* Claims and runs the record if it is READY. True: the task was run, whatever the outcome. */
bool worker_run_record(struct worker *w, uint32_t index);
/* Works in place of a waiting task: runs the record, or a task awaited by the record. True: a task
 * was run. */
bool worker_help(void *worker, uint32_t index);
/* True if settling the record takes the end of a task that we run: the record is such a task, or
 * waits for such a task through its arguments. */
bool worker_deadlocked(void *worker, uint32_t index);
/* Puts a hint to the scheduler into report[]. The report is sent soon, or, if urgent, after the
 * current task. */
void worker_tell(struct worker *w, enum hint_kind kind, uint64_t ref, bool urgent);
/* Tasks are queued, and half of our ring is done: then a wake of the scheduler serves many tasks.
 * The ring still counts the task just ended. */
bool worker_room_is_wanted(const struct worker *w);
/* Sends what is in report[]. */
void worker_report(struct worker *w);

/* False: a stale hint, or no hint of a task. */
bool worker_names_task(const struct tables *t, uint64_t hint);
/* Runs the task of a hint, which may be stale, and then the successors that we keep. */
bool worker_run_hint(struct worker *w, uint64_t hint);

/* ---- unfreed.c ---- */

void unfreed_open(struct worker *w);
/* Bytes that the task no longer needs once it has ended. Call before the commit: afterwards the
 * record may begin another life. */
struct let_go unfreed_of(const struct plm_call *call);
/* Counts them. So many are not told that a report is due? */
bool unfreed_note(struct worker *w, const struct let_go *more);
/* And the report has to wake the scheduler. */
bool unfreed_due(const struct worker *w);
/* The report was sent, and has perhaps woken the scheduler for the sake of room. */
void unfreed_told(struct worker *w, bool woken);
/* Waits if the scheduler was told of far more bytes and has not read of them, for a moment. */
void unfreed_await(struct worker *w);

/* ---- retry_elsewhere.c ---- */

/* A READY task tried before: our worker has just failed it, and another worker is free. */
bool worker_leaves_retry(struct worker *w, uint64_t ref, uint64_t word);

/* ---- steal.c ---- */

/* Runs a task from the front of another worker. False: found no task. */
bool worker_steal(struct worker *w);
/* True: quick workers use every core, and find the tasks of others in the place of a worker without
 * work, which would only take turns with them: the caller is to sleep. */
bool worker_makes_way(struct worker *w);
/* True: a worker has a task behind the one it runs. Reads only. */
bool steal_would_succeed(const struct worker *w);

/* ---- successor.c ---- */

/* Tells the dependants of a settled task. False: some are left to the scheduler. */
bool worker_tell_successors(struct worker *w, uint64_t settled);

#endif
