/* worker.h - the role that runs tasks, one at a time.
 *
 * Where: a process of its own, forked by the manager; or a thread, in tests. A worker is a client
 * of the runtime too: its tasks submit and wait through the same handle.
 * It takes hints from its down ring; a hint is an order only if the CAS READY -> RUNNING succeeds.
 * It commits a result by one CAS, wakes those who wait for it, and tells the scheduler, in batches.
 * Death: at any point; the record says RUNNING with our slot as owner until the commit, and the
 * scheduler ends or repeats it. */
#ifndef PLM_WORKER_H
#define PLM_WORKER_H

#include "worker/call.h"
#include "worker/modules.h"
#include "worker/recycle.h"

enum { WORKER_BATCH = 32, REPORT_DELAY_NS = 10000 };
#define NO_RECORD UINT32_MAX

struct worker {
	struct plm rt;
	struct functions functions;
	const struct injection *injection; /* faults on purpose; NULL: none */
	struct recycling recycling;
	uint64_t private_at_first;     /* bytes, before the first task */
	uint64_t growth_look_ns;       /* when to look again how it has grown */
	struct plm_call *call;         /* innermost running one */
	uint64_t report[WORKER_BATCH]; /* settled, the scheduler not told yet */
	uint32_t reports;
	bool untold; /* there is room in our ring that the scheduler was not told
		      * of */
	bool urgent; /* somebody waits for what a report will set going */
	uint64_t report_since_ns;
	uint32_t next;   /* READY, kept to be run by us next; NO_RECORD */
	uint64_t now_ns; /* the last look at the clock: one a task */
	uint32_t average_ns;
	struct left { /* retries we left to others: which, since when, and when we saw them last */
		uint64_t ref, word;
		uint64_t since_ns, seen_ns;
	} left[64];
	bool dressed; /* the environment is that of a task with needs (needs.h) */
	_Atomic bool stop;
};

/* Takes the place prepared in slot; rt.tables is attached already. */
int worker_open(struct worker *w, uint32_t slot);
/* False: it was asked to leave, or the queue is paused. It claims nothing but what the task it runs
 * waits for. */
bool worker_may_start(const struct worker *w);
/* One round: 0 when no hint was there. What it has to report may still be kept back. */
uint32_t worker_step(struct worker *w);
/* Until w->stop, its slot is LEAVING, or the end of the runtime. */
void worker_run(struct worker *w);
void worker_close(struct worker *w);

/* ---- run_task.c ---- */

/* Claims and runs the record if it is READY. True: it was run, whatever came of it. */
bool worker_run_record(struct worker *w, uint32_t index);
/* Work in the place of one that waits: runs the record, or what it waits for. True: something was
 * run. */
bool worker_help(void *worker, uint32_t index);
/* Settling that record takes the end of a task that we run: it, or one of those on our stack, or
 * what has one of them as an argument, however far behind. */
bool worker_deadlocked(void *worker, uint32_t index);
/* Puts a hint to the scheduler into report[]; sent soon, or, when it is urgent, after this task. */
void worker_tell(struct worker *w, enum hint_kind kind, uint64_t ref, bool urgent);
/* Sends what is in report[]. */
void worker_report(struct worker *w);

/* The same for a hint, which may be stale; and what it made ready and kept for us. */
bool worker_run_hint(struct worker *w, uint64_t hint);

/* ---- retry.c ---- */

/* A READY task that was tried before: our worker has just failed it, and another one is free. */
bool worker_leaves_retry(struct worker *w, uint64_t ref, uint64_t word);

/* ---- steal.c ---- */

/* Runs one task that stands in front of another worker. False: there is none. */
bool worker_steal(struct worker *w);

/* ---- successor.c ---- */

/* Tells those that waited for it. False: some are left to the scheduler. */
bool worker_tell_successors(struct worker *w, uint64_t settled);

#endif
