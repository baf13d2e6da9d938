/* map_flight.h - the jobs of `plmctl map` that are under way: submits many jobs at a time, and
 * collects ended jobs.
 *
 * The loop waits in one of two ways. Short jobs are submitted ahead of the workers, and the
 * loop sleeps until a job in the middle of the queue is settled: one wake for many jobs. With
 * long jobs the loop polls a descriptor together with the input and the signals.
 *
 * On a fleet the same steps are those of map_fleet.h.
 * Who: one thread. */
#ifndef PLM_CLI_MAP_FLIGHT_H
#define PLM_CLI_MAP_FLIGHT_H

#include "cli/command_request.h"
#include "cli/map/map_job.h"
#include "cli/map/map_template.h"
#include "cli/map/map_varied.h"

enum { FLIGHT_BATCH = 256 }; /* jobs in one submission; drops are gathered to as many */

struct flight {
	struct context *context;
	const struct command_request *request;
	const struct template *template;
	struct varied *varied; /* NULL: all jobs have the same options */
	struct job **job;      /* in the order of submission */
	plm_ref *ref;
	uint8_t *ready;
	size_t jobs, room;
	struct job *refused, **last_refused; /* by a full table, to be submitted again */
	uint64_t average_us;                 /* of the latest jobs; 0: no job has ended */
	uint64_t begun_ns;
	int settled_fd;    /* of plm_fd(); -1: not needed so far */
	struct text words; /* of a batch */
	struct text starts, args, tasks;
	plm_ref *drop;
	size_t drops;
	bool waits; /* plm_wait_begin() was called */
	/* of a fleet: */
	bool wants_times; /* begin and run time of each job are shown */
	bool away;        /* the engine cannot be reached */
	uint64_t news_ns; /* when ends were last told */
};

void flight_begin(struct flight *f, struct context *context, const struct command_request *request,
    const struct template *template, struct varied *varied);
/* Takes a list of jobs, in order. EXIT_FINE, also if jobs were refused for now; or an exit code
 * after a message. */
int flight_submit(struct flight *f, struct job *jobs);
size_t flight_count(const struct flight *f); /* with refused jobs */

/* How many jobs to submit beyond the jobs that can run, so that workers stay busy for a moment. */
size_t flight_ahead(const struct flight *f, unsigned workers);

struct flight_wake {
	int timeout_ms; /* negative: for ever */
	int input;      /* a descriptor to wait for; -1: none */
	unsigned workers;
};

/* Waits for a settlement, input, a signal, or the timeout; may return early. */
int flight_wait(struct flight *f, const struct flight_wake *wake);

/* Returns ended jobs as a list in *ret. An exit code after a message: the runtime is gone. */
int flight_collect(struct flight *f, struct job **ret);
/* Cancels jobs submitted longer ago; 0: none. They end as failed. */
void flight_cancel_late(struct flight *f, uint64_t limit_ms);
/* Drops the results of a job in the runtime, and frees the job. */
void flight_drop(struct flight *f, struct job *job);
/* Frees the refused jobs. */
void flight_forget_refused(struct flight *f);
/* Cancels all running jobs, waits until they have ended or one more signal comes, and frees them.
 */
void flight_cancel(struct flight *f);
void flight_end(struct flight *f);

#endif
